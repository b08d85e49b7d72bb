/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_REPLAY_H
#define INVAR_SRC_AGENT_REPLAY_H

#include "agent/sum_tree.h"
#include "invar/expert/safetensors.h"
#include <stddef.h>

/*
 * What an agent went through, to learn from again. Every environment has a lane of entries: the frame that was seen,
 * then the action and its reward. The last entry of an episode has a frame alone: where the episode was cut (truncated)
 * its value is still asked for, where it ended (terminated) it is not. Frames lie there once, observations of several
 * frames are put together when they are drawn. Entries are kept in blocks; the oldest go where there would be too many
 * of them or too many bytes.
 */

struct replay_options {
    int64_t memory;     /**< bytes, at most, of everything here */
    int64_t steps;      /**< entries, at most, of all lanes */
    int lanes;          /**< environments */
    int64_t frame_size; /**< bytes */
    int stack;          /**< frames of an observation */
    int64_t state;      /**< numbers of a recurrent state; 0: none */
    int64_t sequence;   /**< steps that are learned from together; 1 without a state */
    int64_t burn_in;    /**< steps before them that only bring the state up to date; a multiple of period */
    int64_t period;     /**< steps between the beginnings of sequences in an episode */
    int64_t n;          /**< steps of rewards before a value takes over */
    double discount;    /**< of a step */
    double clip;        /**< rewards are learned as within -clip .. clip; 0: as they are */
    double exponent;    /**< of priorities; 0: all are drawn alike */
};

enum replay_end { REPLAY_GOES_ON, REPLAY_TERMINATED, REPLAY_TRUNCATED };

struct replay_entry {
    float *state; /**< before the frame was seen, at every period-th step; else NULL */
    float reward;
    int32_t action, step;
    enum replay_end end;
};

#define REPLAY_BLOCK 16
/** Sealed where all its entries are there. */
struct replay_block {
    unsigned char
        *frames;   /**< [REPLAY_BLOCK][frame_size], or packed: each but the first is the difference to the one before */
    size_t packed; /**< bytes of it; 0: not packed */
    struct replay_entry entry[REPLAY_BLOCK];
};

struct replay_lane {
    struct replay_block **blocks; /**< [block_count], block b at b modulo it */
    int64_t first, end;           /**< entries that are there: first .. end - 1, first at the beginning of a block */
    int64_t ready;                /**< entries before it have been looked at as beginnings of what is drawn */
};

struct replay {
    struct replay_options options;
    bool packs;          /**< sealed blocks are packed, as memory would not do for all frames as they are */
    int64_t block_count; /**< of a lane, at most */
    struct replay_lane *lanes;
    struct sum_tree tree; /**< weight of entry e of lane l at leaf l * block_count * REPLAY_BLOCK + e modulo that */
    double largest;       /**< priority so far, which what is new gets; 1 at first */
    size_t bytes;         /**< of everything */
    unsigned char *open;  /**< [REPLAY_BLOCK][frame_size] of the block that was unpacked last */
    int opened_lane;
    int64_t opened; /**< its number; -1: none */
    unsigned char *room;
    size_t room_size;
};

/** Refuses memory that is too little for one sequence a lane, saying how much it takes. */
bool replay_create(struct replay *replay, const struct replay_options *options, struct invar_error *err);
/** A zeroed struct is accepted. */
void replay_free(struct replay *replay);
/** The first frame of an episode, and the state before it (state NULL: without). */
bool replay_begin(struct replay *replay, int lane, const void *frame, const float *state, struct invar_error *err);
/** What came of the action on the newest frame of a lane: reward (refused where not finite), the next frame and the
 * state before that. */
bool replay_add(struct replay *replay, int lane, int action, double reward, enum replay_end end, const void *frame,
                const float *state, struct invar_error *err);
/** Beginnings that can be drawn, and entries there are. */
bool replay_has_any(const struct replay *replay);
int64_t replay_count(const struct replay *replay);

/** What was drawn, host memory. Row t * rows + i is step t of sequence i. */
struct replay_batch {
    int64_t rows, steps; /**< steps: burn_in + sequence + tail */
    int64_t tail;        /**< steps behind a sequence: n; without a state 1, which is where the value is asked for */
    unsigned char *observation; /**< [steps][rows][stack * frame_size] */
    int32_t *before;            /**< [steps][rows] action before it, -1: none, as an episode begins */
    float *reward_before;       /**< beside it, clipped */
    float *state;               /**< [rows][state] before the first step */
    float *later;               /**< [rows][state] before the sequence, where there is no burn-in */
    bool *burns;                /**< [rows] whether there is */
    int32_t *action;            /**< [sequence][rows], and so below */
    double *reward;             /**< discounted, over the steps until the value takes over */
    double *discount;           /**< of that value; 0: there is none, as the episode ended */
    int32_t *value_at;          /**< step of it, from 0 at the beginning of the sequence */
    bool *live;                 /**< false past the end of an episode */
    int64_t *leaf;              /**< [rows] for replay_priority */
    double *share;              /**< [rows] 1 / (probability times how many can be drawn), over the largest of them */
};
bool replay_batch_create(struct replay_batch *batch, const struct replay_options *options, int64_t rows,
                         struct invar_error *err);
void replay_batch_free(struct replay_batch *batch);
/** Fills the batch: a function of seed, of the number of the draw, and of what is there, which must be something. */
bool replay_draw(struct replay *replay, struct replay_batch *batch, uint64_t seed, uint64_t draw,
                 struct invar_error *err);
/** The same from one leaf, into one row. */
bool replay_fetch(struct replay *replay, struct replay_batch *batch, int64_t row, int64_t leaf,
                  struct invar_error *err);
/** The observation of a step that can be drawn, [stack * frame_size], for who learns from observations alone. */
bool replay_observe(struct replay *replay, uint64_t seed, uint64_t draw, unsigned char *out, struct invar_error *err);
/** Priorities (at least 0, finite) of what was drawn; nothing may have been added in between. */
void replay_priority(struct replay *replay, const int64_t *leaf, const double *priority, int64_t count);

/* ---- inside (replay_frames.c) ---- */

/** Entry e of a lane. */
struct replay_entry *replay_entry(const struct replay *replay, int lane, int64_t e);
/** Its frame; valid until the next call. NULL where a packed block is damaged. */
const unsigned char *replay_frame(struct replay *replay, int lane, int64_t e, struct invar_error *err);
/** Packs `count` frames into replay->room, whose first *size bytes they are. */
bool replay_pack(struct replay *replay, const unsigned char *frames, int64_t count, size_t *size,
                 struct invar_error *err);
bool replay_unpack(const struct replay *replay, const unsigned char *packed, size_t size, int64_t count,
                   unsigned char *frames, struct invar_error *err);
/** A place for entry lane->end, which is then there, zeroed. */
bool replay_append(struct replay *replay, int lane, const void *frame, const float *state, int32_t step,
                   struct invar_error *err);
int64_t replay_leaf(const struct replay *replay, int lane, int64_t e);

/* ---- in checkpoints (replay_store.c) ---- */

/** It may not change until the file is written. */
bool replay_store(struct replay *replay, struct invar_safetensors *file, struct invar_error *err);
/** Into a replay that was just created with the same options. */
bool replay_restore(struct replay *replay, const struct invar_safetensors *file, const char *path,
                    struct invar_error *err);

#endif
