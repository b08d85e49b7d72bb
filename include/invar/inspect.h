/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_INSPECT_H
#define INVAR_INSPECT_H

#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"
#include "invar/expert/perturber.h"
#include "invar/view.h"
#include "invar/watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the numbers of measure.h say about a trained encoder: information, geometry, classes, the Gaussian assumption
 * and the generalisation bound, each with its unit and a line that explains it. docs/evaluation.md has the protocol.
 */

struct invar_inspect_options {
    int64_t samples;       /**< at most so many of the split, evenly spaced */
    int64_t seed;          /**< of views, noise and the draw of labelled samples */
    double beta;           /**< of LogDet */
    double sigma;          /**< of PairDist; 0: sigma^2 is a tenth of the total variance of what is measured */
    double uniformity_t;   /**< of the uniformity */
    int64_t noise_samples; /**< inputs that get noise; 0: no such check */
    int64_t noise_draws;   /**< noisy copies of an input at a level */
    struct invar_real_list noise_levels; /**< ascending, in deviations of a channel */
    int64_t labelled, unlabelled;        /**< n and m of [I6]; labelled 0: no bound */
    int64_t lidar_samples, lidar_views;  /**< samples, views of each; samples 0: no LiDAR */
    int64_t jacobian_samples;            /**< of those that get noise; 0: no Jacobians */
    double collapse_deviation;           /**< of z: less is a collapse */
    double collapse_rank;                /**< share of the directions that there could be */
    double collapse_spread;              /**< of directions */
};
extern const struct invar_option invar_inspect_option_table[];

/** What is inspected; all of it borrowed. */
struct invar_inspect_subject {
    struct invar_device *device;
    struct invar_dataset *dataset;
    enum invar_split split;
    const struct invar_encoder *encoder; /**< NULL: samples of the dataset are representations h already, as
                                            invar_dataset_open_features gives them */
    struct invar_dataset *pair; /**< then h of another view of every sample, row by row, split alike; NULL: none */
    const struct invar_head *projector;     /**< NULL: z is not measured */
    const char *no_projector;               /**< why not, a sentence; may be NULL where there is one */
    const struct invar_view_options *views; /**< the first two global ones are drawn; NULL: nothing about views */
    struct invar_perturber *perturber;      /**< perturbs those of them that it is for; NULL: none */
    double logdet_beta;              /**< of the LogDet term on raw z that the encoder was trained with; 0: none */
    double logdet_share;             /**< r of invar_objective_logdet_share; 0: not known */
    const double *probe_error;       /**< percent, of a linear probe on h, to stand beside the correlations; or NULL */
    const char *no_probe_error;      /**< why not, a sentence; may be NULL where there is one */
    const struct invar_watch *watch; /**< may be NULL */
};

#define INVAR_FINDING_TEXT 512
/** One number. */
struct invar_finding {
    const char *name, *unit;
    bool known; /**< false: the data do not allow it, and says has the reason */
    double value;
    char says[INVAR_FINDING_TEXT];
};
/** Numbers that belong together: a spectrum, a histogram, a column of a table. */
struct invar_series {
    const char *name, *unit, *says;
    int64_t count;
    double *value;
};

#define INVAR_MAX_FINDINGS 40
#define INVAR_MAX_SERIES 13
struct invar_findings {
    const char *name, *title;
    bool present; /**< false: nothing was measured, and absent says why */
    char absent[INVAR_FINDING_TEXT];
    int count, series_count;
    struct invar_finding finding[INVAR_MAX_FINDINGS];
    struct invar_series series[INVAR_MAX_SERIES];
};

enum invar_inspect_section {
    INVAR_INSPECT_REPRESENTATION, /**< the representation: information and geometry */
    INVAR_INSPECT_EMBEDDING,      /**< the embedding, the same */
    INVAR_INSPECT_CORRELATION,    /**< canonical correlations of two views, in h and z [A6] */
    INVAR_INSPECT_FISHER,         /**< separability of the classes in h [R5], and their means as a classifier */
    INVAR_INSPECT_NOISE,          /**< normality of the outputs under input noise */
    INVAR_INSPECT_BOUND,          /**< the generalisation bound of a linear head on h [I6] */
    INVAR_INSPECT_VIEW,           /**< what h and z know of how their view was drawn */
    INVAR_INSPECT_SECTIONS
};

#define INVAR_MAX_WARNINGS 8
struct invar_inspection {
    int64_t samples;                    /**< that could be read */
    int64_t labelled;                   /**< of these, with a label: what the measures by class are of */
    int64_t h_width, z_width;           /**< z_width 0: z was not measured */
    char perturbed[INVAR_FINDING_TEXT]; /**< what the perturber did to the drawn views; empty: there is none */
    struct invar_findings section[INVAR_INSPECT_SECTIONS];
    int warning_count;
    struct invar_finding
        warning[INVAR_MAX_WARNINGS]; /**< name: the kind of collapse; value: of the number that shows it */
};

/**
 * Measures. NULL with err set for what invar_embed refuses (a representation or an embedding that is not finite names
 * its sample); what the data do not allow is part of the report. The same bits for the same seed and number of
 * threads. Free with invar_inspection_free.
 */
struct invar_inspection *invar_inspect(const struct invar_inspect_subject *subject,
                                       const struct invar_inspect_options *options, struct invar_error *err);
/** Sets names and titles of the sections. */
void invar_inspection_name(struct invar_inspection *inspection);
/** NULL is accepted. */
void invar_inspection_free(struct invar_inspection *inspection);
/** A number by its name; NULL where there is none, or its section is absent. */
const struct invar_finding *invar_inspection_find(const struct invar_inspection *inspection,
                                                  enum invar_inspect_section section, const char *name);
/** A series by its name; NULL where there is none. */
const struct invar_series *invar_inspection_series(const struct invar_inspection *inspection,
                                                   enum invar_inspect_section section, const char *name);

#ifdef __cplusplus
}
#endif

#endif
