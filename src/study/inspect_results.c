/* SPDX-License-Identifier: Apache-2.0 */
/* inspect.json, written and read: the one place that knows its members. Sections and their numbers are named by what
 * measured them. */
#include "study/inspect_results.h"
#include "run/results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char file[] = "inspect.json";

struct results {
    struct invar_inspect_results open;   /* first */
    struct invar_inspection *inspection; /* owned, but for what was read: that lies in the room */
    bool read;
    struct json_room room;
};

struct invar_inspect_results *study_inspect_results_create(struct invar_inspection *inspection,
                                                           const struct invar_inspect_options *options,
                                                           struct invar_error *err)
{
    struct results *results = invar_alloc(1, sizeof *results, err);

    if (!results) {
        invar_inspection_free(inspection);
        return NULL;
    }
    results->inspection = inspection;
    results->open.inspection = inspection;
    results->open.options = *options;
    return &results->open;
}

struct json_room *study_inspect_results_room(struct invar_inspect_results *results)
{
    return &((struct results *)results)->room;
}

void invar_inspect_results_free(struct invar_inspect_results *results)
{
    struct results *r = (struct results *)results;

    if (!r)
        return;
    if (!r->read)
        invar_inspection_free(r->inspection);
    json_room_free(&r->room);
    invar_free(r);
}

/* ---- the smaller structs, in the order in which they are written ---- */

/* A number, or several, as they stand in a section: {value, unit, says} and {values, unit, says}. */
struct number {
    const char *name;
    double value;
    struct invar_numbers values;
    const char *unit, *says;
};
JSON_TABLE(number, struct number, JSON_ROW(struct number, NUMBER, value), JSON_ROW(struct number, NUMBERS, values),
           JSON_ROW(struct number, TEXT, unit), JSON_ROW(struct number, TEXT, says));

struct warning {
    const char *collapse, *says;
};
JSON_TABLE(warning, struct warning, JSON_ROW(struct warning, TEXT, collapse), JSON_ROW(struct warning, TEXT, says));

/* All but the sections and the options. */
struct head {
    const char *data, *data_identity, *split;
    int64_t samples, labelled, h_width, z_width;
    const char *perturbed;
};
#define HEAD(kind, member) JSON_ROW(struct head, kind, member)
JSON_TABLE(head, struct head, HEAD(TEXT, data), HEAD(TEXT, data_identity), HEAD(TEXT, split), HEAD(COUNT, samples),
           HEAD(COUNT, labelled), HEAD(COUNT, h_width), HEAD(COUNT, z_width), HEAD(TEXT, perturbed));
struct tail {
    struct {
        int64_t count;
        const struct warning *item;
    } warnings;
    const struct invar_measured_on *machine;
};
JSON_TABLE(tail, struct tail, JSON_ROW_OF(struct tail, LIST, warnings, warning),
           JSON_ROW_OF(struct tail, OBJECT, machine, run_machine_table));

/* ---- writing ---- */

static void put_head(const struct invar_inspect_results *results, struct json_writer *w)
{
    const struct invar_inspection *i = results->inspection;
    struct head first = {results->data, results->data_identity, results->split, i->samples, i->labelled, i->h_width, -1,
                         NULL};
    struct head rest = {.samples = -1, .labelled = -1, .h_width = -1, .z_width = i->z_width ? i->z_width : -1};

    json_table_write(&head, &first, w);
    if (!i->z_width)
        json_null(w, "z_width");
    rest.perturbed = i->perturbed[0] ? i->perturbed : NULL;
    json_table_write(&head, &rest, w);
}

static void put_options(const struct invar_inspect_options *options, struct json_writer *w)
{
    json_open_object(w, "options");
    for (const struct invar_option *o = invar_inspect_option_table; o->name; o++) {
        const void *at = (const char *)options + o->offset;
        if (o->kind == INVAR_OPTION_INT)
            json_number(w, o->name, (double)*(const int64_t *)at);
        else if (o->kind == INVAR_OPTION_REAL)
            json_number(w, o->name, *(const double *)at);
        else
            json_numbers(w, o->name, ((const struct invar_real_list *)at)->value,
                         ((const struct invar_real_list *)at)->count);
    }
    json_close(w);
}

