/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/seen.h"

bool seen_describe(const struct invar_env_info *env, const char *who, const char *without, int64_t count,
                   struct invar_dataset_info *info, struct invar_error *err)
{
    if (env->rank != 3 || env->dtype != INVAR_UINT8 || env->shape[0] > 16)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: %s is of views of images of bytes with up to 16 channels, and its observations are "
                               "%s of %s: set %s",
                               env->id, who, env->rank == 3 ? "images" : "numbers", invar_dtype_name(env->dtype),
                               without);
    *info = (struct invar_dataset_info){.source = env->id,
                                        .kind = INVAR_DATA_IMAGE,
                                        .rank = 3,
                                        .height = (int)env->shape[1],
                                        .width = (int)env->shape[2],
                                        .channels = (int)env->shape[0],
                                        .count = {count, count},
                                        .in_memory = true};
    for (int c = 0; c < 16; c++)
        info->deviation[c] = 1;
    return true;
}

/* Observations are kept plane by plane, and views take them pixel by pixel. */
void seen_sample(const struct invar_dataset_info *info, const unsigned char *planes, unsigned char *pixels,
                 int64_t index, struct invar_sample *sample)
{
    const int all = info->height * info->width;

    for (int c = 0; c < info->channels; c++)
        for (int i = 0; i < all; i++)
            pixels[i * info->channels + c] = planes[c * all + i];
    *sample = (struct invar_sample){.kind = INVAR_DATA_IMAGE,
                                    .dtype = INVAR_UINT8,
                                    .height = info->height,
                                    .width = info->width,
                                    .channels = info->channels,
                                    .data = pixels,
                                    .index = index,
                                    .label = -1,
                                    .group = -1};
}
