/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_VIEW_H
#define INVAR_VIEW_H

#include "invar/data.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the network sees of a sample. The parameters of a view are drawn (counter-based: a function of seed, epoch,
 * sample index and view) apart from their application, so that every device and any number of threads makes the same
 * view. objectives.md 6.1.
 */

#define INVAR_MAX_VIEWS 10
#define INVAR_MAX_MASKS 8
#define INVAR_MAX_VIEW_OPERATIONS 32

/** Options of views of images (objectives.md 6.1). */
struct invar_image_view_options {
    struct invar_real_list crop;        /**< [low, high] area fraction of random resized crop; [1, 1] turns it off */
    struct invar_real_list crop_aspect; /**< [3/4, 4/3], log-uniform */
    enum invar_interpolation interpolation;
    double flip;                                  /**< probability */
    double jitter;                                /**< probability of colour jitter as a whole */
    double brightness, contrast, saturation, hue; /**< strengths */
    double grayscale;                             /**< probability */
    struct invar_real_list blur;                  /**< probability by view */
    struct invar_real_list blur_sigma;            /**< [low, high] pixels */
    int64_t blur_kernel;                          /**< side in pixels, odd; 0: a tenth of the shorter side */
    double gain, offset;                          /**< per-channel, for data with channels other than 1 and 3 */
};
/** Of clips (objectives.md 6.2). */
struct invar_clip_view_options {
    double time_crop;                      /**< part of what a longer clip has too much, over which the crop may lie */
    double time_shift;                     /**< strength s: the crop is moved by -s to s of its length */
    double loudness;                       /**< strength in dB */
    double background;                     /**< probability of another clip of the batch in the background */
    struct invar_real_list background_snr; /**< [low, high] dB */
    double noise;                          /**< probability of white noise */
    struct invar_real_list noise_snr;      /**< [low, high] dB */
    int64_t time_masks, frequency_masks;   /**< masks of a spectrogram, at most INVAR_MAX_MASKS */
    double time_mask, frequency_mask;      /**< largest width, as part of the frames and of the mels */
};
/** Of tables; a column is changed in all its places together. */
struct invar_table_view_options {
    struct invar_real_list corrupt; /**< probability by view that a column gets the value of another training row */
};

/**
 * The `views:` section of a recipe. Views are numbered from 0, global ones (of the size that the encoder sees) first,
 * then local ones (multi-crop: small crops at a smaller size). Lists have one entry a view; a shorter list repeats its
 * last entry.
 */
struct invar_view_options {
    int64_t count;      /**< global views a sample, 1 .. INVAR_MAX_VIEWS */
    bool clean;         /**< the first of them is the plain view */
    int64_t local;      /**< local views a sample, after the global ones; at most INVAR_MAX_VIEWS in all */
    int64_t local_size; /**< side of a local view in pixels */
    struct invar_real_list local_crop; /**< as crop, of local views */
    struct invar_image_view_options image;
    struct invar_real_list mix;       /**< probability of mixup with another sample, by view; any kind */
    struct invar_real_list mix_share; /**< [low, high] a sample's own share of its mixture, uniform */
    double mix_alpha;                 /**< above 0: that share is max(b, 1 - b), b from Beta(alpha, alpha), instead */
    struct invar_clip_view_options clips;
    struct invar_table_view_options table;
    struct invar_real_list blank; /**< probability by view that a column, or a place of an image, becomes 0 */
    /** Options of operations that are off unless they are asked for: set them by name with invar_options_set. */
    unsigned char own[INVAR_MAX_VIEW_OPERATIONS][256];
};
extern const struct invar_option invar_view_option_table[];
/** Global and local views together. */
int64_t invar_view_count(const struct invar_view_options *options);
/** Makes them options of `count` views, no local ones: lists with an entry a view lose what is beyond. */
void invar_view_options_trim(struct invar_view_options *options, int64_t count);
/** What the ranges of the table cannot say: a sentence where options do not fit each other, or not the data (info NULL:
 * not known yet). */
bool invar_view_options_check(const struct invar_view_options *options, const struct invar_dataset_info *info,
                              struct invar_error *err);

