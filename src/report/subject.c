/* SPDX-License-Identifier: Apache-2.0 */
/* A run opened for a report: its recipe, its encoder where it is there, its data. */
#include "report/subject.h"
#include "data/source.h"
#include "eval/runner.h"
#include "invar/run.h"
#include "invar/expert/file.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

void report_subject_close(struct report_subject *subject)
{
    invar_encoder_free(subject->encoder);
    *subject = (struct report_subject){0};
}

static void forget_dataset(struct report_store *store)
{
    invar_dataset_close(store->dataset);
    invar_free(store->columns);
    store->dataset = NULL;
    store->columns = NULL;
}

void report_store_close(struct report_store *store)
{
    forget_dataset(store);
    invar_device_close(store->device);
    *store = (struct report_store){0};
}

/* The data section of the run, then what the user says. Few samples are looked at: nothing is decoded ahead. */
static bool data_options(const struct report_subject *subject, const struct invar_report_options *options,
                         struct invar_data_options *out, struct invar_error *err)
{
    *out = subject->recipe->data;
    return (!options->source || invar_data_options_source(out, options->source, err)) &&
           data_options_set(out, options->settings, options->setting_count, err);
}

static bool open_dataset(struct report_subject *subject, struct report_store *store,
                         const struct invar_report_options *options, struct invar_error *err)
{
    struct invar_data_options wanted;
    const char *columns = subject->encoder && subject->encoder->columns.data ? subject->encoder->columns.data : NULL;

    memset(&wanted, 0, sizeof wanted);
    if (!data_options(subject, options, &wanted, err))
        return false;
    const bool same = store->dataset && memcmp(&wanted, &store->options, sizeof wanted) == 0 &&
                      strcmp(columns ? columns : "", store->columns) == 0;
    if (!same) {
        forget_dataset(store);
        store->options = wanted;
        store->columns = invar_strdup(columns ? columns : "", err);
        store->dataset = store->columns ? invar_dataset_open_as(&wanted, columns, err) : NULL;
        if (store->columns && !store->dataset && !options->source && err)
            invar_source_explain(wanted.source, err);
    }
    subject->dataset = store->dataset;
    return subject->dataset != NULL;
}

bool report_subject_open(struct report_subject *subject, struct report_store *store, const struct report_run *run,
                         const struct invar_report_options *options, struct invar_error *err)
{
    char encoder[PATH_SIZE];

    *subject = (struct report_subject){.folder = run->folder, .recipe = run->resolved};
    if (!invar_path_join(encoder, sizeof encoder, run->folder, "encoder.safetensors", err))
        return false;
    if (!store->device && !(store->device = invar_device_open("auto", (int)options->threads, err)))
        return false;
    subject->device = store->device;
    if (!subject->recipe)
        return invar_error_set(
            err, INVAR_ERROR_FILE,
            "%s: has no recipe that this version can use, which would say what its data and views are", run->folder);
    if (invar_path_exists(encoder) && !(subject->encoder = invar_encoder_read(encoder, err)))
        return false;
    if (!open_dataset(subject, store, options, err))
        return false;
    const struct invar_dataset_info *info = invar_dataset_info(subject->dataset);
    subject->info = *info;
    return !subject->encoder || runner_views(subject->encoder, info, &subject->info, err);
}

int64_t report_view_size(const struct invar_dataset_info *info)
{
    return (int64_t)info->channels * info->height * info->width;
}

void report_put_classes(const struct invar_dataset_info *info, struct json_writer *w)
{
    json_texts(w, "classes", info->class_names, info->class_names ? info->classes : 0);
}
