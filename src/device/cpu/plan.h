/* SPDX-License-Identifier: Apache-2.0 */
/* A cpu plan: a list of operations over buffers. plan_build.c makes the list from a net (forward.c and backward.c,
   layer by layer), plan_memory.c lays the buffers out by lifetime, plan.c runs it. */
#ifndef INVAR_SRC_DEVICE_CPU_PLAN_H
#define INVAR_SRC_DEVICE_CPU_PLAN_H

#include "device/backend.h"
#include "device/cpu/norm.h"
#include "device/cpu/onednn.h"
#include "device/cpu/winograd.h"

enum work {
    WORK_CONV_FORWARD,
    WORK_CONV_BACKWARD_DATA,
    WORK_CONV_BACKWARD_WEIGHTS,
    WORK_LINEAR,
    WORK_LSTM,
    WORK_NORM_FORWARD,
    WORK_NORM_BACKWARD,
    WORK_NORM_AGAIN,
    WORK_ELEMENTWISE,
    WORK_POOL,
    WORK_WEIGHT_REORDER,
    WORK_REORDER,
    WORK_COUNT
};

/* Memory with a lifetime, counted in operations. Fixed data (the caller's and the weights') has no place in the
 * workspace. */
struct buffer {
    size_t bytes;
    int first, last; /* operations that touch it first and last; first > last: none */
    bool fixed;      /* data is given, not laid out */
    bool constant;   /* never written in place */
    bool pinned;     /* lives to the end */
    bool kept;       /* lives from one call to the next */
    size_t offset;
    char *data;
};

struct operand {
    int id; /* DNNL_ARG_* */
    int buffer;
    size_t offset; /* bytes into the buffer */
    const struct layout *layout;
};

#define MAX_OPERANDS 12

struct cpu_plan;

struct operation {
    enum work work;
    int layer;
    const struct kernel *kernel;                                          /* oneDNN's, or ... */
    void (*run)(const struct cpu_plan *plan, const struct operation *op); /* ... one of ours */
    struct operand operands[MAX_OPERANDS];
    int operand_count;
    int output;      /* operand that holds the layer's output, -1: none; find_nonfinite looks at it */
    bool prepares;   /* what it makes depends on the weights alone and is kept while they stay */
    int64_t written; /* of a backward pass: once it has run, gradients from this number on are there */
    int64_t rows, cols, groups, stride;
    double number;
    struct winograd winograd;
    bool transposed, sum, relu; /* Winograd's: weights that are; what is done with the product */
    dnnl_exec_arg_t args[MAX_OPERANDS];
};

/* A tensor: where it is and how it lies there. buffer -1: none. */
struct value {
    int buffer;
    const struct layout *layout;
};

/* A summand of an output that is made where it is read (plan_defer.c): a norm, or the output of a layer. */
struct term {
    int source;
    int norm; /* -1: the output of `source` */
    bool relu, rounded;
};

/* What a layer's forward pass leaves for its backward pass. */
struct layer_state {
    struct value out;
    struct value in;       /* input as the kernel read it */
    struct value gradient; /* of the output; buffer -1 until a consumer gave one */
    struct term terms[NORM_TERMS];
    int term_count; /* 0: the output is what the layer's operation wrote; else out.buffer is -1 until it is made */
    int base;       /* layer whose output is all terms but the last, -1: none */
    const struct kernel *forward;
    int statistics;    /* buffer of a norm */
    int workspace;     /* buffer */
    int hidden, cells; /* buffers of an LSTM: what it goes from step to step with */
    int consumers;
    bool winograd;       /* this convolution is Winograd's */
    bool averaged;       /* this pool is ours (plan_pool.c) */
    bool strided;        /* this convolution reads pixels that were taken out before (plan_strided.c) */
    bool fused;          /* this ReLU is done with the layer before it; this norm's gradient is that of its ReLU */
    bool folded;         /* computed with the convolution or linear layer before it (plan_fold.c) */
    bool needs_gradient; /* something before it, or the input's caller, wants one */
};

