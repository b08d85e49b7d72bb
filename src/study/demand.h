/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_DEMAND_H
#define INVAR_STUDY_DEMAND_H

#include "invar/run.h"

/** What a run takes, beside what the machine has. */
struct study_demand {
    struct invar_trainer_plan plan;
    const struct invar_dataset_info *info;
    double batch, views, total, available; /**< bytes: of all, and that the machine has; 0: not known */
    double largest;                        /**< batch that fits; 0: none, or not known */
    int64_t steps;
};
bool study_demand_measure(const struct invar_recipe *recipe, const struct invar_dataset *dataset,
                          const struct invar_trainer *trainer, struct study_demand *out, struct invar_error *err);
struct invar_results *study_demand_results(const struct study_demand *demand, struct invar_error *err);

#endif
