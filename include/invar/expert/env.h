/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_ENV_H
#define INVAR_ENV_H

#include "invar/array.h"
#include "invar/expert/file.h"
#include "invar/options.h"
#include "invar/watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Environments: what an agent acts in. An episode is a function of (seed, copy, episode) and of the actions, on one
 * machine and one version of the environment. One thread at a time uses an environment; several side by side are
 * independent of each other.
 */

struct invar_env_score;

/** What an environment is; nothing of it changes while it lives. */
struct invar_env_info {
    const char *id;           /**< as it was asked for: "catch", "gym:ALE/Pong-v5" */
    const char *version;      /**< of all that decides what happens in it: "catch 1", "ale-py 0.12.1, gymnasium .." */
    const char *settings;     /**< YAML lines of its options as resolved, defaults included, without its id */
    enum invar_dtype dtype;   /**< of observations: INVAR_UINT8 (images, 0 to 255) or INVAR_FLOAT32 */
    int rank;                 /**< 3: images, 1: vectors */
    int64_t shape[3];         /**< of an observation: [stack * channels][height][width], or [stack * numbers] */
    int stack;                /**< frames that an observation is made of, the newest last; 1: it is the frame */
    int64_t frame_size;       /**< bytes of one of them */
    int64_t size;             /**< bytes of an observation: stack * frame_size */
    int actions;              /**< 0 .. actions - 1 */
    const char *const *names; /**< [actions] of the actions */
    int lives;                /**< at the beginning of an episode; 0: there are none, or they are not known */
    int skip;                 /**< frames of the game that an action lasts, at most */
    int64_t limit;            /**< steps after which an episode is truncated; 0: none, or not known */
    bool saves;               /**< whether invar_env_save can */
    int height, width;        /**< of its picture for people; 0: it has none */
    double least, most;       /**< returns that are possible, NAN: not known */
    const char *note;         /**< what was done to observations that the environment gives otherwise; NULL: nothing */
    const struct invar_env_score *score; /**< of a game of Atari that published scores have; NULL: it is none */
    int64_t memory; /**< bytes that its process had for itself alone as it began; 0: it has none, or not known */
};

/** What a reset or a step led to. */
struct invar_env_step {
    double reward;   /**< as the environment gives it, summed over skipped frames, never clipped; 0 after a reset */
    bool terminated; /**< the episode ended of itself: nothing is to be expected after it */
    bool truncated;  /**< it was cut, by a limit of steps: its last observation has a value like any other */
    int lives;       /**< that are left, as in info */
    int frames;      /**< of the game that passed */
    const void *observation; /**< info->size bytes; borrowed until the next call on the environment */
    const void *frame; /**< the newest info->frame_size bytes of it. Frames before the first of an episode equal the
                          first, so a replay that keeps frames alone makes every observation of them again */
};

struct invar_env;

/**
 * An environment by its id, with the options that `settings` (a mapping, or NULL) has: the section `env: {id: ..}` of a
 * recipe, whose key `id` is passed over. An id or option that there is not is an error that names it; what an
 * environment needs and lacks (a Python, a module, a game's ROM) is one sentence with the command to type. NULL with
 * err set.
 */
struct invar_env *invar_env_create(const char *id, const struct invar_node *settings, struct invar_error *err);
/** Ends its child process, if it has one, and waits for it: an environment of Gymnasium is closed before, in three
 * seconds at most. NULL is accepted. */
void invar_env_free(struct invar_env *env);
const struct invar_env_info *invar_env_info(const struct invar_env *env);

/** Begins an episode. copy (< 2^24) tells environments of one run apart, as those that are trained in and those that
 * are evaluated in. */
bool invar_env_reset(struct invar_env *env, uint64_t seed, uint32_t copy, uint64_t episode, struct invar_env_step *out,
                     struct invar_error *err);
/** One action. After a step that ended the episode, or a failed call, only a reset or a restore is possible. */
bool invar_env_step(struct invar_env *env, int action, struct invar_env_step *out, struct invar_error *err);

/** All that decides how the episode goes on, the observation included, as bytes (free with invar_bytes_free) that
 * another process on the same machine may restore. */
bool invar_env_save(struct invar_env *env, struct invar_bytes *out, struct invar_error *err);
/** Goes on where invar_env_save was called, with *out as the step before it gave it (NULL: not wanted). Refused, with
 * nothing changed, is what another environment, version or setting saved. */
bool invar_env_restore(struct invar_env *env, const void *data, size_t size, struct invar_env_step *out,
                       struct invar_error *err);

/** What people see now: rgb[info->height][info->width][3]. Refused where there is no picture. */
bool invar_env_picture(struct invar_env *env, uint8_t *rgb, struct invar_error *err);

/** What playing at random gives. */
struct invar_env_survey {
    int64_t episodes;
    double mean, deviation, least, most; /**< of the returns; deviation NAN: of one episode */
    double length;                       /**< steps of an episode, on average */
    double steps_per_s, frames_per_s;
};
/** Plays episodes 0 .. episodes - 1 (at least one) at random, and further ones until a rate can be told. An episode of
 * 100,000 steps that no limit is known of is an error: it may have no end. */
bool invar_env_survey(struct invar_env *env, uint64_t seed, int64_t episodes, const struct invar_watch *watch,
                      struct invar_env_survey *out, struct invar_error *err);

/** What random play and a person reach in an Atari game. */
struct invar_env_score {
    const char *game; /**< "ms_pacman" */
    double random, human;
};
/** The 57 games that agents are compared on; ends with one whose game is NULL. */
const struct invar_env_score *invar_env_scores(void);
/** By an id ("gym:ALE/MsPacman-v5") or a name ("ms_pacman"); NULL: it is none of them. */
const struct invar_env_score *invar_env_score_find(const char *id);
/** Percent of the way from random play to a person. */
double invar_env_score_normalise(const struct invar_env_score *score, double returned);

/** The environments that there are. */
struct invar_env_kind {
    const char *name;     /**< "catch" */
    const char *argument; /**< what its id has behind a colon: "ID"; "": nothing */
    const char *help;     /**< one line */
    const struct invar_option *options;
};
/** Ends with one whose name is NULL. */
const struct invar_env_kind *invar_env_kinds(void);

#ifdef __cplusplus
}
#endif

#endif
