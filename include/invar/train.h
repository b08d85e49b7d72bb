/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_H
#define INVAR_TRAIN_H

#include "invar/data.h"
#include "invar/device.h"
#include "invar/encoder.h"
#include "invar/expert/objective.h"
#include "invar/view.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- optimisers: one file each and one line in the table ---- */

enum invar_segment_cut {
    INVAR_SEGMENT_WHOLE,   /**< the whole vector in one */
    INVAR_SEGMENT_BY_KIND, /**< neighbours that are all 1-D (biases, norm parameters), or all not, in one */
    INVAR_SEGMENT_EACH,    /**< every parameter by itself */
};
struct invar_optimiser_spec {
    const char *name, *help;            /* sgd, adam, adamw, lars */
    const struct invar_option *options; /* without `kind` and `lr` */
    size_t options_size;
    int buffers; /* state vectors of trained_count floats */
    /** What the table cannot say about options (may be NULL): a sentence when they do not fit. */
    bool (*check)(const void *options, struct invar_error *err);
    /** How finely the parameter vector is cut; NULL: not at all. Parameters of role BIAS and NORM are "1-D". */
    enum invar_segment_cut (*cut)(const void *options);
    /** Scalars of its own for a step, which counts from 1, into own[4]; NULL: it has none. */
    void (*scalars)(const void *options, double rate, int64_t step, double *own);
    /** Whether the kernel reads norms of segments, with decay times the parameters added to gradients; NULL: none. */
    double (*norm_decay)(const void *options, const struct invar_segment *segment);
    invar_update_kernel *kernel;
};
const struct invar_optimiser_spec *invar_optimiser_find(const char *name, struct invar_error *err);
const struct invar_optimiser_spec *const *invar_optimiser_list(void);

/** An optimiser of one net. spec, options, weights and buffers (device [spec->buffers][trained_count], zero at first)
 * are borrowed. */
struct invar_optimiser;
struct invar_optimiser *invar_optimiser_create(const struct invar_optimiser_spec *spec, const void *options,
                                               const struct invar_weights *weights, float *const *buffers,
                                               struct invar_error *err);
void invar_optimiser_free(struct invar_optimiser *optimiser);
/** scalars, host [INVAR_SCALAR_COUNT]: RATE and those of its own for a step, which counts from 1; GO and CLIP 1. */
void invar_optimiser_scalars(const struct invar_optimiser *optimiser, double rate, int64_t step, double *scalars);
/** One update of the whole net: one call of the device, two where the kernel reads norms. scalars: device. */
void invar_optimiser_update(struct invar_optimiser *optimiser, const double *scalars);

/* ---- schedules ---- */

/** `SCHED` of the golden cases: step k from 0; linear warm-up from start_ratio * peak, then cosine to final_ratio *
 * peak.
 */
double invar_schedule_rate(double peak, int64_t step, int64_t warmup_steps, int64_t total_steps, double start_ratio,
                           double final_ratio);
/** [R4]: m for update k of K. */
double invar_schedule_momentum(double base, int64_t step, int64_t total_steps);

/* ---- recipes ---- */

/** How the momentum of a target network goes: up to 1 over the run [R4], or not at all. */
#define INVAR_MOMENTUM_SCHEDULES(CHOICE)                                                                               \
    CHOICE(INVAR_MOMENTUM_COSINE, "cosine") CHOICE(INVAR_MOMENTUM_CONSTANT, "constant")
enum invar_momentum_schedule { INVAR_MOMENTUM_SCHEDULES(INVAR_CHOICE_CONSTANT) };

