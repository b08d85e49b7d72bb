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

static void describe(cJSON *object, const struct study_groups *groups, const struct invar_group_accuracy *measured,
                     int64_t without)
{
    cJSON *item = cJSON_AddObjectToObject(object, "groups"), *each;
    int64_t worst = 0;

    for (int64_t g = 1; g < measured->count; g++)
        if (measured->accuracy[g] < measured->accuracy[worst])
            worst = g;
    cJSON_AddStringToObject(item, "column", groups->column);
    cJSON_AddNumberToObject(item, "worst_accuracy", measured->worst);
    cJSON_AddStringToObject(item, "worst", groups->field.value[measured->group[worst]]);
    cJSON_AddNumberToObject(item, "worst_samples", (double)measured->samples[worst]);
    cJSON_AddNumberToObject(item, "mean_over_groups", measured->mean);
    if (without)
        cJSON_AddNumberToObject(item, "without", (double)without);
    each = cJSON_AddArrayToObject(item, "each");
    for (int64_t g = 0; g < measured->count; g++) {
        cJSON *group = cJSON_CreateObject();
        cJSON_AddStringToObject(group, "group", groups->field.value[measured->group[g]]);
        cJSON_AddNumberToObject(group, "samples", (double)measured->samples[g]);
        cJSON_AddNumberToObject(group, "accuracy", measured->accuracy[g]);
        cJSON_AddItemToArray(each, group);
    }
}

bool study_add_groups(cJSON *object, const struct invar_accuracy *accuracy, const int64_t *index,
                      const struct study_settings *settings, struct invar_error *err)
{
    const struct study_groups *groups = settings->groups;
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
        describe(object, groups, &measured, accuracy->count - kept);
    invar_group_accuracy_free(&measured);
    invar_free(room);
    return ok;
}
