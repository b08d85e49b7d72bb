/* SPDX-License-Identifier: Apache-2.0 */
/* Animated GIFs (GIF89a), as browsers and READMEs show them. */
#ifndef INVAR_REPORT_GIF_H
#define INVAR_REPORT_GIF_H

#include "invar/error.h"

#include <stdint.h>

struct report_gif;

/** Begins PATH, which is there once it was finished. Every pixel becomes magnify x magnify of them (1 to 16); a picture
 * is shown for `hundredths` of a second (2 to 65535; browsers show shorter ones slowly). It goes on for ever. */
struct report_gif *report_gif_create(const char *path, int height, int width, int magnify, int hundredths,
                                     struct invar_error *err);
/** The next picture, rgb[height][width][3]. Up to 256 colours of what changed are kept as they are, more are rounded to
 * 6 values a channel. */
bool report_gif_add(struct report_gif *gif, const uint8_t *rgb, struct invar_error *err);
/** Writes it to its end and puts it in place; refused is one without a picture. */
bool report_gif_finish(struct report_gif *gif, struct invar_error *err);
/** Without report_gif_finish before, no file is left. NULL is accepted. */
void report_gif_free(struct report_gif *gif);

#endif
