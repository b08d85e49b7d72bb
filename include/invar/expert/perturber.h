/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_PERTURBER_H
#define INVAR_PERTURBER_H

#include "invar/encoder.h"
#include "invar/expert/perturbation.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The adversary of a finished run, at rest: it perturbs samples as it did in training [A1], with the weights and
 * running statistics that its generator ended with.
 */

struct invar_perturber_options {
    const char *kind; /**< auto, a generator (invar_generator_list), or noise */
    const char *file; /**< generator.safetensors of the run; noise has none */
    struct invar_generator_options build;
    double eps;
    enum invar_ball ball;
    struct invar_int_list views; /**< that are perturbed, from 0; at least one */
    int64_t batch;               /**< samples at a time */
};

struct invar_perturber;
/** Borrows device. info: of the data that come (which numbers of a row stay); inputs are as the encoder takes them. */
struct invar_perturber *invar_perturber_open(struct invar_device *device, const struct invar_encoder *encoder,
                                             const struct invar_dataset_info *info,
                                             const struct invar_perturber_options *options, struct invar_error *err);
/** NULL is accepted. */
void invar_perturber_close(struct invar_perturber *perturber);
/** Is this view perturbed? */
bool invar_perturber_has(const struct invar_perturber *perturber, int view);
/** "mlp generator, eps 0.25, p 2" */
const char *invar_perturber_describe(const struct invar_perturber *perturber);
/** Adds delta to x, host [count][dim], the samples under a view; a function of (seed, epoch, sample index, view). */
bool invar_perturber_apply(struct invar_perturber *perturber, int view, const struct invar_sample *samples,
                           int64_t count, uint64_t seed, uint64_t epoch, float *x, struct invar_error *err);

/** Samples that an adversary perturbed, to look at. A zeroed one may be freed. */
struct invar_perturbed {
    struct invar_array index;            /**< int64 [rows]: number of the sample within its split */
    struct invar_array clean, perturbed; /**< float32 [rows][dim] */
    double rms;                          /**< of the perturbation over the coordinates that may be perturbed */
};
/** The first samples of a split, most at most, plainly and under the first view that is perturbed. */
bool invar_perturber_show(struct invar_perturber *perturber, const struct invar_encoder *encoder,
                          struct invar_dataset *dataset, enum invar_split split, int64_t most, uint64_t seed,
                          struct invar_perturbed *out, struct invar_error *err);
void invar_perturbed_free(struct invar_perturbed *perturbed);

#ifdef __cplusplus
}
#endif

#endif
