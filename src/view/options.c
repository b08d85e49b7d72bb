/* SPDX-License-Identifier: Apache-2.0 */

/* The `views:` section of a recipe: names, defaults (for images up to 64 pixels), ranges, help; objectives.md 6.1. */

#include "view/view.h"

#include <stddef.h>

#define IMAGE(field) offsetof(struct invar_image_view_options, field)
static const struct invar_option image_options[] = {
    {"crop", INVAR_OPTION_REAL_LIST, IMAGE(crop), "[0.2, 1]", 0.0001, 1, NULL,
     "random resized crop, [low, high] fraction of the area; [1, 1] turns it off"},
    {"crop_aspect", INVAR_OPTION_REAL_LIST, IMAGE(crop_aspect), "[0.75, 1.3333333333333333]", 0.05, 20, NULL,
     "[low, high] width over height of the crop, log-uniform"},
    {"interpolation", INVAR_OPTION_CHOICE, IMAGE(interpolation), "bilinear", 0, 0, INVAR_CHOICES(INVAR_INTERPOLATIONS),
     "how the crop is resized"},
    {"flip", INVAR_OPTION_REAL, IMAGE(flip), "0.5", 0, 1, NULL, "probability of a horizontal flip"},
    {"jitter", INVAR_OPTION_REAL, IMAGE(jitter), "0.8", 0, 1, NULL, "probability of colour jitter as a whole"},
    {"brightness", INVAR_OPTION_REAL, IMAGE(brightness), "0.4", 0, 4, NULL,
     "strength s: factor from max(0, 1 - s) to 1 + s"},
    {"contrast", INVAR_OPTION_REAL, IMAGE(contrast), "0.4", 0, 4, NULL, "strength, as brightness"},
    {"saturation", INVAR_OPTION_REAL, IMAGE(saturation), "0.2", 0, 4, NULL, "strength, as brightness; 3 channels only"},
    {"hue", INVAR_OPTION_REAL, IMAGE(hue), "0.1", 0, 0.5, NULL,
     "strength s: shift from -s to s turns; 3 channels only"},
    {"grayscale", INVAR_OPTION_REAL, IMAGE(grayscale), "0.2", 0, 1, NULL, "probability; 3 channels only"},
    {"blur", INVAR_OPTION_REAL_LIST, IMAGE(blur), "[0]", 0, 1, NULL, "probability of Gaussian blur, by view"},
    {"blur_sigma", INVAR_OPTION_REAL_LIST, IMAGE(blur_sigma), "[0.1, 2]", 0.01, 100, NULL,
     "[low, high] standard deviation of the blur in pixels"},
    {"blur_kernel", INVAR_OPTION_INT, IMAGE(blur_kernel), "0", 0, 1023, NULL,
     "side of the blur's kernel in pixels, odd; 0: a tenth of the shorter side, at least 3"},
    {"gain", INVAR_OPTION_REAL, IMAGE(gain), "0.2", 0, 1, NULL,
     "strength s: factor of each channel from 1 - s to 1 + s; channels other than 1 and 3"},
    {"offset", INVAR_OPTION_REAL, IMAGE(offset), "0.1", 0, 1, NULL,
     "strength s: added to each channel, from -s to s of 0 to 1; channels other than 1 and 3"},
    {0},
};

#define CLIPS(field) offsetof(struct invar_clip_view_options, field)
static const struct invar_option clip_options[] = {
    {"time_crop", INVAR_OPTION_REAL, CLIPS(time_crop), "1", 0, 1, NULL,
     "clips longer than the view: part of their rest over which the crop may begin; 0: always at the start"},
    {"time_shift", INVAR_OPTION_REAL, CLIPS(time_shift), "0.1", 0, 1, NULL,
     "clips, strength s: moved in time by -s to s of the view's length, silence coming in"},
    {"loudness", INVAR_OPTION_REAL, CLIPS(loudness), "6", 0, 60, NULL, "clips, strength s in dB: gain from -s to s"},
    {"background", INVAR_OPTION_REAL, CLIPS(background), "0", 0, 1, NULL,
     "clips: probability of another clip of the batch in the background"},
    {"background_snr", INVAR_OPTION_REAL_LIST, CLIPS(background_snr), "[5, 20]", -60, 120, NULL,
     "[low, high] dB by which the clip is stronger than that background"},
    {"noise", INVAR_OPTION_REAL, CLIPS(noise), "0.5", 0, 1, NULL, "clips: probability of white noise"},
    {"noise_snr", INVAR_OPTION_REAL_LIST, CLIPS(noise_snr), "[10, 40]", -60, 120, NULL,
     "[low, high] dB by which the clip is stronger than that noise"},
    {"time_masks", INVAR_OPTION_INT, CLIPS(time_masks), "1", 0, INVAR_MAX_MASKS, NULL,
     "clips: runs of frames of the spectrogram that are masked"},
    {"time_mask", INVAR_OPTION_REAL, CLIPS(time_mask), "0.2", 0, 1, NULL,
     "their largest length, as part of the frames"},
    {"frequency_masks", INVAR_OPTION_INT, CLIPS(frequency_masks), "1", 0, INVAR_MAX_MASKS, NULL,
     "clips: runs of bands of the spectrogram that are masked"},
    {"frequency_mask", INVAR_OPTION_REAL, CLIPS(frequency_mask), "0.2", 0, 1, NULL,
     "their largest width, as part of the bands"},
    {0},
};

