/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_DEVICE_H
#define INVAR_DEVICE_H

#include "invar/array.h"
#include "invar/memory.h"
#include "invar/net.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A device offers memory, dense operations and plan execution. Everything above speaks to this header, never to oneDNN
 * or CUDA. Pointers called "device" point into memory of the device (for cpu: plain memory).
 */

enum invar_precision { INVAR_PRECISION_AUTO, INVAR_PRECISION_FLOAT32, INVAR_PRECISION_BFLOAT16 };
/** "auto", "float32", "bfloat16". */
const char *invar_precision_name(enum invar_precision precision);

struct invar_device;

/** name: "cpu" ("cuda" later); threads 0: OMP_NUM_THREADS, or all cores. Work on it has so many for the length of a
 * call; the calling thread's own number of OpenMP threads stays. NULL with err set for another name or threads outside
 * 0 to 4096. Close with invar_device_close, after all that was made on it. */
struct invar_device *invar_device_open(const char *name, int threads, struct invar_error *err);
/**
 * The same device for planning alone: weights and plans made on it have their sizes and layouts but no memory, so that
 * a plan that this machine could never hold can be described. Passes are refused, uploads and fills do nothing; nothing
 * else may be called on what is made here.
 */
struct invar_device *invar_device_open_planning(const char *name, int threads, struct invar_error *err);
bool invar_device_is_planning(const struct invar_device *device);
/** NULL is accepted. */
void invar_device_close(struct invar_device *device);
/** "cpu". */
const char *invar_device_name(const struct invar_device *device);
/** The library that computes on the device of that name, and the instruction set it takes: "oneDNN 2.6.3, AVX2". No
 * device is opened; for a name that is unknown the text is empty. */
void invar_device_engine(const char *name, char *out, size_t size);
/** At least 1: what 0 became. */
int invar_device_threads(const struct invar_device *device);
/** One line: processor, instruction set, library version. */
const char *invar_device_describe(const struct invar_device *device);
/** What AUTO means here; BFLOAT16 where the processor cannot: an error that says so. */
bool invar_device_precision(const struct invar_device *device, enum invar_precision wanted, enum invar_precision *out,
                            struct invar_error *err);

/** What computes, as runs and results record it: the same recipe differs in rounding where one of these does. */
struct invar_machine {
    char processor[64];       /**< the name that it gives itself: "AMD EPYC 7B13 64-Core Processor" */
    char engine[32];          /**< that computes: "oneDNN 2.6.3" */
    char instruction_set[32]; /**< that is used, as ONEDNN_MAX_CPU_ISA names it: "AVX2", "AVX512_CORE_BF16" */
    const char *precision;    /**< of activations: "float32" or "bfloat16" */
    int threads;
};
/** Of work in the precision `wanted`, which is refused as invar_device_precision does. */
bool invar_device_machine(const struct invar_device *device, enum invar_precision wanted, struct invar_machine *out,
                          struct invar_error *err);
/** Appends {"processor": "...", "engine": "...", "instruction_set": "...", "precision": "...", "threads": 2}. */
bool invar_machine_write(const struct invar_machine *machine, struct invar_text *out, struct invar_error *err);

/** Device memory, zeroed, aligned to 64; NULL with err set where it cannot be had. Give it back (NULL is accepted) to
 * the same device. */
void *invar_device_alloc(struct invar_device *device, size_t count, size_t size, struct invar_error *err);
void invar_device_free(struct invar_device *device, void *memory);
/** Copies bytes between memory of the host and of the device; done when the call returns. */
void invar_device_upload(struct invar_device *device, void *to_device, const void *from_host, size_t bytes);
void invar_device_download(struct invar_device *device, void *to_host, const void *from_device, size_t bytes);

/* ---- vectors: optimisers and target networks (all pointers device, float32) ---- */

/** x <- value. */
void invar_device_fill(struct invar_device *device, float *x, int64_t count, float value);
/** Sum of squares, accumulated in double. NaN and Inf come through. */
double invar_device_sum_squares(struct invar_device *device, const float *x, int64_t count);
/** x <- factor x: gradient clipping. */
void invar_device_scale(struct invar_device *device, float *x, int64_t count, double factor);
/** x <- x + factor y: gradients that meet at one place, coupled weight decay. */
void invar_device_add(struct invar_device *device, float *x, const float *y, double factor, int64_t count);
/** x <- m x + (1 - m) y  [R4]. */
void invar_device_lerp(struct invar_device *device, float *x, const float *y, double m, int64_t count);
/** g += decay p; buffer = first ? g : momentum buffer + g; p -= lr (nesterov ? g + momentum buffer : buffer). */
void invar_device_sgd(struct invar_device *device, float *p, const float *g, float *buffer, int64_t count, double lr,
                      double momentum, bool nesterov, double decay, bool first);
/** u = (g + decay p) scale; buffer = momentum buffer + u; p -= lr buffer (LARS: scale is the trust ratio). */
void invar_device_momentum(struct invar_device *device, float *p, const float *g, float *buffer, int64_t count,
                           double lr, double momentum, double decay, double scale);
/** AdamW when decay > 0 (decoupled), Adam when 0; step counts from 1. */
void invar_device_adam(struct invar_device *device, float *p, const float *g, float *m, float *v, int64_t count,
                       double lr, double beta1, double beta2, double epsilon, double decay, int64_t step);

