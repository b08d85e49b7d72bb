/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy by group, as text for people. */
#include "cli/probe.h"

static const cJSON *groups_of(const cJSON *result)
{
    return cJSON_GetObjectItemCaseSensitive(result, "groups");
}

static double number(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* Of all results the groups are the same. */
static void print_each(const cJSON *results, const cJSON *first)
{
    const cJSON *each = cJSON_GetObjectItemCaseSensitive(first, "each"), *result, *group;
    int row = 0;

    printf("%-20s %9s", "accuracy by group", "samples");
    cJSON_ArrayForEach(result, results) printf(" %12.12s", result->string);
    printf("\n");
    cJSON_ArrayForEach(group, each)
    {
        printf("%-20.20s %9.0f", cJSON_GetObjectItemCaseSensitive(group, "group")->valuestring,
               number(group, "samples"));
        cJSON_ArrayForEach(result, results) printf(
            " %12.4f",
            number(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(groups_of(result), "each"), row), "accuracy"));
        printf("\n");
        row++;
    }
}

void probe_print_groups(const cJSON *results)
{
    const cJSON *first = results->child ? groups_of(results->child) : NULL, *result;

    if (!first)
        return;
    printf("\n%-20s %9s %9s  of %s\n", "groups", "worst", "mean",
           cli_name(cJSON_GetObjectItemCaseSensitive(first, "column")->valuestring));
    cJSON_ArrayForEach(result, results)
    {
        const cJSON *groups = groups_of(result);
        printf("%-20s %9.4f %9.4f  worst: %s, %.0f samples\n", result->string, number(groups, "worst_accuracy"),
               number(groups, "mean_over_groups"),
               cli_name(cJSON_GetObjectItemCaseSensitive(groups, "worst")->valuestring),
               number(groups, "worst_samples"));
    }
    if (cJSON_GetObjectItemCaseSensitive(first, "without"))
        printf("%.0f test samples have no value of it and are left out here\n", number(first, "without"));
    if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(first, "each")) <= 100)
        print_each(results, first);
}
