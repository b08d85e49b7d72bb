/* SPDX-License-Identifier: Apache-2.0 */
/* `invar report`: what run folders hold, and what is computed from their encoders and data, as the data of one page. */
#include "invar/report.h"
#include "base/json.h"
#include "base/threads.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/version.h"
#include "report/json.h"
#include "report/page.h"
#include "report/run.h"
#include "report/subject.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MOST_POINTS = 600 };

/* What was computed for one run, and whether its encoder was there by then. */
struct computed {
    cJSON *views, *map;
    bool finished;
};

struct invar_report {
    const char *const *folder;
    int count;
    const struct invar_report_options *options;
    struct report_store store;
    struct computed *computed; /* [count] */
    bool in_training;
};

struct invar_report *invar_report_create(const char *const *folders, int count,
                                         const struct invar_report_options *options, struct invar_error *err)
{
    struct invar_report *report = invar_alloc(1, sizeof *report, err);

    if (!report)
        return NULL;
    *report = (struct invar_report){.folder = folders, .count = count, .options = options};
    report->computed = invar_alloc((size_t)count, sizeof *report->computed, err);
    if (!report->computed) {
        invar_free(report);
        return NULL;
    }
    return report;
}

void invar_report_free(struct invar_report *report)
{
    if (!report)
        return;
    for (int i = 0; i < report->count; i++) {
        cJSON_Delete(report->computed[i].views);
        cJSON_Delete(report->computed[i].map);
    }
    report_store_close(&report->store);
    invar_free(report->computed);
    invar_free(report);
}

bool invar_report_in_training(const struct invar_report *report)
{
    return report->in_training;
}

/* ---- what a folder says ---- */

/* Training holds a lock on its folder for as long as its process lives. */
static bool find_lock(const char *folder, bool *locked, struct invar_error *err)
{
    const int handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (handle < 0)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened: %s", folder, strerror(errno));
    *locked = flock(handle, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(handle);
    return true;
}

/* When training first wrote: the seconds in the name of its first event file; 0 where there is none. */
static bool find_start(const char *folder, double *first, struct invar_error *err)
{
    static const char head[] = "events.out.tfevents.";
    DIR *stream = opendir(folder);

    *first = 0;
    for (struct dirent *entry; stream && (errno = 0, entry = readdir(stream));)
        if (strncmp(entry->d_name, head, sizeof head - 1) == 0) {
            const double seconds = strtod(entry->d_name + sizeof head - 1, NULL);
            *first = *first > 0 ? fmin(*first, seconds) : seconds;
        }
    const int reason = errno;
    if (stream)
        closedir(stream);
    return (stream && reason == 0) ||
           invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be listed: %s", folder, strerror(reason));
}

/* The points of a series that are there, at most MOST_POINTS or so of them, the last one always. */
static cJSON *series(const char *name, const double *step, const double *value, int64_t rows)
{
    int64_t present = 0, seen = 0, kept = 0;
    cJSON *out = cJSON_CreateObject();

    for (int64_t i = 0; i < rows; i++)
        present += isfinite(value[i]) && isfinite(step[i]);
    const int64_t stride = (present + MOST_POINTS - 1) / MOST_POINTS;
    double *points = invar_alloc((size_t)(2 * present) + 1, sizeof *points, NULL);
    for (int64_t i = 0; points && i < rows; i++) {
        if (!isfinite(value[i]) || !isfinite(step[i]))
            continue;
        if (seen % stride == 0 || seen == present - 1) {
            points[2 * kept] = step[i];
            points[2 * kept++ + 1] = value[i];
        }
        seen++;
    }
    cJSON_AddStringToObject(out, "name", name);
    if (points) {
        cJSON_AddItemToObject(out, "step", json_reals(points, kept, 2));
        cJSON_AddItemToObject(out, "value", json_reals(points + 1, kept, 2));
    } else {
        json_lost();
    }
    invar_free(points);
    return out;
}

static void add_series(const struct report_run *run, cJSON *out)
{
    const double *step = report_run_series(run, "step");
    cJSON *all = cJSON_AddArrayToObject(out, "series");

    for (int k = 0; step && k < run->series_count; k++)
        if (strcmp(run->series[k].name, "step") != 0)
            cJSON_AddItemToArray(all, series(run->series[k].name, step, run->series[k].value, run->rows));
}

static cJSON *describe(const struct report_run *run, const char *state, double started)
{
    cJSON *out = cJSON_CreateObject(), *settings = cJSON_AddObjectToObject(out, "settings");
    cJSON *problems = cJSON_AddArrayToObject(out, "problems");

    cJSON_AddStringToObject(out, "folder", run->folder);
    cJSON_AddStringToObject(out, "label", run->label);
    cJSON_AddStringToObject(out, "name", run->name);
    cJSON_AddStringToObject(out, "source", run->source);
    cJSON_AddStringToObject(out, "identity", run->identity);
    cJSON_AddStringToObject(out, "version", run->version);
    cJSON_AddStringToObject(out, "state", state);
    if (run->machines)
        cJSON_AddItemToObject(out, "machines", cJSON_Duplicate(run->machines, true));
    if (run->seed >= 0)
        cJSON_AddNumberToObject(out, "seed", (double)run->seed);
    if (isfinite(run->seconds))
        cJSON_AddNumberToObject(out, "seconds", run->seconds);
    cJSON_AddNumberToObject(out, "started", started);
    for (int k = 0; k < run->setting_count; k++)
        cJSON_AddStringToObject(settings, run->setting[k].key, run->setting[k].value);
    for (int k = 0; k < run->problem_count; k++)
        cJSON_AddItemToArray(problems, cJSON_CreateString(run->problem[k]));
    add_series(run, out);
    cJSON_AddItemToObject(out, "probe", run->probe ? cJSON_Duplicate(run->probe, true) : cJSON_CreateNull());
    cJSON_AddItemToObject(out, "robustness",
                          run->robustness ? cJSON_Duplicate(run->robustness, true) : cJSON_CreateNull());
    cJSON_AddItemToObject(out, "inspect", run->inspect ? cJSON_Duplicate(run->inspect, true) : cJSON_CreateNull());
    return out;
}

/* ---- what is computed ---- */

/* Runs of one data set have the same tiles: the page holds them once. */
static void share_tiles(struct invar_report *report, int which)
{
    cJSON *tile = cJSON_GetObjectItem(report->computed[which].map, "tile");
    const char *uri = cJSON_GetStringValue(cJSON_GetObjectItem(tile, "uri"));

    for (int i = 0; uri && i < which; i++) {
        const cJSON *other = cJSON_GetObjectItem(report->computed[i].map, "tile");
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(other, "uri"));
        if (text && strcmp(text, uri) == 0) {
            cJSON_DeleteItemFromObject(tile, "uri");
            cJSON_AddNumberToObject(tile, "like", i);
            return;
        }
    }
}

