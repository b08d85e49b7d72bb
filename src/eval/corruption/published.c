/* SPDX-License-Identifier: Apache-2.0 */
/* Errors on ImageNet-C that ReLIC's paper prints, to stand beside one's own. */
#include "invar/robustness.h"

#include <math.h>
#include <string.h>

/* Mitrovic et al., arXiv 2010.07922: CE of Tables 3 and 6, rCE of Table 7; clean error of the linear evaluation, 100
 * less top-1, which it does not print for the supervised network. As printed; its text contradicts them in places. */
static const char *const corruptions[] = {
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
};
enum { CORRUPTIONS = sizeof corruptions / sizeof *corruptions };

static const struct {
    const char *name;
    double mce, mrce, clean, ce[CORRUPTIONS], rce[CORRUPTIONS];
} published[INVAR_PUBLISHED] = {
    {"supervised",
     76.7,
     105,
     NAN,
     {80, 82, 83, 75, 89, 78, 80, 78, 75, 66, 57, 71, 85, 77, 77},
     {104, 107, 107, 97, 126, 107, 110, 101, 97, 79, 62, 89, 146, 111, 132}},
    {"SimCLR",
     87.5,
     111.9,
     30.7,
     {79.4, 81.9, 89.6, 94.8, 103.3, 101.8, 101.9, 83.7, 80.6, 65.6, 71.5, 54, 106.8, 105.2, 93},
     {88, 92.7, 106.6, 122.2, 139.6, 140.5, 139.4, 96.9, 91.6, 59.9, 74.8, 36.7, 181.5, 158.3, 149.8}},
    {"ReLIC",
     76.4,
     87.7,
     29.7,
     {67.8, 70.7, 77, 81.4, 96.9, 92.7, 93.2, 73.7, 71.2, 54.5, 60.2, 46.9, 97.4, 85.5, 77.2},
     {67.3, 73.1, 84.8, 96.1, 128.7, 123, 123.1, 79.3, 74.4, 38.9, 33.4, 24.6, 157.5, 112, 99.8}},
    {"BYOL",
     72.3,
     90,
     25.7,
     {65.9, 68.4, 73.7, 75, 93.6, 86.3, 87.9, 74.3, 69.1, 48.5, 55, 48.6, 90.4, 74.3, 73},
     {72.5, 77.2, 86.7, 93, 132, 120, 122.5, 89.7, 80.2, 36.6, 41.5, 37.8, 155, 97.6, 108.4}},
    {"ReLIC+target",
     70.8,
     88.4,
     25.2,
     {63.6, 65.7, 69.2, 73.2, 94, 81.9, 87, 73.2, 68, 47.5, 54.2, 48.4, 89.5, 75.6, 71.8},
     {69.1, 73, 79.2, 90.4, 134.2, 111.6, 121.9, 88.5, 79.2, 35.6, 41.7, 38.5, 154.5, 102.7, 106.8}},
};

const char *invar_published_name(int i)
{
    return published[i].name;
}

/* NaN for the supervised network, whose clean error the paper does not print: what is derived from it is then none
 * either, instead of a guess. */
double invar_published_clean(int i)
{
    return published[i].clean;
}

bool invar_published_error(int i, const char *corruption, double *ce, double *rce)
{
    for (int c = 0; c < CORRUPTIONS; c++)
        if (strcmp(corruptions[c], corruption) == 0) {
            *ce = published[i].ce[c];
            *rce = published[i].rce[c];
            return true;
        }
    return false;
}

/* Errors are had from CE by AlexNet's, so that what the clean error explains can be taken off. */
struct invar_published_means invar_published_means(int i)
{
    /* mCE and mrCE as printed and not from the columns, whose rounding would show in the last digit. */
    struct invar_published_means m = {.mce = published[i].mce, .mrce = published[i].mrce};

    for (int c = 0; c < CORRUPTIONS; c++)
        /* A CE is a share of AlexNet's error, both in percent: hence the division by 100, and one by the number of
         * corruptions for the mean. */
        m.mean_error += published[i].ce[c] * invar_alexnet_error(corruptions[c]) / 100 / CORRUPTIONS;
    m.less_clean = m.mean_error - published[i].clean;
    return m;
}
