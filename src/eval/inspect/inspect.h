/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_INSPECT_H
#define INVAR_EVAL_INSPECT_H

#include "eval/embed.h"
#include "eval/pass.h"
#include "invar/inspect.h"
#include "invar/memory.h"

/** An inspection on its way. */
struct inspect {
    const struct invar_inspect_subject *subject;
    const struct invar_inspect_options *options;
    struct invar_scratch *scratch;
    struct embed_rows plain, drawn; /**< the same samples under the plain view and under two drawn ones */
    int64_t input_stride;           /**< of the inputs in plain; 0: there are none */
    struct invar_inspection *out;
};

/** Epochs of the draws, which no training reaches. */
enum {
    INSPECT_EPOCH_SAMPLES = (1 << 24) - 1,
    INSPECT_EPOCH_UNLABELLED = (1 << 24) - 2,
    INSPECT_EPOCH_LIDAR = (1 << 24) - 3 /* and below, one for two views */
};

/** Adds a number to a section; says is copied. */
void inspect_add(struct invar_findings *section, const char *name, const char *unit, double value, const char *says);
/** Adds a number that is not known. */
void inspect_add_unknown(struct invar_findings *section, const char *name, const char *unit, const char *why);
/** A zeroed series of a section, name, unit and says constant. */
double *inspect_add_series(struct invar_findings *section, const char *name, const char *unit, const char *says,
                           int64_t count, struct invar_error *err);
/** The section is absent, for this reason. Always true. */
bool inspect_absent(struct invar_findings *section, const char *why);
/** What the data do not allow is a finding; any other failure ends the inspection. */
bool inspect_is_finding(const struct invar_error *err);
bool inspect_tell(const struct inspect *in, const char *what, int64_t done, int64_t total, struct invar_error *err);

/** At most `wanted` of `total`, evenly spaced; free with invar_free. */
int64_t *inspect_spaced(int64_t total, int64_t wanted, int64_t *count, struct invar_error *err);
/** Embeds samples as pass says; what is for the progress. */
bool inspect_embed(struct inspect *in, const char *what, const struct pass_options *pass, int64_t input_stride,
                   bool projector, struct embed_rows *out, struct invar_error *err);
/** Whether there are two views of a sample. */
bool inspect_has_pairs(const struct inspect *in);
/** Two views of the samples that pass names into h[0], h[1] (and z with a projector), drawn in an epoch. */
bool inspect_embed_pairs(struct inspect *in, const char *what, const struct pass_options *pass, uint64_t epoch,
                         bool projector, struct embed_rows *out, struct invar_error *err);

/** Numbers of one space: h or z. */
bool inspect_space(struct inspect *in, enum invar_inspect_section which, struct invar_error *err);
/** Shape of a spectrum and of the cloud of samples: stable rank, NESum, alpha-ReQ, dimension by two neighbours. x: host
 * float32; singular: of x, [min(N, d)]; eigenvalues: of its covariance, [d]. */
bool inspect_shape(struct inspect *in, struct invar_findings *out, const struct invar_array *x, const double *singular,
                   const double *eigenvalues, struct invar_error *err);
/** LiDAR of h and z, on views of its own. */
bool inspect_lidar(struct inspect *in, struct invar_error *err);
/** Takes the drawn views. */
bool inspect_correlation(struct inspect *in, struct invar_error *err);
bool inspect_fisher(struct inspect *in, struct invar_error *err);
/** Means of the classes as a classifier, of the labelled samples. */
bool inspect_means(struct inspect *in, struct invar_error *err);
/** Entropy [I3] of the outputs around an input with noise N(0, s^2), of draws: host [width][draws]. */
bool inspect_conditional_sampled(struct inspect *in, const double *outputs, int64_t width, int64_t draws, double *nats,
                                 struct invar_error *err);
/** The same at every level by J J^T s^2, J by differences; nats: [2][levels], added to, of h and z. */
bool inspect_conditional_jacobian(struct inspect *in, struct runner *runner, const float *input, double *nats[2],
                                  struct invar_error *err);
/** Takes the inputs of in->plain for the distances. */
bool inspect_noise(struct inspect *in, struct invar_error *err);
bool inspect_bound(struct inspect *in, struct invar_error *err);
/** Takes the drawn views. */
bool inspect_view(struct inspect *in, struct invar_error *err);
/** Collapses that the numbers of h and z show. */
void inspect_collapse(struct inspect *in);

/** Ascending, in place. */
void inspect_sort(double *values, int64_t count);
/** Of sorted values, between neighbours linearly. */
double inspect_quantile(const double *sorted, int64_t count, double q);

/** distance[rows]: from every row to the nearest other one; x float32 [rows][cols], rows >= 2. */
bool inspect_nearest(const struct invar_array *x, double *distance, struct invar_error *err);

#endif
