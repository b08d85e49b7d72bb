/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers that runs are compared by: where each is found, its unit, and what it was measured on. */
#include "invar/data.h"
#include "report/compare_parts.h"
#include "base/json.h"

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

/* A number by its path, names joined with dots (a name may hold dots itself); an object stands for its `leaf`. *top:
 * the item of `object` that it is in. */
static const cJSON *find_number(const cJSON *object, const char *path, const char *leaf, const cJSON **top)
{
    const cJSON *item;
    for (item = cJSON_IsObject(object) ? object->child : NULL; item; item = item->next) {
        const size_t length = strlen(item->string);
        const cJSON *found = NULL;
        if (strncmp(path, item->string, length) != 0)
            continue;
        if (path[length] == '.')
            found = find_number(item, path + length + 1, leaf, top);
        else if (path[length] == '\0')
            found = cJSON_IsObject(item) ? cJSON_GetObjectItemCaseSensitive(item, leaf) : item;
        *top = item;
        if (cJSON_IsNumber(found))
            return found;
    }
    return NULL;
}

static const char *text_in(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* ", NAME VALUE" of an item; a list or an object as JSON. */
static bool put_item(struct invar_text *out, const cJSON *item, struct invar_error *err)
{
    if (!item)
        return true;
    char *text = cJSON_IsString(item) ? NULL : json_print(item, false, item->string, err);
    const bool ok = (text || cJSON_IsString(item)) &&
                    invar_text_printf(out, err, ", %s %s", item->string, text ? text : item->valuestring);
    cJSON_free(text);
    return ok;
}

static bool put_items(struct invar_text *out, const cJSON *object, const char *const *names, struct invar_error *err)
{
    bool ok = true;
    for (; ok && *names; names++)
        ok = put_item(out, cJSON_GetObjectItemCaseSensitive(object, *names), err);
    return ok;
}

/* Takes the text. */
static const char *keep_text(struct comparison *c, bool ok, struct invar_text *text, struct invar_error *err)
{
    const char *kept = ok ? comparison_text_of(c, err, "%s", text->data) : NULL;
    invar_text_free(text);
    return kept;
}

/* Data, samples, and the choices that change what a number of probe.json means. */
static const char *probe_basis(struct comparison *c, const cJSON *result, const char *name, struct invar_error *err)
{
    static const char *const choices[] = {"test_count", "k", "temperature", "label", "hold_out", "labels", NULL};
    const char *data = text_in(result, "data");
    const char *test = text_in(cJSON_GetObjectItemCaseSensitive(result, "test"), "source");
    const char *groups = text_in(cJSON_GetObjectItemCaseSensitive(result, "groups"), "column");
    struct invar_text text = {0};
    bool ok =
        invar_text_printf(&text, err, "%s", data ? data : "unknown data") && put_items(&text, result, choices, err);
    if (ok && groups && strstr(name, ".groups."))
        ok = invar_text_printf(&text, err, ", groups of %s", groups);
    if (ok && test)
        ok = invar_text_printf(&text, err, ", tested on %s", test);
    return keep_text(c, ok, &text, err);
}

/* Every option of the method but the seed of its draws. */
static const char *probe_protocol(struct comparison *c, const cJSON *result, struct invar_error *err)
{
    const cJSON *protocol = cJSON_GetObjectItemCaseSensitive(result, "protocol"), *item;
    struct invar_text text = {0};
    bool ok = invar_text_printf(&text, err, "%s", text_in(protocol, "method") ? text_in(protocol, "method") : "");
    item = cJSON_GetObjectItemCaseSensitive(protocol, "options");
    for (item = item ? item->child : NULL; ok && item; item = item->next)
        ok = strcmp(item->string, "seed") == 0 || put_item(&text, item, err);
    return keep_text(c, ok, &text, err);
}

/* Images, severities and parameters; of errors over a reference's, that reference. */
static const char *robustness_basis(struct comparison *c, const cJSON *results, const char *name,
                                    struct invar_error *err)
{
    static const char *const choices[] = {"images", "severities", "table", "seed", "frost", "from", NULL};
    const cJSON *protocol = cJSON_GetObjectItemCaseSensitive(results, "protocol");
    const char *reference = text_in(cJSON_GetObjectItemCaseSensitive(results, "reference"), "name");
    const char *data = text_in(protocol, "data");
    struct invar_text text = {0};
    bool ok =
        invar_text_printf(&text, err, "%s", data ? data : "unknown data") && put_items(&text, protocol, choices, err);
    if (ok && reference && strstr(name, "CE"))
        ok = invar_text_printf(&text, err, ", reference %s", reference);
    return keep_text(c, ok, &text, err);
}

bool comparison_alike(const struct comparison_value *a, const struct comparison_value *b)
{
    return strcmp(a->basis, b->basis) == 0 &&
           (!*a->protocol || !*b->protocol || strcmp(a->protocol, b->protocol) == 0) &&
           invar_data_identity_same(a->identity, b->identity, NULL, 0);
}

const char *comparison_apart(const struct comparison_value *value, const struct comparison_value *other)
{
    if (strcmp(value->basis, other->basis) != 0)
        return value->basis;
    if (!invar_data_identity_same(value->identity, other->identity, NULL, 0))
        return value->identity;
    return value->protocol;
}

static const char *inspect_basis(struct comparison *c, const cJSON *results, struct invar_error *err)
{
    const char *data = text_in(results, "data"), *split = text_in(results, "split");
    const cJSON *samples = cJSON_GetObjectItemCaseSensitive(results, "samples");
    return comparison_text_of(c, err, "%s, %.0f samples of %s", data ? data : "unknown data",
                              cJSON_IsNumber(samples) ? samples->valuedouble : 0, split ? split : "?");
}

static const char *identity_in(const cJSON *result)
{
    const char *identity = text_in(result, "data_identity");
    return identity ? identity : "";
}

/* The value of a metric in a run, wherever it is; value NAN where it is nowhere. */
static bool look_up(struct comparison *c, const struct report_run *run, const char *name, struct comparison_value *out,
                    struct invar_error *err)
{
    const struct own_name *own = find_own(name);
    const cJSON *top = NULL, *found = NULL;

    *out = (struct comparison_value){.value = NAN, .basis = "", .protocol = "", .identity = ""};
    if (own && !own->series) {
        out->value = run->seconds;
    } else if (own) {
        out->value = report_run_last(run, own->series);
        out->basis = comparison_text_of(c, err, "%s", run->source);
        out->identity = run->identity;
    } else if ((found = find_number(run->probe, name, "top1", &top))) {
        out->value = found->valuedouble;
        out->basis = probe_basis(c, top, name, err);
        out->protocol = probe_protocol(c, top, err);
        out->identity = identity_in(top);
    } else if ((found = find_number(run->robustness, name, "error", &top))) {
        out->value = found->valuedouble;
        out->basis = robustness_basis(c, run->robustness, name, err);
        out->identity = identity_in(cJSON_GetObjectItemCaseSensitive(run->robustness, "protocol"));
    } else if ((found = find_number(run->inspect, name, "value", &top))) {
        out->value = found->valuedouble;
        out->basis = inspect_basis(c, run->inspect, err);
        out->identity = identity_in(run->inspect);
    } else {
        out->value = report_run_last(run, name);
        out->basis = comparison_text_of(c, err, "%s", run->source);
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

/* By the last part of the name. */
static void describe(struct comparison_metric *metric, const struct comparison *c)
{
    static const char *const less[] = {"mCE",       "mrCE",          "CE",      "rCE",  "error", "cross_entropy",
                                       "objective", "gradient_norm", "seconds", "loss", "ece",   "mae",
                                       NULL};
    static const char *const more[] = {"balanced_accuracy", "macro_f1", "auroc",    "worst_accuracy",
                                       "mean_over_groups",  "r2",       "spearman", NULL};
    const struct own_name *own = find_own(metric->name);
    const char *dot = strrchr(metric->name, '.'), *last = dot ? dot + 1 : metric->name;
    const cJSON *top;

    metric->unit = own ? own->unit : "";
    metric->better = own ? own->better : 0;
    for (int r = 0; r < c->run_count && !own; r++) {
        const cJSON *found = find_number(c->run[r]->probe, metric->name, "top1", &top);
        if (found && (strcmp(found->string, "top1") == 0 || strcmp(found->string, "top5") == 0)) {
            metric->unit = "%";
            metric->better = 1;
        }
    }
    for (int i = 0; more[i] && !own; i++)
        if (strcmp(last, more[i]) == 0)
            metric->better = 1;
    if (strcmp(metric->name, "clean") == 0)
        last = "error";
    for (int i = 0; less[i] && !own; i++)
        if (strncmp(metric->name, "loss", 4) == 0 || strncmp(last, less[i], strlen(less[i])) == 0) {
            metric->better = -1;
            if (strstr("mCE mrCE CE rCE error mean_error", less[i]))
                metric->unit = "%";
            if (strcmp(less[i], "seconds") == 0)
                metric->unit = "s";
        }
}

static bool add_metric(struct comparison *c, const char *name, struct invar_error *err)
{
    struct comparison_metric *metric = &c->metric[c->metric_count];
    if (is_listed(c, name))
        return true;
    if (c->metric_count == MAX_METRICS)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "the runs have more than %d metrics; choose some of them with --metric", MAX_METRICS);
    metric->name = comparison_text_of(c, err, "%s", name);
    if (!metric->name)
        return false;
    describe(metric, c);
    c->metric_count++;
    return true;
}

/* mean_error, mCE and mrCE, of the benchmark's corruptions and (_19) of all. */
static bool is_mean(const char *name)
{
    return strncmp(name, "mean_error", 10) == 0 || strncmp(name, "mCE", 3) == 0 || strncmp(name, "mrCE", 4) == 0;
}

/* A classifier by its name, a regression by R2. */
static bool add_result(struct comparison *c, const cJSON *item, struct invar_error *err)
{
    const char *name;

    if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(item, "top1")))
        return add_metric(c, item->string, err);
    if (!cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(item, "r2")))
        return true;
    name = comparison_text_of(c, err, "%s.r2", item->string);
    return name && add_metric(c, name, err);
}

/* Every classifier of probe.json, then the errors of robustness.json. */
static bool add_results(struct comparison *c, struct invar_error *err)
{
    for (int r = 0; r < c->run_count; r++) {
        const cJSON *item;
        cJSON_ArrayForEach(item, c->run[r]->probe) if (!add_result(c, item, err)) return false;
    }
    for (int r = 0; r < c->run_count; r++) {
        const cJSON *results = c->run[r]->robustness, *item;
        const cJSON *clean = cJSON_GetObjectItemCaseSensitive(results, "clean");
        if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(clean, "error")) && !add_metric(c, "clean.error", err))
            return false;
        cJSON_ArrayForEach(item, results) if (cJSON_IsNumber(item) && is_mean(item->string) &&
                                              !add_metric(c, item->string, err)) return false;
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
    if (!add_results(c, err))
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
        "robustness.json and inspect.json by its path (linear.top5, z.effective_rank), and every key "
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
        if (!add_asked(c, "--metric", options->metric[i], err))
            return false;
    if (!options->metric_count && !add_usual(c, err))
        return false;
    if (options->sort && !add_asked(c, "--sort", options->sort, err))
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
