/* SPDX-License-Identifier: Apache-2.0 */
/** libinvar: self-supervised representation learning in C. One header a module; this one includes them all but those of
 * expert/, for programs with terms, nets or loops of their own. */
#ifndef INVAR_INVAR_H
#define INVAR_INVAR_H

#include "invar/array.h"
#include "invar/classification.h"
#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"
#include "invar/error.h"
#include "invar/eval.h"
#include "invar/export.h"
#include "invar/inspect.h"
#include "invar/log.h"
#include "invar/measure.h"
#include "invar/memory.h"
#include "invar/metrics.h"
#include "invar/options.h"
#include "invar/regression.h"
#include "invar/report.h"
#include "invar/results.h"
#include "invar/robustness.h"
#include "invar/run.h"
#include "invar/study.h"
#include "invar/agent.h"
#include "invar/train.h"
#include "invar/version.h"
#include "invar/view.h"
#include "invar/watch.h"

#endif
