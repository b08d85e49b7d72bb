/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of an inspection: kept in order, with unit and explanation, and found by name. The explanation is kept with
 * the number, so that terminal, inspect.json and reports say the same of it. */
#include "eval/inspect/inspect.h"

#include "invar/log.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* There is room for all numbers that this room's code adds, which test_inspect_all.c counts; one too many would take
 * the place of the last, and say so. */
static struct invar_finding *next(struct invar_findings *section, const char *name, const char *unit, const char *says)
{
    if (section->count == INVAR_MAX_FINDINGS)
        invar_log(INVAR_LOG_WARNING, "%s: there is no room for %s, which takes the place of %s", section->name, name,
                  section->finding[--section->count].name);
    struct invar_finding *finding = &section->finding[section->count++];

    *finding = (struct invar_finding){.name = name, .unit = unit};
    /* A copy, as many of these sentences are made on the stack of whoever adds them; names and units are literals. */
    snprintf(finding->says, sizeof finding->says, "%s", says);
    section->present = true;
    return finding;
}

void inspect_add(struct invar_findings *section, const char *name, const char *unit, double value, const char *says)
{
    struct invar_finding *finding = next(section, name, unit, says);

    finding->known = true;
    finding->value = value;
}

/* A number that cannot be had is still listed, with the reason: a missing line would look like a forgotten one. */
void inspect_add_unknown(struct invar_findings *section, const char *name, const char *unit, const char *why)
{
    next(section, name, unit, why)->value = NAN;
}

double *inspect_add_series(struct invar_findings *section, const char *name, const char *unit, const char *says,
                           int64_t count, struct invar_error *err)
{
    /* An error and not a warning as for numbers: the caller is about to fill what it gets. */
    if (section->series_count == INVAR_MAX_SERIES) {
        invar_error_set(err, INVAR_ERROR_DATA, "%s: there is no room for the series %s, beside %d others",
                        section->name, name, INVAR_MAX_SERIES);
        return NULL;
    }
    struct invar_series *series = &section->series[section->series_count];

    *series = (struct invar_series){.name = name, .unit = unit, .says = says, .count = count};
    series->value = invar_alloc((size_t)count, sizeof *series->value, err);
    section->series_count += series->value != NULL;
    section->present = true;
    return series->value;
}

/* True, so that a section which cannot be had ends as a success of its own, with its reason, and the others go on. */
bool inspect_absent(struct invar_findings *section, const char *why)
{
    section->present = false;
    snprintf(section->absent, sizeof section->absent, "%s", why);
    return true;
}

/* What the data are like (no variance, too few samples) is a result of an inspection; only want of memory or an
 * interruption ends it. */
bool inspect_is_finding(const struct invar_error *err)
{
    return err->code == INVAR_ERROR_NUMERIC || err->code == INVAR_ERROR_DATA;
}

bool inspect_tell(const struct inspect *in, const char *what, int64_t done, int64_t total, struct invar_error *err)
{
    return invar_watch_tell(in->subject->watch, &(struct invar_progress){what, "items", done, total, NULL}, err);
}

const struct invar_finding *invar_inspection_find(const struct invar_inspection *inspection,
                                                  enum invar_inspect_section section, const char *name)
{
    const struct invar_findings *s = &inspection->section[section];

    for (int i = 0; i < s->count; i++)
        if (strcmp(s->finding[i].name, name) == 0)
            return &s->finding[i];
    return NULL;
}

const struct invar_series *invar_inspection_series(const struct invar_inspection *inspection,
                                                   enum invar_inspect_section section, const char *name)
{
    const struct invar_findings *s = &inspection->section[section];

    for (int i = 0; i < s->series_count; i++)
        if (strcmp(s->series[i].name, name) == 0)
            return &s->series[i];
    return NULL;
}

void invar_inspection_free(struct invar_inspection *inspection)
{
    if (!inspection)
        return;
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++)
        for (int i = 0; i < inspection->section[s].series_count; i++)
            invar_free(inspection->section[s].series[i].value);
    invar_free(inspection);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void inspect_sort(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
}

/* Linear between neighbours, as NumPy's default. */
double inspect_quantile(const double *sorted, int64_t count, double q)
{
    /* The values must be sorted and hold no NaN, which no comparison could put in its place. */
    const double position = q * (double)(count - 1);
    const int64_t below = (int64_t)position, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (position - (double)below) * (sorted[above] - sorted[below]);
}