#define TABLE(field) offsetof(struct invar_table_view_options, field)
static const struct invar_option table_options[] = {
    {"corrupt", INVAR_OPTION_REAL_LIST, TABLE(corrupt), "[0]", 0, 1, NULL,
     "tables: probability by view that a column gets the value of a random training row (SCARF)"},
    {0},
};

#define AT(field) offsetof(struct invar_view_options, field)

#define DECLARE_NAMED(name)
#define DECLARE_OWN(name) extern const struct invar_option view_##name##_options[];
#define DECLARE(name, options) DECLARE_##options(name)
VIEW_OPERATIONS(DECLARE)
#define PART_NAMED(name)
#define PART_OWN(name) INVAR_PART(#name, AT(own[VIEW_PLACE_##name]), view_##name##_options),
#define PART(name, options) PART_##options(name)

const struct invar_option invar_view_option_table[] = {
    {"count", INVAR_OPTION_INT, AT(count), "2", 1, INVAR_MAX_VIEWS, NULL, "views of a sample, of the encoder's size"},
    {"clean", INVAR_OPTION_BOOL, AT(clean), "false", 0, 0, NULL,
     "view 1 is the sample itself, as evaluation sees it: nothing of it is drawn"},
    {"local", INVAR_OPTION_INT, AT(local), "0", 0, INVAR_MAX_VIEWS - 1, NULL,
     "further, local views of a sample (multi-crop): small crops at a smaller size, which a target network does not "
     "see"},
    {"local_size", INVAR_OPTION_INT, AT(local_size), "0", 0, 65536, NULL, "side of a local view in pixels"},
    {"local_crop", INVAR_OPTION_REAL_LIST, AT(local_crop), "[0.05, 0.2]", 0.0001, 1, NULL, "crop of local views"},
    INVAR_PART("image", AT(image), image_options),
    {"mix", INVAR_OPTION_REAL_LIST, AT(mix), "[0]", 0, 1, NULL,
     "probability of mixup with the same view of another sample of the batch, by view; any kind of data"},
    {"mix_share", INVAR_OPTION_REAL_LIST, AT(mix_share), "[0.5, 1]", 0.0001, 1, NULL,
     "[low, high] a sample's own share of its mixture, uniform (DACL)"},
    {"mix_alpha", INVAR_OPTION_REAL, AT(mix_alpha), "0", 0, 1000, NULL,
     "above 0: the share is max(b, 1 - b) with b from Beta(alpha, alpha) instead (i-Mix: 1)"},
    INVAR_PART("clips", AT(clips), clip_options),
    INVAR_PART("table", AT(table), table_options),
    {"blank", INVAR_OPTION_REAL_LIST, AT(blank), "[0]", 0, 1, NULL,
     "probability by view that a column of a table, or a place of an image or spectrogram, is emptied: the mean, no "
     "category"},
    VIEW_OPERATIONS(PART){NULL, INVAR_OPTION_INT, 0, NULL, 0, 0, NULL, NULL},
};

double view_list_at(const struct invar_real_list *list, int i)
{
    if (list->count < 1)
        return 0.0;
    return list->value[i < list->count ? i : list->count - 1];
}

/* [low, high]: one number stands for both. */
static bool pair_check(const struct invar_real_list *list, const char *name, struct invar_error *err)
{
    if (list->count < 1 || list->count > 2)
        return invar_error_set(err, INVAR_ERROR_USAGE, "views.%s: has %d entries; give [low, high]", name, list->count);
    if (!(view_list_at(list, 0) > 0.0) || !(view_list_at(list, 0) <= view_list_at(list, 1)))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "views.%s: [%g, %g] is no range; give [low, high] with 0 < low <= high", name,
                               view_list_at(list, 0), view_list_at(list, 1));
    return true;
}

/* [low, high] in dB, of any sign. */
static bool decibels_check(const struct invar_real_list *list, const char *name, struct invar_error *err)
{
    if (list->count <= 2 && view_list_at(list, 0) <= view_list_at(list, 1))
        return true;
    return invar_error_set(err, INVAR_ERROR_USAGE, "views.%s: is no range; give [low, high] in dB with low <= high",
                           name);
}

int64_t invar_view_count(const struct invar_view_options *options)
{
    return options->count + options->local;
}

static bool by_view_check(const struct invar_view_options *options, const struct invar_real_list *list,
                          const char *name, struct invar_error *err)
{
    if (list->count < 1 || list->count > invar_view_count(options))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "views.%s: has %d entries for %d views; give one a view, or fewer (the last repeats)",
                               name, list->count, (int)invar_view_count(options));
    return true;
}

