/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers that runs are compared by: where each is found, its unit, and what it was measured on. */
#include "invar/data.h"
#include "report/compare_parts.h"
#include "study/inspect_results.h"
#include "study/probe_results.h"
#include "study/returns_results.h"
#include "train/recipe.h"
#include "study/robustness_results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_METRICS = 256 };

/* Names of their own for what is asked for most. */
static const struct own_name {
    const char *name, *series, *unit;
    int better;
} own_names[] = {{"rank", "effective_rank", "", 0}, {"entropy", "entropy", "nats", 0}, {"seconds", NULL, "s", -1}};

static const struct own_name *find_own(const char *name)
{
    for (size_t i = 0; i < sizeof own_names / sizeof own_names[0]; i++)
        if (strcmp(own_names[i].name, name) == 0)
            return &own_names[i];
    return NULL;
}

/* Takes the text. */
static const char *keep_text(struct comparison *c, bool ok, struct invar_text *text, struct invar_error *err)
{
    const char *kept = ok ? comparison_text_of(c, err, "%s", text->data) : NULL;
    invar_text_free(text);
    return kept;
}

/* ", NAME VALUE" of what is there. */
static bool put_text(struct invar_text *out, const char *name, const char *value, struct invar_error *err)
{
    return !value || invar_text_printf(out, err, ", %s %s", name, value);
}

static bool put_count(struct invar_text *out, const char *name, int64_t value, struct invar_error *err)
{
    return value < 0 || invar_text_printf(out, err, ", %s %lld", name, (long long)value);
}

static bool put_number(struct invar_text *out, const char *name, double value, struct invar_error *err)
{
    return isnan(value) || invar_text_printf(out, err, ", %s %.15g", name, value);
}

/* A word without its quotes, or whatever else JSON has. */
static bool put_json(struct invar_text *out, const char *name, const char *json, struct invar_error *err)
{
    const size_t length = json ? strlen(json) : 0;
    const bool word = length > 1 && json[0] == '"';

    return !json || invar_text_printf(out, err, ", %s %.*s", name, (int)(word ? length - 2 : length), json + word);
}

static bool put_list(struct invar_text *out, const char *name, const struct invar_numbers *list,
                     struct invar_error *err)
{
    bool ok = !list->value || invar_text_printf(out, err, ", %s [", name);

    for (int64_t i = 0; ok && list->value && i < list->count; i++)
        ok = invar_text_printf(out, err, "%s%.15g", i ? "," : "", list->value[i]);
    return ok && (!list->value || invar_text_printf(out, err, "]"));
}

/* Data, samples, and the choices that change what a number of probe.json means. */
static const char *probe_basis(struct comparison *c, const struct invar_probed *p, const char *name,
                               struct invar_error *err)
{
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, err, "%s", p->data ? p->data : "unknown data") &&
              put_count(&text, "test_count", p->test_count, err) && put_number(&text, "k", p->k, err) &&
              put_number(&text, "temperature", p->temperature, err) && put_text(&text, "label", p->label, err) &&
              put_text(&text, "hold_out", p->hold_out, err) && put_text(&text, "labels", p->labels, err);

    if (ok && p->groups && p->groups->column && strstr(name, ".groups."))
        ok = invar_text_printf(&text, err, ", groups of %s", p->groups->column);
    if (ok && p->test && p->test->source)
        ok = invar_text_printf(&text, err, ", tested on %s", p->test->source);
    return keep_text(c, ok, &text, err);
}

/* Every option of the method but the seed of its draws. */
static const char *probe_protocol(struct comparison *c, const struct invar_probed_protocol *protocol,
                                  struct invar_error *err)
{
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, err, "%s", protocol && protocol->method ? protocol->method : "");

    if (ok && protocol)
        ok = put_text(&text, "plain", protocol->plain, err);
    for (int64_t i = 0; ok && protocol && i < protocol->options.count; i++)
        ok = strcmp(protocol->options.item[i].name, "seed") == 0 ||
             put_json(&text, protocol->options.item[i].name, protocol->options.item[i].text, err);
    return keep_text(c, ok, &text, err);
}

