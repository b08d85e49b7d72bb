/* SPDX-License-Identifier: Apache-2.0 */
/* robustness.json, written and read: the one place that knows its members. */
#include "study/robustness_results.h"
#include "run/results.h"
#include "study/study.h"

static const char file[] = "robustness.json";

/* ---- members, in the order in which they are written ---- */

#define PROBE(kind, member) JSON_ROW(struct invar_robustness_probe, kind, member)
JSON_TABLE(probe, struct invar_robustness_probe, PROBE(COUNT, train_count), PROBE(NUMBER, l2), PROBE(TEXT, chosen_on),
           PROBE(COUNT, held_out_count), PROBE(NUMBER, held_out_top1), PROBE(NUMBER, extra_error), PROBE(COUNT, seed),
           PROBE(FLAG, converged));

#define CLEAN(kind, member) JSON_ROW(struct invar_clean_error, kind, member)
JSON_TABLE(clean, struct invar_clean_error, CLEAN(NUMBER, error), CLEAN(COUNT, count));

#define CORRUPTION(kind, member) JSON_ROW(struct invar_corruption_errors, kind, member)
#define CORRUPTION_AS(name, member)                                                                                    \
    {                                                                                                                  \
        name, JSON_NUMBER, offsetof(struct invar_corruption_errors, member), NULL, NULL                                \
    }
JSON_TABLE(corruption, struct invar_corruption_errors, CORRUPTION(TEXT, family), CORRUPTION(FLAG, extra),
           CORRUPTION(NUMBERS, error), CORRUPTION(NUMBER, mean_error), CORRUPTION_AS("CE", ce),
           CORRUPTION_AS("rCE", rce));

#define FLIP(kind, member) JSON_ROW(struct invar_flip_rate, kind, member)
JSON_TABLE(flip, struct invar_flip_rate, FLIP(NUMBER, rate), FLIP(NUMBER, low), FLIP(NUMBER, high), FLIP(COUNT, steps));

#define ERRORS(kind, member) JSON_ROW(struct invar_robustness_errors, kind, member)
#define ERRORS_AS(name, member)                                                                                        \
    {                                                                                                                  \
        name, JSON_NUMBER, offsetof(struct invar_robustness_errors, member), NULL, NULL                                \
    }
#define ERRORS_OF(kind, member, table) JSON_ROW_OF(struct invar_robustness_errors, kind, member, table)
JSON_TABLE(errors, struct invar_robustness_errors, ERRORS_OF(OBJECT, probe, probe), ERRORS_OF(OBJECT, clean, clean),
           ERRORS_OF(NAMED, corruptions, corruption), ERRORS(NUMBER, mean_error), ERRORS_AS("mCE", mce),
           ERRORS_AS("mrCE", mrce), ERRORS(NUMBER, mean_error_19), ERRORS_AS("mCE_19", mce_19),
           ERRORS_AS("mrCE_19", mrce_19), ERRORS(NUMBER, less_clean), ERRORS_OF(NAMED, flips, flip),
           ERRORS(NUMBER, mean_flip), ERRORS(COUNT, ready_images), ERRORS(NUMBER, images_per_s),
           ERRORS(NUMBER, seconds), ERRORS_OF(OBJECT, training, study_training_table));

#define PROTOCOL(kind, member) JSON_ROW(struct invar_robustness_protocol, kind, member)
JSON_TABLE(protocol, struct invar_robustness_protocol, PROTOCOL(TEXT, data), PROTOCOL(TEXT, from),
           PROTOCOL(COUNT, images), PROTOCOL(COUNT, height), PROTOCOL(COUNT, width), PROTOCOL(COUNT, channels),
           PROTOCOL(NUMBERS, severities), PROTOCOL(TEXT, table), PROTOCOL(COUNT, seed), PROTOCOL(TEXT, frost),
           PROTOCOL(COUNT, frost_pictures), PROTOCOL(TEXT, plain), PROTOCOL(TEXT, data_identity),
           PROTOCOL(TEXT, precision), PROTOCOL(TEXT, version));

