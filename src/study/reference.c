/* SPDX-License-Identifier: Apache-2.0 */
/* What errors under corruption are divided by: AlexNet's, or those of another run measured in the same way. */
#include "study/robustness.h"
#include "invar/expert/file.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

enum { PATH_SIZE = 4096, SMALLEST_ALEXNET = 224 };

void robustness_reference_close(struct robustness_reference *reference)
{
    invar_robustness_results_free(reference->results);
    *reference = (struct robustness_reference){0};
}

static bool check_alexnet(const struct robustness_plan *plan, struct invar_error *err)
{
    if (plan->height < SMALLEST_ALEXNET || plan->width < SMALLEST_ALEXNET)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "AlexNet's errors are those on ImageNet-C, of 224 x 224 pixels, and the images here have "
            "%d x %d: name a run as the reference",
            plan->width, plan->height);
    if (plan->severity_count < INVAR_CORRUPTION_SEVERITIES)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "AlexNet's errors are known as means over the five severities: leave out severity, or "
                               "name a run as the reference");
    return true;
}

/* "RUN:random" where there is no such folder: RUN, and the name of the baseline; else the whole, and NULL. */
static const char *split_name(const char *name, char *folder, size_t size, struct invar_error *err)
{
    const char *colon = strrchr(name, ':');
    const bool baseline =
        colon && (strcmp(colon, ":random") == 0 || strcmp(colon, ":supervised") == 0) && !invar_path_exists(name);
    const size_t length = baseline ? (size_t)(colon - name) : strlen(name);

    if (length >= size) {
        invar_error_set(err, INVAR_ERROR_USAGE, "the name of the reference is longer than %zu characters", size - 1);
        return NULL;
    }
    memcpy(folder, name, length);
    folder[length] = '\0';
    return baseline ? colon + 1 : "";
}

static const struct invar_robustness_errors *errors_of(const struct invar_robustness_results *results,
                                                       const char *baseline)
{
    for (int64_t i = 0; *baseline && i < results->baselines.count; i++)
        if (strcmp(results->baselines.item[i].name, baseline) == 0)
            return &results->baselines.item[i];
    return *baseline ? NULL : &results->run;
}

/* The results that were asked for, from a file that this version can read. */
static bool find_results(struct robustness_reference *r, const char *folder, const char *baseline,
                         struct invar_error *err)
{
    if (!r->results)
        return invar_error_set(err, INVAR_ERROR_FILE,
                               "%s/robustness.json: there is no such file; measure that run first", folder);
    if (r->results->format != ROBUSTNESS_FORMAT)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s/robustness.json is of another version (format %lld, expected %d): measure that run "
                               "again",
                               folder, (long long)(r->results->format < 0 ? 0 : r->results->format), ROBUSTNESS_FORMAT);
    r->errors = errors_of(r->results, baseline);
    if (!r->errors)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s/robustness.json lacks the baseline %s: measure that run with it", folder, baseline);
    if (!r->errors->clean || isnan(r->errors->clean->error) || !r->errors->corruptions.item)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s/robustness.json has no error on clean images or no corruptions: measure that run "
                               "again",
                               folder);
    return true;
}

/* What errors that are compared have in common; texts, of which numbers are some. */
enum { SHARED = 9 };
struct shared {
    const char *name, *value;
    char number[32];
};

static void share_text(struct shared *shared, const char *name, const char *value)
{
    shared->name = name;
    shared->value = value ? value : "none";
}

static void share_count(struct shared *shared, const char *name, int64_t value)
{
    snprintf(shared->number, sizeof shared->number, "%lld", (long long)value);
    share_text(shared, name, value < 0 ? NULL : shared->number);
}

static void share(const struct invar_robustness_protocol *p, struct shared out[SHARED])
{
    share_text(&out[0], "data", p->data);
    share_text(&out[1], "from", p->from);
    share_text(&out[2], "table", p->table);
    share_text(&out[3], "frost", p->frost);
    share_count(&out[4], "images", p->images);
    share_count(&out[5], "height", p->height);
    share_count(&out[6], "width", p->width);
    share_count(&out[7], "channels", p->channels);
    share_text(&out[8], "plain", p->plain);
}