struct invar_target_options {
    bool enabled;
    double momentum; /**< m_base */
    enum invar_momentum_schedule schedule;
    bool keep; /**< encoder.safetensors holds the target network's weights */
};
/** The `adversary:` section: who perturbs views, and how far [A1], [A4]. */
struct invar_adversary_options {
    char kind[INVAR_TEXT_SIZE]; /**< none | auto | a generator (invar_generator_list) | noise */
    double eps;                 /**< size of the perturbation, in units of the standardised input; 0: of the data's own
                                   distances (invar_recipe_settle) */
    enum invar_ball p;          /**< of the ball */
    struct invar_int_list widths; /**< of the generator; empty: those of its kind */
    int64_t noise;                /**< 0: as much as the kind has */
    int64_t blocks;
    double lr;                   /**< peak rate of its Adam; follows the schedule of the encoder */
    struct invar_int_list views; /**< global views that are perturbed, from 0 */
    char terms[INVAR_TEXT_SIZE]; /**< names, by commas: what it ascends; empty: all that read a perturbed view */
    bool frozen;                 /**< the generator keeps its initial weights */
    int64_t steps;               /**< of ascent on a batch, before the encoder's one */
};
/** The `classifier:` section: a linear classifier on h, trained on labels beside the encoder, which never sees them. */
struct invar_classifier_options {
    bool enabled;
    double lr; /**< peak rate of its SGD; follows the schedule of the encoder */
    double momentum, weight_decay;
};
/** How often the rate changes; at epochs it stays at that of the epoch's first step. */
#define INVAR_RATE_INTERVALS(CHOICE) CHOICE(INVAR_RATE_EACH_STEP, "step") CHOICE(INVAR_RATE_EACH_EPOCH, "epoch")
enum invar_rate_interval { INVAR_RATE_INTERVALS(INVAR_CHOICE_CONSTANT) };

struct invar_optimiser_options {
    double lr;
    enum invar_rate_scaling lr_scaling;
};
struct invar_training_options {
    double epochs; /**< may be fractional */
    int64_t steps; /**< 0: those of the epochs */
    int64_t batch;
    double warmup;                   /**< part of the run in which the rate rises */
    double start_ratio, final_ratio; /**< first and last rate over the peak */
    enum invar_rate_interval rate_interval;
    int64_t seed;
    enum invar_precision precision;
    double clip;                 /**< gradient norm limit, 0 none */
    int64_t log_interval;        /**< steps */
    int64_t measure_interval;    /**< steps between measurements of entropy, effective rank and alignment */
    int64_t checkpoint_interval; /**< steps; 0: once an epoch */
    double collapse_deviation;   /**< warn when the deviation of norm-free z falls below */
    double collapse_rank;        /**< warn when effective rank falls below */
    bool sync_norm;              /**< of several processes: batch norms are over the rows of all */
};
/** The `device:` section: how the device computes. */
struct invar_compute_options {
    enum invar_convolution convolution;
};

/** A recipe, fully resolved and checked. */
struct invar_recipe {
    char name[INVAR_TEXT_SIZE];
    struct invar_data_options data;
    struct invar_view_options views;
    const struct invar_encoder_spec *encoder;
    void *encoder_options;
    struct invar_head_options projector, predictor; /**< output 0: identity */
    struct invar_target_options target;
    struct invar_adversary_options adversary;
    struct invar_classifier_options classifier;
    struct invar_objective *objective;
    const struct invar_optimiser_spec *optimiser;
    void *optimiser_options;
    struct invar_optimiser_options rate;
    struct invar_training_options training;
    struct invar_compute_options device;
    char init[INVAR_TEXT_SIZE]; /**< safetensors to start from, or empty */
};

/**
 * Reads NAME (a recipe that ships) or a path to a YAML file, applies overrides ("encoder.width=32"), then every table
 * with its checks, and the rules that span sections (a term that needs two views or a target, ...). What the recipe
 * says of the samples of its data.source alone (labels, test_labels, test, test_rows, metadata, group) is dropped, and
 * told in the log, where an override names another.
 */
struct invar_recipe *invar_recipe_load(const char *name_or_path, const char *const *overrides, int override_count,
                                       struct invar_error *err);
