/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy by the values of a column, and the worst of them. */
#include "study/study.h"
#include "invar/memory.h"

bool study_groups_open(struct study_groups *groups, const struct invar_run *run, const char *column,
                       struct invar_error *err)
{
    enum invar_split split;
    const struct invar_dataset *dataset = invar_run_tested(run, &split);
    int64_t known = 0;

    groups->column = column;
    groups->split = split;
    if (!invar_dataset_field(dataset, column, "groups", &groups->field, err))
        return false;
    for (int64_t i = 0; i < invar_dataset_info(dataset)->count[split]; i++)
        known += groups->field.of[split][i] >= 0;
    return known || invar_error_set(err, INVAR_ERROR_DATA,
                                    "groups %s: no test sample has a value of it; give a column that says something "
                                    "of the test split",
                                    column);
}

void study_groups_close(struct study_groups *groups)
{
    invar_field_free(&groups->field);
}

static struct invar_probed_groups *describe(const struct study_subject *subject,
                                            const struct invar_group_accuracy *measured, int64_t without)
{
    const struct study_groups *groups = subject->settings->groups;
    struct invar_probed_groups *out = json_room_take(subject->room, 1, sizeof *out);
    struct invar_probed_group *each = json_room_take(subject->room, measured->count, sizeof *each);
    int64_t worst = 0;

    if (!out || !each)
        return NULL;
    for (int64_t g = 0; g < measured->count; g++) {
        each[g] = (struct invar_probed_group){json_room_text(subject->room, groups->field.value[measured->group[g]]),
                                              measured->samples[g], measured->accuracy[g]};
        if (measured->accuracy[g] < measured->accuracy[worst])
            worst = g;
    }
    *out = (struct invar_probed_groups){.column = json_room_text(subject->room, groups->column),
                                        .worst = each[worst].group,
                                        .worst_accuracy = measured->worst,
                                        .mean_over_groups = measured->mean,
                                        .worst_samples = measured->samples[worst],
                                        .without = without ? without : -1,
                                        .count = measured->count,
                                        .each = each};
    return out;
}

bool study_put_groups(const struct study_subject *subject, const struct invar_accuracy *accuracy, const int64_t *index,
                      struct invar_probed *out, struct invar_error *err)
{
    const struct study_groups *groups = subject->settings->groups;
    struct invar_group_accuracy measured = {0};
    int64_t *room, *predictions, *labels, *group, kept = 0;

    if (!groups)
        return true;
    room = invar_alloc((size_t)accuracy->count, 3 * sizeof *room, err);
    if (!room)
        return false;
    predictions = room;
    labels = room + accuracy->count;
    group = labels + accuracy->count;
    for (int64_t i = 0; i < accuracy->count; i++) {
        const int64_t of = groups->field.of[groups->split][index[i]];
        if (of < 0)
            continue;
        predictions[kept] = accuracy->predictions[i];
        labels[kept] = accuracy->labels[i];
        group[kept++] = of;
    }
    const bool ok = invar_group_accuracy_measure(predictions, labels, group, kept, &measured, err);
    if (ok)
        out->groups = describe(subject, &measured, accuracy->count - kept);
    invar_group_accuracy_free(&measured);
    invar_free(room);
    return ok;
}
