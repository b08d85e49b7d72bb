/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TRAIN_CHAIN_H
#define INVAR_TRAIN_CHAIN_H

#include "train/batch.h"
#include "train/optimisers.h"

/*
 * Nets that are trained, each with its plan and optimiser state. Encoder, projector and predictor are a chain, and
 * beside encoder and projector stands a target network where the recipe has one. Local views, which are smaller, pass
 * through a second encoder of the same parameters.
 */

/* The chain, and behind it what is trained against it (adversary.h) and beside it (classifier.h). */
enum {
    INVAR_NET_ENCODER,
    INVAR_NET_PROJECTOR,
    INVAR_NET_PREDICTOR,
    INVAR_NET_COUNT,
    INVAR_NET_GENERATOR = INVAR_NET_COUNT,
    INVAR_NET_CLASSIFIER, /* reads the encoder's output, and gives nothing back */
    INVAR_NET_ALL
};

/** One net. A head that is the identity has net NULL, and nothing else. */
struct invar_chain_net {
    const char *name; /* "encoder", ...; prefix of its arrays in a checkpoint */
    struct invar_net *net;
    bool owns_net; /* the encoder's belongs to chain->encoder */
    struct invar_weights *weights;
    struct invar_plan *plan;
    const float *output; /* of the last forward pass, device [V * N][width] */
    int buffer_count;
    float *buffers[INVAR_MAX_BUFFERS]; /* optimiser state, device [trained_count] */
    struct invar_optimiser *optimiser; /* NULL where nothing is trained */
    double *scalars;                   /* device [INVAR_SCALAR_COUNT], beside the optimiser */
    float *output_gradient;            /* device [V * N][width] where a term reads this output, else NULL */
    struct invar_shared {
        float *output, *gradient, *target; /* the same of all ranks, device [V * all][width]; NULL alone */
    } shared;
    int64_t width;                        /* of the output of one sample */
    struct invar_head_options head;       /* of a projector or predictor, as it was built */
    struct invar_weights *target_weights; /* NULL without a target network, and for the predictor */
    struct invar_plan *target_plan;
};
void chain_net_free(struct invar_chain_net *net);
/** Optimiser and scalars of a net that is trained, over buffers that are there. */
bool chain_net_optimise(struct invar_chain_net *net, const struct invar_optimiser_spec *spec, const void *options,
                        struct invar_error *err);
/** Initial weights of a net but the encoder into the device, target network included. which: INVAR_NET_... */
bool chain_net_initialise(const struct invar_chain_net *net, int which, uint64_t seed, struct invar_error *err);
/** The optimiser's state as before the first step. */
void chain_net_forget(const struct invar_chain_net *net);
/** Weights of one network of a net, to and from the host. */
void weights_download(const struct invar_weights *weights, float *parameters, float *statistics);
void weights_upload(struct invar_weights *weights, const float *parameters, const float *statistics);
/** One update at that rate, unless anything that the ledger has found so far in the step is not finite, with gradients
 * of norm `clip` at most (0: any); squares: the slot of theirs. */
void chain_net_step(const struct invar_chain_net *net, const struct invar_clock *clock,
                    const struct invar_ledger *ledger, double rate, double clip, const double *squares);

/** The encoder for local views, and where its output meets that of global ones; net NULL without local views. */
struct invar_chain_local {
    struct invar_net *net;
    struct invar_weights *weights; /* the encoder's parameters; statistics of local views, which nobody reads */
    struct invar_plan *plan;
    float *joined; /* device [V * N][width]: outputs of global, then of local views */
};

/** Layer-wise rates of the encoder (layers.c). */
struct invar_layers {
    float *before; /* device [trained_count] parameters before an update; NULL: one rate for all */
    double *rate;  /* [parameter_count] over the rate */
};

