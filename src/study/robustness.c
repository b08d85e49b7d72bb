/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of a run's probe, and of baselines, under the common image corruptions. */
#include "study/robustness.h"
#include "run/share.h"
#include "invar/expert/file.h"
#include "invar/log.h"
#include "invar/version.h"
#include "study/study.h"
#include "study/training.h"

#include "base/names.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const baselines[] = {"random", "supervised", NULL};
enum { NAME_SIZE = 64 };

/* One evaluation from its request to what is written. */
struct robustness {
    const struct invar_robustness_request *request;
    struct invar_run *run;
    struct robustness_plan plan;
    struct robustness_reference reference;
    struct invar_probe_options settings; /* of the probe */
    double extra_error;                  /* that it was chosen by */
    struct invar_robustness_results *results;
    struct json_room *room; /* of the results */
};

/* ---- what is measured ---- */

/* Calls take for every word of lists such as "fog,snow". */
static bool each_word(const char *const *list, int count, struct robustness_plan *plan,
                      bool (*take)(struct robustness_plan *plan, const char *word, struct invar_error *err),
                      struct invar_error *err)
{
    for (int i = 0; i < count; i++)
        for (const char *word = list[i]; word;) {
            const char *comma = strchr(word, ',');
            const size_t length = comma ? (size_t)(comma - word) : strlen(word);
            char text[NAME_SIZE];
            if (length >= sizeof text)
                return invar_error_set(err, INVAR_ERROR_USAGE, "\"%s\" is no list of names with commas between them",
                                       list[i]);
            memcpy(text, word, length);
            text[length] = '\0';
            if (!take(plan, text, err))
                return false;
            word = comma ? comma + 1 : NULL;
        }
    return true;
}

/* Both lists are kept in their natural order, each entry once. */
static bool take_corruption(struct robustness_plan *plan, const char *word, struct invar_error *err)
{
    const struct invar_corruption_spec *spec = invar_corruption_find(word, err);
    int kept = 0;
    bool chosen[ROBUSTNESS_MAX_CELLS] = {false};

    if (!spec)
        return false;
    for (int i = 0; i < invar_corruption_count(); i++) {
        chosen[i] = invar_corruption_at(i) == spec;
        for (int k = 0; k < plan->corruption_count; k++)
            chosen[i] = chosen[i] || plan->corruptions[k] == invar_corruption_at(i);
    }
    for (int i = 0; i < invar_corruption_count(); i++)
        if (chosen[i])
            plan->corruptions[kept++] = invar_corruption_at(i);
    plan->corruption_count = kept;
    return true;
}

static bool take_severity(struct robustness_plan *plan, const char *word, struct invar_error *err)
{
    bool chosen[INVAR_CORRUPTION_SEVERITIES] = {false};
    const int severity = word[0] - '0';

    if (!word[0] || word[1] || severity < 1 || severity > INVAR_CORRUPTION_SEVERITIES)
        return invar_error_set(err, INVAR_ERROR_USAGE, "severity is \"%s\"; expected 1 to %d, or several as in 1,3,5",
                               word, INVAR_CORRUPTION_SEVERITIES);
    for (int i = 0; i < plan->severity_count; i++)
        chosen[plan->severities[i] - 1] = true;
    chosen[severity - 1] = true;
    plan->severity_count = 0;
    for (int i = 0; i < INVAR_CORRUPTION_SEVERITIES; i++)
        if (chosen[i])
            plan->severities[plan->severity_count++] = i + 1;
    return true;
}

static bool choose_cells(const struct invar_robustness_request *request, struct robustness_plan *plan,
                         struct invar_error *err)
{
    if (!each_word(request->corruptions, request->corruption_count, plan, take_corruption, err) ||
        !each_word(request->severities, request->severity_count, plan, take_severity, err))
        return false;
    for (int i = 0; !request->corruption_count && i < invar_corruption_count(); i++)
        plan->corruptions[plan->corruption_count++] = invar_corruption_at(i);
    for (int i = 0; !request->severity_count && i < INVAR_CORRUPTION_SEVERITIES; i++)
        plan->severities[plan->severity_count++] = i + 1;
    return true;
}

