/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_H
#define INVAR_REPORT_H

#include "invar/corruption.h"
#include "invar/error.h"
#include "invar/watch.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An 8-bit PNG of pixels[height][width][channels], channels 1 (gray) or 3; written beside its place and renamed. */
bool invar_picture_write(const char *path, const uint8_t *pixels, int height, int width, int channels,
                         struct invar_error *err);

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

/** metrics.jsonl and TensorBoard events of one run. */
struct invar_metrics;

/**
 * Opens (or creates) metrics.jsonl in the folder and begins a new event file beside it. Lines after step `from_step`
 * are cut off (a resumed run writes them again), and so is a torn last line; a file with other lines that are not
 * metrics is refused, and so is a link.
 */
struct invar_metrics *invar_metrics_open(const char *folder, int64_t from_step, struct invar_error *err);
/** All lines and events so far are on the disk: before a checkpoint that is behind them. */
bool invar_metrics_sync(struct invar_metrics *metrics, struct invar_error *err);
void invar_metrics_close(struct invar_metrics *metrics);
/**
 * One JSON line {"step":..,"epoch":..,NAME:VALUE,..} (numbers so that reading gives the same double; NaN and Inf as
 * null), flushed, and one event with a scalar a value (float32; NaN and Inf left out). names are UTF-8.
 */
bool invar_metrics_write(struct invar_metrics *metrics, int64_t step, double epoch, const char *const *names,
                         const double *values, int count, struct invar_error *err);
/** The options of a resolved recipe as hyperparameters of the run; runs that differ in the seed alone are one group. */
bool invar_metrics_settings(struct invar_metrics *metrics, const char *recipe, struct invar_error *err);

struct invar_trainer;
struct invar_dataset_info;
/**
 * Pictures of the views of the trainer's last step, for TensorBoard: sheets of up to 16 samples of the batch,
 * views/clean, views/0, views/1, ... (up to four global ones and the first local one), and "views/0 perturbed" where an
 * adversary changes it. Nothing for tables.
 */
bool invar_metrics_views(struct invar_metrics *metrics, struct invar_trainer *trainer,
                         const struct invar_dataset_info *info, int64_t batch, int64_t step, struct invar_error *err);

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
