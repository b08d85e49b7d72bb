/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_SUBJECT_H
#define INVAR_REPORT_SUBJECT_H

#include "invar/report.h"
#include "invar/train.h"
#include "report/json.h"
#include "report/run.h"

/** A run with its data at hand, for what is computed from samples. A zeroed one may be closed. */
struct report_subject {
    const char *folder; /**< borrowed */
    struct invar_device *device;
    const struct invar_recipe *recipe; /**< borrowed */
    struct invar_encoder *encoder;     /**< NULL while training goes on */
    struct invar_dataset *dataset;     /**< of the store, borrowed */
    struct invar_dataset_info info;    /**< how views of this run come out */
};

/** The device, and the data set that was opened last: several runs mostly share one. A zeroed one may be closed. */
struct report_store {
    struct invar_device *device;
    struct invar_dataset *dataset;
    struct invar_data_options options;
    char *columns;
};

/** Reads the encoder of a run and opens the data as its recipe says; a sentence where one of them cannot be used. */
bool report_subject_open(struct report_subject *subject, struct report_store *store, const struct report_run *run,
                         const struct invar_report_options *options, struct invar_error *err);
void report_subject_close(struct report_subject *subject);
void report_store_close(struct report_store *store);

/** Samples of the training split under the views of the recipe, perturbed ones too, as JSON for the page. NULL with
 * err; free with invar_free. */
char *report_views(const struct report_subject *subject, struct invar_error *err);
/** PCA and t-SNE of h of samples of the test split, each with its label and its picture or row, likewise. tiles: the
 * pictures of the maps of runs before this one (a URI each, or NULL), of which one may be the same: the page then holds
 * it once; tiles[run] becomes that of this run, where it is a new one. */
char *report_map(const struct report_subject *subject, const struct invar_report_options *options, char **tiles,
                 int run, struct invar_error *err);

/** Numbers of a sample, and of one of its views. */
int64_t report_view_size(const struct invar_dataset_info *info);
/** "classes": their names; empty where there are none. */
void report_put_classes(const struct invar_dataset_info *info, struct json_writer *w);

#endif
