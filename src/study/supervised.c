/* SPDX-License-Identifier: Apache-2.0 */
/* The supervised baseline: the run's encoder from its start, on labels, for the steps of the run. */
#include "study/study.h"
#include "study/training.h"

enum { LOOKS = 20 /* at the held-out part */ };

#define TRAINING(kind, member) JSON_ROW(struct invar_probed_training, kind, member)
static const struct json_row members[] = {TRAINING(COUNT, steps),          TRAINING(TEXT, precision),
                                          TRAINING(COUNT, best_step),      TRAINING(COUNT, held_out_count),
                                          TRAINING(NUMBER, held_out_top1), TRAINING(NUMBER, head_top1),
                                          TRAINING(NUMBER, seconds),       {0}};
const struct json_table study_training_table = {sizeof(struct invar_probed_training), members};

struct study_training *study_supervised_train(struct invar_run *run, const struct invar_probe_options *options,
                                              struct invar_error *err)
{
    const struct study_training_plan plan = {
        .what = "supervised baseline", .held_out = options->held_out, .seed = options->seed, .looks = LOOKS};
    struct invar_recipe *recipe = study_training_recipe(run, NULL, 0, err);

    return recipe ? study_training_run(run, recipe, &plan, err) : NULL;
}

const struct invar_probed_training *study_supervised_describe(const struct study_training *s,
                                                              enum invar_precision precision, struct json_room *room)
{
    struct invar_probed_training *out = json_room_take(room, 1, sizeof *out);

    if (out)
        *out = (struct invar_probed_training){.steps = invar_trainer_steps_total(s->trainer),
                                              .precision = invar_precision_name(precision),
                                              .best_step = s->best.step,
                                              .held_out_count = s->held_out,
                                              .held_out_top1 = s->best.held_out_top1,
                                              .head_top1 = s->best.test.top1,
                                              .seconds = s->seconds};
    return out;
}
