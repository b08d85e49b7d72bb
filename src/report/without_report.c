/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the page, pictures and TensorBoard's files where INVAR_REPORT is off. metrics.jsonl is written all
   the same, without events beside it. */
#include "invar/memory.h"
#include "invar/report.h"
#include "report/events.h"
#include "report/embedding_projector.h"

static bool refuse(const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: this invar was built without reports and pictures: build it with -DINVAR_REPORT=ON",
                           what);
}

struct event_file {
    char none;
};

struct event_file *event_file_create(const char *folder, struct invar_error *err)
{
    (void)folder;
    return invar_alloc(1, sizeof(struct event_file), err);
}

bool event_file_sync(struct event_file *file, struct invar_error *err)
{
    (void)file, (void)err;
    return true;
}

void event_file_close(struct event_file *file)
{
    invar_free(file);
}

bool event_file_write(struct event_file *file, int64_t step, const char *const *names, const double *values, int count,
                      struct invar_error *err)
{
    (void)file, (void)step, (void)names, (void)values, (void)count, (void)err;
    return true;
}

bool event_file_settings(struct event_file *file, const char *group, const struct report_setting *settings, int count,
                         struct invar_error *err)
{
    (void)file, (void)group, (void)settings, (void)count, (void)err;
    return true;
}

bool invar_metrics_views(struct invar_metrics *metrics, struct invar_trainer *trainer,
                         const struct invar_dataset_info *info, int64_t batch, int64_t step, struct invar_error *err)
{
    (void)metrics, (void)trainer, (void)info, (void)batch, (void)step, (void)err;
    return true;
}

bool invar_picture_write(const char *path, const uint8_t *pixels, int height, int width, int channels,
                         struct invar_error *err)
{
    (void)pixels, (void)height, (void)width, (void)channels;
    return refuse(path, err);
}

bool invar_corruption_sheet_write(const char *path, const struct invar_corruption_sheet *sheet,
                                  const struct invar_corruption_options *options, struct invar_error *err)
{
    (void)sheet, (void)options;
    return refuse(path, err);
}

bool report_embedding_projector_write(const char *folder, const struct embedding_projector_subject *subject,
                                      int64_t *samples, struct invar_error *err)
{
    (void)subject, (void)samples;
    return refuse(folder, err);
}

struct invar_report *invar_report_create(const char *const *folders, int count,
                                         const struct invar_report_options *options, struct invar_error *err)
{
    (void)count, (void)options;
    refuse(folders[0], err);
    return NULL;
}

bool invar_report_write(struct invar_report *report, const char *path, int64_t reload, struct invar_error *err)
{
    (void)report, (void)reload;
    return refuse(path, err);
}

bool invar_report_in_training(const struct invar_report *report)
{
    (void)report;
    return false;
}

void invar_report_free(struct invar_report *report)
{
    (void)report;
}
