/* SPDX-License-Identifier: Apache-2.0 */
/* The supervised baseline: the run's encoder from its start, on labels, for the steps of the run. */
#include "study/study.h"
#include "study/training.h"

enum { LOOKS = 20 /* at the held-out part */ };

struct study_training *study_supervised_train(struct invar_run *run, const struct study_settings *settings,
                                              struct invar_error *err)
{
    const struct study_training_plan plan = {.what = "supervised baseline",
                                             .held_out = settings->linear.held_out,
                                             .seed = settings->linear.seed,
                                             .looks = LOOKS};
    struct invar_recipe *recipe = study_training_recipe(run, NULL, 0, err);

    return recipe ? study_training_run(run, recipe, &plan, err) : NULL;
}

void study_supervised_describe(const struct study_training *s, enum invar_precision precision, cJSON *result)
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