/* A memory object whose data the caller gives anew at each call. */
struct binding {
    dnnl_memory_t memory;
    int buffer;
    size_t offset;
};

struct cpu_plan {
    struct invar_plan base;
    struct invar_weights *weights;
    const struct invar_net *net;
    struct invar_plan_options options; /* batch: the rows of a slice */
    int64_t rows;                      /* of the caller's batch */
    int threads;                       /* of an operation: one where each thread has slices of its own */
    struct onednn *onednn;
    enum invar_dtype activation; /* of maps; vectors are float32 */
    bool emulates;               /* float32 rounded as bfloat16 would be */
    struct layer_state *layers;

    struct buffer *buffers;
    int buffer_count, buffer_capacity;
    struct operation *operations;
    int operation_count, operation_capacity;
    int forward_count; /* operations before this one are the forward pass */
    bool alone;        /* as it looks for what is not finite: the pass is made here and on no other rank */
    bool ready;        /* a forward pass has run, and its backward pass has not */
    bool prepared;     /* what is kept belongs to the weights in `seen` */
    float *seen;       /* [trained_count + statistic_count]; NULL where nothing is kept */
    int input, output_gradient;
    struct value output, input_gradient;
    float *state; /* of sequences: [2][batch / steps][state of the net]; NULL: none */
    struct binding *bindings;
    int binding_count;

    char *workspace;
    size_t workspace_bytes, weight_bytes;
    size_t kept_bytes, kept_end; /* of the workspace: weights that inference keeps, and where they end */

    struct cpu_plan *others; /* [other_count]; the slices of other threads */
    int other_count;
    const float *given; /* the caller's batch */
    char *outputs;      /* of all slices, output_bytes each */
    size_t output_bytes;

    int64_t reorders;
    double seconds[WORK_COUNT];
    int64_t calls[WORK_COUNT];
};

/* ---- plan_build.c: what the layers are made of ---- */

/** Number of a new buffer in the workspace, or -1. */
int plan_buffer(struct cpu_plan *plan, size_t bytes, struct invar_error *err);
/** Number of a buffer over given data. */
int plan_buffer_fixed(struct cpu_plan *plan, void *data, bool constant, struct invar_error *err);
/** A new operation (borrowed until the next call), with its scratchpad if the kernel wants one; NULL with err set. */
struct operation *plan_operation(struct cpu_plan *plan, enum work work, int layer, const struct kernel *kernel,
                                 struct invar_error *err);
void plan_operand(struct operation *op, int id, int buffer, size_t offset, const struct layout *layout);
/** A tensor in a new buffer. */
bool plan_value(struct cpu_plan *plan, const struct layout *layout, struct value *out, struct invar_error *err);
/** The same tensor in another layout or type: itself where they agree, else through a reorder. */
bool plan_convert(struct cpu_plan *plan, enum work work, int layer, struct value from, const struct layout *wanted,
                  struct value *out, struct invar_error *err);
/** Layout of a layer's output, or of any sample shape, for the whole batch. */
const struct layout *plan_layout(struct cpu_plan *plan, struct invar_shape shape, enum invar_dtype dtype,
                                 enum layout_format format, struct invar_error *err);
/** The same kind of layout for a map of another size: plain where it is of no kind that onednn_layout_form knows. */
const struct layout *plan_layout_alike(struct cpu_plan *plan, const struct layout *layout, struct invar_shape shape,
                                       struct invar_error *err);
/** Parameter `slot` of a layer as a fixed tensor: values, or gradients where asked; running statistics for slots 2
 * and 3. */
bool plan_parameter(struct cpu_plan *plan, int layer, int slot, bool gradient, struct value *out,
                    struct invar_error *err);
