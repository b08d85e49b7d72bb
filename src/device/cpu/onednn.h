/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN behind one interface for its 2.6 and 3.x C calls, which differ; only onednn.c knows which one it is. */
#ifndef INVAR_SRC_DEVICE_CPU_ONEDNN_H
#define INVAR_SRC_DEVICE_CPU_ONEDNN_H

#include "invar/array.h"

#include <oneapi/dnnl/dnnl.h>

/** Owner of everything made through it: engine, stream, layouts, kernels, memory objects. */
struct onednn;
struct onednn *onednn_create(struct invar_error *err);
void onednn_free(struct onednn *o);

/** How a tensor lies in memory (dnnl_memory_desc_t). Lives as long as its onednn. */
struct layout {
    dnnl_memory_desc_t desc;
    size_t bytes; /* 0 for ANY */
};

enum layout_format {
    LAYOUT_ANY,          /* the kernel chooses */
    LAYOUT_PLAIN,        /* C order: [N][C][H][W], [O][I][KH][KW], [N][C] */
    LAYOUT_CHANNEL_LAST, /* [N][H][W][C]: vectors as maps of one pixel */
    LAYOUT_BLOCKED_8,    /* [N][C / 8][H][W][8], the last block padded with zeros */
    LAYOUT_BLOCKED_16,   /* [N][C / 16][H][W][16] */
};

const struct layout *onednn_layout(struct onednn *o, enum invar_dtype dtype, int rank, const int64_t *dims,
                                   enum layout_format format, struct invar_error *err);
bool onednn_layout_equal(const struct layout *a, const struct layout *b);
enum invar_dtype onednn_layout_dtype(const struct layout *layout);
int onednn_layout_rank(const struct layout *layout);

/** A map or a batch of vectors as [rows][blocks][pixels][width], channel = block * width + place: nChw8c and nChw16c
 * (padded to whole blocks), channels-last and vectors (one block), plain maps (width 1). */
struct form {
    int64_t rows, blocks, pixels, width;
};
/** False where it lies in another way. */
bool onednn_layout_form(const struct layout *layout, struct form *out);

/** A compiled primitive and the layouts it works in (NULL where it has no such operand). */
struct kernel {
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    const struct layout *src, *weights, *dst, *diff_src, *diff_weights, *diff_dst, *workspace, *scratchpad;
    const char *implementation;
};

enum pass { PASS_TRAINING, PASS_INFERENCE, PASS_BACKWARD_DATA, PASS_BACKWARD_WEIGHTS, PASS_BACKWARD };

/** Is it written for no instruction set, and slow? */
bool onednn_is_reference(const struct kernel *kernel);

/*
 * Makers. For backward passes `hint` is the kernel of the forward pass. NULL with err set when oneDNN fails; NULL with
 * err untouched when it merely has no such kernel (the caller may have another way).
 */
struct window {
    int64_t kernel[2], stride[2], padding[2];
};
struct kernel *onednn_convolution(struct onednn *o, enum pass pass, const struct layout *src,
                                  const struct layout *weights, const struct layout *bias, const struct layout *dst,
                                  const struct window *window, const struct kernel *hint, struct invar_error *err);
struct kernel *onednn_inner_product(struct onednn *o, enum pass pass, const struct layout *src,
                                    const struct layout *weights, const struct layout *bias, const struct layout *dst,
                                    const struct kernel *hint, struct invar_error *err);
/** Forward passes with more behind them at once: what dst holds is added, then ReLU. */
struct onednn_after {
    bool sum, relu;
};
struct kernel *onednn_convolution_after(struct onednn *o, enum pass pass, const struct layout *src,
                                        const struct layout *weights, const struct layout *bias,
                                        const struct layout *dst, const struct window *window,
                                        struct onednn_after after, struct invar_error *err);
struct kernel *onednn_inner_product_after(struct onednn *o, enum pass pass, const struct layout *src,
                                          const struct layout *weights, const struct layout *bias,
                                          const struct layout *dst, struct onednn_after after, struct invar_error *err);
/** In inference, with given (running) statistics; relu: fused. */
struct kernel *onednn_batchnorm(struct onednn *o, const struct layout *src, double epsilon, bool relu,
                                struct invar_error *err);
struct kernel *onednn_layernorm(struct onednn *o, enum pass pass, const struct layout *src, double epsilon,
                                const struct kernel *hint, struct invar_error *err);
/** Does this backward pass of a norm count the shift among its inputs? None needs it, but each wants what it counts. */
bool onednn_norm_reads_shift(const struct kernel *kernel);
struct kernel *onednn_pool(struct onednn *o, enum pass pass, bool maximum, const struct layout *src,
                           const struct layout *dst, const struct window *window, const struct kernel *hint,
                           struct invar_error *err);
/** To the height and width of dst, nearest neighbour; src and dst are the gradients in a backward pass. */
struct kernel *onednn_upsample(struct onednn *o, enum pass pass, const struct layout *src, const struct layout *dst,
                               const struct kernel *hint, struct invar_error *err);
/** Backward takes the gradient and the forward *output*. */
struct kernel *onednn_relu(struct onednn *o, enum pass pass, const struct layout *data, const struct kernel *hint,
                           struct invar_error *err);
/** dst = a + b; a, b and dst have the same layout and dst may be a. */
struct kernel *onednn_add(struct onednn *o, const struct layout *data, struct invar_error *err);
struct kernel *onednn_reorder(struct onednn *o, const struct layout *from, const struct layout *to,
                              struct invar_error *err);
/** c = a b, n x n each, in that type: only for measuring the peak. */
struct kernel *onednn_matmul(struct onednn *o, const struct layout *a, const struct layout *b, const struct layout *c,
                             struct invar_error *err);

/** A memory object over data (may be NULL and set later). */
dnnl_memory_t onednn_memory(struct onednn *o, const struct layout *layout, void *data, struct invar_error *err);
bool onednn_memory_set(dnnl_memory_t memory, void *data, struct invar_error *err);
bool onednn_execute(struct onednn *o, const struct kernel *kernel, const dnnl_exec_arg_t *args, int count,
                    struct invar_error *err);

/** Does this processor compute in bfloat16 at all (through oneDNN), and natively (AVX512-BF16, AMX)? */
bool onednn_has_bfloat16(struct onednn *o);
bool onednn_native_bfloat16(void);
/** "oneDNN 2.6.3, AVX2". */
/** "oneDNN 2.6.3" */
void onednn_version(char *out, size_t size);
void onednn_describe(char *out, size_t size);
/** What oneDNN uses of this processor, under the names that ONEDNN_MAX_CPU_ISA takes. */
const char *onednn_instruction_set(void);
int64_t onednn_kernel_count(const struct onednn *o);

#endif
