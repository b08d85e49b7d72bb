/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_DEVICE_H
#define INVAR_DEVICE_H

#include "invar/array.h"
#include "invar/memory.h"
#include "invar/expert/net.h"
#include "invar/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A device offers memory, dense operations and plan execution. Everything above speaks to this header, never to oneDNN
 * or CUDA. Pointers called "device" point into memory of the device (for cpu: plain memory).
 */

#define INVAR_PRECISIONS(CHOICE)                                                                                       \
    CHOICE(INVAR_PRECISION_AUTO, "auto")                                                                               \
    CHOICE(INVAR_PRECISION_FLOAT32, "float32") CHOICE(INVAR_PRECISION_BFLOAT16, "bfloat16")
enum invar_precision { INVAR_PRECISIONS(INVAR_CHOICE_CONSTANT) };
/** "auto", "float32", "bfloat16". */
const char *invar_precision_name(enum invar_precision precision);

/** p of an L_p ball. */
#define INVAR_BALLS(CHOICE) CHOICE(INVAR_BALL_1, "1") CHOICE(INVAR_BALL_2, "2") CHOICE(INVAR_BALL_INF, "inf")
enum invar_ball { INVAR_BALLS(INVAR_CHOICE_CONSTANT) };

struct invar_device;

/** name: "auto", "cpu" ("cuda" later); threads 0: OMP_NUM_THREADS, or all cores. Work has so many for the length of a
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
/** Scratch with memory of this device too (invar_scratch_take: of the host). Free it before the device. */
struct invar_scratch *invar_device_scratch_create(struct invar_device *device, struct invar_error *err);
/** As invar_scratch_take, memory of the device that the scratch was made for. */
void *invar_device_take(struct invar_scratch *scratch, size_t count, size_t size, struct invar_error *err);
/** Copies bytes between memory of the host and of the device; done when the call returns. */
void invar_device_upload(struct invar_device *device, void *to_device, const void *from_host, size_t bytes);
void invar_device_download(struct invar_device *device, void *to_host, const void *from_device, size_t bytes);

/**
 * Numbers that a step finds: sums are added to slots on the device, and nobody on the host sees them until all are read
 * at once. A reduction that takes (factor, slot) does *slot += factor * value; a NaN or an Inf in what is summed makes
 * the slot one, with factor 0 too.
 */
struct invar_ledger {
    struct invar_device *device;
    double *slots;  /* device [capacity] */
    double *values; /* host [capacity]: what slots held when they were read */
    int count, capacity;
};
/** An empty ledger over memory of scratch. */
bool invar_ledger_take(struct invar_device *device, struct invar_scratch *scratch, int capacity,
                       struct invar_ledger *out, struct invar_error *err);
/** Empty again: slots are 0. */
void invar_ledger_clear(struct invar_ledger *ledger);
/** The next slot, 0. More than the capacity is the caller's mistake: the last slot is given again. */
double *invar_ledger_slot(struct invar_ledger *ledger);
/** Waits for the device, and reads all slots. */
void invar_device_read(struct invar_ledger *ledger);
/** What a slot held when the ledger was read. */
double invar_ledger_value(const struct invar_ledger *ledger, const double *slot);
/** How often anything has been read back from the device: every time the host waits for it. */
int64_t invar_device_waits(const struct invar_device *device);

/* ---- vectors: optimisers and target networks (all pointers device, float32) ---- */

/** x <- value. */
void invar_device_fill(struct invar_device *device, float *x, int64_t count, float value);
/** *slot += factor * the sum of squares, accumulated in double. */
void invar_device_sum_squares(struct invar_device *device, const float *x, int64_t count, double factor, double *slot);
/** x <- factor x: gradient clipping. */
void invar_device_scale(struct invar_device *device, float *x, int64_t count, double factor);
/** x <- x + factor y: gradients that meet at one place, coupled weight decay. */
void invar_device_add(struct invar_device *device, float *x, const float *y, double factor, int64_t count);
/** x <- m x + (1 - m) y  [R4]. */
void invar_device_lerp(struct invar_device *device, float *x, const float *y, double m, int64_t count);

/* ---- updates of whole nets ---- */

/** What changes from step to step, in a block of doubles on the device. */
enum invar_scalar {
    INVAR_SCALAR_GO,     /**< 1; anything else, and updates write nothing */
    INVAR_SCALAR_CLIP,   /**< factor of the gradients */
    INVAR_SCALAR_RATE,   /**< of the optimiser */
    INVAR_SCALAR_FOLLOW, /**< m of the target network */
    INVAR_SCALAR_OWN,    /**< four of the optimiser's own, such as 1 - beta^t */
    INVAR_SCALAR_COUNT = INVAR_SCALAR_OWN + 4
};
/** scalars: GO becomes 1 where all slots[count] are finite and 0 elsewhere; CLIP becomes limit / norm where the norm,
 * root of *squares, is above it, and 1 elsewhere or with a limit of 0. All of the device. */