#define REFERENCE(kind, member) JSON_ROW(struct invar_robustness_reference, kind, member)
JSON_TABLE(reference, struct invar_robustness_reference, REFERENCE(TEXT, name), REFERENCE(NUMBER, clean));

#define RESULTS(kind, member) JSON_ROW(struct invar_robustness_results, kind, member)
#define RESULTS_OF(kind, member, table) JSON_ROW_OF(struct invar_robustness_results, kind, member, table)
JSON_TABLE(members, struct invar_robustness_results, RESULTS(COUNT, format), RESULTS_OF(OBJECT, protocol, protocol),
           RESULTS_OF(OBJECT, reference, reference), RESULTS_OF(INLINE, run, errors),
           RESULTS_OF(NAMED, baselines, errors), RESULTS_OF(OBJECT, machine, run_machine_table));

/* ---- results ---- */

struct results {
    struct invar_robustness_results open; /* first */
    struct json_room room;
};

struct json_room *study_robustness_results_room(struct invar_robustness_results *results)
{
    return &((struct results *)results)->room;
}

struct invar_robustness_results *study_robustness_results_create(struct invar_error *err)
{
    struct results *results = invar_alloc(1, sizeof *results, err);

    if (!results)
        return NULL;
    json_table_clear(&members, &results->open);
    return &results->open;
}

void study_robustness_errors_clear(struct invar_robustness_errors *out)
{
    json_table_clear(&errors, out);
}

void invar_robustness_results_free(struct invar_robustness_results *results)
{
    if (!results)
        return;
    json_room_free(study_robustness_results_room(results));
    invar_free(results);
}

double study_robustness_results_number(const struct invar_robustness_results *results, const char *path)
{
    return json_table_number(&members, results, path, "error");
}

/* ---- JSON ---- */

void study_robustness_results_put(const struct invar_robustness_results *results, bool machine, struct json_writer *w)
{
    struct invar_robustness_results shown = *results;

    if (!machine)
        shown.machine = NULL;
    json_table_write(&members, &shown, w);
}

static void write(const struct invar_robustness_results *results, bool machine, struct json_writer *w)
{
    json_open_object(w, NULL);
    study_robustness_results_put(results, machine, w);
    json_close(w);
}

bool invar_robustness_results_write(const struct invar_robustness_results *results, struct invar_text *out,
                                    struct invar_error *err)
{
    struct json_writer w = {.formatted = true};

    write(results, false, &w);
    return json_finish(&w, file, out, err);
}

bool study_robustness_results_keep(const struct invar_robustness_results *results, const char *folder,
                                   struct invar_error *err)
{
    struct json_writer w = {.formatted = true};

    if (!results)
        return run_results_merge(folder, file, NULL, err);
    write(results, true, &w);
    const bool ok = json_written(&w, file, err) && run_results_write(folder, file, w.text.data, err);

    json_writer_free(&w);
    return ok;
}

static struct invar_robustness_results *of(const cJSON *root, struct invar_error *err)
{
    struct invar_robustness_results *results = study_robustness_results_create(err);

    if (!results)
        return NULL;
    json_table_read(&members, results, root, study_robustness_results_room(results));
    if (json_room_whole(study_robustness_results_room(results), file, err))
        return results;
    invar_robustness_results_free(results);
    return NULL;
}

struct invar_robustness_results *study_robustness_results_read(const char *folder, const char *advice,
                                                               struct invar_error *err)
{
    cJSON *root = run_results_read(folder, file, advice, err);
    struct invar_robustness_results *results = root && root->child ? of(root, err) : NULL;

    cJSON_Delete(root);
    return results;
}

struct invar_robustness_results *invar_robustness_results_read(const char *folder, struct invar_error *err)
{
    return study_robustness_results_read(folder, RUN_RESULTS_ADDED, err);
}
