/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the corruptions share. A corruption is one corruption_kind: its settings and a function that reads work->in and
 * writes work->out. Images are interleaved throughout, [height][width][channels], so that a shift by a pixel is a shift
 * of the whole row and every filter is a sum of shifted rows.
 */
#ifndef EVAL_CORRUPTION_H
#define EVAL_CORRUPTION_H

#include "invar/expert/corruption.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#define CORRUPTION_SETTINGS 7

/** One image being corrupted. Memory taken from `memory` lives as long as the image. */
struct corruption_work {
    int height, width;
    size_t pixels, values; /**< height x width, three times that */
    const uint8_t *in;     /**< [height][width][3] */
    uint8_t *out;          /**< the same; not in */
    const double *setting; /**< of the table and the severity */
    int table, severity;   /**< from 0: indices of the settings; of the two tables the one nearer in size */
    struct invar_random random;
    struct invar_scratch *memory;
    struct invar_corruption_scratch *scratch;
    const struct invar_frost *frost;
};

struct corruption_kind {
    bool (*apply)(struct corruption_work *work, struct invar_error *err);
    int least_side;                                                      /**< of the image; 0 and 1: any */
    double setting[2][INVAR_CORRUPTION_SEVERITIES][CORRUPTION_SETTINGS]; /**< 32 x 32, then 224 x 224 */
    unsigned whole; /**< bit i: setting i is a number of things, whole between the tables too */
};

extern const struct corruption_kind corruption_gaussian_noise, corruption_shot_noise, corruption_impulse_noise,
    corruption_speckle_noise;
extern const struct corruption_kind corruption_gaussian_blur, corruption_defocus_blur, corruption_glass_blur,
    corruption_motion_blur, corruption_zoom_blur;
extern const struct corruption_kind corruption_snow, corruption_frost, corruption_fog, corruption_brightness,
    corruption_spatter;
extern const struct corruption_kind corruption_contrast, corruption_elastic_transform, corruption_pixelate,
    corruption_jpeg_compression, corruption_saturate;

/** What a thread keeps from image to image; made where it is needed first. */
struct corruption_poisson;
struct invar_corruption_scratch {
    struct invar_scratch *memory;
    struct corruption_poisson *poisson[2][INVAR_CORRUPTION_SEVERITIES];
    struct invar_frost *frost;
    void *jpeg_encoder, *jpeg_decoder;
};
void corruption_poisson_free(struct corruption_poisson *poisson);
void corruption_jpeg_free(struct invar_corruption_scratch *scratch);

/* ---- numbers ---- */

/** Room for float fields, with space behind it that whole vectors may read and overwrite. */
float *corruption_floats(struct corruption_work *work, size_t count, struct invar_error *err);
/** out[count] = in / 255. */
void corruption_unpack(float *out, const uint8_t *in, size_t count);
/** The image in 0..1: [height][width][3]. */
float *corruption_values(struct corruption_work *work, struct invar_error *err);
/** out[count] = x limited to 0..1, times 255, the fraction dropped. What misses a whole number by less than 2^-13, as
 * rounding noise of flat areas does, counts as that number. */
void corruption_bytes(uint8_t *out, const float *x, size_t count);
/** The same in place, as numbers 0..255. */
void corruption_truncate(float *x, size_t count);
/** out[count] = independent draws of N(mean, deviation), two for every two words of the stream. */
void corruption_normals(struct corruption_work *work, float *out, size_t count, double mean, double deviation);

/* ---- filters ---- */

enum corruption_border {
    CORRUPTION_EDGE,      /**< a a | a b c d | d d */
    CORRUPTION_MIRROR,    /**< c b | a b c d | c b */
    CORRUPTION_SYMMETRIC, /**< b a | a b c d | d c */
};
/** The pixel of 0 .. count-1 that stands at i. */
int corruption_border_index(enum corruption_border border, int64_t i, int count);

struct corruption_field {
    float *v; /**< [height][width][channels], from corruption_floats */
    int height, width, channels;
};
/** The image, or what is in x, as a field. */
struct corruption_field corruption_field_of(const struct corruption_work *work, float *x, int channels);

struct corruption_tap {
    int dy, dx;
    float weight;
};
/** field(y, x) = sum of weight * field(y + dy, x + dx); field->v becomes other memory. */
bool corruption_correlate(struct corruption_work *work, struct corruption_field *field,
                          const struct corruption_tap *tap, int count, enum corruption_border border,
                          struct invar_error *err);
/** Gaussian blur with floor(reach * sigma + 0.5) taps on either side. */
bool corruption_gaussian(struct corruption_work *work, struct corruption_field *field, double sigma, double reach,
                         enum corruption_border border, struct invar_error *err);
/** One-sided motion blur of values 0..255 along theta (degrees), truncated to whole numbers. */
bool corruption_streak(struct corruption_work *work, struct corruption_field *field, double radius, double sigma,
                       double theta, struct invar_error *err);
/** out += the field enlarged by factor >= 1 around its centre; out is as large as the field. */
bool corruption_zoom(struct corruption_work *work, const struct corruption_field *field, double factor, float *out,
                     struct invar_error *err);
/** out[channels] = the values between pixels, bilinear. */
void corruption_sample(const struct corruption_field *field, double y, double x, enum corruption_border border,
                       float *out);

/* ---- pictures of frost ---- */

struct corruption_picture {
    int height, width;
    uint8_t *pixels; /**< [height][width][3] */
};
/** As many as the original has and draws from, made by numbers alone; freed by the caller. */
#define CORRUPTION_TEXTURES 4
bool corruption_frost_texture(struct corruption_picture *picture, int number, struct invar_error *err);

#endif
