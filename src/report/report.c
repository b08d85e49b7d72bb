/* SPDX-License-Identifier: Apache-2.0 */
/* `invar report`: what run folders hold, and what is computed from their encoders and data, as the data of one page. */
#include "invar/report.h"
#include "base/stream.h"
#include "base/threads.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "invar/version.h"
#include "run/apart.h"
#include "report/json.h"
#include "report/page.h"
#include "report/run.h"
#include "report/subject.h"
#include "study/inspect_results.h"
#include "study/probe_results.h"
#include "study/robustness_results.h"

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
    char *views, *map; /* JSON */
    bool finished;
};

struct invar_report {
    const char *const *folder;
    int count;
    const struct invar_report_options *options;
    struct report_store store;
    struct computed *computed; /* [count] */
    char **tiles;              /* [count] pictures of maps, as report_map has them */
    bool in_training;
    char first[256]; /* label of the first run */
};

struct invar_report *invar_report_create(const char *const *folders, int count,
                                         const struct invar_report_options *options, struct invar_error *err)
{
    struct invar_report *report = invar_alloc(1, sizeof *report, err);

    if (!report)
        return NULL;
    *report = (struct invar_report){.folder = folders, .count = count, .options = options};
    report->computed = invar_alloc((size_t)count, sizeof *report->computed, err);
    report->tiles = report->computed ? invar_alloc((size_t)count, sizeof *report->tiles, err) : NULL;
    if (report->tiles)
        return report;
    invar_free(report->computed);
    invar_free(report);
    return NULL;
}

void invar_report_free(struct invar_report *report)
{
    if (!report)
        return;
    for (int i = 0; i < report->count; i++) {
        invar_free(report->computed[i].views);
        invar_free(report->computed[i].map);
        invar_free(report->tiles[i]);
    }
    report_store_close(&report->store);
    invar_free(report->computed);
    invar_free(report->tiles);
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
static void put_series(const char *name, const double *step, const double *value, int64_t rows, struct json_writer *w)
{
    int64_t present = 0, seen = 0, kept = 0;

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
    w->lost = w->lost || !points;
    json_open_object(w, NULL);
    json_text(w, "name", name);
    json_reals(w, "step", points, kept, 2);
    json_reals(w, "value", points ? points + 1 : NULL, kept, 2);
    json_close(w);
    invar_free(points);
}

static void put_all_series(const struct report_run *run, struct json_writer *w)
{
    const double *step = report_run_series(run, "step");

    json_open_array(w, "series");
    for (int k = 0; step && k < run->series_count; k++)
        if (strcmp(run->series[k].name, "step") != 0)
            put_series(run->series[k].name, step, run->series[k].value, run->rows, w);
    json_close(w);
}

static void put_results(const struct report_run *run, struct json_writer *w)
{
    if (run->probe) {
        json_open_object(w, "probe");
        study_probe_results_put(run->probe, true, w);
        json_close(w);
    } else {
        json_null(w, "probe");
    }
    if (run->robustness) {
        json_open_object(w, "robustness");
        study_robustness_results_put(run->robustness, true, w);
        json_close(w);
    } else {
        json_null(w, "robustness");
    }
    if (run->inspect) {
        json_open_object(w, "inspect");
        study_inspect_results_put(run->inspect, w);
        json_close(w);
    } else {
        json_null(w, "inspect");
    }
}

/* Members of an object that is open. */
static void describe(const struct report_run *run, const char *state, double started, struct json_writer *w)
{
    json_open_object(w, "settings");
    for (int k = 0; k < run->setting_count; k++)
        json_text(w, run->setting[k].key, run->setting[k].value);
    json_close(w);
    json_texts(w, "problems", (const char *const *)run->problem, run->problem_count);
    json_text(w, "folder", run->folder);
    json_text(w, "label", run->label);
    json_text(w, "name", run->name);
    json_text(w, "source", run->source);
    json_text(w, "identity", run->identity);
    json_text(w, "version", run->version);
    json_text(w, "state", state);
    report_run_put_machines(run, "machines", w);
    if (run->seed >= 0)
        json_number(w, "seed", (double)run->seed);
    if (isfinite(run->seconds))
        json_number(w, "seconds", run->seconds);
    json_number(w, "started", started);
    put_all_series(run, w);
    put_results(run, w);
}

/* ---- what is computed ---- */

/* The sentence that stands in the place of a section; NULL with err where memory is short. */
static char *absent(const char *sentence, struct invar_error *err)
{
    struct json_writer w = {0};

    json_absent(&w, NULL, sentence);
    return json_take(&w, err);
}

/* A section, or why there is none; *ok becomes false where memory is short, which says nothing about the run. */
static char *or_sentence(char *section, struct invar_error *why, bool *ok)
{
    if (!section && why->code != INVAR_ERROR_MEMORY)
        section = absent(why->message, why);
    *ok = *ok && section;
    return section;
}

static const char no_encoder[] =
    "The encoder is written when training ends: a run that stopped can be resumed, and a report "
    "made then draws the map.";

static bool compute(struct invar_report *report, int which, const struct report_run *run, struct invar_error *err)
{
    const bool finished = run->finished;
    struct computed *c = &report->computed[which];
    struct report_subject subject = {0};
    struct invar_error why = {0};
    bool ok = true;

    if (c->views && (c->finished || !finished))
        return true;
    invar_free(c->views);
    invar_free(c->map);
    *c = (struct computed){.finished = finished};
    if (report->options->samples < 1) {
        c->views = absent("Left out: a report with more samples than 0 shows the views.", &why);
        c->map = absent("Left out: a report with more samples than 0 draws the map.", &why);
        ok = c->views && c->map;
    } else if (!report_subject_open(&subject, &report->store, run, report->options, &why)) {
        c->views = or_sentence(NULL, &why, &ok);
        c->map = or_sentence(NULL, &why, &ok);
    } else {
        c->views = or_sentence(report_views(&subject, &why), &why, &ok);
        if (ok)
            invar_error_clear(&why);
        if (ok)
            c->map = subject.encoder
                         ? or_sentence(report_map(&subject, report->options, report->tiles, which, &why), &why, &ok)
                         : or_sentence(absent(no_encoder, &why), &why, &ok);
    }
    report_subject_close(&subject);
    return ok || invar_error_set(err, why.code, "%s", why.message);
}

static bool put_run(struct invar_report *report, int which, struct json_writer *w, struct invar_error *err)
{
    struct report_run *run = report_run_read(report->folder[which], err);
    bool locked = false, ok;
    double started;

    if (!run)
        return false;
    ok = (run->finished || find_lock(run->folder, &locked, err)) && find_start(run->folder, &started, err) &&
         compute(report, which, run, err);
    if (ok) {
        report->in_training |= locked;
        json_open_object(w, NULL);
        describe(run, run->finished ? "finished" : locked ? "training" : "stopped", started, w);
        json_raw(w, "views", report->computed[which].views);
        json_raw(w, "map", report->computed[which].map);
        json_close(w);
        if (which == 0)
            snprintf(report->first, sizeof report->first, "%s", run->label);
    }
    report_run_free(run);
    return ok;
}

static void put_time(struct json_writer *w)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[64] = "";

    if (gmtime_r(&now, &parts))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    json_text(w, "written", text);
}

