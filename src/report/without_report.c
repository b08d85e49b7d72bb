/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the page, sheets of pictures and the projector's files where INVAR_REPORT is off. */
#include "invar/report.h"
#include "report/embedding_projector.h"

static bool refuse(const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: this invar was built without reports and pictures: build it with -DINVAR_REPORT=ON",
                           what);
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
