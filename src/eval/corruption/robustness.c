/* SPDX-License-Identifier: Apache-2.0 */
/* [E1] and the errors it is made from: AlexNet's, where no other reference is named. */
#include "invar/robustness.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *corruption;
    double error;
} alexnet[] = {
    {"gaussian_noise", 88.6},
    {"shot_noise", 89.4},
    {"impulse_noise", 92.3},
    {"defocus_blur", 82.0},
    {"glass_blur", 82.6},
    {"motion_blur", 78.6},
    {"zoom_blur", 79.8},
    {"snow", 86.7},
    {"frost", 82.7},
    {"fog", 81.9},
    {"brightness", 56.5},
    {"contrast", 85.3},
    {"elastic_transform", 64.6},
    {"pixelate", 71.8},
    {"jpeg_compression", 60.7},
    {"speckle_noise", 84.5},
    {"gaussian_blur", 78.7},
    {"spatter", 71.8},
    {"saturate", 65.8},
};

/* As published with the benchmark: percent of the test images of ImageNet-C, mean over severities. */
double invar_alexnet_error(const char *corruption)
{
    for (size_t i = 0; i < sizeof alexnet / sizeof *alexnet; i++)
        if (strcmp(alexnet[i].corruption, corruption) == 0)
            return alexnet[i].error;
    /* NaN and not 0: there is no such reference, and no ratio to it. */
    return NAN;
}

/* Sums before the ratio: severities where the reference barely suffers would otherwise decide. */
double invar_relative_corruption_error(const double *error, double clean, const double *reference,
                                       double reference_clean, int count)
{
    double above = 0, reference_above = 0;

    for (int i = 0; i < count; i++) {
        above += error[i] - clean;
        reference_above += reference[i] - reference_clean;
    }
    /* A reference that corruption does not harm gives no unit to measure in; NaN is shown as none. */
    return reference_above > 0 ? 100 * above / reference_above : NAN;
}

double invar_corruption_error(const double *error, const double *reference, int count)
{
    /* CE is rCE with both clean errors 0: one sum for both, so that they cannot drift apart. */
    return invar_relative_corruption_error(error, 0, reference, 0, count);
}
