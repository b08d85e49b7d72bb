/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_H
#define INVAR_REPORT_H

#include "invar/expert/corruption.h"
#include "invar/metrics.h"
#include "invar/watch.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a sheet of corruptions shows; all borrowed. */
struct invar_corruption_sheet {
    const struct invar_corruption_image *images;            /**< [image_count] of one shape */
    const uint64_t *index;                                  /**< [image_count] their numbers, as for invar_corrupt */
    int image_count;                                        /**< 1 or more */
    const struct invar_corruption_spec *const *corruptions; /**< [corruption_count]; NULL: all */
    int corruption_count;
    const int *severities; /**< [severity_count]; NULL: 1 to 5 */
    int severity_count;
};
/**
 * A PNG: a row a corruption, named, and across, for each image, clean and at the severities; tiles are enlarged to 64
 * pixels a side at least. options->severity is not used. A corruption that is not defined for so small an image leaves
 * its tiles blank. Refused: sides above 512, channels other than 1 and 3.
 */
bool invar_corruption_sheet_write(const char *path, const struct invar_corruption_sheet *sheet,
                                  const struct invar_corruption_options *options, struct invar_error *err);

/* ---- the page of one run, or of several side by side: `invar report` ---- */

struct invar_report_options {
    const char *source;          /**< other data than those of the runs; NULL: theirs */
    const char *const *settings; /**< [setting_count] KEY=VALUE of the data section */
    int setting_count;
    int64_t samples; /**< of the embedding map; 0: no data are opened, so that there are neither views nor map */
    uint64_t seed;   /**< of t-SNE */
    int64_t threads; /**< 0: all cores */
    const struct invar_watch *watch; /**< may be NULL */
};

struct invar_report;
/** Nothing is read yet; options and folders are borrowed until the report is freed. */
struct invar_report *invar_report_create(const char *const *folders, int count,
                                         const struct invar_report_options *options, struct invar_error *err);
/**
 * Reads the folders as they are now and writes one self-contained HTML file, whole or not at all. What is computed from
 * samples is computed once, and once more when an encoder has come; what cannot be had is a sentence on the page.
 * reload: seconds after which the page loads itself anew while a run goes on; 0: never. Refused: a folder that is no
 * run, a path that cannot be written.
 */
bool invar_report_write(struct invar_report *report, const char *path, int64_t reload, struct invar_error *err);
/** Was one of the runs in training when the report was last written? */
bool invar_report_in_training(const struct invar_report *report);
void invar_report_free(struct invar_report *report);

#ifdef __cplusplus
}
#endif

#endif
