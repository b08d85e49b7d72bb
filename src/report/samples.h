/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_SAMPLES_H
#define INVAR_REPORT_SAMPLES_H

#include "invar/run.h"

/**
 * What the adversary of a run does to the first samples of a split: for images and spectrograms a PNG, a column a
 * sample, of the clean one, the perturbation (amplified, 0 is gray) and the perturbed one; for tables text. Logs what
 * is where. An error where the run has no adversary.
 */
bool report_samples_write(struct invar_run *run, enum invar_split split, const char *path, struct invar_error *err);

#endif
