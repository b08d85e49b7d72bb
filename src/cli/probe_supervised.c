/* SPDX-License-Identifier: Apache-2.0 */
/* The supervised baseline: the run's encoder from its start, on labels, for the steps of the run. */
#include "cli/probe.h"
#include "cli/probe_training.h"

enum { LOOKS = 20 /* at the held-out part */ };

struct probe_training *probe_supervised_train(struct cli_run *run, const struct probe_settings *settings,
                                              struct invar_error *err)
{
    const struct probe_training_plan plan = {.what = "supervised baseline",
                                             .held_out = settings->linear.held_out,
                                             .seed = settings->linear.seed,
                                             .looks = LOOKS};
    struct invar_recipe *recipe = probe_training_recipe(run, NULL, 0, err);

    return recipe ? probe_training_run(run, recipe, &plan, err) : NULL;
}

void probe_supervised_describe(const struct probe_training *s, enum invar_precision precision, cJSON *result)
{
    cJSON *training = cJSON_AddObjectToObject(result, "training");

    cJSON_AddNumberToObject(training, "steps", (double)invar_trainer_steps_total(s->trainer));
    cJSON_AddStringToObject(training, "precision", invar_precision_name(precision));
    cJSON_AddNumberToObject(training, "best_step", (double)s->best.step);
    cJSON_AddNumberToObject(training, "held_out_count", (double)s->held_out);
    cJSON_AddNumberToObject(training, "held_out_top1", s->best.held_out_top1);
    cJSON_AddNumberToObject(training, "head_top1", s->best.test.top1);
    cJSON_AddNumberToObject(training, "seconds", s->seconds);
}
