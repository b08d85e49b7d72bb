/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_PERTURBATION_H
#define INVAR_PERTURBATION_H

#include "invar/data.h"
#include "invar/expert/dense.h"
#include "invar/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Adversarial views [A1]: x~ = x + delta, where delta lies on the sphere of an L_p ball and its direction comes from a
 * plan that is handed over, or is noise. What plan that is, and what its gradient is of, is not known here.
 */

struct invar_perturbation_options {
    double eps; /**< mean |delta| (p = 1), RMS of delta (p = 2) or max |delta| (p = inf), in units of the input */
    enum invar_ball ball;
    int64_t samples; /**< of a view, N */
    int64_t views;   /**< perturbed ones, V */
    int64_t dim;     /**< numbers of a sample */
    int64_t noise;   /**< numbers of fresh noise beside them; without a plan: dim */
    bool viewmaker;  /**< inputs are pixels of 0 to 1: the direction is the tanh of what the plan gives, its noise is
                        uniform, and the perturbed sample is clamped to 0 and 1 */
    const uint8_t *mask; /**< host [dim], 0 where a coordinate must stay; NULL: all are perturbed */
};

/**
 * Which numbers of a sample may be perturbed: of a row of a table those of numeric columns and of the categories that
 * training knew, not those that say that a value is missing or another one. *mask: [dim], free with invar_free; NULL
 * where all may be.
 */
bool invar_perturbation_mask(const struct invar_dataset_info *info, uint8_t **mask, struct invar_error *err);

struct invar_perturbation;
/**
 * plan (borrowed, NULL: the noise itself is the direction) has a batch of V * N rows, reads [dim numbers of a sample,
 * noise numbers] and gives dim numbers a row; it is in training mode where a backward pass is wanted. On a device for
 * planning nothing is filled.
 */
struct invar_perturbation *invar_perturbation_create(struct invar_device *device, struct invar_plan *plan,
                                                     const struct invar_perturbation_options *options,
                                                     struct invar_error *err);
void invar_perturbation_free(struct invar_perturbation *perturbation);

/** One of the views of a batch: its number (part of the key of its noise), the clean samples on the host [N][dim], and
 * where they lie on the device, clean before and perturbed after. */
struct invar_perturbed_view {
    int number;
    const float *clean;
    float *x;
};
/**
 * Adds delta to the V views. Noise is a function of (seed, epoch, sample index, view number). A direction of norm
 * below 1e-12 gives delta = 0. found (may be NULL): a slot, which becomes NaN where a direction holds NaN or Inf. No
 * allocation.
 */
bool invar_perturbation_apply(struct invar_perturbation *perturbation, const struct invar_perturbed_view *views,
                              const struct invar_sample *samples, uint64_t seed, uint64_t epoch, double *found,
                              struct invar_error *err);
/** Waits, and looks at the directions of the last apply: one that holds NaN or Inf is an error (INVAR_ERROR_NUMERIC)
 * that names the sample. */
bool invar_perturbation_check(struct invar_perturbation *perturbation, const struct invar_sample *samples,
                              struct invar_error *err);
/**
 * Once after apply: gradient[V], each device [N][dim], of a scalar by the perturbed views; the plan's weights receive
 * scale times its gradient by them (-1 for a generator that ascends with an optimiser that descends).
 */
bool invar_perturbation_backward(struct invar_perturbation *perturbation, const float *const *gradient, double scale,
                                 struct invar_error *err);
/** What the last apply added, device [V * N][dim], row v * N + i. */
const float *invar_perturbation_delta(const struct invar_perturbation *perturbation);
/** Root mean square of that over the perturbed coordinates. */
double invar_perturbation_rms(const struct invar_perturbation *perturbation);
/** Bytes on host and device. */
size_t invar_perturbation_bytes(const struct invar_perturbation *perturbation);

#ifdef __cplusplus
}
#endif

#endif