struct invar_chain {
    const struct invar_given *given;
    struct invar_encoder *encoder; /* on the host: initial weights, then what encoder.safetensors holds */
    struct invar_chain_net nets[INVAR_NET_COUNT];
    struct invar_chain_local local;
    struct invar_layers layers;
    struct invar_embeddings embeddings, gradients; /* what terms read of a step, and where their gradients go */
    const double *squares;                         /* slot of the gradients' */
    double gradient_norm;                          /* of the last step */
};

/** Nets, weights, plans and buffers for such a batch; initial weights on the host. */
bool chain_create(struct invar_chain *chain, const struct invar_batch *batch, struct invar_error *err);
void chain_free(struct invar_chain *chain);
/** Initial weights (those of `init` where the recipe names a file) into the device, target network included. */
bool chain_initialise(struct invar_chain *chain, struct invar_error *err);
/** Shapes of all roles into the embeddings. */
void chain_shapes(struct invar_chain *chain, const struct invar_batch *batch);
/** Where the output of a role comes from: the net whose output it is (of the target network for role T). */
const struct invar_chain_net *chain_source(const struct invar_chain *chain, enum invar_role role);
/** The batch through all nets; afterwards the embeddings are there: those of `roles` (bits), where there are ranks. */
bool chain_forward(struct invar_chain *chain, const struct invar_batch *batch, unsigned roles, struct invar_error *err);
/** The gradients of the embeddings, which are used up, through all nets. sums: what comes of it is summed over ranks by
 * ranks_sum_end, from now on. */
bool chain_backward(struct invar_chain *chain, const struct invar_batch *batch, bool sums, struct invar_error *err);
/** Gradient norm, clipping, optimiser, target network. */
void chain_update(struct invar_chain *chain, const struct invar_clock *clock, struct invar_ledger *ledger);

/* ---- layer-wise rates (layers.c) ---- */

/** Room for the encoder's parameters before an update, and the share of it that every one gets. */
bool layers_create(struct invar_chain *chain, struct invar_error *err);
void layers_free(struct invar_chain *chain);
/** Before and after the optimiser's update of the encoder. */
void layers_keep(const struct invar_chain *chain);
void layers_scale(const struct invar_chain *chain);

/* ---- what ranks share of a step (chain_ranks.c); nothing where this process trains alone ---- */

/** Room for outputs of all ranks, and for their gradients where there are some of this one. */
bool shared_create(struct invar_chain *chain, const struct invar_batch *batch, struct invar_error *err);
/** output, device [views * N][width], of every rank into all, device [views * all][width]. */
bool shared_rows(const struct invar_given *given, const struct invar_batch *batch, int64_t views, int64_t width,
                 const float *output, float *all, struct invar_error *err);
/** The other way: the rows of this rank. */
void shared_own(const struct invar_given *given, const struct invar_batch *batch, int64_t views, int64_t width,
                const float *all, float *own);
/** Outputs that these roles (bits) read. */
bool shared_outputs(const struct invar_chain *chain, const struct invar_batch *batch, unsigned roles,
                    struct invar_error *err);
/** Of the gradients of outputs the rows of this rank. */
void shared_gradients(const struct invar_chain *chain, const struct invar_batch *batch);
/** The gradients of the parameters will be summed over ranks; written: they are there (ranks_sum_begin). */
void shared_sum(const struct invar_given *given, const struct invar_chain_net *net, bool written);

/* ---- local views (chain_local.c) ---- */

/** Net, weights, plan and room for the outputs; nothing where the recipe has no local views. After the encoder. */
bool local_create(struct invar_chain *chain, const struct invar_batch *batch, struct invar_error *err);
void local_free(struct invar_chain *chain);
/** Local views through the encoder; *output, that of global views, becomes that of all. */
bool local_forward(const struct invar_chain *chain, const struct invar_batch *batch, const float **output,
                   struct invar_error *err);
/** Adds what local views contribute to the encoder's gradients, after the backward pass of global views. */
bool local_backward(const struct invar_chain *chain, const struct invar_batch *batch, const float *output_gradient,
                    struct invar_error *err);

#endif
