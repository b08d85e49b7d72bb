/* SPDX-License-Identifier: Apache-2.0 */
/* The table of environments, and what each of them gives; env.c does what all have in common. */
#ifndef INVAR_SRC_ENV_ENV_H
#define INVAR_SRC_ENV_ENV_H

#include "invar/expert/env.h"
#include "invar/expert/random.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

/** One line each here: name, what its id has behind a colon, help. A file has env_NAME and env_NAME_options. */
#define ENVIRONMENTS(ONE)                                                                                              \
    ONE(catch, "", "a ball to be caught, pixels; with styles of which some are kept for testing")                      \
    ONE(recall, "", "a cue to be remembered, numbers; who forgets it can only guess")                                  \
    ONE(gym, "ID", "an environment of Gymnasium with numbered actions, Atari among them, played by Python")

/** An environment's own part begins with this. */
struct env_core {
    struct invar_env_info info;
    struct invar_env_step step; /**< where it stands; observation and frame are env.c's */
    uint8_t *frame;             /**< [info.frame_size] where reset and step put the newest frame */
};

struct env_class {
    const struct invar_option *options;
    size_t options_size;
    size_t size; /**< of its own part, zeroed before it is created */
    /** Fills core->info but for id, settings, size, which env.c knows; argument is what its id has behind the colon. */
    bool (*create)(struct env_core *core, const char *argument, const void *options, struct invar_error *err);
    void (*destroy)(struct env_core *core); /**< NULL: nothing to give back; also called after a create that failed */
    bool (*reset)(struct env_core *core, uint64_t seed, uint32_t copy, uint64_t episode, struct invar_error *err);
    bool (*step)(struct env_core *core, int action, struct invar_error *err);
    /** What step and frame do not say; what was saved has passed a checksum, and is foreign all the same. */
    bool (*save)(struct env_core *core, struct invar_bytes *out, struct invar_error *err);
    bool (*restore)(struct env_core *core, const void *data, size_t size, struct invar_error *err);
    bool (*picture)(struct env_core *core, uint8_t *rgb, struct invar_error *err); /**< NULL: there is none */
    const char *const *indifferent; /**< options that change nothing of what happens, NULL-ended; NULL: none */
};

#define ENV_DECLARE(name, argument, help)                                                                              \
    extern const struct env_class env_##name;                                                                          \
    extern const struct invar_option env_##name##_options[];
ENVIRONMENTS(ENV_DECLARE)

/** A struct without pointers as what save and restore take. */
bool env_save_struct(const void *state, size_t size, struct invar_bytes *out, struct invar_error *err);
bool env_restore_struct(void *state, size_t size, const void *data, size_t saved, struct invar_error *err);

#endif