/** Everything random about one view of one sample. */
struct invar_view_params {
    float crop_x, crop_y, crop_width, crop_height; /* in pixels of the sample, box inside it */
    bool flip;
    bool jitter;
    uint8_t jitter_order[4];                     /* a permutation of brightness, contrast, saturation, hue */
    float brightness, contrast, saturation, hue; /* factors; hue a shift in turns */
    bool grayscale;
    float blur_sigma; /* 0: none */
    float gain[16], offset[16];
    /* clips */
    float time_place, time_shift; /* 0..1 of what is too much; -1..1 of the view's length */
    float loudness;               /* factor */
    bool background, noise;
    float background_partner, background_place; /* 0..1 of the others in the batch; as time_place */
    float background_snr, noise_snr;            /* dB */
    uint32_t noise_key[2];
    int time_masks, frequency_masks;
    struct invar_view_mask {
        float place, width; /* 0..1 of the free places; part of the side */
    } time_mask[INVAR_MAX_MASKS], frequency_mask[INVAR_MAX_MASKS];
    /* tables: draws by column are made from the keys as they are applied */
    float corrupt, blank;
    uint32_t corrupt_key[2], blank_key[2];
    unsigned char own[INVAR_MAX_VIEW_OPERATIONS][32]; /* draws that only their operation knows */
};

/** Draws the parameters of view number `view` of a sample of the given shape. */
void invar_view_draw(struct invar_view_params *params, const struct invar_view_options *options, uint64_t seed,
                     uint64_t epoch, const struct invar_sample *sample, int view);

/** How views come out: float32 [channels][height][width], standardised by mean and deviation (tables: as they are). */
struct invar_view_output {
    enum invar_data_kind kind;
    int height, width, channels;
    float mean[16], deviation[16];
    enum invar_interpolation interpolation; /* as in the options */
    int blur_kernel;                        /* as in the options; of a workspace that was created for this output */
    struct invar_plain_view plain;          /* as in the dataset's info */
    struct invar_logmel_options logmel;     /* clips: as in the dataset's info */
    const struct invar_table *table;        /* tables: of the dataset's info; borrowed, NULL: nothing can be drawn */
};

/** Work space for one thread, sized for outputs of this shape and samples up to any size. */
struct invar_view_workspace;
struct invar_view_workspace *invar_view_workspace_create(const struct invar_view_output *output,
                                                         struct invar_error *err);
void invar_view_workspace_free(struct invar_view_workspace *workspace);

/** Applies params to sample: out[channels][height][width]. Reentrant with one workspace a thread. There is no batch
 * here, so that clips have no background. */
bool invar_view_apply(const struct invar_view_params *params, const struct invar_view_output *output,
                      const struct invar_sample *sample, struct invar_view_workspace *workspace, float *out,
                      struct invar_error *err);
/** The plain view (evaluation): shorter side resized with antialiasing, centre cropped, standardised; the sample as it
 * is where sizes agree. */
bool invar_view_plain(const struct invar_view_output *output, const struct invar_sample *sample,
                      struct invar_view_workspace *workspace, float *out, struct invar_error *err);

/** A maker of whole batches: a workspace a thread and size of views, OpenMP over samples and views. */
struct invar_view_maker;
struct invar_view_maker *invar_view_maker_create(const struct invar_view_options *options,
                                                 const struct invar_dataset_info *info, struct invar_error *err);
void invar_view_maker_free(struct invar_view_maker *maker);
/** out[global views][count][channels][height][width], behind it [local views][count][channels][local_size][local_size];
 * the same bits whatever the number of threads. No allocation after the first call. */
bool invar_view_maker_batch(struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                            uint64_t seed, uint64_t epoch, float *out, struct invar_error *err);
/** What the last batch drew beyond single samples, host memory of the maker, overwritten by the next batch. */
struct invar_view_drawn {
    const int64_t *partner; /**< [views][count] row that a view was mixed with, its own: with none; NULL: no mixing */
    const double *share;    /**< [views][count] its own share, 1 where it was not mixed; beside partner */
    const float *mask; /**< [views][count][channels][height][width], 1 where corrupt or blank changed a column (all of
                          its places) or a place, before any mixing; NULL: neither is on */
};
const struct invar_view_drawn *invar_view_maker_drawn(const struct invar_view_maker *maker);
/** out[count][channels][height][width], plain views. */
bool invar_view_maker_plain(struct invar_view_maker *maker, const struct invar_sample *samples, int64_t count,
                            float *out, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