static void make_title(const struct invar_report *report, char *out, size_t size)
{
    if (report->count == 1)
        snprintf(out, size, "%.200s · invar report", report->first);
    else
        snprintf(out, size, "%d runs side by side · invar report", report->count);
}

/* What is there under a name that is none of a page is written over where it is an earlier page alone. */
static bool check_place(const char *path, struct invar_error *err)
{
    static const char head[] = "<!DOCTYPE html";
    char start[sizeof head] = "";
    const size_t length = strlen(path);
    const bool named = length > 5 && strcmp(path + length - 5, ".html") == 0;

    return named || stream_begin(path, start, sizeof head - 1) == 0 || strcmp(start, head) == 0 ||
           invar_error_set(err, INVAR_ERROR_USAGE, "output: %s is there and no page; give FILE.html", path);
}

bool invar_report_write(struct invar_report *report, const char *path, int64_t reload, struct invar_error *err)
{
    const int64_t threads = report->options->threads;
    THREADS_FOR(threads > 0 ? (int)threads : omp_get_max_threads());
    const struct invar_run_options how = {.source = report->options->source,
                                          .settings = report->options->settings,
                                          .setting_count = report->options->setting_count};
    struct json_writer w = {0};
    char title[256];
    bool ok = true;

    for (int i = 0; i < report->count; i++)
        if (!run_place_apart(report->folder[i], &how, path, "output", err))
            return false;
    if (!check_place(path, err))
        return false;
    report->in_training = false;
    json_open_object(&w, NULL);
    json_open_array(&w, "runs");
    for (int i = 0; ok && i < report->count; i++)
        ok = put_run(report, i, &w, err);
    json_close(&w);
    json_text(&w, "version", INVAR_VERSION);
    put_time(&w);
    json_number(&w, "reload", report->in_training ? (double)reload : 0);
    json_close(&w);
    make_title(report, title, sizeof title);
    ok = ok && json_written(&w, "the report", err) && page_write(path, title, w.text.data, err);
    json_writer_free(&w);
    return ok;
}