/** The sliding window of a convolution or pool. */
struct window plan_window(const struct cpu_plan *plan, int layer);
/** Says that oneDNN has no kernel for a layer. */
bool plan_no_kernel(const struct cpu_plan *plan, int layer, struct invar_error *err);
bool plan_all_finite(const void *data, size_t bytes, enum invar_dtype dtype);
void *plan_data(const struct cpu_plan *plan, const struct operation *op, int operand);

bool plan_forward_layer(struct cpu_plan *plan, int layer, struct invar_error *err);  /* plan_forward.c */
bool plan_backward_layer(struct cpu_plan *plan, int layer, struct invar_error *err); /* plan_backward.c */
bool plan_lay_out(struct cpu_plan *plan, struct invar_error *err);                   /* plan_memory.c */

/* ---- plan_fold.c: what is computed with a convolution or linear layer at once ---- */

struct folded {
    struct value weights, bias; /* plain float32, those of a norm multiplied in; bias.layout NULL: none */
    struct value sum;           /* added to the result, which is written over it; layout NULL: none */
    bool relu;                  /* last of all */
    int norm, add, last; /* layers that are computed with it, -1: none; the last is `layer` itself or a ReLU too */
};
/** Chooses (beyond weights and bias in inference alone), and adds the operation that makes weights and bias. */
bool plan_fold(struct cpu_plan *plan, int layer, struct folded *out, struct invar_error *err);
/** Where the kernel cannot write over the summand: without it and what follows. */
void plan_fold_without_sum(struct cpu_plan *plan, int layer, struct folded *folded);
/** The layers taken in have their output: that of `layer`. */
void plan_fold_done(struct cpu_plan *plan, int layer, const struct folded *folded);
/** The layer whose weights are not finite, or were made so by the operation just run; -1: none. A ReLU done at once may
 * hide what comes of them. */
int plan_fold_nonfinite(const struct cpu_plan *plan, const struct operation *op);
/** In inference, operations on weights run once for the same weights: marks them and what they leave. */
bool plan_prepare(struct cpu_plan *plan, struct invar_error *err);
/** Before a forward pass: whether what is kept belongs to the weights as they are; notes them where not. */
bool plan_is_prepared(struct cpu_plan *plan);

/* ---- plan_slices.c: small nets take the batch in slices, a thread each ---- */

/** Rows of a slice; options.batch where slices bring nothing. */
int64_t plan_slice_rows(const struct cpu_plan *plan);
/** Once the plan of one slice is made: those of the other threads. */
bool plan_slices_create(struct cpu_plan *plan, struct invar_error *err);
void plan_slices_free(struct cpu_plan *plan);
const float *plan_slice_input(const struct cpu_plan *plan, int64_t slice);
bool plan_slices_forward(struct cpu_plan *plan, struct invar_error *err);

/* ---- plan.c ---- */

/** Memory objects of every operation; those over the caller's data are remembered, to be pointed at it in each call. */
bool plan_bind(struct cpu_plan *plan, struct invar_error *err);
/** The forward pass of the rows that the plan is made for. */
bool plan_run_forward(struct cpu_plan *plan, const float *input, struct invar_error *err);
/** Runs an operation. */
bool plan_run(const struct cpu_plan *plan, const struct operation *op, struct invar_error *err);
/** The same with bfloat16 emulated (plan_emulate.c). */
bool plan_emulate(const struct cpu_plan *plan, const struct operation *op, struct invar_error *err);

/* ---- plan_defer.c: outputs that are made where they are read ---- */

/** The output of a norm is of this kind, once its input and statistics are there. */
void plan_defer_norm(struct cpu_plan *plan, int norm);
/** That of a ReLU or a sum where it can be: false or *deferred false where it is not. */
bool plan_defer_relu(struct cpu_plan *plan, int relu);
bool plan_defer_add(struct cpu_plan *plan, int add, bool *deferred, struct invar_error *err);
/** The output of a layer is in memory for the operations that come. */
bool plan_make(struct cpu_plan *plan, int layer, struct invar_error *err);
/** The same for what a layer reads, in the backward pass. */
bool plan_make_input(struct cpu_plan *plan, int layer, struct invar_error *err);
/** The backward pass begins: maps are made once more for it. */
void plan_forget_made(struct cpu_plan *plan);

