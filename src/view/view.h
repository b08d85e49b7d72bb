/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

/*
 * Private to the room: what an operation is, and the few helpers that operations share. An operation is one file and
 * one line in the table of operations.c; it works in place on a planar float image with values in 0..1.
 */

#include "base/clones.h"
#include "invar/expert/random.h"
#include "invar/view.h"
#include "view/operations.h"

#include <stddef.h>

#define VIEW_MAX_CHANNELS 16
#define VIEW_MAX_TAPS 4

/* Neither variant has fused multiply-add: both give the same bits for everything but a sum. */
#define VIEW_CLONES INVAR_CLONES
#define VIEW_INLINE INVAR_INLINE

/** How the positions along one side of the output sample the input: tap t of position i. */
struct view_axis {
    int count;
    int32_t *index; /* [VIEW_MAX_TAPS][count] pixel of the sample, inside the crop box */
    float *weight;  /* [VIEW_MAX_TAPS][count] */
};

/** The input pixels start .. start + count - 1 under the filter of one output position (plain views). */
struct view_span {
    int32_t start, count;
    float centre;  /* of the filter, from start */
    float inverse; /* 1 / half width of the triangle */
    float norm;    /* 1 / sum of weights */
    bool cubic;
};

struct invar_view_workspace {
    int height, width, channels, blur_kernel;
    struct view_axis rows, columns;
    struct view_span *row_spans, *column_spans; /* [height], [width] */
    float *lines;                               /* [VIEW_MAX_TAPS][channels][width] source rows, resampled along x */
    uint32_t *packed;                           /* [VIEW_MAX_TAPS][width] source pixels as they are read */
    float *plane;                               /* [height][width] */
    float *padded;                              /* [width + blur kernel] */
    float *blur_weight;                         /* [blur kernel / 2 + 1] */

    /* clips */
    struct invar_logmel *logmel;
    int64_t span;        /* samples under the frames of the view */
    float *wave, *other; /* [span] of the sample, and of what is mixed into it */
};

/** One view being made. */
struct view_job {
    const struct invar_view_params *params;
    const struct invar_view_output *output;
    const struct invar_sample *sample;
    struct invar_view_workspace *workspace;
    float *image; /* [channels][height][width] */
    /* The batch that the sample is number `place` of; a sample alone is a batch of 1. */
    const struct invar_sample *batch;
    int64_t batch_count, place;
    float *mask; /* tables: [channels], zeroed, of columns that were changed; NULL: not wanted */
};

#define VIEW_KIND(kind) (1u << (kind))
#define VIEW_IMAGES VIEW_KIND(INVAR_DATA_IMAGE)
#define VIEW_TABLES VIEW_KIND(INVAR_DATA_TABLE)
#define VIEW_CLIPS VIEW_KIND(INVAR_DATA_AUDIO)

struct view_operation {
    const char *name;
    unsigned kinds;  /* of data that it is of */
    uint32_t stream; /* which random stream it draws from: unique, below 32, never changed */
    /** Draws its part of params (zeroed before); NULL where nothing is random. */
    void (*draw)(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random);
    /** Whether this job needs it; NULL: always. */
    bool (*applies)(const struct view_job *job);
    void (*apply)(const struct view_job *job);
    bool by_view; /* its own options begin with a list of one entry a view, which has its name */
};

/* Where the own options and draws of an operation are; those of a file are read through these. */
#define VIEW_PLACE(name, options) VIEW_PLACE_##name,
enum view_place { VIEW_OPERATIONS(VIEW_PLACE) VIEW_PLACES };
_Static_assert(VIEW_PLACES <= INVAR_MAX_VIEW_OPERATIONS, "more operations than places");
#define VIEW_OWN(name, options) ((const void *)(options)->own[VIEW_PLACE_##name])
#define VIEW_DRAW(name, params) ((void *)(params)->own[VIEW_PLACE_##name])
#define VIEW_DRAWN(name, params) ((const void *)(params)->own[VIEW_PLACE_##name])
#define VIEW_OWN_FITS(options, draws)                                                                                  \
    _Static_assert(sizeof(options) <= sizeof((struct invar_view_options){0}.own[0]) &&                                 \
                       offsetof(struct invar_view_options, own) % _Alignof(options) == 0,                              \
                   "the options do not fit");                                                                          \
    _Static_assert(sizeof(draws) <= sizeof((struct invar_view_params){0}.own[0]) &&                                    \
                       offsetof(struct invar_view_params, own) % _Alignof(draws) == 0,                                 \
                   "the draws do not fit")

