/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_TRAINER_H
#define INVAR_TRAIN_TRAINER_H

#include "invar/log.h"
#include "invar/memory.h"
#include "invar/expert/perturbation.h"
#include "invar/train.h"

#include "train/optimisers.h"

#include <stdio.h>

/*
 * The trainer: a chain of nets (encoder, projector, predictor), each with its plan and optimiser state, and beside
 * encoder and projector a target network where the recipe has one. Local views, which are smaller, pass through a
 * second encoder of the same parameters. Everything random is a function of the seed and the number of the step, so
 * that the state of a run is its weights, its optimiser buffers and its step.
 */

/* The chain, and behind it what is trained against it and beside it. */
enum {
    INVAR_NET_ENCODER,
    INVAR_NET_PROJECTOR,
    INVAR_NET_PREDICTOR,
    INVAR_NET_COUNT,
    INVAR_NET_GENERATOR = INVAR_NET_COUNT,
    INVAR_NET_CLASSIFIER, /* reads the encoder's output, and gives nothing back */
    INVAR_NET_ALL
};

/** One net of the chain. A head that is the identity has net NULL, and nothing else. */
struct invar_chain_net {
    const char *name; /* "encoder", ...; prefix of its arrays in a checkpoint */
    struct invar_net *net;
    bool owns_net; /* the encoder's belongs to trainer->encoder */
    struct invar_weights *weights;
    struct invar_plan *plan;
    const float *output; /* of the last forward pass, device [V * N][width] */
    int buffer_count;
    float *buffers[INVAR_MAX_BUFFERS];    /* optimiser state, device [trained_count] */
    struct invar_optimiser *optimiser;    /* NULL where nothing is trained */
    double *scalars;                      /* device [INVAR_SCALAR_COUNT], beside the optimiser */
    float *output_gradient;               /* device [V * N][width] where a term reads this output, else NULL */
    int64_t width;                        /* of the output of one sample */
    struct invar_head_options head;       /* of a projector or predictor, as it was built */
    struct invar_weights *target_weights; /* NULL without a target network, and for the predictor */
    struct invar_plan *target_plan;
};

/** The encoder for local views, and where its output meets that of global ones; net NULL without local views. */
struct invar_chain_local {
    struct invar_net *net;
    struct invar_weights *weights; /* the encoder's parameters; statistics of local views, which nobody reads */
    struct invar_plan *plan;
    float *joined; /* device [V * N][width]: outputs of global, then of local views */
};

enum invar_work {
    INVAR_WORK_DATA,
    INVAR_WORK_VIEWS,
    INVAR_WORK_ADVERSARY,
    INVAR_WORK_ENCODER,
    INVAR_WORK_HEADS,
    INVAR_WORK_TARGET,
    INVAR_WORK_LOSS,
    INVAR_WORK_OPTIMISER,
    INVAR_WORK_MEASURE,
    INVAR_WORK_COUNT
};

struct invar_trainer {
    const struct invar_recipe *recipe;
    struct invar_dataset *dataset;
    struct invar_device *device;
    struct invar_trainer_options options;
    char *folder; /* NULL: nothing is written */
    int lock;     /* descriptor that holds the folder for this process; -1: none */
    struct invar_text recipe_text;
    struct invar_text machines;    /* JSON: on what the run went on, a list without repeats in the order of the steps */
    struct invar_encoder *encoder; /* on the host: initial weights, then what encoder.safetensors holds */
    struct invar_head *head;       /* the same of the projector, where invar_trainer_present was asked for it */
    struct invar_chain_net nets[INVAR_NET_ALL];
    struct invar_chain_local local;
    struct invar_objective *classifier; /* of the online classifier; NULL without one */
    struct invar_evaluator *classified; /* that evaluates it */
    struct invar_sgd_options classifier_sgd;
    float *logits;                           /* host [V * N][classes], global views */
    struct invar_perturbation *perturbation; /* NULL without an adversary */
    bool *ascended;                          /* [terms] where the generator ascends some alone, else NULL */