/* Images, severities and parameters; of errors over a reference's, that reference. */
static const char *robustness_basis(struct comparison *c, const struct invar_robustness_results *results,
                                    const char *name, struct invar_error *err)
{
    const struct invar_robustness_protocol *p = results->protocol;
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, err, "%s", p && p->data ? p->data : "unknown data");

    if (ok && p)
        ok = put_count(&text, "images", p->images, err) && put_list(&text, "severities", &p->severities, err) &&
             put_text(&text, "table", p->table, err) && put_count(&text, "seed", p->seed, err) &&
             put_text(&text, "frost", p->frost, err) && put_text(&text, "from", p->from, err) &&
             put_text(&text, "plain", p->plain, err);
    if (ok && results->reference && results->reference->name && strstr(name, "CE"))
        ok = invar_text_printf(&text, err, ", reference %s", results->reference->name);
    return keep_text(c, ok, &text, err);
}

bool comparison_alike(const struct comparison_value *a, const struct comparison_value *b)
{
    return strcmp(a->basis, b->basis) == 0 &&
           (!*a->protocol || !*b->protocol || strcmp(a->protocol, b->protocol) == 0) &&
           invar_data_identity_same(a->identity, b->identity, NULL, 0);
}

/* The length of the part that begins here, and whether it is one of those of a text. */
static size_t part_length(const char *part)
{
    const char *end = strstr(part, ", ");
    return end ? (size_t)(end - part) : strlen(part);
}

static bool is_part_of(const char *part, size_t length, const char *text)
{
    for (;; text += 2) {
        const size_t other = part_length(text);
        if (other == length && memcmp(text, part, length) == 0)
            return true;
        text += other;
        if (!*text)
            return false;
    }
}

const char *comparison_parts_apart(struct comparison *c, const char *text, const char *other, struct invar_error *err)
{
    struct invar_text out = {0};
    bool ok = true;

    for (const char *part = text; ok; part += 2) {
        const size_t length = part_length(part);
        if (!is_part_of(part, length, other))
            ok = invar_text_printf(&out, err, "%s%.*s", out.size ? ", " : "", (int)length, part);
        part += length;
        if (!*part)
            break;
    }
    if (ok && !out.size)
        ok = invar_text_printf(&out, err, "%s", text);
    return keep_text(c, ok, &out, err);
}

const char *comparison_apart(struct comparison *c, const struct comparison_value *value,
                             const struct comparison_value *other, struct invar_error *err)
{
    if (strcmp(value->basis, other->basis) != 0)
        return value->basis;
    if (!invar_data_identity_same(value->identity, other->identity, NULL, 0))
        return value->identity;
    return comparison_parts_apart(c, value->protocol, other->protocol, err);
}

/* ", KEY VALUE" of every line but those that change nothing. */
static bool put_settings(struct invar_text *out, const char *settings, struct invar_error *err)
{
    for (const char *line = settings; *line; line += *line == '\n') {
        const size_t length = strcspn(line, "\n"), name = strcspn(line, ":\n");
        char key[128];
        snprintf(key, sizeof key, "env.%.*s", (int)name, line);
        if (length > name + 2 && !recipe_is_indifferent(key) &&
            !invar_text_printf(out, err, ", %.*s %.*s", (int)name, line, (int)(length - name - 2), line + name + 2))
            return false;
        line += length;
    }
    return true;
}

const char *comparison_returns_protocol(struct comparison *c, const struct invar_returns *returns,
                                        struct invar_error *err)
{
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, err, "%s", returns->version ? returns->version : "") &&
              put_count(&text, "episodes", returns->returns.count, err) &&
              put_count(&text, "no-ops", returns->noops, err) && put_number(&text, "epsilon", returns->epsilon, err) &&
              put_count(&text, "seed", returns->seed, err) &&
              put_settings(&text, returns->settings ? returns->settings : "", err);

    return keep_text(c, ok, &text, err);
}

static const char *inspect_basis(struct comparison *c, const struct invar_inspect_results *results,
                                 struct invar_error *err)
{
    return comparison_text_of(c, err, "%s, %lld samples of %s", results->data ? results->data : "unknown data",
                              (long long)results->inspection->samples, results->split ? results->split : "?");
}

