/* SPDX-License-Identifier: Apache-2.0 */
/* What a training would take of the machine. */
#include "study/demand.h"
#include "invar/memory.h"
#include "run/results.h"

#include <math.h>

bool study_demand_measure(const struct invar_recipe *recipe, const struct invar_dataset *dataset,
                          const struct invar_trainer *trainer, struct study_demand *out, struct invar_error *err)
{
    struct study_demand d = {
        .info = invar_dataset_info(dataset),
        .batch = (double)recipe->training.batch,
        .views = (double)invar_view_count(&recipe->views),
        .available = (double)invar_memory_available(),
        .steps = invar_trainer_steps_total(trainer),
    };
    if (!invar_trainer_describe(trainer, &d.plan, err))
        return false;
    /* Workspace, terms and inputs grow with the batch, weights and optimiser state do not. */
    const double growing = (double)d.plan.workspace_bytes + (double)d.plan.term_bytes + (double)d.plan.input_bytes;
    const double fixed = (double)d.plan.weight_bytes + (double)d.plan.state_bytes;
    d.total = growing + fixed;
    if (growing > 0 && d.available > fixed)
        d.largest = floor(d.batch * (d.available - fixed) / growing);
    *out = d;
    return true;
}

struct invar_results *study_demand_results(const struct study_demand *d, struct invar_error *err)
{
    struct invar_results *results = run_results_create(err);
    cJSON *root = results ? results->root : NULL;

    if (!results)
        return NULL;
    cJSON_AddNumberToObject(root, "parameters", (double)d->plan.parameters);
    cJSON_AddNumberToObject(root, "encoder_parameters", (double)d->plan.encoder_parameters);
    cJSON_AddNumberToObject(root, "encoder_multiply_adds", d->plan.encoder_operations);
    cJSON_AddNumberToObject(root, "operations_per_sample", d->plan.operations_per_step / d->batch);
    cJSON_AddNumberToObject(root, "operations_per_step", d->plan.operations_per_step);
    cJSON_AddNumberToObject(root, "samples", (double)d->info->count[INVAR_TRAIN]);
    cJSON_AddBoolToObject(root, "samples_assumed", d->info->assumed);
    cJSON_AddNumberToObject(root, "steps", (double)d->steps);
    cJSON_AddNumberToObject(root, "batch", d->batch);
    cJSON_AddNumberToObject(root, "workspace_bytes", (double)d->plan.workspace_bytes);
    cJSON_AddNumberToObject(root, "term_bytes", (double)d->plan.term_bytes);
    cJSON_AddNumberToObject(root, "input_bytes", (double)d->plan.input_bytes);
    cJSON_AddNumberToObject(root, "weight_bytes", (double)d->plan.weight_bytes);
    cJSON_AddNumberToObject(root, "state_bytes", (double)d->plan.state_bytes);
    cJSON_AddNumberToObject(root, "total_bytes", d->total);
    cJSON_AddNumberToObject(root, "available_bytes", d->available);
    cJSON_AddNumberToObject(root, "largest_batch", d->largest);
    return results;
}
