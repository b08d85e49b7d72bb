/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_ROBUSTNESS_SHOW_H
#define INVAR_REPORT_ROBUSTNESS_SHOW_H

#include "study/robustness.h"

/** A PNG of two test images: a row a corruption, and across, for each of them, clean and the severities. */
bool report_robustness_show(struct invar_run *run, const struct invar_robustness_request *request, const char *path,
                            struct invar_error *err);

#endif