/* Of the run, or of its results, by a path. *of: the result of probe.json that it is in. NAN: there is none. */
static double probe_number(const struct report_run *run, const char *name, const struct invar_probed **of)
{
    return run->probe ? study_probe_results_number(run->probe, name, of) : (double)NAN;
}

static double robustness_number(const struct report_run *run, const char *name)
{
    return run->robustness ? study_robustness_results_number(run->robustness, name) : (double)NAN;
}

static double inspect_number(const struct report_run *run, const char *name)
{
    return run->inspect ? study_inspect_results_number(run->inspect, name) : (double)NAN;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* What a run was trained on: data, or an environment. */
static const char *trained_on(struct comparison *c, const struct report_run *run, struct invar_error *err)
{
    const char *environment = run->agent ? report_run_setting(run, "env.id") : NULL;

    return comparison_text_of(c, err, "%s", environment ? environment : run->source);
}

/* The value of a metric in a run, wherever it is; value NAN where it is nowhere. */
static bool look_up(struct comparison *c, const struct report_run *run, const char *name, struct comparison_value *out,
                    struct invar_error *err)
{
    const struct own_name *own = find_own(name);
    const struct invar_probed *of = NULL;
    const struct invar_returns *returns;

    *out = (struct comparison_value){.value = NAN, .basis = "", .protocol = "", .identity = ""};
    if (own && !own->series) {
        out->value = run->seconds;
    } else if (own) {
        out->value = report_run_last(run, own->series);
        out->basis = trained_on(c, run, err);
        out->identity = run->identity;
    } else if (out->value = probe_number(run, name, &of), !isnan(out->value)) {
        out->basis = probe_basis(c, of, name, err);
        out->protocol = probe_protocol(c, of->protocol, err);
        out->identity = or_empty(of->data_identity);
    } else if (out->value = robustness_number(run, name), !isnan(out->value)) {
        out->basis = robustness_basis(c, run->robustness, name, err);
        out->identity = or_empty(run->robustness->protocol ? run->robustness->protocol->data_identity : NULL);
    } else if (out->value = inspect_number(run, name), !isnan(out->value)) {
        out->basis = inspect_basis(c, run->inspect, err);
        out->identity = or_empty(run->inspect->data_identity);
    } else if (out->value = study_returns_number(run->returns, name, &returns), !isnan(out->value)) {
        out->basis = returns->environment ? returns->environment : "";
        out->protocol = comparison_returns_protocol(c, returns, err);
    } else {
        out->value = report_run_last(run, name);
        out->basis = trained_on(c, run, err);
        out->identity = run->identity;
    }
    return out->basis && out->protocol;
}

/* ---- which there are ---- */

static bool is_listed(const struct comparison *c, const char *name)
{
    for (int m = 0; m < c->metric_count; m++)
        if (strcmp(c->metric[m].name, name) == 0)
            return true;
    return false;
}

/* top1 or top5 of a result, by their names or by that of what has them. */
static bool is_percent(const struct report_run *run, const char *name, const char *last)
{
    const struct invar_probed *of;
    char top1[512];

    if (isnan(probe_number(run, name, &of)))
        return false;
    snprintf(top1, sizeof top1, "%s.top1", name);
    return strcmp(last, "top1") == 0 || strcmp(last, "top5") == 0 || !isnan(probe_number(run, top1, &of));
}

/* By the last part of the name. */
static void describe(struct comparison_metric *metric, const struct comparison *c)
{
    static const struct {
        const char *name, *unit;
    } less[] = {{"mCE", "%"},          {"mrCE", "%"},       {"CE", "%"},           {"rCE", "%"},
                {"error", "%"},        {"mean_error", "%"}, {"less_clean", "%"},   {"mean_flip", "%"},
                {"cross_entropy", ""}, {"objective", ""},   {"gradient_norm", ""}, {"seconds", "s"},
                {"loss", ""},          {"ece", ""},         {"mae", ""},           {"mse", ""}};
    static const char *const more[] = {"balanced_accuracy", "macro_f1",         "auroc",
                                       "worst_accuracy",    "mean_over_groups", "r2",
                                       "spearman",          "test_accuracy",    NULL};
    const struct own_name *own = find_own(metric->name);
    const char *dot = strrchr(metric->name, '.'), *last = dot ? dot + 1 : metric->name;

    metric->unit = own ? own->unit : "";
    metric->better = own ? own->better : 0;
    for (int r = 0; r < c->run_count && !own; r++)
        if (is_percent(c->run[r], metric->name, last)) {
            metric->unit = "%";
            metric->better = 1;
        }
    for (int i = 0; more[i] && !own; i++)
        if (strcmp(last, more[i]) == 0)
            metric->better = 1;
    if (strncmp(metric->name, "return", 6) == 0 || strncmp(metric->name, "score", 5) == 0) {
        metric->better = 1;
        metric->unit = metric->name[0] == 's' ? "%" : "";
        return;
    }
    if (strcmp(metric->name, "clean") == 0)
        last = "error";
    if (strncmp(metric->name, "losses/", 7) == 0) { /* of agents, by the tags that RL users know */
        metric->better = strcmp(metric->name, "losses/td_loss") == 0 ? -1 : 0;
        return;
    }
    if (strncmp(metric->name, "loss", 4) == 0)
        last = "loss";
    for (size_t i = 0; i < sizeof less / sizeof *less && !own; i++)
        if (strncmp(last, less[i].name, strlen(less[i].name)) == 0) {
            metric->better = -1;
            metric->unit = less[i].unit;
        }
}

static bool add_metric(struct comparison *c, const char *name, struct invar_error *err)
{
    struct comparison_metric *metric = &c->metric[c->metric_count];
    if (is_listed(c, name))
        return true;
    if (c->metric_count == MAX_METRICS)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "the runs have more than %d metrics; choose some of them with metric", MAX_METRICS);
    metric->name = comparison_text_of(c, err, "%s", name);
    if (!metric->name)
        return false;
    describe(metric, c);
    c->metric_count++;
    return true;
}