void invar_recipe_free(struct invar_recipe *recipe);
/** The resolved recipe as YAML; loading it again gives the same text. */
bool invar_recipe_write(const struct invar_recipe *recipe, struct invar_text *out, struct invar_error *err);
/** Names of the recipes that ship and their first comment line; NULL-ended. */
struct invar_recipe_name {
    const char *name, *help, *text;
};
const struct invar_recipe_name *invar_recipe_names(void);
/** Every option of every section with type, default, range and help: `invar recipes schema`. */
bool invar_recipe_schema(struct invar_text *out, struct invar_error *err);
/**
 * The lines of it about a topic: a section ("views"), a kind or term ("small-resnet", "relic") or an option ("tau",
 * "views.crop"), wherever there is one of that name, and those of agents, which is what invar_agent_recipe_schema wrote
 * or NULL. False with the nearest name in err where there is none, or of others, a NULL-ended list or NULL.
 */
bool invar_recipe_help(const char *topic, const char *agents, const char *const *others, struct invar_text *out,
                       struct invar_error *err);

/* ---- training ---- */

#define INVAR_MAX_METRICS 48
/** What a logged step reports; names as in metrics.jsonl ("loss", "loss/relic/contrast", "lr", "gradient_norm",
 * "embedding_std", ...). */
struct invar_metric {
    const char *name;
    double value;
};
struct invar_record {
    int64_t step, total_steps; /**< step counts from 1 */
    double epoch, epochs;
    double samples_per_s, remaining_s;
    int count;
    struct invar_metric metric[INVAR_MAX_METRICS];
};

/**
 * Processes that make the steps of one run together, started by mpirun or srun; each has its rows of every batch.
 * *out NULL: this process was started alone. timeout: seconds after which a process that is silent ends the run, 0:
 * never. Call it once, before anything else that takes long; all processes then make the same calls with the same
 * recipe, data and number of threads. Refused: processes of other versions of invar. What *out has then is to be closed
 * too.
 */
struct invar_ranks;
bool invar_ranks_open(struct invar_ranks **out, double timeout, struct invar_error *err);
/** Waits for the others, which close theirs too, or ends them where this one failed. NULL is accepted, here and below.
 */
void invar_ranks_close(struct invar_ranks *ranks);
int invar_ranks_count(const struct invar_ranks *ranks);
/** From 0; 0 alone writes into the run folder. */
int invar_ranks_rank(const struct invar_ranks *ranks);

struct invar_trainer_options {
    const char *folder; /**< run folder; NULL: nothing is written (dry run, benchmarks) */
    bool resume;        /**< go on from the last good checkpoint of the folder; another training.epochs or
                           training.steps then makes the run longer or shorter, and the data may have moved */
    bool accept_data;   /**< go on though the data are not those of the checkpoint */
    /** Every step, whose record->count is 0 where it is not logged; may be NULL. False ends the run: with
     * INVAR_ERROR_INTERRUPTED in err a checkpoint is saved first and the error says where (the last step counts as
     * done all the same); any other error is that of the run, without a checkpoint of the step */
    bool (*report)(void *user, const struct invar_record *record, struct invar_error *err);
    /** Called before a checkpoint is written, so that what tells of its steps reaches the disk first; false with err:
     * there is no checkpoint, and the run ends with that error. May be NULL */
    bool (*before_checkpoint)(void *user, struct invar_error *err);
    void *user;
    bool profile; /**< keep times by kind of work (invar_trainer_profile) */
    /** [sample_count] numbers of training samples, the only ones that are used, for as many steps as all of them would
     * get; borrowed until the trainer is freed. NULL: all */
    const int64_t *samples;
    int64_t sample_count;
    /** Layer-wise rates: the k-th of the encoder's stages from its output, k from 1, is trained at the rate times
     * layer_decay^k, heads at the rate itself; between 0 and 1. 0: one rate for all */
    double layer_decay;
    struct invar_ranks *ranks; /**< borrowed until the trainer is freed; NULL: this process trains alone */
};