    /* the batch: N samples in V views, global ones first, rows v * N + i */
    int64_t batch, views, rows;
    int64_t global_views, global_rows;
    int64_t global_size, input_size; /* floats of a global view, and of the batch */
    struct invar_loader *loader;
    struct invar_view_maker *maker;
    struct invar_sample *samples;     /* [N] */
    int64_t *groups;                  /* [N] refinement groups of samples; NULL where no term reads them */
    int64_t *labels;                  /* [N] classes of samples, likewise */
    int64_t *order;                   /* [sample_count] */
    int64_t sample_count;             /* training samples that are used */
    int64_t order_epoch;              /* the epoch whose order the loader follows; -1 at first */
    float *host_views, *input;        /* host and device: [global views][N][C][H][W], then [local views][N][C][s][s] */
    float *host_plain, *plain, *mask; /* [N][C][H][W] plain inputs; device [V][N][C][H][W] masks; NULL: nobody reads */

    struct invar_embeddings embeddings, gradients;
    struct invar_evaluator *evaluator;
    struct invar_ledger ledger; /* what the device finds in a step, read once, at its end */
    struct invar_trainer_slots {
        double *perturbation, *squares, *generator_squares; /* not finite; of gradients */
    } slots;
    struct invar_scratch *scratch, *kept; /* of one measurement; of the ledger */
    struct invar_term_value *values;      /* [terms] */
    float *before;      /* device [encoder's trained_count] parameters before an update; NULL: one rate for all */
    double *layer_rate; /* [encoder's parameter_count] over the rate */
    double loss, classifier_loss, gradient_norm, generator_norm, rate, target_momentum;

    int64_t step, total, steps_per_epoch, warmup;
    double peak;   /* rate */
    bool finished; /* a resumed run that had ended */
    bool extended; /* its length has been changed, so that encoder.safetensors may be of the shorter run */
    bool rewrite;  /* recipe.yaml is of other length or place of data */
    struct invar_joined {
        int64_t step, steps; /* from that step on, over so many, to the schedule of the present length; 0: all along */
        double rate, momentum;
    } joined;
    int64_t saved; /* step of the newest checkpoint; -1: none */

    bool warned_deviation, warned_rank;
    char names[INVAR_MAX_METRICS][96];
    double window_start, window_rate, step_seconds; /* rates of progress; times in seconds */
    int64_t window_step;

    double seconds[INVAR_WORK_COUNT], total_seconds;
    int64_t calls;
};

/** Seconds of a monotonic clock. */
double invar_trainer_clock(void);
/** Where terms draw from in the present step. */
struct invar_term_key invar_trainer_key(const struct invar_trainer *trainer);
/** Adds the time since *since to one kind of work, and moves *since on. */
void invar_trainer_lap(struct invar_trainer *trainer, enum invar_work work, double *since);

/* ---- nets (chain_create.c, chain.c) ---- */

/** Nets, weights, plans and buffers of the chain; initial weights on the host. */
bool invar_chain_create(struct invar_trainer *trainer, struct invar_error *err);
void invar_chain_free(struct invar_trainer *trainer);
/** Initial weights (those of `init` where the recipe names a file) into the device, target network included. */
bool invar_chain_initialise(struct invar_trainer *trainer, struct invar_error *err);
/** Where the output of a role comes from: the net whose output it is (of the target network for role T). */
int invar_chain_source(const struct invar_trainer *trainer, enum invar_role role);
/** The weights of a net that are to be kept: those of the target network where the recipe keeps it. */
void invar_chain_download(const struct invar_trainer *trainer, int which, float *parameters, float *statistics);
/** The weights of a net from the host; its target network has what it had. */
void invar_chain_upload(struct invar_trainer *trainer, int which, const float *parameters, const float *statistics);
bool invar_chain_forward(struct invar_trainer *trainer, struct invar_error *err);
bool invar_chain_backward(struct invar_trainer *trainer, struct invar_error *err);
/** Optimiser and scalars of a net that is trained, over buffers that are there. */
bool invar_chain_optimise(struct invar_trainer *trainer, struct invar_chain_net *n,
                          const struct invar_optimiser_spec *spec, const void *options, struct invar_error *err);
/** One update of a net at that rate, unless anything that has been found so far in the step is not finite, with
 * gradients of norm `clip` at most (0: any); squares: the slot of theirs. */
void invar_chain_step(struct invar_trainer *trainer, struct invar_chain_net *n, double rate, double clip,
                      const double *squares);