/* The list of one entry a view with which the own options of such an operation begin. */
static const struct invar_real_list *own_list(const struct invar_view_options *options, int operation)
{
    return view_operations[operation]->by_view ? (const void *)options->own[operation] : NULL;
}

static bool own_check(const struct invar_view_options *options, struct invar_error *err)
{
    for (int i = 0; i < VIEW_PLACES; i++)
        if (own_list(options, i) && own_list(options, i)->count > 0 &&
            !by_view_check(options, own_list(options, i), view_operations[i]->name, err))
            return false;
    return true;
}

static bool clean_list_check(const struct invar_real_list *list, const char *name, struct invar_error *err)
{
    if (!(view_list_at(list, 0) > 0.0))
        return true;
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "views.%s: is %g for view 1, which views.clean leaves as it is; give [0, %g]", name,
                           view_list_at(list, 0), view_list_at(list, 1));
}

/* What is drawn for view 1 alone would be lost. */
static bool clean_check(const struct invar_view_options *options, struct invar_error *err)
{
    for (int i = 0; i < VIEW_PLACES && options->clean; i++)
        if (own_list(options, i) && !clean_list_check(own_list(options, i), view_operations[i]->name, err))
            return false;
    return !options->clean ||
           (clean_list_check(&options->mix, "mix", err) && clean_list_check(&options->table.corrupt, "corrupt", err) &&
            clean_list_check(&options->blank, "blank", err));
}

static void list_trim(struct invar_real_list *list, int64_t count)
{
    if (list->count > count)
        list->count = (int)count;
}

void invar_view_options_trim(struct invar_view_options *options, int64_t count)
{
    struct invar_real_list *const named[] = {&options->image.blur, &options->mix, &options->table.corrupt,
                                             &options->blank};

    options->count = count;
    options->local = options->local_size = 0;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        list_trim(named[i], count);
    for (int i = 0; i < VIEW_PLACES; i++)
        if (own_list(options, i))
            list_trim((void *)options->own[i], count);
}

/* Operations on finished views; draws of columns need columns. */
static bool finished_check(const struct invar_view_options *options, const struct invar_dataset_info *info,
                           struct invar_error *err)
{
    const struct invar_real_list *lists[] = {&options->table.corrupt, &options->blank};
    static const char *const names[] = {"corrupt", "blank"};

    for (int i = 0; i < 2; i++) {
        bool on = false;
        if (lists[i]->count > invar_view_count(options))
            return by_view_check(options, lists[i], names[i], err);
        for (int v = 0; v < lists[i]->count; v++)
            on = on || lists[i]->value[v] > 0.0;
        if (on && i == 0 && info && !info->table)
            return invar_error_set(
                err, INVAR_ERROR_USAGE,
                "views.%s: is for columns of a table, and %s is none; set it to 0, or data.source to "
                "csv:FILE",
                names[i], info->source);
    }
    return true;
}

static bool local_check(const struct invar_view_options *options, const struct invar_dataset_info *info,
                        struct invar_error *err)
{
    if (options->local > INVAR_MAX_VIEWS - options->count)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "views.local: %lld beside %lld of views.count; give at most %d views in all",
                               (long long)options->local, (long long)options->count, INVAR_MAX_VIEWS);
    if (options->local > 0 && options->local_size < 1)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "views.local_size: is missing, but views.local is %lld; give the side of a local view in "
            "pixels",
            (long long)options->local);
    if (options->local == 0 && options->local_size > 0)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "views.local_size: is %lld, but there are no local views; set views.local to their number",
            (long long)options->local_size);
    if (options->local > 0 && info && info->kind != INVAR_DATA_IMAGE)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "views.local: %lld local views, but only images have them; set it to 0",
                               (long long)options->local);
    if (options->local > 0 && info && (options->local_size > info->height || options->local_size > info->width))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "views.local_size: %lld is larger than the %d x %d pixels of global views; give less",
                               (long long)options->local_size, info->height, info->width);
    return options->local == 0 || pair_check(&options->local_crop, "local_crop", err);
}

bool invar_view_options_check(const struct invar_view_options *options, const struct invar_dataset_info *info,
                              struct invar_error *err)
{
    if (!invar_options_check(invar_view_option_table, options, "views", err))
        return false;
    if (options->image.blur_kernel > 0 && options->image.blur_kernel % 2 == 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "views.blur_kernel: %lld has no centre; give an odd number of at most 1023, or 0",
                               (long long)options->image.blur_kernel);
    return local_check(options, info, err) && finished_check(options, info, err) && clean_check(options, err) &&
           pair_check(&options->image.crop, "crop", err) &&
           pair_check(&options->image.crop_aspect, "crop_aspect", err) &&
           pair_check(&options->image.blur_sigma, "blur_sigma", err) &&
           by_view_check(options, &options->image.blur, "blur", err) &&
           by_view_check(options, &options->mix, "mix", err) && pair_check(&options->mix_share, "mix_share", err) &&
           own_check(options, err) && decibels_check(&options->clips.background_snr, "background_snr", err) &&
           decibels_check(&options->clips.noise_snr, "noise_snr", err);
}
