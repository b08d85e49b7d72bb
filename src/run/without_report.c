/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for pictures and TensorBoard's files where INVAR_REPORT is off. metrics.jsonl is written all the same,
   without events beside it. */
#include "invar/memory.h"
#include "invar/metrics.h"
#include "run/events.h"

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

bool event_file_settings(struct event_file *file, const char *group, const struct run_setting *settings, int count,
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
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: this invar was built without reports and pictures: build it with -DINVAR_REPORT=ON",
                           path);
}
