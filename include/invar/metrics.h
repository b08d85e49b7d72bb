/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_METRICS_H
#define INVAR_METRICS_H

#include "invar/agent.h"
#include "invar/watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- training that leaves a whole run folder ---- */

/** Writes what a training reports: metrics.jsonl, and TensorBoard's events with pictures of views beside it. */
struct invar_recorder;
/**
 * Fills what a recorder needs into the options of the trainer to be created, whose own report (may be NULL) is called
 * after the row of its step is written. Borrows recipe and dataset, which are NULL for an agent. NULL with err; free
 * with invar_recorder_free, after the trainer.
 */
struct invar_recorder *invar_recorder_create(const struct invar_recipe *recipe, const struct invar_dataset *dataset,
                                             struct invar_trainer_options *options, struct invar_error *err);
/** invar_trainer_run, recorded: no checkpoint is ahead of its row, and a resumed run continues the files. */
bool invar_recorder_run(struct invar_recorder *recorder, struct invar_trainer *trainer, struct invar_error *err);
/** The same of invar_agent_run. */
bool invar_recorder_run_agent(struct invar_recorder *recorder, struct invar_agent *agent, struct invar_error *err);
void invar_recorder_free(struct invar_recorder *recorder);

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

/**
 * Pictures of the views of the trainer's last step, for TensorBoard: sheets of up to 16 samples of the batch,
 * views/clean, views/0, views/1, ... (up to four global ones and the first local one), and "views/0 perturbed" where an
 * adversary changes it. Nothing for tables.
 */
bool invar_metrics_views(struct invar_metrics *metrics, struct invar_trainer *trainer,
                         const struct invar_dataset_info *info, int64_t batch, int64_t step, struct invar_error *err);

/** An 8-bit PNG of pixels[height][width][channels], channels 1 (gray) or 3; written beside its place and renamed. */
bool invar_picture_write(const char *path, const uint8_t *pixels, int height, int width, int channels,
                         struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