static void put_number(const char *name, const struct number *n, struct json_writer *w)
{
    json_open_object(w, name);
    if (!n->values.value && !isfinite(n->value))
        json_null(w, "value");
    json_table_write(&number, n, w);
    json_close(w);
}

static void put_section(const struct invar_findings *section, struct json_writer *w)
{
    json_open_object(w, section->name);
    if (!section->present)
        json_text(w, "absent", section->absent);
    for (int i = 0; section->present && i < section->count; i++) {
        const struct invar_finding *f = &section->finding[i];
        put_number(f->name,
                   &(struct number){.value = f->known && isfinite(f->value) ? f->value : (double)NAN,
                                    .unit = f->unit,
                                    .says = f->says},
                   w);
    }
    for (int i = 0; section->present && i < section->series_count; i++) {
        const struct invar_series *s = &section->series[i];
        put_number(
            s->name,
            &(struct number){.value = (double)NAN, .values = {s->count, s->value}, .unit = s->unit, .says = s->says},
            w);
    }
    json_close(w);
}

void study_inspect_results_put(const struct invar_inspect_results *results, struct json_writer *w)
{
    const struct invar_inspection *i = results->inspection;
    struct warning warnings[INVAR_MAX_WARNINGS];
    struct tail last = {{i->warning_count, warnings}, results->machine};

    put_head(results, w);
    put_options(&results->options, w);
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++)
        put_section(&i->section[s], w);
    for (int k = 0; k < i->warning_count; k++)
        warnings[k] = (struct warning){i->warning[k].name, i->warning[k].says};
    json_table_write(&tail, &last, w);
}

static void write(const struct invar_inspect_results *results, struct json_writer *w)
{
    json_open_object(w, NULL);
    study_inspect_results_put(results, w);
    json_close(w);
}

bool invar_inspect_results_write(const struct invar_inspect_results *results, struct invar_text *out,
                                 struct invar_error *err)
{
    struct json_writer w = {.formatted = true};

    write(results, &w);
    return json_finish(&w, file, out, err);
}

bool study_inspect_results_keep(const struct invar_inspect_results *results, const char *folder,
                                struct invar_error *err)
{
    struct json_writer w = {0};

    if (results)
        write(results, &w);
    const bool ok = (!results || json_written(&w, file, err)) && run_results_merge(folder, file, w.text.data, err);

    json_writer_free(&w);
    return ok;
}

/* ---- reading ---- */

static void read_options(const cJSON *from, struct invar_inspect_options *out)
{
    invar_options_default(invar_inspect_option_table, out);
    for (const struct invar_option *o = invar_inspect_option_table; o->name; o++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(from, o->name);
        char *text = item ? json_print(item, false, file, NULL) : NULL;
        char assignment[INVAR_TEXT_SIZE];
        if (text && (size_t)snprintf(assignment, sizeof assignment, "%s=%s", o->name, text) < sizeof assignment)
            invar_options_set(invar_inspect_option_table, out, assignment, NULL);
        cJSON_free(text);
    }
}

static void put_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static void read_number(struct invar_findings *section, const struct number *n)
{
    const char *unit = n->unit ? n->unit : "", *says = n->says ? n->says : "";

    if (n->values.value && section->series_count < INVAR_MAX_SERIES) {
        struct invar_series *series = &section->series[section->series_count++];
        *series = (struct invar_series){n->name, unit, says, n->values.count, NULL};
        memcpy(&series->value, &n->values.value, sizeof series->value);
    } else if (!n->values.value && section->count < INVAR_MAX_FINDINGS) {
        struct invar_finding *finding = &section->finding[section->count++];
        *finding = (struct invar_finding){
            .name = n->name, .unit = unit, .known = !isnan(n->value), .value = isnan(n->value) ? 0 : n->value};
        put_text(finding->says, sizeof finding->says, says);
    }
}