/* Errors are compared only where they were measured on the same images in the same way. */
static bool same_protocol(const struct robustness_reference *r, const struct robustness_plan *plan, const char *folder,
                          struct invar_error *err)
{
    static const struct invar_robustness_protocol unknown = {.images = -1, .height = -1, .width = -1, .channels = -1};
    struct json_room room = {0};
    const struct invar_robustness_protocol own = robustness_protocol(plan, &room);
    struct shared mine[SHARED], theirs[SHARED];
    bool ok = json_room_whole(&room, "the protocol", err);

    share(&own, mine);
    share(r->results->protocol ? r->results->protocol : &unknown, theirs);
    for (int i = 0; ok && i < SHARED; i++)
        if (strcmp(mine[i].value, theirs[i].value) != 0)
            ok = invar_error_set(err, INVAR_ERROR_DATA,
                                 "the reference %s was measured with another \"%s\": %s, here %s; measure both in the "
                                 "same way",
                                 folder, mine[i].name, theirs[i].value, mine[i].value);
    json_room_free(&room);
    return ok;
}

static const struct invar_corruption_errors *corruption_of(const struct robustness_reference *r, const char *name)
{
    for (int64_t i = 0; i < r->errors->corruptions.count; i++)
        if (strcmp(r->errors->corruptions.item[i].name, name) == 0)
            return &r->errors->corruptions.item[i];
    return NULL;
}

/* Of a corruption at a severity; NAN: the reference has none. */
static double error_at(const struct robustness_reference *r, const char *corruption, int severity)
{
    const struct invar_robustness_protocol *protocol = r->results->protocol;
    const struct invar_corruption_errors *errors = corruption_of(r, corruption);

    for (int64_t i = 0; protocol && errors && i < protocol->severities.count && i < errors->error.count; i++)
        if (protocol->severities.value[i] == severity)
            return errors->error.value[i];
    return (double)NAN;
}

static bool has_all(const struct robustness_reference *r, const struct robustness_plan *plan, const char *folder,
                    struct invar_error *err)
{
    for (int c = 0; c < plan->corruption_count; c++)
        for (int s = 0; s < plan->severity_count; s++)
            if (isnan(error_at(r, plan->corruptions[c]->name, plan->severities[s])))
                return invar_error_set(err, INVAR_ERROR_DATA,
                                       "the reference %s lacks %s at severity %d: measure it there too, or choose what "
                                       "it has with corruption and severity",
                                       folder, plan->corruptions[c]->name, plan->severities[s]);
    return true;
}

bool robustness_reference_open(struct robustness_reference *out, const char *name, const struct robustness_plan *plan,
                               struct invar_error *err)
{
    struct invar_error unreadable = {0};
    char folder[PATH_SIZE];
    const char *baseline;

    *out = (struct robustness_reference){.name = name, .alexnet = name && strcmp(name, "alexnet") == 0};
    if (!name)
        return true;
    if (out->alexnet)
        return check_alexnet(plan, err);
    baseline = split_name(name, folder, sizeof folder, err);
    if (!baseline)
        return false;
    out->results = invar_robustness_results_read(folder, &unreadable);
    if (unreadable.code)
        return invar_error_set(err, unreadable.code, "%s", unreadable.message);
    return find_results(out, folder, baseline, err) && same_protocol(out, plan, folder, err) &&
           has_all(out, plan, folder, err);
}

double robustness_reference_clean(const struct robustness_reference *r)
{
    return r->alexnet ? INVAR_ALEXNET_CLEAN_ERROR : r->errors->clean->error;
}

void robustness_reference_errors(const struct robustness_reference *r, const struct robustness_plan *plan,
                                 const char *corruption, double *error)
{
    for (int s = 0; s < plan->severity_count; s++)
        error[s] = r->alexnet ? invar_alexnet_error(corruption) : error_at(r, corruption, plan->severities[s]);
}
