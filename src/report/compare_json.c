/* SPDX-License-Identifier: Apache-2.0 */
/* A comparison as one JSON object. */
#include "report/compare_parts.h"

#include <math.h>

static void add_number(cJSON *object, const char *name, double value)
{
    if (isfinite(value))
        cJSON_AddNumberToObject(object, name, value);
    else
        cJSON_AddNullToObject(object, name);
}

static void add_mean(cJSON *object, const char *name, const struct comparison_mean *mean)
{
    cJSON *item = cJSON_AddObjectToObject(object, name);
    cJSON_AddNumberToObject(item, "n", mean->n);
    add_number(item, "mean", mean->mean);
    if (mean->n > 1)
        cJSON_AddItemToObject(item, "interval",
                              cJSON_CreateDoubleArray((double[]){mean->mean - mean->half, mean->mean + mean->half}, 2));
}

static void add_metrics(const struct comparison *c, cJSON *root)
{
    cJSON *metrics = cJSON_AddArrayToObject(root, "metrics");
    for (int m = 0; m < c->metric_count; m++) {
        cJSON *metric = cJSON_CreateObject();
        cJSON_AddStringToObject(metric, "name", c->metric[m].name);
        cJSON_AddStringToObject(metric, "unit", c->metric[m].unit);
        if (c->metric[m].better)
            cJSON_AddStringToObject(metric, "better", c->metric[m].better > 0 ? "larger" : "smaller");
        cJSON_AddItemToArray(metrics, metric);
    }
}

static void add_run(const struct comparison *c, int r, const char *group, cJSON *runs)
{
    const struct report_run *run = c->run[r];
    cJSON *object = cJSON_CreateObject(), *values;
    cJSON_AddStringToObject(object, "run", run->folder);
    cJSON_AddStringToObject(object, "name", run->name);
    cJSON_AddStringToObject(object, "group", group);
    if (run->seed >= 0)
        cJSON_AddNumberToObject(object, "seed", (double)run->seed);
    cJSON_AddStringToObject(object, "data", run->source);
    if (*run->identity)
        cJSON_AddStringToObject(object, "data_identity", run->identity);
    cJSON_AddStringToObject(object, "version", run->version);
    cJSON_AddBoolToObject(object, "finished", run->finished);
    if (run->machines)
        cJSON_AddItemToObject(object, "machine", cJSON_Duplicate(run->machines, true));
    values = cJSON_AddObjectToObject(object, "values");
    for (int m = 0; m < c->metric_count; m++)
        add_number(values, c->metric[m].name, c->value[r][m].value);
    cJSON_AddItemToArray(runs, object);
}

static void add_group(const struct comparison *c, int g, cJSON *groups)
{
    const struct comparison_group *group = &c->group[g];
    cJSON *object = cJSON_CreateObject(), *runs, *options, *means, *differences;
    cJSON_AddStringToObject(object, "name", group->name);
    runs = cJSON_AddArrayToObject(object, "runs");
    for (int r = 0; r < group->run_count; r++)
        cJSON_AddItemToArray(runs, cJSON_CreateString(c->run[group->run[r]]->folder));
    options = cJSON_AddObjectToObject(object, "options");
    for (int k = 0; k < c->key_count; k++)
        cJSON_AddStringToObject(options, c->key[k], comparison_setting(c, g, c->key[k]));
    means = cJSON_AddObjectToObject(object, "means");
    differences = g == c->base ? NULL : cJSON_AddObjectToObject(object, "differences");
    for (int m = 0; m < c->metric_count; m++) {
        add_mean(means, c->metric[m].name, &group->mean[m]);
        if (differences)
            add_mean(differences, c->metric[m].name, &group->difference[m]);
    }
    cJSON_AddItemToArray(groups, object);
}

/* Fields in which machines differ; empty where they agree or are not known. */
static void add_machines(cJSON *root, const char *name, const struct comparison_machines *machines)
{
    cJSON *fields = cJSON_AddArrayToObject(root, name);

    for (int i = 0; i < machines->count; i++)
        cJSON_AddItemToArray(fields, cJSON_CreateString(machines->field[i]));
}

cJSON *comparison_json(struct comparison *c)
{
    cJSON *root = cJSON_CreateObject(), *runs, *groups, *notes;
    cJSON_AddStringToObject(root, "base", c->group[c->base].name);
    add_metrics(c, root);
    runs = cJSON_AddArrayToObject(root, "runs");
    groups = cJSON_AddArrayToObject(root, "groups");
    for (int g = 0; g < c->group_count; g++) {
        for (int r = 0; r < c->group[g].run_count; r++)
            add_run(c, c->group[g].run[r], c->group[g].name, runs);
        add_group(c, g, groups);
    }
    add_machines(root, "trained_differs", &c->trained);
    add_machines(root, "measured_differs", &c->measured);
    notes = cJSON_AddArrayToObject(root, "notes");
    for (int i = 0; i < c->note_count; i++)
        cJSON_AddItemToArray(notes, cJSON_CreateString(c->note[i]));
    return root;
}
