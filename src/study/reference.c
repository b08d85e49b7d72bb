/* SPDX-License-Identifier: Apache-2.0 */
/* What errors under corruption are divided by: AlexNet's, or those of another run measured in the same way. */
#include "study/robustness.h"
#include "invar/expert/file.h"

#include <stdio.h>
#include <math.h>
#include <string.h>

enum { PATH_SIZE = 4096, SMALLEST_ALEXNET = 224 };

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

void robustness_reference_close(struct robustness_reference *reference)
{
    cJSON_Delete(reference->root);
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

/* The results that were asked for, from a file that this version can read. */
static bool find_results(struct robustness_reference *r, const char *folder, const char *baseline,
                         struct invar_error *err)
{
    const cJSON *format = get(r->root, "format");

    if (!r->root->child)
        return invar_error_set(err, INVAR_ERROR_FILE,
                               "%s/robustness.json: there is no such file; `invar robustness %s` makes it", folder,
                               folder);
    if (!cJSON_IsNumber(format) || format->valuedouble != ROBUSTNESS_FORMAT)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s/robustness.json is of another version (format %g, expected %d): measure that run "
                               "again",
                               folder, format ? format->valuedouble : 0.0, ROBUSTNESS_FORMAT);
    r->results = *baseline ? get(get(r->root, "baselines"), baseline) : r->root;
    if (!r->results)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s/robustness.json lacks the baseline %s: `invar robustness %s baseline %s` measures "
                               "it",
                               folder, baseline, folder, baseline);
    if (!cJSON_IsNumber(get(get(r->results, "clean"), "error")) || !cJSON_IsObject(get(r->results, "corruptions")))
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s/robustness.json has no error on clean images or no corruptions: measure that run "
                               "again",
                               folder);
    return true;
}

/* A text, a number or nothing, for messages. */
static const char *as_text(const cJSON *item, char *room, size_t size)
{
    if (cJSON_IsString(item))
        return item->valuestring;
    if (cJSON_IsNumber(item))
        snprintf(room, size, "%.15g", item->valuedouble);
    else
        snprintf(room, size, "none");
    return room;
}

/* Errors are compared only where they were measured on the same images in the same way. */
static bool same_protocol(const struct robustness_reference *r, const struct robustness_plan *plan, const char *folder,
                          struct invar_error *err)
{
    static const char *const keys[] = {"data", "from", "table", "frost", "images", "height", "width", "channels"};
    cJSON *mine = robustness_protocol(plan);
    const cJSON *theirs = get(r->root, "protocol");
    bool ok = mine != NULL;

    for (size_t i = 0; ok && i < sizeof keys / sizeof *keys; i++) {
        const cJSON *a = get(mine, keys[i]), *b = get(theirs, keys[i]);
        char room[2][64];
        if (a ? !cJSON_Compare(a, b, true) : b != NULL)
            ok = invar_error_set(err, INVAR_ERROR_DATA,
                                 "the reference %s was measured with another \"%s\": %s, here %s; measure both in the "
                                 "same way",
                                 folder, keys[i], as_text(b, room[0], sizeof room[0]),
                                 as_text(a, room[1], sizeof room[1]));
    }
    cJSON_Delete(mine);
    return ok;
}

/* Where in its lists of errors the reference has a severity; -1: nowhere. */
static int place_of(const struct robustness_reference *r, int severity)
{
    const cJSON *list = get(get(r->root, "protocol"), "severities"), *item;
    int place = 0;

    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_IsNumber(item) && item->valuedouble == severity)
            return place;
        place++;
    }
    return -1;
}

static bool has_all(const struct robustness_reference *r, const struct robustness_plan *plan, const char *folder,
                    struct invar_error *err)
{
    for (int c = 0; c < plan->corruption_count; c++)
        for (int s = 0; s < plan->severity_count; s++) {
            const char *name = plan->corruptions[c]->name;
            const cJSON *list = get(get(get(r->results, "corruptions"), name), "error");
            const int place = place_of(r, plan->severities[s]);
            if (place < 0 || !cJSON_IsNumber(cJSON_GetArrayItem(list, place)))
                return invar_error_set(err, INVAR_ERROR_DATA,
                                       "the reference %s lacks %s at severity %d: measure it there too, or choose what "
                                       "it has with corruption and severity",
                                       folder, name, plan->severities[s]);
        }
    return true;
}

bool robustness_reference_open(struct robustness_reference *out, const char *name, const struct robustness_plan *plan,
                               struct invar_error *err)
{
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
    out->root = run_results_read(folder, "robustness.json", err);
    return out->root && find_results(out, folder, baseline, err) && same_protocol(out, plan, folder, err) &&
           has_all(out, plan, folder, err);
}

double robustness_reference_clean(const struct robustness_reference *r)
{
    return r->alexnet ? INVAR_ALEXNET_CLEAN_ERROR : get(get(r->results, "clean"), "error")->valuedouble;
}

void robustness_reference_errors(const struct robustness_reference *r, const struct robustness_plan *plan,
                                 const char *corruption, double *error)
{
    const cJSON *list = get(get(get(r->results, "corruptions"), corruption), "error");

    for (int s = 0; s < plan->severity_count; s++)
        error[s] = r->alexnet ? invar_alexnet_error(corruption)
                              : cJSON_GetArrayItem(list, place_of(r, plan->severities[s]))->valuedouble;
}
