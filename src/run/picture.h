/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_RUN_PICTURE_H
#define INVAR_RUN_PICTURE_H

#include "invar/data.h"
#include "invar/metrics.h"

/** PNG in memory, as invar_picture_write writes it: *out is given and goes back to free(). */
bool picture_encode(const uint8_t *pixels, int height, int width, int channels, uint8_t **out, size_t *size,
                    struct invar_error *err);
/** The same as text, "data:image/png;base64,...". Free with invar_free. */
char *picture_uri(const uint8_t *pixels, int height, int width, int channels, struct invar_error *err);

/** How standardised numbers [channels][height][width] become shades. */
struct picture_shades {
    int channels;     /**< of the picture: 1 or 3; data of other widths show their first channel */
    bool upside_down; /**< spectrograms have their lowest band at the bottom */
    double gain[3], offset[3];
};
/** Images as they were before they were standardised; everything else from the least to the largest of values[count].
 */
struct picture_shades picture_shades_of(const struct invar_dataset_info *info, const float *values, int64_t count);
/** x [channels][height][width] into out [high][wide][shades->channels], out_width pixels a row; equal sizes copy,
 * smaller ones average. */
void picture_draw(const struct picture_shades *shades, const float *x, int height, int width, uint8_t *out, int high,
                  int wide, int out_width);

#endif
