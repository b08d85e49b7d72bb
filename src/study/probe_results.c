/* SPDX-License-Identifier: Apache-2.0 */
/* probe.json, written and read: the one place that knows its members. */
#include "study/probe_results.h"
#include "run/results.h"
#include "study/study.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const char file[] = "probe.json";

/* ---- members, in the order in which they are written ---- */

JSON_TABLE(named_number, struct invar_named_number,
           {"", JSON_NUMBER, offsetof(struct invar_named_number, value), NULL, NULL});
JSON_TABLE(named_text, struct invar_named_text, {"", JSON_TEXT, offsetof(struct invar_named_text, text), NULL, NULL});
JSON_TABLE(named_value, struct invar_named_text, {"", JSON_VALUE, offsetof(struct invar_named_text, text), NULL, NULL});
JSON_TABLE(line, struct invar_numbers, {"", JSON_NUMBERS, 0, NULL, NULL});

#define GROUP(kind, member) JSON_ROW(struct invar_probed_group, kind, member)
JSON_TABLE(group, struct invar_probed_group, GROUP(TEXT, group), GROUP(COUNT, samples), GROUP(NUMBER, accuracy));

#define GROUPS(kind, member) JSON_ROW(struct invar_probed_groups, kind, member)
JSON_TABLE(groups, struct invar_probed_groups, GROUPS(TEXT, column), GROUPS(NUMBER, worst_accuracy),
           GROUPS(TEXT, worst), GROUPS(COUNT, worst_samples), GROUPS(NUMBER, mean_over_groups), GROUPS(COUNT, without),
           {"each", JSON_LIST, offsetof(struct invar_probed_groups, count), &group, NULL});

#define STATE(kind, member) JSON_ROW(struct invar_probed_state, kind, member)
JSON_TABLE(state, struct invar_probed_state, STATE(COUNT, epoch), STATE(COUNT, step), STATE(NUMBER, top1),
           STATE(PAIR, interval), STATE(NUMBER, top5), STATE(NUMBER, held_out_top1), STATE(NUMBER, lr),
           STATE(NUMBER, l2));

#define PROTOCOL(kind, member) JSON_ROW(struct invar_probed_protocol, kind, member)
JSON_TABLE(protocol, struct invar_probed_protocol, PROTOCOL(TEXT, method), PROTOCOL(TEXT, preset),
           PROTOCOL(TEXT, source), PROTOCOL(TEXT, differs), PROTOCOL(TEXTS, changed), PROTOCOL(TEXT, chosen_on),
           PROTOCOL(FLAG, chosen_on_test), PROTOCOL(TEXT, plain),
           JSON_ROW_OF(struct invar_probed_protocol, NAMED, options, named_value));

#define TEST(kind, member) JSON_ROW(struct invar_probed_test, kind, member)
JSON_TABLE(test, struct invar_probed_test, TEST(TEXT, source), TEST(TEXT, split), TEST(COUNT, samples),
           TEST(COUNT, dropped), TEST(TEXT, compete), JSON_ROW_OF(struct invar_probed_test, NAMED, mapping, named_text),
           TEST(TEXTS, dropped_classes));

/* Some members stand elsewhere in what some methods write: files of all versions are to have one order. */
static bool is_of(const void *object, const char *method)
{
    const struct invar_probed *p = object;
    return p->protocol && p->protocol->method && strcmp(p->protocol->method, method) == 0;
}
static bool is_online(const void *object)
{
    return is_of(object, "online");
}
static bool is_not_online(const void *object)
{
    return !is_online(object);
}
static bool is_few(const void *object)
{
    return ((const struct invar_probed *)object)->labels;
}
static bool is_not_few(const void *object)
{
    return !is_few(object);
}
static bool is_linear(const void *object)
{
    return is_of(object, "linear");
}
static bool is_finetune(const void *object)
{
    return is_of(object, "finetune");
}
static bool is_ridge(const void *object)
{
    return is_of(object, "ridge");
}

