/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy by group, as text for people. */
#include "cli/probe.h"

/* Of all results the groups are the same. */
static void print_each(const struct invar_probe_results *results, const struct invar_probed_groups *first)
{
    printf("%-20s %9s", "accuracy by group", "samples");
    for (int64_t i = 0; i < results->count; i++)
        printf(" %12.12s", results->item[i].name);
    printf("\n");
    for (int64_t g = 0; g < first->count; g++) {
        printf("%-20.20s %9lld", first->each[g].group, (long long)first->each[g].samples);
        for (int64_t i = 0; i < results->count; i++)
            printf(" %12.4f", results->item[i].groups->each[g].accuracy);
        printf("\n");
    }
}

void probe_print_groups(const struct invar_probe_results *results)
{
    const struct invar_probed_groups *first = results->item->groups;

    if (!first)
        return;
    printf("\n%-20s %9s %9s  of %s\n", "groups", "worst", "mean", cli_name(first->column));
    for (int64_t i = 0; i < results->count; i++) {
        const struct invar_probed_groups *groups = results->item[i].groups;
        printf("%-20s %9.4f %9.4f  worst: %s, %lld samples\n", results->item[i].name, groups->worst_accuracy,
               groups->mean_over_groups, cli_name(groups->worst), (long long)groups->worst_samples);
    }
    if (first->without >= 0)
        printf("%lld test samples have no value of it and are left out here\n", (long long)first->without);
    if (first->count <= 100)
        print_each(results, first);
}
