/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of labels that are numbers, as text for people. */
#include "cli/probe.h"

#include <math.h>

static void print_number(double value)
{
    if (isnan(value))
        printf(" %11s", "none");
    else
        printf(" %11.5g", value);
}

static void print_draws(const struct invar_probed *p)
{
    if (p->r2_by_draw.value)
        printf("  mean of %lld draws of %lld labels", (long long)p->r2_by_draw.count, (long long)p->train_count);
    if (!isnan(p->interval[0]))
        printf(", 95 %% interval of R2 %.4f to %.4f", p->interval[0], p->interval[1]);
}

static void print_one(const struct invar_probed *p)
{
    char seconds[32];

    printf("%-20s", p->name);
    print_number(p->r2);
    print_number(p->mae);
    print_number(p->spearman);
    printf(" %6lld", (long long)p->dimensions);
    if (!isnan(p->alpha))
        printf("  alpha %g", p->alpha);
    if (!isnan(p->held_out_r2))
        printf(" (held out R2 %.4f)", p->held_out_r2);
    print_draws(p);
    for (int64_t i = 0; i < p->r2_by_k.count; i++)
        printf("  k %s: R2 %.4f", p->r2_by_k.item[i].name, p->r2_by_k.item[i].value);
    printf("  %s\n", cli_duration(p->seconds, seconds, sizeof seconds));
}

void probe_print_numbers(const struct invar_probe_results *results)
{
    printf("%-20s %11s %11s %11s %6s\n", "", "R2", "MAE", "Spearman", "dim");
    for (int64_t i = 0; i < results->count; i++)
        print_one(&results->item[i]);
    for (int64_t i = 0; i < results->count; i++)
        if (results->item[i].spearman_absent)
            printf("%s: no Spearman: %s\n", results->item[i].name, results->item[i].spearman_absent);
}