/* A classifier by its name, a regression by R2. */
static bool add_result(struct comparison *c, const struct invar_probed *item, struct invar_error *err)
{
    const char *name;

    if (!isnan(item->top1))
        return add_metric(c, item->name, err);
    if (isnan(item->r2))
        return true;
    name = comparison_text_of(c, err, "%s.r2", item->name);
    return name && add_metric(c, name, err);
}

/* Every classifier of probe.json, then the errors of robustness.json. */
static bool add_results(struct comparison *c, struct invar_error *err)
{
    static const char *const errors[] = {"clean.error",   "mean_error", "mCE",    "mrCE",
                                         "mean_error_19", "mCE_19",     "mrCE_19"};

    for (int r = 0; r < c->run_count; r++) {
        const struct invar_probe_results *probe = c->run[r]->probe;
        for (int64_t i = 0; probe && i < probe->count; i++)
            if (!add_result(c, &probe->item[i], err))
                return false;
    }
    for (int r = 0; r < c->run_count; r++)
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
            if (!isnan(robustness_number(c->run[r], errors[i])) && !add_metric(c, errors[i], err))
                return false;
    return true;
}

/* "return" and "score", and those of other evaluations. */
static bool add_returns(struct comparison *c, struct invar_error *err)
{
    static const char *const figures[] = {"return", "score"};
    const struct invar_returns *of;

    for (int r = 0; r < c->run_count; r++)
        for (int64_t i = 0; c->run[r]->returns && i < c->run[r]->returns->evaluations.count; i++) {
            const char *evaluation = c->run[r]->returns->evaluations.item[i].name;
            const bool usual = strcmp(evaluation, "default") == 0;
            for (int k = 0; k < 2; k++) {
                const char *name =
                    comparison_text_of(c, err, "%s%s%s", figures[k], usual ? "" : ".", usual ? "" : evaluation);
                if (!name || (!isnan(study_returns_number(c->run[r]->returns, name, &of)) && !add_metric(c, name, err)))
                    return false;
            }
        }
    return true;
}

