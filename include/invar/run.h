/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_H
#define INVAR_RUN_H

#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"
#include "invar/eval.h"
#include "invar/expert/perturber.h"
#include "invar/train.h"

#ifdef __cplusplus
extern "C" {
#endif

struct invar_run_test;
struct invar_run_share;

/** A whole training; everything is borrowed. */
struct invar_pretrain_request {
    const char *recipe;          /**< a name that ships or a path; NULL: that of the folder, to go on */
    const char *const *settings; /**< [setting_count] KEY=VALUE on top of it */
    int setting_count;
    const char *folder; /**< of the run, which must not exist or be empty, unless resume; never NULL */
    bool resume, accept_data;
    int64_t threads;                 /**< 0: all cores */
    const struct invar_watch *watch; /**< told of "training" in steps, the note has the last loss; where it gives up, a
                                        checkpoint is left to go on from; may be NULL */
};
/** Recipe, data, device, trainer and recorder, from the first step to the last. */
bool invar_pretrain(const struct invar_pretrain_request *request, struct invar_error *err);

/** What a recipe leaves to the data: adversary.eps of 0. Before its trainer and recorder are made; invar_pretrain does
 * it. */
bool invar_recipe_settle(struct invar_recipe *recipe, struct invar_dataset *data, struct invar_error *err);

/** A finished run opened for measuring: its encoder (NULL: the data are features already), a device, and the data that
 * it is measured on. A zeroed one may be closed. */
struct invar_run {
    const char *folder; /**< borrowed; of features the file */
    struct invar_encoder *encoder;
    struct invar_device *device;
    struct invar_dataset *dataset;
    struct invar_run_test *test;     /**< test samples come from it; NULL: from dataset */
    enum invar_precision trained_in; /**< of what was trained here on labels; AUTO: nothing yet */
    bool windows;                    /**< invar_run_embed takes means over windows */
    bool bfloat16;                   /**< and computes in it, not in float32 */
    const struct invar_watch *watch; /**< told of all that takes time; may be NULL */
    struct invar_run_share *share;   /**< with other processes; NULL: it is measured alone */
};

/** How a run is opened; everything is borrowed for the length of the call. */
struct invar_run_options {
    const char *source;          /**< other data, resized to what the encoder sees; NULL: those of the run */
    bool undivided;              /**< of other data no test split is drawn, unless settings have test_fraction */
    const char *const *settings; /**< [setting_count] KEY=VALUE of the data section */
    int setting_count;
    int64_t threads;                 /**< 0: all cores */
    struct invar_plain_view plain;   /**< how images are seen; zeroed: as by default */
    const struct invar_watch *watch; /**< borrowed until the run is closed; may be NULL */
    struct invar_ranks *ranks;       /**< processes that measure it together, each with its part of the samples and all
                                        with the same results, which the first writes; borrowed; NULL: this one alone */
};

/** Reads FOLDER/encoder.safetensors. NULL with err where the run has not finished; free with invar_encoder_free. */
struct invar_encoder *invar_run_encoder(const char *folder, struct invar_error *err);
/** The same with the data. False with err where the run has not finished, or either cannot be
 * used; close it in either case. */
bool invar_run_open(struct invar_run *run, const char *folder, const struct invar_run_options *options,
                    struct invar_error *err);
void invar_run_close(struct invar_run *run);
/** Of several processes: whether all are well (ok; else err has this one's sentence), once, as the last thing before
 * results are shown. False everywhere, with the sentence of the first that is not. Alone: ok. */
bool invar_run_agree(const struct invar_run *run, bool ok, struct invar_error *err);
/** Whether this is the first of them. */
bool invar_run_leads(const struct invar_run *run);
/** How images are seen from here on, also those of other data. Refused: data that are no images, a shorter side of
 * fewer pixels than the encoder sees. */
bool invar_run_set_plain(struct invar_run *run, const struct invar_plain_view *plain, struct invar_error *err);

/** Features that another program made, with what is known of them; texts may be NULL but for file. */
struct invar_run_features {
    const char *file;               /**< FILE.npy, one row a sample */
    const char *labels, *label;     /**< their labels, FILE.npy or FILE.csv; label: the column that has them */
    const char *test, *test_labels; /**< test rows of their own */
    bool draw_test;                 /**< have a test split drawn where nothing says what it is */
};
/** A run without an encoder, whose data are these features as they are; of the options source says nothing. */
bool invar_run_open_features(struct invar_run *run, const struct invar_run_features *features,
                             const struct invar_run_options *options, struct invar_error *err);

/** The recipe of a run (FOLDER/recipe.yaml) with KEY=VALUE on top of it. NULL with err; free with
 * invar_recipe_free. */
struct invar_recipe *invar_run_recipe(const char *folder, const char *const *settings, int count,
                                      struct invar_error *err);

/** All of another source (labels: of npy:FILE the file of its labels, or NULL), at the size that the encoder sees and
 * standardised as it was trained; a source with a test split of its own keeps it, one without has training samples
 * alone. Labels are of the kind that the run's data have, classes its own. NULL with err; close with
 * invar_dataset_close. */
struct invar_dataset *invar_run_other(const struct invar_run *run, const char *source, const char *labels,
                                      struct invar_error *err);
/** invar_embed of the data of the run, or of its other test data; encoder may be another one than the run's. */
bool invar_run_embed(const struct invar_run *run, const struct invar_encoder *encoder, enum invar_split split,
                     struct invar_embedded *out, struct invar_error *err);
/** Columns of a representation of the run's encoder. */
int64_t invar_run_width(const struct invar_run *run);
/** A fresh encoder of the same architecture, initialised from training.seed of the recipe: what training started
 * from. NULL with err; free with invar_encoder_free. */
struct invar_encoder *invar_run_random_encoder(const struct invar_run *run, struct invar_error *err);
/** The adversary of the run, with the weights of FOLDER/generator.safetensors, for batches of so many samples. A recipe
 * without one is an error. seed: of the training; may be NULL. Close with invar_perturber_close. */
struct invar_perturber *invar_run_perturber(const struct invar_run *run, int64_t batch, uint64_t *seed,
                                            struct invar_error *err);

/**
 * Other data to be tested on, as run->test, which invar_run_close closes: all of a source, or its own test split, with
 * the classes of the training data by name (invar_classes_match), or by a file of lines CLASS,TEST CLASS, of which
 * several may go to one (map NULL: none); label: a field in the place of the label, or NULL; labels: of npy:FILE the
 * file of its labels, or NULL.
 * Refused: data without labels, a class with samples that the training data lack (unless drop leaves them out), no
 * samples that are left.
 */
bool invar_run_test_open(struct invar_run *run, const char *source, const char *labels, const char *label,
                         const char *map, bool drop, struct invar_error *err);
/** The data that are measured on, and which split of them: the other test data where there are some. */
const struct invar_dataset *invar_run_tested(const struct invar_run *run, enum invar_split *split);
/** Samples of a split that have a label, class or number. */
int64_t invar_run_labelled(const struct invar_dataset *dataset, enum invar_split split);

/* ---- what was measured ---- */

/** Numbers and texts by name, one inside the other, as they go into the run's JSON files (docs/files.md). */
struct invar_results;
/** The number at "linear/top1"; NAN where there is none. */
double invar_results_number(const struct invar_results *results, const char *path);
/** All of it as JSON into out, which the caller frees with invar_text_free. */
bool invar_results_write(const struct invar_results *results, struct invar_text *out, struct invar_error *err);
void invar_results_free(struct invar_results *results);

#ifdef __cplusplus
}
#endif

#endif