static int make_cells(const struct robustness_plan *plan, struct invar_robustness_cell *cells)
{
    int count = 0;

    for (int c = 0; c < plan->corruption_count; c++)
        for (int s = 0; s < plan->severity_count; s++)
            cells[count++] = (struct invar_robustness_cell){plan->corruptions[c], plan->severities[s], 0, 0};
    return count;
}

/* What the data say: sizes, numbers, the table; and the pictures of frost where they are needed. */
static bool complete_plan(const struct invar_run *run, struct robustness_plan *plan, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const struct invar_shape input = invar_net_input(run->encoder->net);
    struct invar_robustness_cell cells[ROBUSTNESS_MAX_CELLS];
    bool frost = false;

    plan->data = info->source;
    plan->images = info->count[INVAR_TEST];
    if (plan->options.limit && plan->options.limit < plan->images)
        plan->images = plan->options.limit;
    plan->height = (int)input.height;
    plan->width = (int)input.width;
    plan->channels = info->channels;
    plan->plain = info->plain;
    plan->options.table = invar_corruption_table_used(plan->options.table, plan->height, plan->width);
    for (int i = 0; i < plan->corruption_count; i++)
        frost |= strcmp(plan->corruptions[i]->name, "frost") == 0;
    if (frost && !plan->from) {
        plan->pictures = invar_frost_create(plan->frost, err);
        if (!plan->pictures)
            return false;
        plan->options.frost = plan->pictures;
    }
    return invar_robustness_check(run->encoder, info, &plan->options, cells, plan->from ? 0 : make_cells(plan, cells),
                                  err);
}

bool study_robustness_plan(const struct invar_robustness_request *request, const struct invar_run *run,
                           struct robustness_plan *plan, struct invar_error *err)
{
    const char *names[INVAR_CORRUPTION_SCALED + 2] = {NULL};
    const char *const *table;

    for (int i = 0; i <= INVAR_CORRUPTION_SCALED; i++)
        names[i] = invar_corruption_table_name(i);
    table = names_find(NAMES_TEXTS("table", names), NULL, request->table ? request->table : "auto", err);
    *plan = (struct robustness_plan){.from = request->from, .frost = request->frost};
    if (!table)
        return false;
    plan->choose_extra = request->choose && strcmp(request->choose, "extra") == 0;
    if (request->choose && !plan->choose_extra && strcmp(request->choose, "held_out") != 0)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "choose is \"%s\"; expected held_out (training samples) or extra (the test split under the "
            "four extra corruptions)",
            request->choose);
    plan->options = (struct invar_robustness_options){.share = run_share_of(run),
                                                      .table = (enum invar_corruption_table)(table - names),
                                                      .seed = (uint64_t)request->seed,
                                                      .limit = request->limit,
                                                      .watch = run->watch};
    return choose_cells(request, plan, err) && complete_plan(run, plan, err);
}

static bool prepare(struct robustness *r, struct invar_error *err)
{
    const struct invar_robustness_request *request = r->request;

    for (int i = 0; i < request->baseline_count; i++)
        if (!names_find(NAMES_TEXTS("baseline", baselines), NULL, request->baselines[i], err))
            return false;
    invar_options_default(invar_probe_option_table, &r->settings);
    for (int i = 0; i < request->setting_count; i++)
        if (!invar_options_set(invar_probe_option_table, &r->settings, request->settings[i], err))
            return false;
    return study_robustness_plan(request, r->run, &r->plan, err) &&
           (!invar_run_leads(r->run) || study_robustness_results_keep(NULL, r->run->folder, err)) &&
           study_check_labels(invar_dataset_info(r->run->dataset), true, err) &&
           robustness_reference_open(&r->reference, request->reference, &r->plan, err);
}

/* ---- measuring ---- */

/* Counts of all processes that measure it. */
static bool share_cells(const struct invar_run *run, bool ok, struct invar_robustness_cell *cells, int count,
                        struct invar_robustness_cell *clean, struct invar_error *err)
{
    int64_t numbers[2 * (ROBUSTNESS_MAX_CELLS + 1)] = {0};

    for (int i = 0; i <= count; i++) {
        numbers[2 * i] = (i < count ? &cells[i] : clean)->count;
        numbers[2 * i + 1] = (i < count ? &cells[i] : clean)->wrong;
    }
    if (!run_share_sum(run, ok, numbers, 2 * (count + 1), err))
        return false;
    for (int i = 0; i <= count; i++) {
        (i < count ? &cells[i] : clean)->count = numbers[2 * i];
        (i < count ? &cells[i] : clean)->wrong = numbers[2 * i + 1];
    }
    return true;
}

