/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection as text for people. */
#include "cli/inspect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BAR = 30, DECADES = 6 };

static void print_bar(double share)
{
    const int length = share > 0 ? (int)lround(fmin(share, 1) * BAR) : 0;
    for (int i = 0; i < length; i++)
        putchar('#');
    putchar('\n');
}

/* The first, the second, the fourth, ... and the last. */
static int64_t next_shown(int64_t i, int64_t count)
{
    return i < count && 2 * i > count ? count : 2 * i;
}

static void print_correlations(const struct invar_series *correlations)
{
    printf("%-14s %13s canonical, from the first to the last\n", correlations->name, "");
    for (int64_t i = 1; i <= correlations->count; i = next_shown(i, correlations->count)) {
        printf("  %8lld %17.3f  ", (long long)i, correlations->value[i - 1]);
        print_bar(correlations->value[i - 1]);
    }
}

static void print_spectrum(const struct invar_series *eigenvalues)
{
    const double largest = eigenvalues->value[0];

    printf("eigenvalue %17s squared units; of the covariance, bars over %d decades below the largest\n", "", DECADES);
    for (int64_t i = 1; i <= eigenvalues->count; i = next_shown(i, eigenvalues->count)) {
        const double value = eigenvalues->value[i - 1];
        printf("  %8lld %17.3g  ", (long long)i, value);
        print_bar(value > 0 && largest > 0 ? 1 + log10(value / largest) / DECADES : 0);
    }
}

static void print_histogram(const struct invar_series *edges, const struct invar_series *counts)
{
    double most = 1;

    for (int64_t i = 0; i < counts->count; i++)
        most = fmax(most, counts->value[i]);
    printf("histogram: ordered pairs of classes by ratio\n");
    for (int64_t i = 0; i < counts->count; i++) {
        printf("  %9.3g ..%9.3g %6.0f  ", edges->value[i], edges->value[i + 1], counts->value[i]);
        print_bar(counts->value[i] / most);
    }
}

/* Series of a number a level, side by side; those that are not there are left out. */
static void print_columns(const struct invar_inspection *inspection, const char *const (*columns)[2], int count)
{
    const struct invar_series *const levels = invar_inspection_series(inspection, INVAR_INSPECT_NOISE, columns[0][0]);

    for (int64_t i = -1; levels && i < levels->count; i++) {
        for (int c = 0; c < count; c++) {
            const struct invar_series *s = invar_inspection_series(inspection, INVAR_INSPECT_NOISE, columns[c][0]);
            if (s && i < 0)
                printf("%10s", columns[c][1]);
            else if (s)
                printf("%10.3g", s->value[i]);
        }
        putchar('\n');
    }
}

static void print_noise(const struct invar_inspection *inspection)
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

    print_columns(inspection, normal, sizeof normal / sizeof *normal);
    printf("normal: fraction of the outputs that vary which K2 does not reject at 5 %%; constant: of all outputs;\n"
           "mistaken: noise around median neighbours that is nearer to the other one\n");
    if (nearest)
        printf("nearest neighbours of the inputs: minimum %.3g, 5 %% %.3g, quartiles %.3g %.3g %.3g, maximum %.3g\n",
               nearest->value[0], nearest->value[1], nearest->value[2], nearest->value[3], nearest->value[4],
               nearest->value[5]);
    if (!invar_inspection_series(inspection, INVAR_INSPECT_NOISE, entropies[1][0]))
        return;
    print_columns(inspection, entropies, sizeof entropies / sizeof *entropies);
    printf("drawn: LogDet entropy of the outputs around an input, nats; by J: that of N(f(x), s^2 J J^T)\n");
}

static void print_finding(const struct invar_finding *finding)
{
    printf("%-30s ", finding->name);
    if (finding->known)
        printf("%14.6g", finding->value);
    else
        printf("%14s", "none");
    printf(" %-16s  %s\n", finding->unit, finding->says);
}

static void print_section(const struct invar_inspection *inspection, enum invar_inspect_section which)
{
    const struct invar_findings *section = &inspection->section[which];
    const struct invar_series *eigenvalues = invar_inspection_series(inspection, which, "eigenvalues");
    const struct invar_series *edges = invar_inspection_series(inspection, which, "edges");
    const struct invar_series *counts = invar_inspection_series(inspection, which, "counts");

    printf("\n[%s] %s\n", section->name, section->title);
    if (!section->present) {
        printf("%s\n", section->absent);
        return;
    }
    for (int i = 0; i < section->count; i++)
        print_finding(&section->finding[i]);
    if (eigenvalues)
        print_spectrum(eigenvalues);
    for (int i = 0; which == INVAR_INSPECT_CORRELATION && i < section->series_count; i++)
        print_correlations(&section->series[i]);
    if (edges && counts)
        print_histogram(edges, counts);
    if (which == INVAR_INSPECT_NOISE)
        print_noise(inspection);
}

void inspect_print(const struct invar_inspection *inspection)
{
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++)
        print_section(inspection, (enum invar_inspect_section)s);
    printf("\n[collapse]\n");
    for (int i = 0; i < inspection->warning_count; i++)
        printf("WARNING %s collapse: %s\n", inspection->warning[i].name, inspection->warning[i].says);
    if (!inspection->warning_count)
        printf("none: deviation, effective rank and spread of directions are above their limits\n");
}
