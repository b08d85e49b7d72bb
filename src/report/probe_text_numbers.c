/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of labels that are numbers, as text for people. */
#include "base/human.h"
#include "report/text.h"

#include <math.h>

static void print_number(FILE *out, double value)
{
    if (isnan(value))
        fprintf(out, " %11s", "none");
    else
        fprintf(out, " %11.5g", value);
}

static void print_draws(FILE *out, const struct invar_probed *p)
{
    if (p->r2_by_draw.value)
        fprintf(out, "  mean of %lld draws of %lld labels", (long long)p->r2_by_draw.count, (long long)p->train_count);
    if (!isnan(p->interval[0]))
        fprintf(out, ", 95 %% interval of R2 %.4f to %.4f", p->interval[0], p->interval[1]);
}

static void print_one(FILE *out, const struct invar_probed *p)
{
    char seconds[32];

    fprintf(out, "%-20s", p->name);
    print_number(out, p->r2);
    print_number(out, p->mae);
    print_number(out, p->spearman);
    fprintf(out, " %6lld", (long long)p->dimensions);
    if (!isnan(p->alpha))
        fprintf(out, "  alpha %g", p->alpha);
    if (!isnan(p->held_out_r2))
        fprintf(out, " (held out R2 %.4f)", p->held_out_r2);
    print_draws(out, p);
    for (int64_t i = 0; i < p->r2_by_k.count; i++)
        fprintf(out, "  k %s: R2 %.4f", p->r2_by_k.item[i].name, p->r2_by_k.item[i].value);
    fprintf(out, "  %s\n", human_duration(p->seconds, seconds, sizeof seconds));
}

void report_probe_numbers(FILE *out, const struct invar_probe_results *results)
{
    fprintf(out, "%-20s %11s %11s %11s %6s\n", "", "R2", "MAE", "Spearman", "dim");
    for (int64_t i = 0; i < results->count; i++)
        print_one(out, &results->item[i]);
    for (int64_t i = 0; i < results->count; i++)
        if (results->item[i].spearman_absent)
            fprintf(out, "%s: no Spearman: %s\n", results->item[i].name, results->item[i].spearman_absent);
}
