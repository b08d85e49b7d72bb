/* SPDX-License-Identifier: Apache-2.0 */
/* From a screen to what an agent sees: gray, of another size, one plane a channel. */
#ifndef INVAR_SRC_ENV_PREPROCESS_H
#define INVAR_SRC_ENV_PREPROCESS_H

#include "invar/error.h"

#include <stddef.h>
#include <stdint.h>

/** A screen [height][width][channels] and what becomes of it, [planes][to_height][to_width]. */
struct env_picture {
    int height, width, channels;
    bool gray; /**< one plane, of three channels */
    int to_height, to_width;
};

struct env_preprocess;
struct env_preprocess *env_preprocess_create(const struct env_picture *picture, struct invar_error *err);
void env_preprocess_free(struct env_preprocess *preprocess);
/** Planes of what comes out. */
int env_preprocess_planes(const struct env_picture *picture);
/** Another size takes the mean over the area of a pixel; where it shrinks, and by no whole number, the bits are those
 * of OpenCV's INTER_AREA. */
void env_preprocess_apply(struct env_preprocess *preprocess, const uint8_t *screen, uint8_t *out);

/** screen <- the greater of both, byte by byte: games draw some things in every second frame only. */
void env_screen_most(uint8_t *screen, const uint8_t *before, size_t size);

#endif