#define PROBED(kind, member) JSON_ROW(struct invar_probed, kind, member)
#define PROBED_OF(kind, member, table) JSON_ROW_OF(struct invar_probed, kind, member, table)
#define PROBED_HERE(kind, member, table, here)                                                                         \
    {                                                                                                                  \
#member, JSON_##kind, offsetof(struct invar_probed, member), table, here                                       \
    }
JSON_TABLE(probed, struct invar_probed, PROBED(NUMBER, top1), PROBED(NUMBER, r2), PROBED(PAIR, interval),
           PROBED(NUMBER, top5), PROBED(NUMBER, balanced_accuracy), PROBED(NUMBER, macro_f1), PROBED(NUMBER, auroc),
           PROBED(TEXT, auroc_absent), PROBED(NUMBER, ece), PROBED(NUMBERS, per_class),
           PROBED_OF(LIST, confusion, line), PROBED_HERE(OBJECT, groups, &groups, is_not_online), PROBED(NUMBER, mae),
           PROBED(NUMBER, mse), PROBED(NUMBER, spearman), PROBED(TEXT, spearman_absent),
           PROBED_HERE(TEXT, label_kind, NULL, is_few), PROBED(TEXT, labels), PROBED(NUMBERS, top1_by_draw),
           PROBED(NUMBERS, r2_by_draw), PROBED(NUMBERS, l2_by_draw), PROBED(NUMBERS, alpha_by_draw),
           PROBED(NUMBERS, last_top1_by_draw), PROBED(NUMBER, k), PROBED(NUMBER, temperature),
           PROBED_OF(NAMED, top1_by_k, named_number), PROBED_OF(NAMED, r2_by_k, named_number),
           PROBED_OF(OBJECT, best, state), PROBED_OF(OBJECT, last, state), PROBED(COUNT, candidates),
           PROBED(COUNT, steps), PROBED(NUMBER, l2), PROBED(NUMBER, alpha), PROBED(COUNT, held_out_count),
           PROBED(NUMBER, held_out_top1), PROBED(NUMBER, held_out_r2), PROBED(NUMBER, objective),
           PROBED(NUMBER, cross_entropy), PROBED(NUMBER, gradient_norm), PROBED(COUNT, iterations),
           PROBED(FLAG, converged), PROBED(NUMBER, seconds), PROBED_HERE(TEXT, label_kind, NULL, is_not_few),
           PROBED(TEXT, precision), PROBED(TEXT, data), PROBED(TEXT, data_identity), PROBED(COUNT, train_count),
           PROBED_HERE(COUNT, drawn_from, NULL, is_linear), PROBED(COUNT, test_count),
           PROBED_HERE(COUNT, drawn_from, NULL, is_finetune), PROBED(COUNT, dimensions),
           PROBED_HERE(COUNT, drawn_from, NULL, is_ridge), PROBED(TEXTS, classes),
           PROBED_OF(OBJECT, protocol, protocol), PROBED_HERE(OBJECT, groups, &groups, is_online),
           PROBED(PAIR, unlabelled), PROBED_OF(OBJECT, training, study_training_table), PROBED(PAIR, pooled),
           PROBED(TEXT, label), PROBED(TEXT, hold_out), PROBED_OF(OBJECT, test, test),
           PROBED_OF(OBJECT, machine, run_machine_table));

/* ---- results ---- */

struct results {
    struct invar_probe_results open; /* first */
    struct invar_probed *item;       /* the same, while it grows */
    int capacity;
    struct json_room room;
};

static struct results *inside(struct invar_probe_results *results)
{
    return (struct results *)results;
}

struct invar_probe_results *study_probe_results_create(struct invar_error *err)
{
    struct results *results = invar_alloc(1, sizeof *results, err);

    return results ? &results->open : NULL;
}

struct json_room *study_probe_results_room(struct invar_probe_results *results)
{
    return &inside(results)->room;
}

struct invar_probed *study_probe_results_add(struct invar_probe_results *results, struct invar_error *err)
{
    struct results *r = inside(results);
    void *items = r->item;