/** What one kind of data needs beside operations: its checks, its view for evaluation. One line in kinds.c. */
struct view_kind {
    void (*plain)(const struct view_job *job); /* the view of evaluation */
    /** Whether such outputs can be made; else one sentence. */
    bool (*output_check)(const struct invar_view_output *output, struct invar_error *err);
    /** Whether the sample, whose kind is that of the output, can become such an output; else one sentence. */
    bool (*sample_check)(const struct invar_view_output *output, const struct invar_sample *sample,
                         struct invar_error *err);
    /** Work space beyond the struct itself. */
    bool (*workspace)(struct invar_view_workspace *workspace, const struct invar_view_output *output,
                      struct invar_error *err);
};
const struct view_kind *view_kind_of(enum invar_data_kind kind);
extern const struct view_kind view_kind_image, view_kind_table, view_kind_audio;

#define VIEW_DECLARATION(name, options) extern const struct view_operation view_##name;
VIEW_OPERATIONS(VIEW_DECLARATION)
extern const struct view_operation *const view_operations[VIEW_PLACES];

/** Whether columns of tables are changed in any view, so that there is a mask. */
bool view_masks(const struct invar_view_options *options);
/** A stream of draws from a key that was drawn itself. */
struct invar_random view_keyed(const uint32_t key[2]);
/** Changes the places of a column to value[places], or to 0 where value is NULL, and notes in the mask what differs. */
void view_column_set(const struct view_job *job, const struct invar_column *column, const float *value);

/** x[count] += deviation times standard normals. */
void view_add_normals(struct invar_random *random, float deviation, float *x, size_t count);

/** The number of the random stream of an operation (below 32) for one view, so that neither shifts another's draws. */
uint32_t view_stream(uint32_t operation, int view);

/** Whether any sample of this view may be mixed. */
bool view_mixes(const struct invar_view_options *options, int view);
/** Draws partner[count] and share[count] of one view. */
void view_mix_draw(const struct invar_view_options *options, uint64_t seed, uint64_t epoch,
                   const struct invar_sample *samples, int64_t count, int view, int64_t *partner, double *share);
/** out[size]: sample i of plain[count][size] mixed as drawn; out is no part of plain. */
void view_mix(const float *plain, const int64_t *partner, const double *share, int64_t i, size_t size, float *out);

/** Entry i of a list whose last entry repeats; 0 for an empty list. */
double view_list_at(const struct invar_real_list *list, int i);
/** Whether the sample can become such an output; else one sentence. */
bool view_sample_check(const struct invar_view_output *output, const struct invar_sample *sample,
                       struct invar_error *err);
/** The operations and the plain view, on checked arguments. */
void view_run(const struct view_job *job);
void view_run_plain(const struct view_job *job);
void view_image_plain(const struct view_job *job);
/** The sample, which is as large as the output. */
void view_image_as_is(const struct view_job *job);

/** A window of a clip as long as the view; place in 0..1 of what is too much. */
void view_window(const struct view_job *job, const struct invar_sample *clip, float place, float shift, float *out);
/** Mean square of wave[count]. */
double view_power(const float *wave, int64_t count);

/** Samples the crop box into job->image, values 0..1, by the tables of the workspace; taps is 2 or 4. */
void view_resample(const struct view_job *job, int taps);
/** Turns the hue of a 3-channel image by `shift` turns, -0.5 .. 0.5. */
void view_hue(float *image, size_t pixels, float shift);
/** Side of the blur kernel as given, or about a tenth of the shorter side, odd, at least 3. */
int view_blur_kernel(const struct invar_view_output *output);

VIEW_INLINE float view_clamp(float value)
{
    value = value < 0.0f ? 0.0f : value;
    return value > 1.0f ? 1.0f : value;
}

VIEW_INLINE float view_luma(float red, float green, float blue)
{
    return 0.299f * red + 0.587f * green + 0.114f * blue;
}

/** Number i of a sample's row, as it is stored: a byte, 16 bits or a float. */
VIEW_INLINE float view_number(const void *row, enum invar_dtype dtype, size_t i)
{
    if (dtype == INVAR_UINT8)
        return (float)((const uint8_t *)row)[i];
    return dtype == INVAR_UINT16 ? (float)((const uint16_t *)row)[i] : ((const float *)row)[i];
}

/** What stands for 1 among such numbers. */
VIEW_INLINE float view_whole(enum invar_dtype dtype)
{
    return dtype == INVAR_UINT8 ? 255.0f : dtype == INVAR_UINT16 ? 65535.0f : 1.0f;
}

/** Row y of a sample. */
VIEW_INLINE const void *view_row(const struct invar_sample *sample, int y)
{
    return (const char *)sample->data +
           (size_t)y * (size_t)sample->width * (size_t)sample->channels * invar_dtype_size(sample->dtype);
}

VIEW_INLINE size_t view_pixels(const struct view_job *job)
{
    return (size_t)job->output->height * (size_t)job->output->width;
}

#endif
