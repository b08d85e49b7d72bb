/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_ROBUSTNESS_H
#define INVAR_ROBUSTNESS_H

#include "invar/expert/corruption.h"
#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"
#include "invar/watch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Errors of a frozen encoder and a linear classifier under corruption ([E1]), and on data of other origin:
 * docs/evaluation.md, "Robustness". */

/** A linear classifier of representations: scores = weight h + bias. Borrowed. */
struct invar_classifier {
    int classes;
    int64_t dimensions;
    const double *weight; /**< [classes][dimensions] */
    const double *bias;   /**< [classes] */
};

/* ---- errors by corruption and severity ---- */

/** One corruption at one severity, and what came out. */
struct invar_robustness_cell {
    const struct invar_corruption_spec *corruption;
    int severity; /**< 1 .. INVAR_CORRUPTION_SEVERITIES */
    int64_t count, wrong;
};

struct invar_robustness_options {
    enum invar_corruption_table table;
    uint64_t seed;
    const struct invar_frost *frost; /**< NULL: synthetic pictures */
    int64_t limit;                   /**< so many images of the test split, evenly spread; 0: all of them */
    struct invar_share share;        /**< of these images; counts are of them alone, and may be 0 */
    const struct invar_watch *watch; /**< told after every batch of corrupted images; may be NULL */
};

/**
 * Whether the test split of data can be seen by the encoder and corrupted in all cells, found out on a black image of
 * the size that the encoder sees. Refused, beside what invar_corrupt refuses: data that are no images of 1 or 3
 * channels, no test images.
 */
bool invar_robustness_check(const struct invar_encoder *encoder, const struct invar_dataset_info *info,
                            const struct invar_robustness_options *options, const struct invar_robustness_cell *cells,
                            int count, struct invar_error *err);
/**
 * Classifies the test split as it is (*clean: corruption NULL) and in every cell. Each image is brought to the size
 * that the encoder sees, as 8-bit values, and then corrupted, by threads that work ahead of the network; index of
 * invar_corrupt is the number of the image in the split, so that results depend neither on the threads nor on what else
 * is measured. Refused: what invar_robustness_check refuses, images without labels, a representation that is not
 * finite.
 */
bool invar_robustness_measure(struct invar_device *device, const struct invar_encoder *encoder,
                              struct invar_dataset *dataset, const struct invar_classifier *classifier,
                              const struct invar_robustness_options *options, struct invar_robustness_cell *cells,
                              int count, struct invar_robustness_cell *clean, struct invar_error *err);

/**
 * The same on corrupted images that lie ready in a folder: arrays NAME.npy, uint8 [5 N][H][W][C] or [5 N][H][W], the
 * severities one after the other, beside labels.npy of 5 N or N classes by number (CIFAR-10-C); or files
 * NAME/SEVERITY/CLASS/IMAGE, classes by name (ImageNet-C). info is of the data that the classifier was fitted on.
 * Of the options only limit and watch count.
 */
bool invar_robustness_ready(struct invar_device *device, const struct invar_encoder *encoder,
                            const struct invar_dataset_info *info, const char *folder,
                            const struct invar_classifier *classifier, const struct invar_robustness_options *options,
                            struct invar_robustness_cell *cells, int count, struct invar_error *err);

/* ---- flips: how often a prediction changes along a parameter of a view ---- */

/** A parameter of a view that runs from low to high in equal steps while nothing else changes. */
struct invar_flip_sequence {
    const char *name, *help;
    double low, high;
    bool colour; /**< of images of 3 channels alone */
};
/** NULL behind the last. */
const struct invar_flip_sequence *invar_flip_sequence_at(int i);
enum { INVAR_FLIP_SEQUENCES = 7, INVAR_FLIP_STEPS = 11 };

/** One sequence over all images: how many neighbouring steps there were, and in how many of them the class differs. */
struct invar_flips {
    const struct invar_flip_sequence *sequence;
    int64_t count, flipped; /**< count 0: of colour, and the images have none */
};
/**
 * Classifies the test split along every sequence, in `steps` steps (2 or more); labels are not read. Of the options
 * limit and share count. out: [INVAR_FLIP_SEQUENCES]. What invar_robustness_check refuses must be ruled out.
 */
bool invar_flips_measure(struct invar_device *device, const struct invar_encoder *encoder,
                         struct invar_dataset *dataset, const struct invar_classifier *classifier,
                         const struct invar_robustness_options *options, int steps, struct invar_flips *out,
                         struct invar_error *err);

/* ---- [E1], in percent: 100 is as bad as the reference ---- */

/** CE: errors and those of the reference by severity. NAN where the reference makes no errors. */
double invar_corruption_error(const double *error, const double *reference, int count);
/** rCE: the same above the clean errors. NAN where the reference is no worse than it is on clean images. */
double invar_relative_corruption_error(const double *error, double clean, const double *reference,
                                       double reference_clean, int count);

/** AlexNet's error on ImageNet-C in percent, the mean over the severities. NAN for an unknown corruption. */
double invar_alexnet_error(const char *corruption);
/** The same on clean images, of the paper. */
#define INVAR_ALEXNET_CLEAN_ERROR 43.5

/* ---- what ReLIC's paper prints for ImageNet-C (arXiv 2010.07922, Tables 3, 6 and 7), ResNet-50 ---- */

enum { INVAR_PUBLISHED = 5 };
/** i below INVAR_PUBLISHED: supervised, SimCLR, ReLIC, BYOL, ReLIC with target. */
const char *invar_published_name(int i);
/** Percent; NAN: not printed. */
double invar_published_clean(int i);
/** CE and rCE over AlexNet's, percent. False for a corruption that is none of the 15. */
bool invar_published_error(int i, const char *corruption, double *ce, double *rce);
/** Over the 15; mean_error follows from CE and AlexNet's errors, less_clean is it less the clean error. */
struct invar_published_means {
    double mce, mrce, mean_error, less_clean;
};
struct invar_published_means invar_published_means(int i);

/* ---- classes of other data ---- */

/**
 * map[other->classes]: for every class of other data the class of the same name, -1 where there is none. Names are
 * equal, or, where none is, numbers of one value, or equal but for capitals and whatever is neither letter nor digit
 * (if one alone is). Data without names have numbers as names.
 */
void invar_classes_match(const struct invar_dataset_info *own, const struct invar_dataset_info *other, int *map);

#ifdef __cplusplus
}
#endif

#endif