/** Gradient norm, clipping, optimiser, target network. */
void invar_chain_update(struct invar_trainer *trainer);

/* ---- the schedule of a run whose length has been changed (length.c) ---- */

/** Rate and momentum of the target network of the step that comes next. */
double invar_length_rate(const struct invar_trainer *trainer);
double invar_length_momentum(const struct invar_trainer *trainer);
/** From the present step on, go over from that rate and momentum to the schedule of the present length. */
void invar_length_join(struct invar_trainer *trainer, double rate, double momentum);
/** State of the schedule in a checkpoint. recipe_differs: the checkpoint is of another length. Reading refuses a length
 * below the steps done, and another length where the checkpoint does not say its rate. */
bool invar_length_store(const struct invar_trainer *trainer, struct invar_safetensors *file, struct invar_error *err);
bool invar_length_restore(struct invar_trainer *trainer, const struct invar_safetensors *file, int64_t step,
                          bool recipe_differs, struct invar_error *err);

/* ---- on what a run went on (machines.c) ---- */

/** Takes what a checkpoint says of it; of an earlier version's, which says nothing, the number of threads. */
bool invar_machines_restore(struct invar_trainer *trainer, const struct invar_safetensors *file,
                            struct invar_error *err);
/** This machine joins the list, unless it is there. Before the first step that is made here. */
bool invar_machines_join(struct invar_trainer *trainer, struct invar_error *err);

/* ---- layer-wise rates (layers.c) ---- */

/** Room for the encoder's parameters before an update, and the share of it that every one gets. */
bool invar_layers_create(struct invar_trainer *trainer, struct invar_error *err);
void invar_layers_free(struct invar_trainer *trainer);
/** Before and after the optimiser's update of the encoder. */
void invar_layers_keep(struct invar_trainer *trainer);
void invar_layers_scale(struct invar_trainer *trainer);

/* ---- refinement groups (groups.c) ---- */

/** Room for the groups of a batch where a term reads them. Refuses a batch so small that most would hold one group. */
bool invar_groups_create(struct invar_trainer *trainer, struct invar_error *err);
/** The groups of trainer->samples, which invar_groups_create pointed the embeddings to. */
void invar_groups_fill(struct invar_trainer *trainer);

/* ---- labels and mixtures (labels.c) ---- */

/** Room for the labels of a batch where a term reads them. Refuses data without labels, or with more classes than z has
 * columns. */
bool invar_labels_create(struct invar_trainer *trainer, struct invar_error *err);
/** The labels of trainer->samples, and what the views of the batch were mixed of, into the embeddings. */
void invar_labels_fill(struct invar_trainer *trainer);

/* ---- the adversary (adversary.c) ---- */

/** Whether the recipe has one, and whether it has a generator that learns. */
bool invar_adversary_enabled(const struct invar_recipe *recipe);
bool invar_adversary_trained(const struct invar_recipe *recipe);
/** Generator and perturbation; nothing where the recipe has none. After the encoder. */
bool invar_adversary_create(struct invar_trainer *trainer, struct invar_error *err);
/** The perturbation; the generator goes with the chain, later. */
void invar_adversary_free(struct invar_trainer *trainer);
/** Perturbs the views of trainer->input that the recipe names; trainer->host_views keeps the clean ones. */
bool invar_adversary_perturb(struct invar_trainer *trainer, struct invar_error *err);
/** Whether the generator's gradient needs a backward pass of its own. */
bool invar_adversary_apart(const struct invar_recipe *recipe);
/** That pass, after invar_chain_forward; trainer->gradients are used up. Nothing where there is none. */
bool invar_adversary_backward_apart(struct invar_trainer *trainer, struct invar_error *err);
/** The generator's gradient, from that of the encoder's input. After invar_chain_backward; nothing where the pass above
 * made it. */
bool invar_adversary_backward(struct invar_trainer *trainer, struct invar_error *err);
/** Gradient norm and one step. After invar_chain_update, which sets the rate. */
void invar_adversary_update(struct invar_trainer *trainer);

/* ---- the online classifier (classifier.c) ---- */

/** Net, optimiser state and objective; nothing where the recipe has none. Refuses data without labels. After the
 * encoder. */