/* ---- weights of a net on a device ---- */

/** Parameters, gradients and running statistics of one net; plans of that net share them. All vectors are device
 * float32. */
struct invar_weights {
    struct invar_device *device;
    const struct invar_net *net;
    float *parameters; /* [net->trained_count] */
    float *gradients;  /* [net->trained_count], NULL for a target network */
    float *statistics; /* [net->statistic_count] */
    bool shared;       /* the parameters belong to other weights (invar_weights_share) */
};
/** Zeroed vectors; device and net are borrowed and must live longer. */
struct invar_weights *invar_weights_create(struct invar_device *device, const struct invar_net *net, bool gradients,
                                           struct invar_error *err);
/**
 * The same parameters for another net, such as an encoder built for another size of input; gradients and statistics are
 * its own. Refused with a sentence that names the first parameter that differs in name or shape. Free before `weights`.
 */
struct invar_weights *invar_weights_share(const struct invar_weights *weights, const struct invar_net *net,
                                          struct invar_error *err);
/** After the plans that use them; NULL is accepted. */
void invar_weights_free(struct invar_weights *weights);

/* ---- plans ---- */

enum invar_plan_mode {
    INVAR_PLAN_TRAINING,  /* batch statistics, running statistics updated, backward possible */
    INVAR_PLAN_FORWARD,   /* batch statistics, running statistics updated, no backward: target networks in training */
    INVAR_PLAN_INFERENCE, /* running statistics */
};

/** How convolutions are computed: with fewer multiplications where that is faster (3x3 of stride 1, by Winograd's
 * F(4x4, 3x3), whose rounding errors in float32 are up to some four times as large), or never, or wherever it can be.
 */
enum invar_convolution { INVAR_CONVOLUTION_AUTO, INVAR_CONVOLUTION_DIRECT, INVAR_CONVOLUTION_WINOGRAD };
/** "auto", "direct", "winograd". */
const char *invar_convolution_name(enum invar_convolution convolution);

struct invar_plan_options {
    int64_t batch; /* rows in a call: all views together, at most 2^20 */
    int64_t
        groups; /* batch statistics are taken over batch / groups consecutive rows (one group a view); divides batch */
    int64_t running_groups; /* running statistics are taken over the first groups, this many; 0: over all */
    enum invar_precision precision;
    enum invar_convolution convolution;
    enum invar_plan_mode mode;
    bool input_gradient; /* backward also gives the gradient of the input; training mode only */
    bool repeat;         /* a forward pass may be followed by several backward passes, at the price of memory */
    bool profile;        /* keep times by layer kind (invar_plan_profile) */
};

/** A net compiled for one device, one batch size, one precision, one mode: primitives created once, memory laid out
 * once. */
struct invar_plan;
/** weights are borrowed and must live longer; what they hold may change between calls. NULL with err set for options
 * that do not fit each other, a precision that the device has not, or a layer that it cannot run. */
struct invar_plan *invar_plan_create(struct invar_weights *weights, const struct invar_plan_options *options,
                                     struct invar_error *err);
/** NULL is accepted. */
void invar_plan_free(struct invar_plan *plan);

/** input: device float32 [batch][C][H][W] or [batch][C]; in training mode it must stay as it is until the backward pass
 * is done. The output stays valid until the next forward: device float32 [batch][...]. */
bool invar_plan_forward(struct invar_plan *plan, const float *input, struct invar_error *err);
const float *invar_plan_output(const struct invar_plan *plan);
/** Once after each forward (gradients are laid over activations; refused otherwise), unless options.repeat.
 * output_gradient: device float32, shape of the output. Parameter gradients are written (not added) to
 * weights->gradients. */
bool invar_plan_backward(struct invar_plan *plan, const float *output_gradient, struct invar_error *err);
/** Shape of the input; NULL unless options.input_gradient. Valid until the next call. */
const float *invar_plan_input_gradient(const struct invar_plan *plan);
/** Name of the first layer ("input": the input) whose output of the last forward holds a NaN or Inf, or NULL when all
 * are finite. The input of that forward must still be there; running statistics move once more. */
const char *invar_plan_find_nonfinite(struct invar_plan *plan);

struct invar_plan_memory {
    size_t workspace; /* bytes: activations, gradients, scratch */
    size_t weights;   /* bytes of reordered weights and their gradients */
    int64_t primitives;
    int64_t reorders; /* layout changes of activations a step */
};
/** What a plan takes. */
void invar_plan_memory(const struct invar_plan *plan, struct invar_plan_memory *out);

/** Seconds since creation by kind of work, with options.profile (zeros without); name is "conv forward", "conv backward
 * data", "conv backward weights", "norm forward", ... */
struct invar_profile_entry {
    const char *name;
    double seconds;
    int64_t calls;
};
/** Fills entries[capacity]; returns how many there are. */
int invar_plan_profile(const struct invar_plan *plan, struct invar_profile_entry *entries, int capacity);

/** FLOP/s of an n x n x n matrix product in that precision, best of several: the machine's matrix peak for `invar
 * bench`. */
bool invar_device_matrix_peak(struct invar_device *device, enum invar_precision precision, int64_t n, double *flops,
                              struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
