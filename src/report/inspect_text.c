/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection as text for people. */
#include "report/text.h"

#include <math.h>
#include <string.h>

enum { BAR = 30, DECADES = 6 };

static void print_bar(FILE *out, double share)
{
    const int length = share > 0 ? (int)lround(fmin(share, 1) * BAR) : 0;
    for (int i = 0; i < length; i++)
        putc('#', out);
    putc('\n', out);
}

/* The first, the second, the fourth, ... and the last. */
static int64_t next_shown(int64_t i, int64_t count)
{
    return i < count && 2 * i > count ? count : 2 * i;
}

static void print_correlations(FILE *out, const struct invar_series *correlations)
{
    fprintf(out, "%-14s %13s canonical, from the first to the last\n", correlations->name, "");
    for (int64_t i = 1; i <= correlations->count; i = next_shown(i, correlations->count)) {
        fprintf(out, "  %8lld %17.3f  ", (long long)i, correlations->value[i - 1]);
        print_bar(out, correlations->value[i - 1]);
    }
}

static void print_spectrum(FILE *out, const struct invar_series *eigenvalues)
{
    const double largest = eigenvalues->value[0];

    fprintf(out, "eigenvalue %17s squared units; of the covariance, bars over %d decades below the largest\n", "",
            DECADES);
    for (int64_t i = 1; i <= eigenvalues->count; i = next_shown(i, eigenvalues->count)) {
        const double value = eigenvalues->value[i - 1];
        fprintf(out, "  %8lld %17.3g  ", (long long)i, value);
        print_bar(out, value > 0 && largest > 0 ? 1 + log10(value / largest) / DECADES : 0);
    }
}

static void print_histogram(FILE *out, const struct invar_series *edges, const struct invar_series *counts)
{
    double most = 1;

    for (int64_t i = 0; i < counts->count; i++)
        most = fmax(most, counts->value[i]);
    fprintf(out, "histogram: ordered pairs of classes by ratio\n");
    for (int64_t i = 0; i < counts->count; i++) {
        fprintf(out, "  %9.3g ..%9.3g %6.0f  ", edges->value[i], edges->value[i + 1], counts->value[i]);
        print_bar(out, counts->value[i] / most);
    }
}

/* Series of a number a level, side by side; those that are not there are left out. */
static void print_columns(FILE *out, const struct invar_inspection *inspection, const char *const (*columns)[2],
                          int count)
{
    const struct invar_series *const levels = invar_inspection_series(inspection, INVAR_INSPECT_NOISE, columns[0][0]);

    for (int64_t i = -1; levels && i < levels->count; i++) {
        for (int c = 0; c < count; c++) {
            const struct invar_series *s = invar_inspection_series(inspection, INVAR_INSPECT_NOISE, columns[c][0]);
            if (s && i < 0)
                fprintf(out, "%10s", columns[c][1]);
            else if (s)
                fprintf(out, "%10.3g", s->value[i]);
        }
        putc('\n', out);
    }
}

static void print_noise(FILE *out, const struct invar_inspection *inspection)
{
    static const char *const normal[][2] = {
        {"levels", "level s"},      {"mistaken", "mistaken"}, {"h_normal", "h normal"},   {"h_median_p", "median p"},
        {"h_constant", "constant"}, {"z_normal", "z normal"}, {"z_median_p", "median p"}, {"z_constant", "constant"}};
    static const char *const entropies[][2] = {{"levels", "level s"},
                                               {"h_conditional_sampled", "h drawn"},
                                               {"h_conditional_jacobian", "h by J"},
                                               {"z_conditional_sampled", "z drawn"},
                                               {"z_conditional_jacobian", "z by J"}};
    const struct invar_series *nearest = invar_inspection_series(inspection, INVAR_INSPECT_NOISE, "nearest");

    print_columns(out, inspection, normal, sizeof normal / sizeof *normal);
    fprintf(out,
            "normal: fraction of the outputs that vary which K2 does not reject at 5 %%; constant: of all outputs;\n"
            "mistaken: noise around median neighbours that is nearer to the other one\n");
    if (nearest)
        fprintf(out,
                "nearest neighbours of the inputs: minimum %.3g, 5 %% %.3g, quartiles %.3g %.3g %.3g, maximum %.3g\n",
                nearest->value[0], nearest->value[1], nearest->value[2], nearest->value[3], nearest->value[4],
                nearest->value[5]);
    if (!invar_inspection_series(inspection, INVAR_INSPECT_NOISE, entropies[1][0]))
        return;
    print_columns(out, inspection, entropies, sizeof entropies / sizeof *entropies);
    fprintf(out, "drawn: LogDet entropy of the outputs around an input, nats; by J: that of N(f(x), s^2 J J^T)\n");
}

static void print_finding(FILE *out, const struct invar_finding *finding)
{
    fprintf(out, "%-30s ", finding->name);
    if (finding->known)
        fprintf(out, "%14.6g", finding->value);
    else
        fprintf(out, "%14s", "none");
    fprintf(out, " %-16s  %s\n", finding->unit, finding->says);
}

static void print_section(FILE *out, const struct invar_inspection *inspection, enum invar_inspect_section which)
{
    const struct invar_findings *section = &inspection->section[which];
    const struct invar_series *eigenvalues = invar_inspection_series(inspection, which, "eigenvalues");
    const struct invar_series *edges = invar_inspection_series(inspection, which, "edges");
    const struct invar_series *counts = invar_inspection_series(inspection, which, "counts");

    fprintf(out, "\n[%s] %s\n", section->name, section->title);
    if (!section->present) {
        fprintf(out, "%s\n", section->absent);
        return;
    }
    for (int i = 0; i < section->count; i++)
        print_finding(out, &section->finding[i]);
    if (eigenvalues)
        print_spectrum(out, eigenvalues);
    for (int i = 0; which == INVAR_INSPECT_CORRELATION && i < section->series_count; i++)
        print_correlations(out, &section->series[i]);
    if (edges && counts)
        print_histogram(out, edges, counts);
    if (which == INVAR_INSPECT_NOISE)
        print_noise(out, inspection);
}

void report_inspect_print(FILE *out, const struct invar_inspection *inspection)
{
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++)
        print_section(out, inspection, (enum invar_inspect_section)s);
    fprintf(out, "\n[collapse]\n");
    for (int i = 0; i < inspection->warning_count; i++)
        fprintf(out, "WARNING %s collapse: %s\n", inspection->warning[i].name, inspection->warning[i].says);
    if (!inspection->warning_count)
        fprintf(out, "none: deviation, effective rank and spread of directions are above their limits\n");
}