/* A section, or the sentence that stands in its place; *ok becomes false where memory is short, which says nothing
 * about the run. */
static cJSON *or_sentence(cJSON *section, const struct invar_error *why, bool *ok)
{
    *ok = *ok && (section || why->code != INVAR_ERROR_MEMORY);
    return section ? section : json_absent(why->message);
}

static bool compute(struct invar_report *report, int which, bool finished, struct invar_error *err)
{
    struct computed *c = &report->computed[which];
    struct report_subject subject = {0};
    struct invar_error why = {0};
    bool ok = true;

    if (c->views && (c->finished || !finished))
        return true;
    cJSON_Delete(c->views);
    cJSON_Delete(c->map);
    c->finished = finished;
    if (report->options->samples < 1) {
        c->views = json_absent("Left out: `invar report` without --samples 0 shows the views.");
        c->map = json_absent("Left out: `invar report` without --samples 0 draws the map.");
    } else if (!report_subject_open(&subject, &report->store, report->folder[which], report->options, &why)) {
        c->views = or_sentence(NULL, &why, &ok);
        c->map = or_sentence(NULL, &why, &ok);
    } else {
        c->views = or_sentence(report_views(&subject, &why), &why, &ok);
        if (ok)
            invar_error_clear(&why);
        c->map = !ok               ? NULL
                 : subject.encoder ? or_sentence(report_map(&subject, report->options, &why), &why, &ok)
                                   : json_absent("The encoder is written when training ends: `invar pretrain --resume "
                                                 "--run RUN` goes on with a run that stopped, and `invar report RUN` "
                                                 "draws the map then.");
        share_tiles(report, which);
    }
    report_subject_close(&subject);
    return ok || invar_error_set(err, why.code, "%s", why.message);
}

static bool add_run(struct invar_report *report, int which, cJSON *runs, struct invar_error *err)
{
    struct report_run *run = report_run_read(report->folder[which], err);
    bool locked = false, ok;
    double started;

    if (!run)
        return false;
    ok = (run->finished || find_lock(run->folder, &locked, err)) && find_start(run->folder, &started, err) &&
         compute(report, which, run->finished, err);
    if (ok) {
        cJSON *object = describe(run, run->finished ? "finished" : locked ? "training" : "stopped", started);
        report->in_training |= locked;
        cJSON_AddItemToArray(runs, object);
        cJSON_AddItemReferenceToObject(object, "views", report->computed[which].views);
        cJSON_AddItemReferenceToObject(object, "map", report->computed[which].map);
    }
    report_run_free(run);
    return ok;
}

static void add_time(cJSON *data)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[64] = "";

    if (gmtime_r(&now, &parts))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    cJSON_AddStringToObject(data, "written", text);
}

static void make_title(const cJSON *runs, int count, char *out, size_t size)
{
    const char *first = cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(runs, 0), "label"));

    if (count == 1)
        snprintf(out, size, "%.200s · invar report", first ? first : "");
    else
        snprintf(out, size, "%d runs side by side · invar report", count);
}

bool invar_report_write(struct invar_report *report, const char *path, int64_t reload, struct invar_error *err)
{
    const int64_t threads = report->options->threads;
    THREADS_FOR(threads > 0 ? (int)threads : omp_get_max_threads());
    json_begin();
    cJSON *data = cJSON_CreateObject(), *runs = cJSON_AddArrayToObject(data, "runs");
    char title[256];
    bool ok = runs || invar_error_set(err, INVAR_ERROR_MEMORY, "there is not enough memory for the report");

    report->in_training = false;
    for (int i = 0; ok && i < report->count; i++)
        ok = add_run(report, i, runs, err);
    if (ok) {
        cJSON_AddStringToObject(data, "version", INVAR_VERSION);
        add_time(data);
        cJSON_AddNumberToObject(data, "reload", report->in_training ? (double)reload : 0);
        make_title(runs, report->count, title, sizeof title);
        ok = page_write(path, title, data, err);
    }
    cJSON_Delete(data);
    return ok;
}