static void read_section(const cJSON *from, struct invar_findings *section, struct json_room *room)
{
    const char *absent = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, "absent"));
    const cJSON *item;

    section->present = cJSON_IsObject(from) && !absent;
    put_text(section->absent, sizeof section->absent, absent);
    if (!section->present)
        from = NULL;
    cJSON_ArrayForEach(item, from)
    {
        struct number n;
        if (!cJSON_IsObject(item))
            continue;
        json_table_read(&number, &n, item, room);
        n.name = json_room_text(room, item->string);
        if (n.name)
            read_number(section, &n);
    }
}

static void read_inspection(const cJSON *root, struct invar_inspection *out, const struct head *first,
                            const struct tail *last, struct json_room *room)
{
    out->samples = first->samples < 0 ? 0 : first->samples;
    out->labelled = first->labelled < 0 ? 0 : first->labelled;
    out->h_width = first->h_width < 0 ? 0 : first->h_width;
    out->z_width = first->z_width < 0 ? 0 : first->z_width;
    put_text(out->perturbed, sizeof out->perturbed, first->perturbed);
    invar_inspection_name(out);
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++)
        read_section(cJSON_GetObjectItemCaseSensitive(root, out->section[s].name), &out->section[s], room);
    for (int64_t i = 0; i < last->warnings.count && i < INVAR_MAX_WARNINGS; i++) {
        struct invar_finding *warned = &out->warning[out->warning_count++];
        *warned = (struct invar_finding){
            .name = last->warnings.item[i].collapse ? last->warnings.item[i].collapse : "", .unit = "", .known = false};
        put_text(warned->says, sizeof warned->says, last->warnings.item[i].says);
    }
}

static struct invar_inspect_results *of(const cJSON *root, struct invar_error *err)
{
    struct results *results = invar_alloc(1, sizeof *results, err);
    struct head first;
    struct tail last;

    if (!results)
        return NULL;
    results->read = true;
    json_table_read(&head, &first, root, &results->room);
    json_table_read(&tail, &last, root, &results->room);
    results->inspection = json_room_take(&results->room, 1, sizeof *results->inspection);
    if (results->inspection)
        read_inspection(root, results->inspection, &first, &last, &results->room);
    results->open = (struct invar_inspect_results){.data = first.data,
                                                   .data_identity = first.data_identity,
                                                   .split = first.split,
                                                   .inspection = results->inspection,
                                                   .machine = last.machine};
    read_options(cJSON_GetObjectItemCaseSensitive(root, "options"), &results->open.options);
    if (json_room_whole(&results->room, file, err))
        return &results->open;
    invar_inspect_results_free(&results->open);
    return NULL;
}

struct invar_inspect_results *study_inspect_results_read(const char *folder, const char *advice,
                                                         struct invar_error *err)
{
    cJSON *root = run_results_read(folder, file, advice, err);
    struct invar_inspect_results *results = root && root->child ? of(root, err) : NULL;

    cJSON_Delete(root);
    return results;
}

struct invar_inspect_results *invar_inspect_results_read(const char *folder, struct invar_error *err)
{
    return study_inspect_results_read(folder, RUN_RESULTS_ADDED, err);
}

/* ---- finding ---- */

double study_inspect_results_number(const struct invar_inspect_results *results, const char *path)
{
    const struct invar_inspection *i = results->inspection;
    const struct head first = {
        .samples = i->samples, .labelled = i->labelled, .h_width = i->h_width, .z_width = i->z_width ? i->z_width : -1};
    const double found = json_table_number(&head, &first, path, "");

    for (int s = 0; isnan(found) && s < INVAR_INSPECT_SECTIONS; s++) {
        const size_t length = strlen(i->section[s].name);
        if (strncmp(path, i->section[s].name, length) != 0 || path[length] != '.')
            continue;
        for (int k = 0; k < i->section[s].count; k++) {
            const struct invar_finding *f = &i->section[s].finding[k];
            const size_t size = strlen(f->name);
            const char *rest = path + length + 1;
            if (strncmp(rest, f->name, size) == 0 && (!rest[size] || strcmp(rest + size, ".value") == 0))
                return f->known ? f->value : (double)NAN;
        }
    }
    return found;
}