static bool measure_cells(struct robustness *r, const struct invar_encoder *encoder,
                          const struct invar_classifier *classifier, struct invar_robustness_cell *cells, int count,
                          struct invar_robustness_cell *clean, struct invar_error *err)
{
    struct robustness_plan *plan = &r->plan;
    const int here = plan->from ? 0 : count;

    return share_cells(r->run,
                       invar_robustness_measure(r->run->device, encoder, r->run->dataset, classifier, &plan->options,
                                                cells, here, clean, err),
                       cells, here, clean, err) &&
           (!plan->from || invar_robustness_ready(r->run->device, encoder, invar_dataset_info(r->run->dataset),
                                                  plan->from, classifier, &plan->options, cells, count, err));
}

/* The mean error under the extra corruptions, percent. */
static bool measure_extra(struct robustness *r, const struct invar_encoder *encoder,
                          const struct invar_probe_result *probe, double *error, struct invar_error *err)
{
    const struct invar_classifier classifier = {invar_dataset_info(r->run->dataset)->classes, probe->dimensions,
                                                probe->weight, probe->bias};
    struct invar_robustness_cell cells[ROBUSTNESS_MAX_CELLS], clean;
    int count = 0;

    for (int c = 0; c < invar_corruption_count(); c++)
        for (int s = 0; s < r->plan.severity_count && invar_corruption_at(c)->extra; s++)
            cells[count++] = (struct invar_robustness_cell){invar_corruption_at(c), r->plan.severities[s], 0, 0};
    if (!measure_cells(r, encoder, &classifier, cells, count, &clean, err))
        return false;
    *error = 0;
    for (int i = 0; i < count; i++)
        *error += 100 * (double)cells[i].wrong / (double)cells[i].count / count;
    return true;
}

/* Every strength of the list is fitted on all training samples; the least error under the extra corruptions decides, of
 * equals the one that stands first. */
static bool fit_by_extra(struct robustness *r, const struct invar_encoder *encoder, const struct invar_matrix *features,
                         const int64_t *labels, struct invar_probe_result *out, struct invar_error *err)
{
    const int classes = invar_dataset_info(r->run->dataset)->classes;

    for (int i = 0; i < r->settings.l2.count; i++) {
        struct invar_probe_options one = r->settings;
        struct invar_probe_result tried = {0};
        double error = 0;
        one.l2 = (struct invar_real_list){1, {r->settings.l2.value[i]}};
        if (!invar_probe_fit(features, labels, NULL, NULL, classes, &one, &tried, err) ||
            !measure_extra(r, encoder, &tried, &error, err)) {
            invar_probe_result_free(&tried);
            return false;
        }
        if (i == 0 || error < r->extra_error) {
            invar_probe_result_free(out);
            *out = tried;
            r->extra_error = error;
        } else {
            invar_probe_result_free(&tried);
        }
    }
    return true;
}

/* The probe on clean representations of the training split. */
static bool fit_probe(struct robustness *r, const struct invar_encoder *encoder, struct invar_probe_result *out,
                      struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(r->run->dataset);
    struct invar_embedded train = {0};
    bool ok = invar_run_embed(r->run, encoder, INVAR_TRAIN, &train, err);

    if (ok) {
        const struct invar_matrix features = {INVAR_FLOAT32, train.features.shape[0], train.features.shape[1],
                                              train.features.data};
        ok = r->plan.choose_extra
                 ? fit_by_extra(r, encoder, &features, train.labels.data, out, err)
                 : invar_probe_fit(&features, train.labels.data, NULL, NULL, info->classes, &r->settings, out, err);
    }
    invar_embedded_free(&train);
    if (ok && !out->fit.converged)
        invar_log(INVAR_LOG_WARNING,
                  "the probe stopped after %lld iterations with a gradient of %.1e, above %.1e; raise "
                  "iterations=%lld",
                  (long long)out->fit.iterations, out->fit.gradient_norm, r->settings.tolerance,
                  (long long)r->settings.iterations);
    return ok;
}