static bool any_has(struct comparison *c, const char *name, bool *out, struct invar_error *err)
{
    struct comparison_value value;
    *out = false;
    for (int r = 0; r < c->run_count && !*out; r++) {
        if (!look_up(c, c->run[r], name, &value, err))
            return false;
        *out = !isnan(value.value);
    }
    return true;
}

static bool add_usual(struct comparison *c, struct invar_error *err)
{
    bool there;
    if (!add_results(c, err) || !add_returns(c, err))
        return false;
    for (size_t i = 0; i < sizeof own_names / sizeof own_names[0]; i++)
        if (!any_has(c, own_names[i].name, &there, err) || (there && !add_metric(c, own_names[i].name, err)))
            return false;
    return true;
}

/* "there is none; there are linear, neighbours, ..." */
static bool refuse(struct comparison *c, const char *option, const char *name, struct invar_error *err)
{
    char known[512] = "";
    size_t used = 0;
    c->metric_count = 0;
    if (!add_usual(c, err))
        return false;
    for (int m = 0; m < c->metric_count && used < sizeof known; m++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", m ? ", " : "", c->metric[m].name);
    return invar_error_set(
        err, INVAR_ERROR_USAGE,
        "%s: none of the runs has \"%s\"; they have %s, and every number of probe.json, "
        "robustness.json, inspect.json and returns.json by its path (linear.top5, z.effective_rank), and every key "
        "of metrics.jsonl",
        option, name, known[0] ? known : "no results yet");
}

static bool add_asked(struct comparison *c, const char *option, const char *name, struct invar_error *err)
{
    bool there;
    if (!any_has(c, name, &there, err))
        return false;
    return there ? add_metric(c, name, err) : refuse(c, option, name, err);
}

/* Behind the score by which choices are judged. */
static bool add_choices(struct comparison *c, struct invar_error *err)
{
    bool there;

    if (!c->metric_count && !add_asked(c, "choose", "linear", err))
        return false;
    for (int i = 0; comparison_choose_name(i); i++) {
        if (!any_has(c, comparison_choose_name(i), &there, err) ||
            (there && !add_metric(c, comparison_choose_name(i), err)))
            return false;
    }
    return true;
}

/* As many decimals as the largest value of the column needs. */
static void set_decimals(struct comparison *c, int m)
{
    struct comparison_metric *metric = &c->metric[m];
    double largest = 0;
    for (int r = 0; r < c->run_count; r++)
        if (fabs(c->value[r][m].value) > largest)
            largest = fabs(c->value[r][m].value);
    if (strcmp(metric->unit, "%") == 0)
        metric->decimals = 2;
    else if (strcmp(metric->unit, "s") == 0)
        metric->decimals = largest >= 100 ? 0 : 1;
    else
        metric->decimals = largest >= 1e6 || largest < 0.01 ? -1 : largest >= 1000 ? 0 : largest >= 10 ? 2 : 4;
}

bool comparison_measure(struct comparison *c, const struct comparison_options *options, struct invar_error *err)
{
    c->metric = comparison_take(c, MAX_METRICS, sizeof *c->metric, err);
    c->value = comparison_take(c, c->run_count, sizeof *c->value, err);
    if (!c->metric || !c->value)
        return false;
    for (int i = 0; i < options->metric_count; i++)
        if (!add_asked(c, "metric", options->metric[i], err))
            return false;
    if (options->choose && !add_choices(c, err))
        return false;
    if (!options->metric_count && !options->choose && !add_usual(c, err))
        return false;
    if (options->sort && !add_asked(c, "sort", options->sort, err))
        return false;
    for (int r = 0; r < c->run_count; r++) {
        c->value[r] = comparison_take(c, c->metric_count, sizeof **c->value, err);
        if (!c->value[r])
            return false;
        for (int m = 0; m < c->metric_count; m++)
            if (!look_up(c, c->run[r], c->metric[m].name, &c->value[r][m], err))
                return false;
    }
    for (int m = 0; m < c->metric_count; m++)
        set_decimals(c, m);
    return true;
}
