/* SPDX-License-Identifier: Apache-2.0 */
/* What `invar data` says of clips of sound. */
#include "cli/data.h"

#include <math.h>

#define SILENCE 1e-5f /* no sample of a silent clip is larger; 24 bits go on to 1e-7 */

static bool is_silent(const struct invar_sample *clip)
{
    const float *wave = clip->data;
    for (int i = 0; i < clip->width; i++)
        if (!(fabsf(wave[i]) <= SILENCE))
            return false;
    return true;
}

void data_clips_add(struct data_clips *clips, const struct invar_dataset_info *info, const struct invar_sample *clip)
{
    double seconds = clip->width / info->logmel.rate;

    clips->shortest = clips->count && clips->shortest < seconds ? clips->shortest : seconds;
    clips->longest = clips->longest > seconds ? clips->longest : seconds;
    clips->total += seconds;
    clips->silent += is_silent(clip);
    clips->count++;
}

static double span_of(const struct invar_dataset_info *info)
{
    return (double)invar_logmel_span(&info->logmel, info->width) / info->logmel.rate;
}

void data_clips_print(const struct data_clips *clips, const struct invar_dataset_info *info)
{
    const struct invar_logmel_options *l = &info->logmel;

    printf("clips      %.0f Hz, %.3g to %.3g s, on average %.3g s\n", l->rate, clips->shortest, clips->longest,
           clips->total / (double)(clips->count ? clips->count : 1));
    printf("shape      %d mels x %d frames: %.3g s of a clip, %g to %g Hz, n_fft %lld, hop %lld\n", info->height,
           info->width, span_of(info), l->f_min, l->f_max, (long long)l->n_fft, (long long)l->hop);
    printf("mean       %.4f\ndeviation  %.4f   (training split, log-mel)\n", (double)info->mean[0],
           (double)info->deviation[0]);
}

void data_clips_json(const struct data_clips *clips, const struct invar_dataset_info *info, cJSON *root)
{
    const struct invar_logmel_options *l = &info->logmel;
    cJSON *object = cJSON_AddObjectToObject(root, "clips");

    cJSON_AddNumberToObject(object, "rate", l->rate);
    cJSON_AddNumberToObject(object, "shortest", clips->shortest);
    cJSON_AddNumberToObject(object, "longest", clips->longest);
    cJSON_AddNumberToObject(object, "total", clips->total);
    cJSON_AddNumberToObject(object, "silent", (double)clips->silent);
    cJSON_AddNumberToObject(object, "seen", span_of(info));
    cJSON_AddNumberToObject(object, "n_fft", (double)l->n_fft);
    cJSON_AddNumberToObject(object, "hop", (double)l->hop);
    cJSON_AddNumberToObject(object, "f_min", l->f_min);
    cJSON_AddNumberToObject(object, "f_max", l->f_max);
}