static const struct invar_robustness_probe *keep_probe(const struct robustness *r,
                                                       const struct invar_probe_result *probe)
{
    struct invar_robustness_probe *out = json_room_take(r->room, 1, sizeof *out);

    if (!out)
        return NULL;
    *out = (struct invar_robustness_probe){.train_count = probe->train_count,
                                           .held_out_count = -1,
                                           .seed = -1,
                                           .l2 = probe->l2,
                                           .held_out_top1 = (double)NAN,
                                           .extra_error = r->plan.choose_extra ? r->extra_error : (double)NAN,
                                           .converged = probe->fit.converged};
    if (r->plan.choose_extra)
        out->chosen_on = "the test split under the four extra corruptions";
    if (probe->held_out_count) {
        out->chosen_on = "held-out part of the training split";
        out->held_out_count = probe->held_out_count;
        out->held_out_top1 = probe->held_out_top1;
        out->seed = r->settings.seed;
    }
    return out;
}

/* Flips of the same classifier on the same images. */
static bool measure_flips(struct robustness *r, const struct invar_encoder *encoder,
                          const struct invar_classifier *classifier, struct invar_robustness_errors *out,
                          struct invar_error *err)
{
    struct invar_flip_rate *item = json_room_take(r->room, INVAR_FLIP_SEQUENCES, sizeof *item);
    struct invar_flips found[INVAR_FLIP_SEQUENCES];

    if (!item)
        return json_room_whole(r->room, "the results", err);
    const bool ok = invar_flips_measure(r->run->device, encoder, r->run->dataset, classifier, &r->plan.options,
                                        INVAR_FLIP_STEPS, found, err);
    int64_t numbers[2 * INVAR_FLIP_SEQUENCES];
    for (int i = 0; i < INVAR_FLIP_SEQUENCES; i++) {
        numbers[2 * i] = found[i].count;
        numbers[2 * i + 1] = found[i].flipped;
    }
    if (!run_share_sum(r->run, ok, numbers, 2 * INVAR_FLIP_SEQUENCES, err))
        return false;
    for (int i = 0; i < INVAR_FLIP_SEQUENCES; i++) {
        found[i].count = numbers[2 * i];
        found[i].flipped = numbers[2 * i + 1];
    }
    out->flips.item = item;
    out->mean_flip = 0;
    for (int i = 0; i < INVAR_FLIP_SEQUENCES; i++) {
        const struct invar_flip_sequence *s = found[i].sequence;
        const double rate = 100 * (double)found[i].flipped / (double)found[i].count;
        if (!found[i].count)
            continue;
        item[out->flips.count++] = (struct invar_flip_rate){s->name, rate, s->low, s->high, INVAR_FLIP_STEPS};
        out->mean_flip += rate;
    }
    out->mean_flip /= (double)out->flips.count;
    return true;
}

/* Errors of one encoder. */
static bool measure(struct robustness *r, const struct invar_encoder *encoder, struct invar_robustness_errors *out,
                    struct invar_error *err)
{
    struct invar_robustness_cell cells[ROBUSTNESS_MAX_CELLS], clean = {0};
    const int count = make_cells(&r->plan, cells);
    const double started = invar_seconds();
    struct robustness_result result;
    struct invar_probe_result probe = {0};
    bool ok = fit_probe(r, encoder, &probe, err);
    const double fitted = invar_seconds();

    if (ok) {
        const struct invar_classifier classifier = {invar_dataset_info(r->run->dataset)->classes, probe.dimensions,
                                                    probe.weight, probe.bias};
        ok = measure_cells(r, encoder, &classifier, cells, count, &clean, err) &&
             (!r->request->flips || measure_flips(r, encoder, &classifier, out, err));
    }
    if (ok) {
        const double seconds = invar_seconds() - fitted;
        int64_t images = clean.count;
        result.clean = 100 * (double)clean.wrong / (double)clean.count;
        result.clean_count = clean.count;
        for (int i = 0; i < count; i++) {
            result.error[i] = 100 * (double)cells[i].wrong / (double)cells[i].count;
            images += cells[i].count;
        }
        out->probe = keep_probe(r, &probe);
        robustness_describe(out, &r->plan, &result, &r->reference, r->room);
        if (r->plan.from)
            out->ready_images = cells[0].count;
        out->images_per_s = (double)images / seconds;
        out->seconds = invar_seconds() - started;
    }
    invar_probe_result_free(&probe);
    return ok;
}

