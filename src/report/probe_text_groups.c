/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy by group, as text for people. */
#include "base/human.h"
#include "report/text.h"

/* Of all results the groups are the same. */
static void print_each(FILE *out, const struct invar_probe_results *results, const struct invar_probed_groups *first)
{
    fprintf(out, "%-20s %9s", "accuracy by group", "samples");
    for (int64_t i = 0; i < results->count; i++)
        fprintf(out, " %12.12s", results->item[i].name);
    fprintf(out, "\n");
    for (int64_t g = 0; g < first->count; g++) {
        fprintf(out, "%-20.20s %9lld", first->each[g].group, (long long)first->each[g].samples);
        for (int64_t i = 0; i < results->count; i++)
            fprintf(out, " %12.4f", results->item[i].groups->each[g].accuracy);
        fprintf(out, "\n");
    }
}

void report_probe_groups(FILE *out, const struct invar_probe_results *results)
{
    const struct invar_probed_groups *first = results->item->groups;

    if (!first)
        return;
    fprintf(out, "\n%-20s %9s %9s  of %s\n", "groups", "worst", "mean", human_name(first->column));
    for (int64_t i = 0; i < results->count; i++) {
        const struct invar_probed_groups *groups = results->item[i].groups;
        fprintf(out, "%-20s %9.4f %9.4f  worst: %s, %lld samples\n", results->item[i].name, groups->worst_accuracy,
                groups->mean_over_groups, human_name(groups->worst), (long long)groups->worst_samples);
    }
    if (first->without >= 0)
        fprintf(out, "%lld test samples have no value of it and are left out here\n", (long long)first->without);
    if (first->count <= 100)
        print_each(out, results, first);
}