/* ---- plan_norm.c: batch norm by groups of rows ---- */

/** The input of a norm is in memory for the operations that come. */
bool plan_norm_input(struct cpu_plan *plan, int norm, struct invar_error *err);
/** The operation that makes the sum of terms, on behalf of a layer. */
bool plan_norm_apply(struct cpu_plan *plan, int layer, const struct term *terms, int count, struct value out,
                     struct invar_error *err);
bool plan_batchnorm_forward(struct cpu_plan *plan, int layer, bool relu_follows, struct invar_error *err);
/** in_place: the gradient of the output may be overwritten. */
bool plan_batchnorm_backward(struct cpu_plan *plan, int layer, struct value gradient, bool in_place, struct value *out,
                             struct invar_error *err);

/* ---- plan_winograd.c ---- */

/** Fails where the options ask for kernels that this processor or precision has not. */
bool plan_winograd_possible(const struct cpu_plan *plan, struct invar_error *err);
/** Is the layer a convolution that Winograd's kernels run, and shall they? */
bool plan_winograd_takes(const struct cpu_plan *plan, int layer);
bool plan_winograd_forward(struct cpu_plan *plan, int layer, struct invar_error *err);
bool plan_winograd_backward_weights(struct cpu_plan *plan, int layer, struct value gradient, struct invar_error *err);
/** out: the gradient of the layer's input. */
bool plan_winograd_backward_data(struct cpu_plan *plan, int layer, struct value gradient, struct value *out,
                                 struct invar_error *err);

/* ---- plan_strided.c ---- */

/** Decides (state->strided) with the kernel that a 1x1 convolution with a stride would have. */
void plan_strided_choose(struct cpu_plan *plan, int layer, const struct kernel *direct);
/** What a convolution's kernel is made for: its input's shape and the layer's window, or those of the pixels taken. */
struct invar_shape plan_strided_shape(const struct cpu_plan *plan, int layer);
struct window plan_strided_window(const struct cpu_plan *plan, int layer);
/** The input as the convolution reads it. */
bool plan_strided_take(struct cpu_plan *plan, int layer, struct value *in, struct invar_error *err);
/** From the gradient of what it read to that of its input. */
bool plan_strided_spread(struct cpu_plan *plan, int layer, struct value *gradient, struct invar_error *err);

/* ---- plan_pool.c ---- */

/** An average over windows of a map in whole vectors; taken: false where it is another. */
bool plan_average_forward(struct cpu_plan *plan, int layer, bool *taken, struct invar_error *err);
bool plan_average_backward(struct cpu_plan *plan, int layer, struct value gradient, struct value *out,
                           struct invar_error *err);

/* ---- plan_few.c ---- */

/** Few channels, and not three, which the library has kernels of. */
bool plan_has_few(struct invar_shape in);

/** Gradients of the weights and bias of a convolution of few channels; taken: false where it is not one of those that
 * this makes. */
bool plan_few_weights(struct cpu_plan *plan, int layer, struct value gradient, bool *taken, struct invar_error *err);

/* ---- plan_lstm.c ---- */

bool plan_lstm_forward(struct cpu_plan *plan, int layer, struct invar_error *err);
/** out: the gradient of the layer's input; without a buffer where nobody wants one. */
bool plan_lstm_backward(struct cpu_plan *plan, int layer, struct value gradient, struct value *out,
                        struct invar_error *err);

/* ---- plan_rows.c: our own operations on vectors ---- */

void rows_duel(const struct cpu_plan *plan, const struct operation *op);
void rows_duel_backward(const struct cpu_plan *plan, const struct operation *op);

void rows_l2normalise(const struct cpu_plan *plan, const struct operation *op);
void rows_l2normalise_backward(const struct cpu_plan *plan, const struct operation *op);

#endif