void invar_device_decide(struct invar_device *device, const double *slots, int count, const double *squares,
                         double limit, double *scalars);
/** Where scalars say GO: x <- m x + (1 - m) y with m FOLLOW  [R4]. */
void invar_device_follow(struct invar_device *device, float *x, const float *y, const double *scalars, int64_t count);

#define INVAR_MAX_BUFFERS 4
/** A stretch of the parameter vector that is updated alike. */
struct invar_segment {
    int64_t offset, count;
    bool one_dimensional; /* biases and norm parameters alone; false for the whole vector in one */
};
struct invar_update;
/** Updates the numbers from .. to - 1 of the vectors, all within segments[segment]; called from several threads, within
 * a call of the device, so that it may read what lies there. */
typedef void invar_update_kernel(const struct invar_update *update, int segment, int64_t from, int64_t to);
/** An update of one net. Vectors, scalars and norms are device memory. */
struct invar_update {
    const char *name;            /* "adam": a device may have a kernel of its own by that name */
    invar_update_kernel *kernel; /* in plain C */
    const void *options;
    float *parameters, *buffers[INVAR_MAX_BUFFERS];
    const float *gradients;
    const struct invar_segment *segments; /* [count], in the order of the vector */
    int count;
    const double *scalars;
    double *norms; /* [count][2] of invar_device_segment_squares; NULL where the kernel reads none */
};
/** Where scalars say GO: the kernel over all segments. */
void invar_device_update(struct invar_device *device, const struct invar_update *update);
/** norms[k] = sums of squares of the parameters, and of gradients + decay[k] parameters, of segment k; decay: host. */
void invar_device_segment_squares(struct invar_device *device, const struct invar_update *update, const double *decay);

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
 * F(4x4, 3x3), whose rounding errors in float32 are up to some four times as large), or never, or wherever it can be;
 * or so with products of bfloat16, for bfloat16 maps on processors that have them (AVX512-BF16), whose errors are some
 * five times those of the direct form. */
#define INVAR_CONVOLUTIONS(CHOICE)                                                                                     \
    CHOICE(INVAR_CONVOLUTION_AUTO, "auto")                                                                             \
    CHOICE(INVAR_CONVOLUTION_DIRECT, "direct")                                                                         \
    CHOICE(INVAR_CONVOLUTION_WINOGRAD, "winograd") CHOICE(INVAR_CONVOLUTION_WINOGRAD_BFLOAT16, "winograd-bfloat16")
enum invar_convolution { INVAR_CONVOLUTIONS(INVAR_CHOICE_CONSTANT) };
/** "auto", "direct", "winograd", "winograd-bfloat16". */
const char *invar_convolution_name(enum invar_convolution convolution);

/** Other processes that have rows of the same batch, as many as this one. */
struct invar_plan_ranks {
    int count, rank;
    /** all[this->count][count]: the `own` of every process, which all call this in the same order: batch statistics are
     * then of all. NULL: each has its own. */
    void (*gather)(void *user, const double *own, int64_t count, double *all);
    /** Of a backward pass, again and again: gradients from number `from` on are written. Each may call it at another
     * time. */
    void (*written)(void *user, int64_t from);
    void *user;
};

struct invar_plan_options {
    int64_t batch; /* rows in a call: all views together, at most 2^20 */
    int64_t
        groups; /* batch statistics are taken over batch / groups consecutive rows (one group a view); divides batch */
    int64_t running_groups; /* running statistics are taken over the first groups, this many; 0: over all */
    enum invar_precision precision;
    enum invar_convolution convolution;
    enum invar_plan_mode mode;
    int64_t
        steps; /* of sequences: rows are so many steps, batch / steps sequences each (row t * sequences + i); 0: 1 */
    bool input_gradient; /* backward also gives the gradient of the input; training mode only */
    bool repeat;         /* a forward pass may be followed by several backward passes, at the price of memory */
    bool profile;        /* keep times by layer kind (invar_plan_profile) */
    const struct invar_plan_ranks *ranks; /* borrowed; NULL: this process has all rows */
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
/** Device [2][batch / steps][invar_net_state]: what sequences begin with, which is the caller's to fill (0 at first)
 * and which no gradient goes to, and behind it what the last forward pass left them with. NULL without an LSTM. */
float *invar_plan_state(const struct invar_plan *plan);
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