/** The stage, from 0 at the input, that a parameter of an encoder belongs to: "layer3.0.conv1.weight" to that of
 * layer3, "2.linear.weight" to that of 2, those before the first such name ("conv1.weight", "bn1.bias") to the first.
 * Returns the number of stages; stage [net->parameter_count] may be NULL. */
int invar_net_stages(const struct invar_net *net, int *stage);

struct invar_trainer;
/** Borrows recipe, dataset and device. Makes nets, plans, loader; creates the folder (refused when it exists, unless
 * resume). On a device for planning nothing is filled and nothing can be stepped: describe it and free it. */
struct invar_trainer *invar_trainer_create(const struct invar_recipe *recipe, struct invar_dataset *dataset,
                                           struct invar_device *device, const struct invar_trainer_options *options,
                                           struct invar_error *err);
void invar_trainer_free(struct invar_trainer *trainer);
/** One optimiser step. After the first it allocates nothing (data in memory). */
bool invar_trainer_step(struct invar_trainer *trainer, struct invar_record *record, struct invar_error *err);
int64_t invar_trainer_steps_done(const struct invar_trainer *trainer);
int64_t invar_trainer_steps_total(const struct invar_trainer *trainer);
/**
 * The present weights in an encoder and a projector (NULL where there is none) on the host, which belong to the
 * trainer: the next call, and the end of invar_trainer_run, overwrite them. Either argument may be NULL, where it is
 * not wanted. Refused: weights that are not finite.
 */
bool invar_trainer_present(struct invar_trainer *trainer, struct invar_encoder **encoder, struct invar_head **projector,
                           struct invar_error *err);
/** The other way, after such a call: what those two hold now becomes the present weights. Not for a recipe with a
 * target network. */
void invar_trainer_replace(struct invar_trainer *trainer);
/** All remaining steps, checkpoints, and at the end projector.safetensors and classifier.safetensors (where there are
 * such nets) and encoder.safetensors.
 */
bool invar_trainer_run(struct invar_trainer *trainer, struct invar_error *err);
/** Global and local views a sample. */
int invar_trainer_views(const struct invar_trainer *trainer);
/** Of a view; of INVAR_VIEW_CLEAN that of the first. */
struct invar_shape invar_trainer_view_shape(const struct invar_trainer *trainer, int view);
/** Whether the adversary changes it. */
bool invar_trainer_view_perturbed(const struct invar_trainer *trainer, int view);
#define INVAR_VIEW_CLEAN (-1) /**< the plain view of the samples */
/**
 * What the networks saw of the first `count` samples of the last step, out host [count][C][H][W]: the view as it was
 * made or, with `perturbed`, as it went into the encoder. Changes nothing of the training. Refused: before the first
 * step, count above the batch.
 */
bool invar_trainer_view(struct invar_trainer *trainer, int view, bool perturbed, int64_t count, float *out,
                        struct invar_error *err);
/** Seconds by kind of work (views, conv forward, ..., loss, optimiser, other); 0 entries unless options.profile. */
int invar_trainer_profile(const struct invar_trainer *trainer, struct invar_profile_entry *entries, int capacity);
/** What it takes, for --dry-run. */
struct invar_trainer_plan {
    int64_t parameters, encoder_parameters;
    double operations_per_step; /**< floating-point, of convolutions and products: forward, backward, target network */
    double winograd_operations_per_step; /**< the same by Winograd's F(4x4, 3x3): invar_net_winograd_operations */
    double encoder_operations;           /**< multiply-adds of the encoder's forward pass of one view */
    size_t workspace_bytes;              /**< activations, their gradients, scratch */
    size_t weight_bytes;                 /**< parameters, their gradients, running statistics, reordered copies */
    size_t state_bytes;                  /**< of the optimiser */
    size_t input_bytes;                  /**< views, plain inputs and masks, on the host and on the device */
    size_t term_bytes;                   /**< about: work space of the terms */
};
bool invar_trainer_describe(const struct invar_trainer *trainer, struct invar_trainer_plan *out,
                            struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
