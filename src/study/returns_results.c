/* SPDX-License-Identifier: Apache-2.0 */
/* returns.json, written and read: the one place that knows its members. */
#include "study/returns_results.h"
#include "invar/expert/env.h"
#include "run/results.h"
#include "train/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RETURNS_FORMAT = 1 };
static const char file[] = "returns.json";

#define ROW(kind, member) JSON_ROW(struct invar_returns, kind, member)
JSON_TABLE(evaluation_table, struct invar_returns, ROW(TEXT, environment), ROW(TEXT, version), ROW(TEXT, settings),
           ROW(COUNT, steps), ROW(COUNT, seed), ROW(COUNT, noops), ROW(NUMBER, epsilon), ROW(NUMBER, mean),
           ROW(NUMBER, deviation), ROW(TEXT, scale), ROW(NUMBER, score), ROW(NUMBERS, returns), ROW(NUMBERS, lengths));

#define RESULTS(kind, member) JSON_ROW(struct invar_returns_results, kind, member)
JSON_TABLE(members, struct invar_returns_results, RESULTS(COUNT, format),
           JSON_ROW_OF(struct invar_returns_results, NAMED, evaluations, evaluation_table));

struct results {
    struct invar_returns_results open; /* first */
    struct json_room room;
};

void invar_returns_results_free(struct invar_returns_results *results)
{
    if (!results)
        return;
    json_room_free(&((struct results *)results)->room);
    invar_free(results);
}

static struct invar_returns_results *of(const cJSON *root, struct invar_error *err)
{
    struct results *results = invar_alloc(1, sizeof *results, err);

    if (!results)
        return NULL;
    json_table_clear(&members, &results->open);
    json_table_read(&members, &results->open, root, &results->room);
    if (json_room_whole(&results->room, file, err))
        return &results->open;
    invar_returns_results_free(&results->open);
    return NULL;
}

struct invar_returns_results *study_returns_results_read(const char *folder, const char *advice,
                                                         struct invar_error *err)
{
    cJSON *root = run_results_read(folder, file, advice, err);
    struct invar_returns_results *results = root && root->child ? of(root, err) : NULL;

    cJSON_Delete(root);
    return results;
}

struct invar_returns_results *invar_returns_results_read(const char *folder, struct invar_error *err)
{
    return study_returns_results_read(folder, RUN_RESULTS_ADDED, err);
}

bool invar_returns_results_write(const struct invar_returns_results *results, struct invar_text *out,
                                 struct invar_error *err)
{
    struct json_writer w = {.formatted = true};

    json_open_object(&w, NULL);
    json_table_write(&members, results, &w);
    json_close(&w);
    return json_finish(&w, file, out, err);
}

bool study_returns_name(const struct invar_agent_play *play, const char *const *settings, int count,
                        struct invar_text *out, struct invar_error *err)
{
    bool ok = true;

    for (int i = 0; ok && i < count; i++) {
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(settings[i], "="), settings[i]);
        ok = recipe_is_indifferent(key) || invar_text_printf(out, err, "%s ", settings[i]);
    }
    ok = ok && (play->no_ops == 0 || invar_text_printf(out, err, "no-ops=%lld ", (long long)play->no_ops)) &&
         (!(play->epsilon > 0) || invar_text_printf(out, err, "epsilon=%.15g ", play->epsilon)) &&
         (play->seed == RETURNS_SEED || invar_text_printf(out, err, "seed=%lld ", (long long)play->seed)) &&
         (out->size || invar_text_printf(out, err, "default "));
    if (ok)
        out->data[out->size - 1] = '\0';
    return ok;
}

bool invar_returns_keep(const char *folder, const struct invar_returns *evaluation, struct invar_error *err)
{
    struct invar_error found = {0};
    struct invar_returns_results *kept = invar_returns_results_read(folder, &found);
    const int64_t count = kept && kept->evaluations.count > 0 ? kept->evaluations.count : 0;
    struct invar_returns *all = NULL;
    struct invar_text text = {0};
    int64_t at = 0;
    bool ok = false;

    if (found.code)
        return invar_error_set(err, found.code, "%s", found.message);
    all = invar_alloc((size_t)count + 1, sizeof *all, err);
    if (all) {
        if (count)
            memcpy(all, kept->evaluations.item, (size_t)count * sizeof *all);
        while (at < count && strcmp(all[at].name, evaluation->name) != 0)
            at++;
        all[at] = *evaluation;
        const struct invar_returns_results results = {.format = RETURNS_FORMAT,
                                                      .evaluations = {at == count ? count + 1 : count, all}};
        ok = invar_returns_results_write(&results, &text, err) && run_results_write(folder, file, text.data, err);
    }
    invar_text_free(&text);
    invar_free(all);
    invar_returns_results_free(kept);
    return ok;
}

void invar_returns_complete(struct invar_returns *evaluation, const struct invar_env_info *info)
{
    const struct invar_env_score *score = info->score;
    const struct invar_numbers *returns = &evaluation->returns;
    const double n = (double)returns->count;
    double mean = returns->count ? returns->value[0] : (double)NAN, sum = 0, squares = 0;

    for (int64_t i = 0; i < returns->count; i++) /* from the first, so that equal ones have no deviation */
        sum += (returns->value[i] - returns->value[0]) / n;
    mean += sum;
    for (int64_t i = 0; i < returns->count; i++)
        squares += (returns->value[i] - mean) * (returns->value[i] - mean);
    evaluation->environment = info->id;
    evaluation->version = info->version;
    evaluation->settings = info->settings;
    evaluation->mean = mean;
    evaluation->deviation = returns->count > 1 ? sqrt(squares / (n - 1)) : (double)NAN;
    evaluation->scale = NULL;
    evaluation->score = NAN;
    if (score) {
        evaluation->scale = "human";
        evaluation->score = invar_env_score_normalise(score, evaluation->mean);
    } else if (info->most > info->least) {
        evaluation->scale = "range";
        evaluation->score = 100 * (evaluation->mean - info->least) / (info->most - info->least);
    }
}

const struct invar_returns *study_returns_find(const struct invar_returns_results *results, const char *name)
{
    for (int64_t i = 0; results && i < results->evaluations.count; i++)
        if (strcmp(results->evaluations.item[i].name, name) == 0)
            return &results->evaluations.item[i];
    return NULL;
}

double study_returns_number(const struct invar_returns_results *results, const char *path,
                            const struct invar_returns **found)
{
    const char *dot = strchr(path, '.');
    const size_t length = dot ? (size_t)(dot - path) : strlen(path);
    const bool returned = length == 6 && memcmp(path, "return", length) == 0;

    *found = NULL;
    if (returned || (length == 5 && memcmp(path, "score", length) == 0))
        *found = study_returns_find(results, dot ? dot + 1 : "default");
    return !*found ? (double)NAN : returned ? (*found)->mean : (*found)->score;
}