bool invar_classifier_create(struct invar_trainer *trainer, struct invar_error *err);
/** Its objective; the net goes with the chain. */
void invar_classifier_free(struct invar_trainer *trainer);
/** One update on the encoder's output of the step, at the rate that invar_chain_update set. */
bool invar_classifier_step(struct invar_trainer *trainer, struct invar_error *err);
/** Its loss, once the ledger has been read. */
bool invar_classifier_settle(struct invar_trainer *trainer, struct invar_error *err);
/** Percent of the batch's global views that it put into their class, before the update; of those with a label, NAN
 * where none has one. */
double invar_classifier_top1(struct invar_trainer *trainer);

/* ---- what views were made of (plain.c) ---- */

/** Room for the plain inputs of a batch and the masks of its views where terms read them. */
bool invar_plain_create(struct invar_trainer *trainer, struct invar_error *err);
void invar_plain_free(struct invar_trainer *trainer);
/** Those of trainer->samples, once the views of the batch are made. */
bool invar_plain_fill(struct invar_trainer *trainer, struct invar_error *err);

/* ---- local views (chain_local.c) ---- */

/** Net, weights, plan and room for the outputs; nothing where the recipe has no local views. After the encoder. */
bool invar_local_create(struct invar_trainer *trainer, struct invar_error *err);
void invar_local_free(struct invar_trainer *trainer);
/** Local views through the encoder; *output, that of global views, becomes that of all. */
bool invar_local_forward(struct invar_trainer *trainer, const float **output, struct invar_error *err);
/** Adds what local views contribute to the encoder's gradients, after the backward pass of global views. */
bool invar_local_backward(struct invar_trainer *trainer, const float *output_gradient, struct invar_error *err);

/* ---- numbers that are no numbers (nonfinite.c) ---- */

/** Sets err to a sentence with the step, what was found, the layer or parameter, and the last good checkpoint. */
bool invar_nonfinite_error(struct invar_trainer *trainer, const char *found, struct invar_error *err);
/** Passes an error on, with such a sentence where it is of numbers. Always false. */
bool invar_nonfinite_explain(struct invar_trainer *trainer, const struct invar_error *own, struct invar_error *err);
/** False, with such a sentence, when a parameter or a statistic is not finite. */
bool invar_nonfinite_check_weights(struct invar_trainer *trainer, struct invar_error *err);

/* ---- what a step reports (metrics.c) ---- */

bool invar_metrics_collect(struct invar_trainer *trainer, struct invar_record *record, struct invar_error *err);

/* ---- the run folder (folder.c) and its checkpoints (checkpoint.c) ---- */

/** May this run use the folder? Changes nothing. *resuming: there is a run of this recipe to go on with, and the
 * folder is held against other processes. */
bool invar_folder_check(struct invar_trainer *trainer, bool *resuming, struct invar_error *err);
/** Whether `there`, a resolved recipe, is that of this run but for its length and the place of its data. *length,
 * *place: whether these differ. Otherwise a sentence with the first other line; what is whose recipe it is. */
bool invar_folder_compare(const struct invar_trainer *trainer, const char *there, bool *length, bool *place,
                          struct invar_error *err);
/** Makes the folder and recipe.yaml where they are missing or of another length, holds the folder, and removes what
 * killed writers left. */
bool invar_folder_begin(struct invar_trainer *trainer, struct invar_error *err);
/** Lets go of the folder. */
void invar_folder_release(struct invar_trainer *trainer);
/** "FOLDER/NAME" (INVAR_PATH_SIZE). */
#define INVAR_PATH_SIZE 4096
bool invar_folder_path(const struct invar_trainer *trainer, const char *name, char *out, struct invar_error *err);

bool invar_checkpoint_write(struct invar_trainer *trainer, struct invar_error *err);
/** The newest whole checkpoint into the trainer; *found false when there is none. Damaged ones are warned of. */
bool invar_checkpoint_resume(struct invar_trainer *trainer, bool *found, struct invar_error *err);
/** The name of the checkpoint of a step, 64 characters at most. */
void invar_checkpoint_name(char *out, size_t size, int64_t step);
/** projector.safetensors, classifier.safetensors and encoder.safetensors from the present weights; of a run that had
 * ended, only the first, where it is missing. */
bool invar_checkpoint_finish(struct invar_trainer *trainer, struct invar_error *err);

#endif