    if (!invar_grow(&items, (int)results->count, &r->capacity, sizeof *r->item, err))
        return NULL;
    results->item = r->item = items;
    json_table_clear(&probed, &r->item[results->count]);
    return &r->item[results->count++];
}

struct invar_probed *study_probe_results_at(struct invar_probe_results *results, int64_t i)
{
    return &inside(results)->item[i];
}

bool study_probe_results_whole(const struct invar_probe_results *results, struct invar_error *err)
{
    return json_room_whole(&((const struct results *)results)->room, "the results", err);
}

void invar_probe_results_free(struct invar_probe_results *results)
{
    if (!results)
        return;
    json_room_free(&inside(results)->room);
    invar_free(inside(results)->item);
    invar_free(inside(results));
}

const struct invar_probed *invar_probe_results_find(const struct invar_probe_results *results, const char *name)
{
    for (int64_t i = 0; i < results->count; i++)
        if (strcmp(results->item[i].name, name) == 0)
            return &results->item[i];
    return NULL;
}

double study_probe_results_number(const struct invar_probe_results *results, const char *path,
                                  const struct invar_probed **of)
{
    double found = (double)NAN;

    for (int64_t i = 0; isnan(found) && i < results->count; i++) {
        const size_t length = strlen(results->item[i].name);
        *of = &results->item[i];
        if (strncmp(path, (*of)->name, length) == 0 && (path[length] == '.' || !path[length]))
            found = json_table_number(&probed, *of, path[length] ? path + length + 1 : "top1", "top1");
    }
    return found;
}

/* ---- JSON ---- */

void study_probe_results_put(const struct invar_probe_results *results, bool machines, struct json_writer *w)
{
    for (int64_t i = 0; i < results->count; i++) {
        struct invar_probed item = results->item[i];
        if (!machines)
            item.machine = NULL;
        json_open_object(w, item.name);
        json_table_write(&probed, &item, w);
        json_close(w);
    }
}

static void write(const struct invar_probe_results *results, bool machines, struct json_writer *w)
{
    json_open_object(w, NULL);
    study_probe_results_put(results, machines, w);
    json_close(w);
}

bool invar_probe_results_write(const struct invar_probe_results *results, struct invar_text *out,
                               struct invar_error *err)
{
    struct json_writer w = {.formatted = true};

    write(results, false, &w);
    return json_finish(&w, file, out, err);
}

bool study_probe_results_keep(const struct invar_probe_results *results, const char *folder, struct invar_error *err)
{
    struct json_writer w = {0};

    if (results)
        write(results, true, &w);
    const bool ok = (!results || json_written(&w, file, err)) && run_results_merge(folder, file, w.text.data, err);

    json_writer_free(&w);
    return ok;
}

static struct invar_probe_results *of(const cJSON *root, struct invar_error *err)
{
    struct invar_probe_results *results = study_probe_results_create(err);
    const cJSON *from;
    bool ok = results;

    cJSON_ArrayForEach(from, root)
    {
        struct invar_probed *item = ok && cJSON_IsObject(from) ? study_probe_results_add(results, err) : NULL;
        ok = ok && (item || !cJSON_IsObject(from));
        if (!item)
            continue;
        json_table_read(&probed, item, from, &inside(results)->room);
        item->name = json_room_text(&inside(results)->room, from->string);
    }
    if (ok && json_room_whole(&inside(results)->room, file, err))
        return results;
    invar_probe_results_free(results);
    return NULL;
}

struct invar_probe_results *study_probe_results_read(const char *folder, const char *advice, struct invar_error *err)
{
    cJSON *root = run_results_read(folder, file, advice, err);
    struct invar_probe_results *results = root ? of(root, err) : NULL;

    cJSON_Delete(root);
    return results;
}

struct invar_probe_results *invar_probe_results_read(const char *folder, struct invar_error *err)
{
    return study_probe_results_read(folder, RUN_RESULTS_ADDED, err);
}