static bool measure_baseline(struct robustness *r, const char *name, struct invar_robustness_errors *out,
                             struct invar_error *err)
{
    struct study_training *supervised = NULL;
    struct invar_encoder *random = NULL;
    bool ok;

    study_robustness_errors_clear(out);
    out->name = name;
    if (strcmp(name, "supervised") == 0) {
        supervised = study_supervised_train(r->run, &r->settings, err);
        ok = supervised && measure(r, supervised->encoder, out, err);
        if (ok)
            out->training = study_supervised_describe(supervised, r->run->trained_in, r->room);
    } else {
        random = invar_run_random_encoder(r->run, err);
        ok = random && measure(r, random, out, err);
    }
    study_training_free(supervised);
    invar_encoder_free(random);
    return ok;
}

static bool measure_baselines(struct robustness *r, struct invar_error *err)
{
    struct invar_robustness_errors *item = json_room_take(r->room, sizeof baselines / sizeof *baselines, sizeof *item);

    for (const char *const *name = baselines; item && *name; name++)
        for (int i = 0; i < r->request->baseline_count; i++)
            if (strcmp(r->request->baselines[i], *name) == 0) {
                if (!measure_baseline(r, *name, &item[r->results->baselines.count], err))
                    return false;
                r->results->baselines.count++;
                break;
            }
    r->results->baselines.item = item;
    return true;
}

static bool measure_all(struct robustness *r, struct invar_error *err)
{
    struct invar_robustness_protocol *protocol = json_room_take(r->room, 1, sizeof *protocol);
    struct invar_robustness_reference *reference = json_room_take(r->room, 1, sizeof *reference);

    if (!protocol || !reference)
        return json_room_whole(r->room, "the results", err);
    *protocol = robustness_protocol(&r->plan, r->room);
    protocol->data_identity = json_room_text(r->room, invar_dataset_info(r->run->dataset)->identity);
    protocol->precision = "float32";
    protocol->version = INVAR_VERSION;
    r->results->format = ROBUSTNESS_FORMAT;
    r->results->protocol = protocol;
    if (r->reference.name) {
        *reference = (struct invar_robustness_reference){json_room_text(r->room, r->reference.name),
                                                         robustness_reference_clean(&r->reference)};
        r->results->reference = reference;
    }
    return measure(r, r->run->encoder, &r->results->run, err) &&
           (!r->request->baseline_count || measure_baselines(r, err)) && json_room_whole(r->room, "the results", err);
}

/* ---- what is left behind ---- */

/* Corrupted images that results are about. */
static int64_t amount(const struct invar_robustness_results *results)
{
    int64_t lists = 0;

    for (int64_t i = 0; results && i < results->run.corruptions.count; i++)
        lists += results->run.corruptions.item[i].error.count;
    return results && results->protocol && results->protocol->images > 0 ? lists * results->protocol->images : 0;
}

/* A look at a part does not take the place of the whole. */
static bool keep_results(const struct robustness *r, struct invar_error *err)
{
    const char *folder = r->run->folder;
    struct invar_error unreadable = {0};
    struct invar_robustness_results *before = invar_robustness_results_read(folder, &unreadable);
    bool ok = !unreadable.code || invar_error_set(err, unreadable.code, "%s", unreadable.message);

    if (ok && amount(before) > amount(r->results))
        invar_log(INVAR_LOG_INFO,
                  "%s/robustness.json is about more corruptions, severities or images than this, and stays as it is",
                  folder);
    else
        ok = ok && run_measured_on(r->run, NULL, r->room, &r->results->machine, err) &&
             study_robustness_results_keep(r->results, folder, err);
    invar_robustness_results_free(before);
    return ok;
}

struct invar_robustness_results *
invar_robustness_run(struct invar_run *run, const struct invar_robustness_request *request, struct invar_error *err)
{
    struct robustness r = {.request = request, .run = run, .results = study_robustness_results_create(err)};

    r.room = r.results ? study_robustness_results_room(r.results) : NULL;
    const bool ok =
        r.results && prepare(&r, err) && measure_all(&r, err) && (!invar_run_leads(run) || keep_results(&r, err));
    robustness_reference_close(&r.reference);
    invar_frost_free(r.plan.pictures);
    if (ok)
        return r.results;
    invar_robustness_results_free(r.results);
    return NULL;
}
