/* SPDX-License-Identifier: Apache-2.0 */
/* The corruptions and how one is applied to an image. */
#include "eval/corruption/corruption.h"

#include "base/names.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SMALL_SIDE 32
#define LARGE_SIDE 224
/* Sides whose products an int holds, with channels and borders; no image that a network sees is nearly as large. */
#define SIDE_LIMIT 16384
#define PIXEL_LIMIT ((int64_t)1 << 26)

/* The order of the benchmark, then the extra four. It is part of the key of the random numbers: append only. Names,
 * groups and settings are those of Hendrycks and Dietterich's benchmark, whose published errors these are compared
 * with. */
static const struct invar_corruption_spec corruptions[] = {
    {"gaussian_noise", "noise", false, "normal noise", &corruption_gaussian_noise},
    {"shot_noise", "noise", false, "Poisson counts, as of few photons", &corruption_shot_noise},
    {"impulse_noise", "noise", false, "values replaced by 0 or 1", &corruption_impulse_noise},
    {"defocus_blur", "blur", false, "a disk, as of a lens out of focus", &corruption_defocus_blur},
    {"glass_blur", "blur", false, "pixels copied about, as by frosted glass", &corruption_glass_blur},
    {"motion_blur", "blur", false, "streaks along one direction", &corruption_motion_blur},
    {"zoom_blur", "blur", false, "mean of enlargements around the centre", &corruption_zoom_blur},
    {"snow", "weather", false, "whitened, with streaks of flakes", &corruption_snow},
    {"frost", "weather", false, "mixed with a picture of ice on glass", &corruption_frost},
    {"fog", "weather", false, "a plasma map added, contrast lost", &corruption_fog},
    {"brightness", "weather", false, "value of HSV raised", &corruption_brightness},
    {"contrast", "digital", false, "towards the mean of the channel", &corruption_contrast},
    {"elastic_transform", "digital", false, "affine map and smooth displacement", &corruption_elastic_transform},
    {"pixelate", "digital", false, "fewer, larger pixels", &corruption_pixelate},
    {"jpeg_compression", "digital", false, "JPEG at low quality", &corruption_jpeg_compression},
    {"speckle_noise", "noise", true, "normal noise in proportion to the value", &corruption_speckle_noise},
    {"gaussian_blur", "blur", true, "Gaussian blur", &corruption_gaussian_blur},
    {"spatter", "weather", true, "drops of water or mud on the lens", &corruption_spatter},
    {"saturate", "digital", true, "saturation of HSV changed", &corruption_saturate},
    {0},
};
#define COUNT ((int)(sizeof corruptions / sizeof *corruptions) - 1)

/* Without the row of zeros that ends the list. */
int invar_corruption_count(void)
{
    return COUNT;
}

const struct invar_corruption_spec *invar_corruption_at(int i)
{
    return &corruptions[i];
}

const struct invar_corruption_spec *invar_corruption_find(const char *name, struct invar_error *err)
{
    return names_find(NAMES_ROWS("corruption", corruptions), NULL, name, err);
}

const char *invar_corruption_table_name(int table)
{
    static const char *const names[] = {
        [INVAR_CORRUPTION_AUTO] = "auto",
        [INVAR_CORRUPTION_32] = "32",
        [INVAR_CORRUPTION_224] = "224",
        [INVAR_CORRUPTION_SCALED] = "scaled",
    };
    return table >= 0 && table < (int)(sizeof names / sizeof *names) ? names[table] : NULL;
}

/* Two tables were published, for 32 and for 224 pixels; between them settings are interpolated in the logarithm of
 * the side, since blurs and streaks are lengths. */
enum invar_corruption_table invar_corruption_table_used(enum invar_corruption_table table, int64_t height,
                                                        int64_t width)
{
    if (table != INVAR_CORRUPTION_AUTO)
        return table;
    const int64_t side = height > width ? height : width;
    return side <= SMALL_SIDE   ? INVAR_CORRUPTION_32
           : side >= LARGE_SIDE ? INVAR_CORRUPTION_224
                                : INVAR_CORRUPTION_SCALED;
}

/* 0 is the table of 32 pixels, 1 that of 224. */
static double place_between(enum invar_corruption_table table, int64_t height, int64_t width)
{
    const int64_t side = height > width ? height : width;

    table = invar_corruption_table_used(table, height, width);
    if (table != INVAR_CORRUPTION_SCALED)
        return table == INVAR_CORRUPTION_32 ? 0 : 1;
    /* Limited, as the table may be asked for by name for an image of any size; beyond the ends nothing was
     * published. */
    return fmin(1, fmax(0, log((double)side / SMALL_SIDE) / log((double)LARGE_SIDE / SMALL_SIDE)));
}

/* Counts (of rounds, of factors) are whole numbers and are rounded after the interpolation. */
static void choose_settings(const struct corruption_kind *kind, double place, int severity,
                            double out[CORRUPTION_SETTINGS])
{
    const double *small = kind->setting[0][severity], *large = kind->setting[1][severity];

    for (int i = 0; i < CORRUPTION_SETTINGS; i++) {
        /* the ends as they are written: no rounding there */
        out[i] = place <= 0 ? small[i] : place >= 1 ? large[i] : small[i] + place * (large[i] - small[i]);
        if (kind->whole >> i & 1)
            out[i] = round(out[i]);
    }
}

