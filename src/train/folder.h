/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_FOLDER_H
#define INVAR_TRAIN_FOLDER_H

#include "invar/expert/safetensors.h"
#include "train/given.h"

/** What a folder knows of the recipes of its runs. */
struct folder_recipes {
    /** The resolved recipe with those options that came since at their defaults; false: it cannot be read. */
    bool (*complete)(const char *text, struct invar_text *whole);
    /** Keys ("training.steps") that may differ where a run goes on: they say its length, or change nothing of what is
     * computed (where its data lie). The last is NULL. */
    const char *const *length, *const *place;
};
/** Of encoders. */
extern const struct folder_recipes folder_recipes;

/** The run folder, and how far what it holds has come. */
struct invar_folder {
    char *path; /* NULL: nothing is written */
    const struct folder_recipes *recipes;
    bool resume;
    int64_t steps;                     /* training.steps, where epochs could say the length too; 0: they do */
    const struct invar_device *device; /* on what it goes on, and how */
    enum invar_precision precision;
    int lock;                   /* descriptor that holds the folder for this process; -1: none */
    struct invar_text recipe;   /* resolved */
    struct invar_text machines; /* JSON: on what the run went on, a list without repeats in the order of the steps */
    bool finished;              /* a resumed run that had ended */
    bool rewrite;               /* recipe.yaml is of other length or place of data */
    int64_t saved;              /* step of the newest checkpoint; -1: none */
};

/** May this run use the folder? Changes nothing. *resuming: there is a run of this recipe to go on with, and the
 * folder is held against other processes. */
bool folder_check(struct invar_folder *folder, bool *resuming, struct invar_error *err);
/** Whether `there`, a resolved recipe, is that of this run but for what may differ. *length, *place: whether these do.
 * Otherwise a sentence with the first other line. */
bool folder_compare(const struct invar_folder *folder, const char *there, bool *length, bool *place,
                    struct invar_error *err);
/** Makes the folder and recipe.yaml where they are missing or of another length, holds the folder, and removes what
 * killed writers left. */
bool folder_begin(struct invar_folder *folder, struct invar_error *err);
/** Lets go of the folder, and frees what is held of it. */
void folder_free(struct invar_folder *folder);
/** "FOLDER/NAME" (INVAR_PATH_SIZE). */
#define INVAR_PATH_SIZE 4096
bool folder_path(const struct invar_folder *folder, const char *name, char *out, struct invar_error *err);

/* ---- checkpoints (kept.c) ---- */

/** The name of the checkpoint of a step, 64 characters at most. */
void checkpoint_name(char *out, size_t size, int64_t step);
/** *newest: the newest step below `below` that has a checkpoint; -1: none. */
bool folder_newest(const char *folder, int64_t below, int64_t *newest, struct invar_error *err);
/** Removes all checkpoints but those of `step` and `before`. */
bool folder_prune(const struct invar_folder *folder, int64_t step, int64_t before, struct invar_error *err);

/* ---- on what a run went on (machines.c) ---- */

/** Takes what a checkpoint says of it; of an earlier version's, which says nothing, the number of threads. */
bool machines_restore(struct invar_folder *folder, const struct invar_safetensors *file, struct invar_error *err);
/** Says what differs from where a checkpoint was written: machine, precision, number of threads, version. */
void machines_warn(const struct invar_folder *folder, const struct invar_safetensors *file);
/** This machine joins the list, unless it is there. Before the first step that is made here. */
bool machines_join(struct invar_folder *folder, struct invar_error *err);

#endif
