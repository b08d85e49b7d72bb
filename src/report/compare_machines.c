/* SPDX-License-Identifier: Apache-2.0 */
/* Whether runs were trained, and their results computed, on the same processors, precisions and numbers of threads. */
#include "report/compare_parts.h"

#include <stdio.h>
#include <string.h>

enum { MOST_MACHINES = 64 };

enum { PROCESSOR, LIBRARY, INSTRUCTION_SET, PRECISION, THREADS, FIELDS };
static const struct {
    const char *key, *shown;
} fields[FIELDS] = {{"processor", "processor"},
                    {"engine", "library"},
                    {"instruction_set", "instruction set"},
                    {"precision", "precision"},
                    {"threads", "threads"}};

/* "" where it is not known; NULL with err. */
static const char *value_of(struct comparison *c, const struct invar_measured_on *machine, int field,
                            struct invar_error *err)
{
    const char *const texts[] = {machine->processor, machine->engine, machine->instruction_set, machine->precision};

    if (field < THREADS)
        return texts[field] ? texts[field] : "";
    return machine->threads >= 0 ? comparison_text_of(c, err, "%lld", (long long)machine->threads) : "";
}

/* "2", "2 then 4" of a run that went on elsewhere, "" where it is not known; NULL with err. */
static const char *values_of(struct comparison *c, int run, bool measured, int field, struct invar_error *err)
{
    const struct invar_measured_on *machine[MOST_MACHINES];
    const char *seen[MOST_MACHINES], *all = "";
    const int count = report_run_machines(c->run[run], measured, machine, MOST_MACHINES);
    int distinct = 0;

    for (int i = 0; all && i < count; i++) {
        const char *value = value_of(c, machine[i], field, err);
        int k = 0;
        if (!value)
            return NULL;
        while (k < distinct && strcmp(seen[k], value) != 0)
            k++;
        if (!*value || k < distinct)
            continue;
        seen[distinct++] = value;
        all = distinct == 1 ? value : comparison_text_of(c, err, "%s %s %s", all, measured ? "and" : "then", value);
    }
    return all;
}

/* "threads 1 (a) and 2 (b)", each with the first run that has it; "" where all agree; NULL with err. */
static const char *describe(struct comparison *c, bool measured, int field, struct invar_error *err)
{
    const char **value = comparison_take(c, c->run_count, sizeof *value, err), *text = fields[field].shown;
    int distinct = 0;

    for (int r = 0; value && r < c->run_count; r++) {
        int k = 0;
        value[r] = values_of(c, r, measured, field, err);
        if (!value[r])
            return NULL;
        while (k < r && strcmp(value[k], value[r]) != 0)
            k++;
        if (!*value[r] || k < r)
            continue;
        text = comparison_text_of(c, err, "%s%s %s (%s)", text, distinct++ ? " and" : "", value[r],
                                  comparison_run_name(c, r));
        if (!text)
            return NULL;
    }
    return !value ? NULL : distinct > 1 ? text : "";
}

static bool compare_machines(struct comparison *c, bool measured, struct comparison_machines *out,
                             struct invar_error *err)
{
    const char *all = "";

    for (int f = 0; f < FIELDS; f++) {
        const char *text = describe(c, measured, f, err);
        if (!text)
            return false;
        if (!*text)
            continue;
        out->field[out->count++] = fields[f].key;
        all = comparison_text_of(c, err, "%s%s%s", all, *all ? "; " : "", text);
        if (!all)
            return false;
    }
    return !out->count ||
           comparison_note(c, err, "the runs were not %s alike, so numbers differ by more than their recipes: %s",
                           measured ? "measured" : "trained", all);
}

bool comparison_machines(struct comparison *c, struct invar_error *err)
{
    return compare_machines(c, false, &c->trained, err) && compare_machines(c, true, &c->measured, err);
}
