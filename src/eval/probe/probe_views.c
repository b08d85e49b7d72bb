/* SPDX-License-Identifier: Apache-2.0 */
/* What a classifier that is trained on labels sees of training samples. */
#include "invar/expert/sgd_probe.h"

#include <string.h>

/* Every draw off: options whose views are plain but for the size that the crop brings. What operations have of their
 * own is off by default. */
static void nothing_drawn(struct invar_view_options *views)
{
    const struct invar_real_list zero = {1, {0}};

    invar_options_default(invar_view_option_table, views);
    views->count = 1;
    views->image.crop = (struct invar_real_list){2, {1, 1}};
    views->image.flip = views->image.jitter = views->image.grayscale = views->image.gain = views->image.offset = 0;
    views->image.blur = views->mix = views->table.corrupt = views->blank = zero;
    views->clips.time_shift = views->clips.loudness = views->clips.background = views->clips.noise = 0;
    views->clips.time_masks = views->clips.frequency_masks = 0;
}

/* The first view of the run, without what would make its label wrong. Mixing two samples, or taking columns of
 * another, changes what the label should be; local views are smaller than what the encoder is measured at. */
static void one_of_run(const struct invar_view_options *run, struct invar_view_options *views)
{
    const struct invar_real_list zero = {1, {0}};

    *views = *run;
    invar_view_options_trim(views, 1);
    views->mix = views->table.corrupt = zero;
    views->clips.background = 0;
}

bool invar_probe_views_resolve(const struct invar_probe_views *views, const struct invar_dataset_info *info,
                               const struct invar_view_options *run, struct invar_view_options *drawn, bool *plain,
                               struct invar_error *err)
{
    const bool image = info->kind == INVAR_DATA_IMAGE;

    /* Crop and flip are of images: of other kinds nothing is known that leaves every label right, and auto takes them
     * plainly. */
    *plain = views->augment == INVAR_PROBE_NONE || (views->augment == INVAR_PROBE_AUTO && !image);
    if (views->augment == INVAR_PROBE_CROP_FLIP && !image)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "augment=crop_flip is of images, and %s holds none: give augment=run or augment=none",
                               info->source);
    if (views->augment == INVAR_PROBE_RUN && !run)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "augment=run needs the views of the run, and its recipe.yaml is not there: give "
                               "augment=crop_flip or augment=none");
    if (views->augment == INVAR_PROBE_RUN) {
        one_of_run(run, drawn);
    } else {
        nothing_drawn(drawn);
        if (!*plain) {
            drawn->image.crop = views->crop;
            drawn->image.flip = views->flip;
        }
    }
    return invar_view_options_check(drawn, info, err);
}
