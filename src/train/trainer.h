/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_TRAINER_H
#define INVAR_TRAIN_TRAINER_H

#include "train/adversary.h"
#include "train/classifier.h"
#include "train/folder.h"

#include <stdio.h>

/*
 * The trainer: parts that know one another one way only, in the order that a step passes through them,
 *
 *     clock -> batch -> adversary -> chain -> objective -> chain -> adversary -> classifier -> metrics, folder
 *
 * Each is a struct with files of its own, which change it alone and read the others. Everything random is a function of
 * the seed and the number of the step, so that the state of a run is its weights, its optimiser buffers, the state of
 * its terms and its clock.
 */
struct invar_trainer {
    struct invar_given given;
    struct invar_times times;
    struct invar_clock clock;
    struct invar_batch batch;
    struct invar_chain chain;
    struct invar_adversary adversary;
    struct invar_online_classifier classifier;
    struct invar_folder folder;
    bool resuming; /* there is something to go on with in the folder */

    struct invar_evaluator *evaluator;
    struct invar_scratch *kept;      /* of the ledger */
    struct invar_ledger ledger;      /* what the device finds in a step, read once, at its end */
    struct invar_term_value *values; /* [terms] of the last step */
    double loss;

    struct invar_head *head; /* of the projector on the host, where invar_trainer_present was asked for it */
    struct invar_reported {
        struct invar_scratch *scratch; /* of one measurement */
        char names[INVAR_MAX_METRICS][96];
        bool warned_deviation, warned_rank;
    } reported;
};

/** A trainer on samples that another loop hands in: without folder, loader or order. feed is borrowed. */
struct invar_trainer *trainer_create_fed(const struct invar_recipe *recipe, const struct invar_feed *feed,
                                         struct invar_device *device, const struct invar_trainer_options *options,
                                         struct invar_error *err);

/** Every net that is trained, by INVAR_NET_...; net NULL where the recipe has none. */
const struct invar_chain_net *trainer_net(const struct invar_trainer *trainer, int which);
/** The weights of a net that are to be kept: those of the target network where the recipe keeps it. */
const struct invar_weights *trainer_kept(const struct invar_trainer *trainer, int which);

/* ---- numbers that are no numbers (nonfinite.c) ---- */

/** Sets err to a sentence with the step, what was found, the layer or parameter, and the last good checkpoint. */
bool nonfinite_error(struct invar_trainer *trainer, const char *found, struct invar_error *err);
/** Passes an error on, with such a sentence where it is of numbers. Always false. */
bool nonfinite_explain(struct invar_trainer *trainer, const struct invar_error *own, struct invar_error *err);
/** False, with such a sentence, when a parameter or a statistic is not finite. */
bool nonfinite_check_weights(struct invar_trainer *trainer, struct invar_error *err);

/* ---- what a step reports (metrics.c) ---- */

bool metrics_collect(struct invar_trainer *trainer, struct invar_record *record, struct invar_error *err);
/** Roles (bits) that the measurements of the step to come read. */
unsigned metrics_roles(const struct invar_trainer *trainer);

/* ---- ranks that begin, and stay, at one place (together.c) ---- */

/** Refuses ranks of another version, recipe, data or machine than the first. */
bool together_compare(struct invar_trainer *trainer, struct invar_error *err);
/** What rank 0 has, begun or resumed, becomes that of all. */
bool together_begin(struct invar_trainer *trainer, struct invar_error *err);
/** At a checkpoint: parameters that differ, as processors of other kinds may make them, become those of rank 0, with a
 * warning. */
bool together_stay(struct invar_trainer *trainer, struct invar_error *err);

/* ---- checkpoints, which hold something of every part (checkpoint.c) ---- */

bool checkpoint_write(struct invar_trainer *trainer, struct invar_error *err);
/** The newest whole checkpoint into the trainer; *found false when there is none. Damaged ones are warned of. */
bool checkpoint_resume(struct invar_trainer *trainer, bool *found, struct invar_error *err);
/** All nets and the state of terms, to and from a file that others write. */
bool trainer_store(const struct invar_trainer *trainer, struct invar_safetensors *file, struct invar_error *err);
bool trainer_restore(struct invar_trainer *trainer, const struct invar_safetensors *file, const char *path,
                     struct invar_error *err);
/** projector.safetensors, classifier.safetensors and encoder.safetensors from the present weights; of a run that had
 * ended, only the first, where it is missing. */
bool checkpoint_finish(struct invar_trainer *trainer, struct invar_error *err);

#endif