/* One a thread: tables of Poisson distributions, JPEG handles and work space are made once and used for every image. */
struct invar_corruption_scratch *invar_corruption_scratch_create(struct invar_error *err)
{
    struct invar_corruption_scratch *scratch = invar_alloc(1, sizeof *scratch, err);
    if (!scratch)
        return NULL;
    scratch->memory = invar_scratch_create(err);
    if (!scratch->memory) {
        invar_free(scratch);
        return NULL;
    }
    return scratch;
}

void invar_corruption_scratch_free(struct invar_corruption_scratch *scratch)
{
    if (!scratch)
        return;
    for (int table = 0; table < 2; table++)
        for (int severity = 0; severity < INVAR_CORRUPTION_SEVERITIES; severity++)
            corruption_poisson_free(scratch->poisson[table][severity]);
    corruption_jpeg_free(scratch);
    invar_frost_free(scratch->frost);
    invar_scratch_free(scratch->memory);
    invar_free(scratch);
}

static bool check(const struct invar_corruption_spec *spec, const struct invar_corruption_options *o,
                  const struct invar_corruption_image *in, struct invar_error *err)
{
    const int least = spec->kind->least_side;

    if (in->channels != 1 && in->channels != 3)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: images of %lld channels cannot be corrupted, only 1 or 3",
                               spec->name, (long long)in->channels);
    if (in->height < 1 || in->width < 1 || in->height > SIDE_LIMIT || in->width > SIDE_LIMIT ||
        in->height * in->width > PIXEL_LIMIT)
        return invar_error_set(
            err, INVAR_ERROR_DATA, "%s: an image of %lld x %lld pixels; it must have 1 to %d a side and at most %lld",
            spec->name, (long long)in->width, (long long)in->height, SIDE_LIMIT, (long long)PIXEL_LIMIT);
    if (in->height < least || in->width < least)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: an image of %lld x %lld pixels; it is defined from %d x %d on, leave it out",
                               spec->name, (long long)in->width, (long long)in->height, least, least);
    if (o->severity < 1 || o->severity > INVAR_CORRUPTION_SEVERITIES)
        return invar_error_set(err, INVAR_ERROR_USAGE, "severity %d of %s; severities are 1 to %d", o->severity,
                               spec->name, INVAR_CORRUPTION_SEVERITIES);
    return true;
}

/* The image with three channels, apart from the caller's: out may be the same memory. Gray images go through all
 * three channels, as the corruptions are defined on colours, and come back as their mean. */
static bool take_image(struct corruption_work *work, const struct invar_corruption_image *in, uint8_t *out,
                       struct invar_error *err)
{
    uint8_t *copy = invar_scratch_take(work->memory, work->values, 1, err);

    work->in = copy;
    work->out = in->channels == 3 ? out : invar_scratch_take(work->memory, work->values, 1, err);
    if (!copy || !work->out)
        return false;
    if (in->channels == 3)
        memcpy(copy, in->pixels, work->values);
    else
        for (size_t i = 0; i < work->pixels; i++)
            copy[3 * i] = copy[3 * i + 1] = copy[3 * i + 2] = in->pixels[i];
    return true;
}

/* The key of the random numbers is corruption, severity and the image's number: an image is corrupted alike whatever
 * else is measured, and however many threads there are. */
bool invar_corrupt(const struct invar_corruption_spec *spec, const struct invar_corruption_options *options,
                   const struct invar_corruption_image *in, uint64_t index, uint8_t *out,
                   struct invar_corruption_scratch *scratch, struct invar_error *err)
{
    if (!check(spec, options, in, err))
        return false;
    /* Eight numbers a corruption in the key, of which five severities take five: neither corruptions nor severities
     * share draws, and the same image has other noise at every severity. */
    const uint64_t number = (uint64_t)(spec - corruptions);
    const int severity = options->severity - 1;
    const double place = place_between(options->table, in->height, in->width);
    double setting[CORRUPTION_SETTINGS];
    struct corruption_work work = {
        .height = (int)in->height,
        .width = (int)in->width,
        .pixels = (size_t)(in->height * in->width),
        .values = 3 * (size_t)(in->height * in->width),
        .setting = setting,
        .table = place < 0.5 ? 0 : 1,
        .severity = severity,
        .random =
            invar_random_stream(options->seed, INVAR_RANDOM_CORRUPTION, 8 * number + (uint64_t)severity, index, 0),
        .memory = scratch->memory,
        .scratch = scratch,
        .frost = options->frost,
    };

    choose_settings(spec->kind, place, severity, setting);
    invar_scratch_reset(scratch->memory);
    if (!take_image(&work, in, out, err) || !spec->kind->apply(&work, err))
        return false;
    if (in->channels == 1)
        for (size_t i = 0; i < work.pixels; i++)
            /* The mean of three, rounded to nearest: with 1 added, a third and two thirds fall to the side they are
             * nearer to. */
            out[i] = (uint8_t)((work.out[3 * i] + work.out[3 * i + 1] + work.out[3 * i + 2] + 1) / 3);
    return true;
}
