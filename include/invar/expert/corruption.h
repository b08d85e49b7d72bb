/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CORRUPTION_H
#define INVAR_CORRUPTION_H

#include "invar/error.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The 15 common image corruptions and the 4 extra ones of Hendrycks and Dietterich (ICLR 2019) at five severities:
 * docs/evaluation.md, "Corruptions", has what is specific to this implementation.
 */

#define INVAR_CORRUPTION_SEVERITIES 5

/** Which parameters: those made for 32 x 32 (CIFAR-10-C) or for 224 x 224 pixels (ImageNet-C), or between them. */
enum invar_corruption_table {
    INVAR_CORRUPTION_AUTO, /**< 32 up to a longer side of 32, 224 from one of 224 on, SCALED between */
    INVAR_CORRUPTION_32,
    INVAR_CORRUPTION_224,
    INVAR_CORRUPTION_SCALED, /**< between the two in proportion to log(longer side), whole numbers rounded; for longer
                                sides beyond 32 and 224 those */
};
/** auto, 32, 224, scaled; NULL: there is no such table. */
const char *invar_corruption_table_name(int table);
/** What AUTO means for a size; the others are themselves. */
enum invar_corruption_table invar_corruption_table_used(enum invar_corruption_table table, int64_t height,
                                                        int64_t width);

struct invar_corruption_spec {
    const char *name;                   /**< gaussian_noise, ...: the names of the published sets */
    const char *family;                 /**< noise, blur, weather, digital */
    bool extra;                         /**< one of the four beyond the benchmark's 15 */
    const char *help;                   /**< a few words */
    const struct corruption_kind *kind; /**< how it works; of the library alone */
};

/** The corruptions: the benchmark's 15 in its order, then the 4 extra ones. 0 <= i < count. */
int invar_corruption_count(void);
const struct invar_corruption_spec *invar_corruption_at(int i);
/** By name; an unknown one is refused with a sentence that lists them. */
const struct invar_corruption_spec *invar_corruption_find(const char *name, struct invar_error *err);

/* ---- the pictures that frost is cut from ---- */

/** Pictures of frost, read-only once made, so that all threads share them. */
struct invar_frost;
/** The JPEG and PNG files anywhere below a folder, sorted by name, one as likely as the other; NULL: four synthetic
 * textures, always the same, drawn 1:2:1:1 as the original's pictures are. Refused: a folder without a picture, a
 * picture that cannot be read. */
struct invar_frost *invar_frost_create(const char *folder, struct invar_error *err);
void invar_frost_free(struct invar_frost *frost);
/** True when results with it are not comparable with published numbers. NULL: true. */
bool invar_frost_synthetic(const struct invar_frost *frost);
/** Pictures in it. NULL: those of the synthetic set. */
int invar_frost_count(const struct invar_frost *frost);

/* ---- corrupting ---- */

struct invar_corruption_options {
    int severity; /**< 1 .. 5 */
    enum invar_corruption_table table;
    uint64_t seed;
    const struct invar_frost *frost; /**< borrowed; NULL: a synthetic set, which the scratch makes once when needed */
};

/** An image to be corrupted: pixels[height][width][channels], borrowed. */
struct invar_corruption_image {
    const uint8_t *pixels;
    int64_t height, width;
    int64_t channels; /**< 1 (replicated to three, corrupted, averaged back) or 3 (R, G, B) */
};

/** Work space of one thread; it grows to the largest image seen and allocates nothing after that. */
struct invar_corruption_scratch;
struct invar_corruption_scratch *invar_corruption_scratch_create(struct invar_error *err);
void invar_corruption_scratch_free(struct invar_corruption_scratch *scratch);

/**
 * out[height][width][channels] = the corrupted image, a function of the image, seed, corruption, severity, table and
 * index (the number of the sample in its split) alone, whatever the thread and the order. out may be in->pixels. Any
 * size from 1 x 1 works, but for elastic_transform, which needs 3 x 3. Refused: an empty or too large image, channels
 * other than 1 and 3, a severity out of range, memory that is short.
 */
bool invar_corrupt(const struct invar_corruption_spec *spec, const struct invar_corruption_options *options,
                   const struct invar_corruption_image *in, uint64_t index, uint8_t *out,
                   struct invar_corruption_scratch *scratch, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
