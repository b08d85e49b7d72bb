/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's operations, in 2.x and 3.x. */
#include "device/cpu/onednn_private.h"
#include "invar/memory.h"

#include <string.h>

/* Layout of one operand as the kernel wants it; NULL where there is none. Copied, and kept with the plan: what a
 * descriptor answers lives as long as the descriptor, and layouts are compared and passed on long after the kernel
 * was chosen. In 3.x a description is a handle that has to be cloned, in 2.x a struct. */
static bool operand(struct onednn *o, const struct kernel *kernel, dnnl_query_t query, const struct layout **out,
                    struct invar_error *err)
{
#if VERSION3
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(kernel->pd, query, 0);
    dnnl_memory_desc_t copy;
    if (!found || dnnl_memory_desc_get_size(found) == 0)
        return true;
    if (!onednn_check(dnnl_memory_desc_clone(&copy, found), "copy a tensor description", err))
        return false;
#else
    const dnnl_memory_desc_t *found = dnnl_primitive_desc_query_md(kernel->pd, query, 0);
    if (!found || dnnl_memory_desc_get_size(found) == 0)
        return true;
    dnnl_memory_desc_t copy = *found;
#endif
    *out = onednn_layout_keep(o, copy, err);
    return *out != NULL;
}

/* From a primitive descriptor (taken over) to a kernel; status is what making the descriptor said. "Unimplemented" is
 * no error here but an answer: the caller may want something else, or say which layer it is. */
static struct kernel *kernel_make(struct onednn *o, dnnl_primitive_desc_t pd, dnnl_status_t status,
                                  struct invar_error *err)
{
    if (status == dnnl_unimplemented)
        return NULL;
    if (!onednn_check(status, "plan an operation", err))
        return NULL;
    struct kernel *kernel = invar_alloc(1, sizeof *kernel, err);
    if (!kernel || !onednn_own(&o->kernels, kernel, err)) {
        invar_free(kernel);
        dnnl_primitive_desc_destroy(pd);
        return NULL;
    }
    kernel->pd = pd;
    kernel->implementation = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&kernel->implementation);
    bool ok = onednn_check(dnnl_primitive_create(&kernel->primitive, pd), "compile an operation", err) &&
              operand(o, kernel, dnnl_query_src_md, &kernel->src, err) &&
              operand(o, kernel, dnnl_query_weights_md, &kernel->weights, err) &&
              operand(o, kernel, dnnl_query_dst_md, &kernel->dst, err) &&
              operand(o, kernel, dnnl_query_diff_src_md, &kernel->diff_src, err) &&
              operand(o, kernel, dnnl_query_diff_weights_md, &kernel->diff_weights, err) &&
              operand(o, kernel, dnnl_query_diff_dst_md, &kernel->diff_dst, err) &&
              operand(o, kernel, dnnl_query_workspace_md, &kernel->workspace, err) &&
              operand(o, kernel, dnnl_query_scratchpad_md, &kernel->scratchpad, err);
    return ok ? kernel : NULL;
}

/* By the name of the implementation, the only thing that oneDNN tells about speed. */
bool onednn_is_reference(const struct kernel *kernel)
{
    return strncmp(kernel->implementation, "ref", 3) == 0 || strncmp(kernel->implementation, "gemm", 4) == 0;
}

/* Training keeps what the backward pass needs (the place of a maximum); inference does not. */
static dnnl_prop_kind_t forward_kind(enum pass pass)
{
    return pass == PASS_TRAINING ? dnnl_forward_training : dnnl_forward_inference;
}

/* In 2.x an operation is described first; `desc` and the call that filled it come from the caller. */
#if !VERSION3
/* 3.x makes an operation in one call from its arguments, 2.x in two with a struct between them. Both are spelled out
 * where the arguments are, side by side, so that whoever adds an operation sees what each version wants; nothing
 * above this file knows that there are two. */
static struct kernel *from_desc(struct onednn *o, dnnl_status_t status, const void *desc, const struct kernel *hint,
                                struct invar_error *err)
{
    dnnl_primitive_desc_t pd = NULL;
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, desc, o->attributes, o->engine, hint ? hint->pd : NULL);
    return kernel_make(o, pd, status, err);
}
#endif

/* One function for all four passes, as they have their arguments in common: forward for training and for inference,
 * the gradient of the data, the gradient of weights with that of the bias beside it. */
struct kernel *onednn_convolution(struct onednn *o, enum pass pass, const struct layout *src,
                                  const struct layout *weights, const struct layout *bias, const struct layout *dst,
                                  const struct window *window, const struct kernel *hint, struct invar_error *err)
{
    const dnnl_alg_kind_t alg = dnnl_convolution_direct;
    dnnl_dims_t stride = {window->stride[0], window->stride[1]}, dilation = {0, 0};
    dnnl_dims_t padding = {window->padding[0], window->padding[1]};
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD_DATA)
        status = dnnl_convolution_backward_data_primitive_desc_create(
            &pd, o->engine, alg, onednn_desc(src), onednn_desc(weights), onednn_desc(dst), stride, dilation, padding,
            padding, hint->pd, o->attributes);
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_convolution_backward_weights_primitive_desc_create(
            &pd, o->engine, alg, onednn_desc(src), onednn_desc(weights), onednn_desc(bias), onednn_desc(dst), stride,
            dilation, padding, padding, hint->pd, o->attributes);
    else
        status = dnnl_convolution_forward_primitive_desc_create(
            &pd, o->engine, forward_kind(pass), alg, onednn_desc(src), onednn_desc(weights), onednn_desc(bias),
            onednn_desc(dst), stride, dilation, padding, padding, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_convolution_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD_DATA)
        status = dnnl_dilated_convolution_backward_data_desc_init(&desc, alg, onednn_desc(src), onednn_desc(weights),
                                                                  onednn_desc(dst), stride, dilation, padding, padding);
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_dilated_convolution_backward_weights_desc_init(&desc, alg, onednn_desc(src), onednn_desc(weights),
                                                                     onednn_desc(bias), onednn_desc(dst), stride,
                                                                     dilation, padding, padding);
    else
        status = dnnl_dilated_convolution_forward_desc_init(&desc, forward_kind(pass), alg, onednn_desc(src),
                                                            onednn_desc(weights), onednn_desc(bias), onednn_desc(dst),
                                                            stride, dilation, padding, padding);
    return from_desc(o, status, &desc, hint, err);
#endif
}

/* A linear layer as oneDNN has it, weights [out][in]: in bfloat16 it may choose their layout, in float32 it takes
 * them as they are. */
struct kernel *onednn_inner_product(struct onednn *o, enum pass pass, const struct layout *src,
                                    const struct layout *weights, const struct layout *bias, const struct layout *dst,
                                    const struct kernel *hint, struct invar_error *err)
{
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD_DATA)
        status = dnnl_inner_product_backward_data_primitive_desc_create(
            &pd, o->engine, onednn_desc(src), onednn_desc(weights), onednn_desc(dst), hint->pd, o->attributes);
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_inner_product_backward_weights_primitive_desc_create(&pd, o->engine, onednn_desc(src),
                                                                           onednn_desc(weights), onednn_desc(bias),
                                                                           onednn_desc(dst), hint->pd, o->attributes);
    else
        status = dnnl_inner_product_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), onednn_desc(src),
                                                                  onednn_desc(weights), onednn_desc(bias),
                                                                  onednn_desc(dst), o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_inner_product_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD_DATA)
        status =
            dnnl_inner_product_backward_data_desc_init(&desc, onednn_desc(src), onednn_desc(weights), onednn_desc(dst));
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_inner_product_backward_weights_desc_init(&desc, onednn_desc(src), onednn_desc(weights),
                                                               onednn_desc(bias), onednn_desc(dst));
    else
        status = dnnl_inner_product_forward_desc_init(&desc, forward_kind(pass), onednn_desc(src), onednn_desc(weights),
                                                      onednn_desc(bias), onednn_desc(dst));
    return from_desc(o, status, &desc, hint, err);
#endif
}

/* With global statistics, that is, with given ones: for inference alone, as norms of a batch are made by our own
 * kernels. */
struct kernel *onednn_batchnorm(struct onednn *o, const struct layout *src, double epsilon, bool relu,
                                struct invar_error *err)
{
    unsigned flags = (unsigned)dnnl_use_scale | (unsigned)dnnl_use_shift | (unsigned)dnnl_use_global_stats;
    if (relu)
        flags |= (unsigned)dnnl_fuse_norm_relu;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status =
        dnnl_batch_normalization_forward_primitive_desc_create(&pd, o->engine, dnnl_forward_inference, onednn_desc(src),
                                                               onednn_desc(src), (float)epsilon, flags, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t status = dnnl_batch_normalization_forward_desc_init(&desc, dnnl_forward_inference, onednn_desc(src),
                                                                      (float)epsilon, flags);
    return from_desc(o, status, &desc, NULL, err);
#endif
}

/* Source and gradients are plain rows in both passes, and statistics are the kernel's own output in the forward pass.
 */
struct kernel *onednn_layernorm(struct onednn *o, enum pass pass, const struct layout *src, double epsilon,
                                const struct kernel *hint, struct invar_error *err)
{
    unsigned flags = (unsigned)dnnl_use_scale | (unsigned)dnnl_use_shift;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_layer_normalization_backward_primitive_desc_create(
            &pd, o->engine, dnnl_backward, onednn_desc(src), onednn_desc(src), onednn_desc(src), NULL, (float)epsilon,
            flags, hint->pd, o->attributes);
    else
        status = dnnl_layer_normalization_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass),
                                                                        onednn_desc(src), onednn_desc(src), NULL,
                                                                        (float)epsilon, flags, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_layer_normalization_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_layer_normalization_backward_desc_init(&desc, dnnl_backward, onednn_desc(src), onednn_desc(src),
                                                             NULL, (float)epsilon, flags);
    else
        status = dnnl_layer_normalization_forward_desc_init(&desc, forward_kind(pass), onednn_desc(src), NULL,
                                                            (float)epsilon, flags);
    return from_desc(o, status, &desc, hint, err);
#endif
}

/* Some versions want the shift as an input of the backward pass; the number of inputs says so, whatever the version. */
bool onednn_norm_reads_shift(const struct kernel *kernel)
{
    /* source, mean, variance, scale, gradient; what was below zero before a fused ReLU */
    const int others = 5 + (kernel->workspace != NULL);
    int inputs = 0;
    return dnnl_primitive_desc_query(kernel->pd, dnnl_query_num_of_inputs_s32, 0, &inputs) == dnnl_success &&
           inputs > others;
}

/* Averages leave out the padding, which average pools have none of here in any case. */
struct kernel *onednn_pool(struct onednn *o, enum pass pass, bool maximum, const struct layout *src,
                           const struct layout *dst, const struct window *window, const struct kernel *hint,
                           struct invar_error *err)
{
    dnnl_alg_kind_t alg = maximum ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
    dnnl_dims_t kernel = {window->kernel[0], window->kernel[1]}, stride = {window->stride[0], window->stride[1]};
    dnnl_dims_t padding = {window->padding[0], window->padding[1]}, dilation = {0, 0};
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status =
            dnnl_pooling_backward_primitive_desc_create(&pd, o->engine, alg, onednn_desc(src), onednn_desc(dst), stride,
                                                        kernel, dilation, padding, padding, hint->pd, o->attributes);
    else
        status = dnnl_pooling_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), alg, onednn_desc(src),
                                                            onednn_desc(dst), stride, kernel, dilation, padding,
                                                            padding, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_pooling_v2_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_pooling_v2_backward_desc_init(&desc, alg, onednn_desc(src), onednn_desc(dst), stride, kernel,
                                                    dilation, padding, padding);
    else
        status = dnnl_pooling_v2_forward_desc_init(&desc, forward_kind(pass), alg, onednn_desc(src), onednn_desc(dst),
                                                   stride, kernel, dilation, padding, padding);
    return from_desc(o, status, &desc, hint, err);
#endif
}

/* To the nearest pixel: the generator that asks for it follows with a convolution, which smooths by weights it
 * learns. */
struct kernel *onednn_upsample(struct onednn *o, enum pass pass, const struct layout *src, const struct layout *dst,
                               const struct kernel *hint, struct invar_error *err)
{
    const dnnl_alg_kind_t alg = dnnl_resampling_nearest;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_resampling_backward_primitive_desc_create(&pd, o->engine, alg, NULL, onednn_desc(src),
                                                                onednn_desc(dst), hint->pd, o->attributes);
    else
        status = dnnl_resampling_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), alg, NULL,
                                                               onednn_desc(src), onednn_desc(dst), o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_resampling_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_resampling_backward_desc_init(&desc, alg, NULL, onednn_desc(src), onednn_desc(dst));
    else
        status =
            dnnl_resampling_forward_desc_init(&desc, forward_kind(pass), alg, NULL, onednn_desc(src), onednn_desc(dst));
    return from_desc(o, status, &desc, hint, err);
#endif
}

/* use_dst: the backward pass reads the output, which the next layer keeps anyway, and the input may be overwritten. */
struct kernel *onednn_relu(struct onednn *o, enum pass pass, const struct layout *data, const struct kernel *hint,
                           struct invar_error *err)
{
    dnnl_alg_kind_t alg = pass == PASS_INFERENCE ? dnnl_eltwise_relu : dnnl_eltwise_relu_use_dst_for_bwd;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_eltwise_backward_primitive_desc_create(&pd, o->engine, alg, onednn_desc(data), onednn_desc(data),
                                                             onednn_desc(data), 0, 0, hint->pd, o->attributes);
    else
        status = dnnl_eltwise_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), alg, onednn_desc(data),
                                                            onednn_desc(data), 0, 0, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_eltwise_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_eltwise_backward_desc_init(&desc, alg, onednn_desc(data), onednn_desc(data), 0, 0);
    else
        status = dnnl_eltwise_forward_desc_init(&desc, forward_kind(pass), alg, onednn_desc(data), 0, 0);
    return from_desc(o, status, &desc, hint, err);
#endif
}

/* The scale of a sum and of an activation is 1; 2.x has it as an argument. */
static dnnl_status_t append_relu(dnnl_post_ops_t after)
{
#if VERSION3
    return dnnl_post_ops_append_eltwise(after, dnnl_eltwise_relu, 0, 0);
#else
    return dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0);
#endif
}

static dnnl_status_t append_sum(dnnl_post_ops_t after)
{
#if VERSION3
    return dnnl_post_ops_append_sum(after, 1, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(after, 1);
#endif
}

/* Attributes with a sum and a ReLU after the operation. Made for one operation, and given back once that is planned. */
static bool after_attributes(dnnl_primitive_attr_t *out, struct onednn_after wanted, struct invar_error *err)
{
    dnnl_post_ops_t after = NULL;
    *out = NULL;
    bool ok =
        onednn_check(dnnl_primitive_attr_create(out), "make attributes", err) &&
        onednn_check(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user), "set attributes", err) &&
        onednn_check(dnnl_post_ops_create(&after), "make attributes", err) &&
        (!wanted.sum || onednn_check(append_sum(after), "fuse a sum", err)) &&
        (!wanted.relu || onednn_check(append_relu(after), "fuse ReLU", err)) &&
        onednn_check(dnnl_primitive_attr_set_post_ops(*out, after), "set attributes", err);
    if (after)
        dnnl_post_ops_destroy(after);
    return ok;
}

/* The plan's attributes are put aside for the length of the call: all other operations are made with them. */
struct kernel *onednn_convolution_after(struct onednn *o, enum pass pass, const struct layout *src,
                                        const struct layout *weights, const struct layout *bias,
                                        const struct layout *dst, const struct window *window,
                                        struct onednn_after after, struct invar_error *err)
{
    dnnl_primitive_attr_t plain = o->attributes;
    struct kernel *kernel = NULL;
    if (after_attributes(&o->attributes, after, err))
        kernel = onednn_convolution(o, pass, src, weights, bias, dst, window, NULL, err);
    if (o->attributes)
        dnnl_primitive_attr_destroy(o->attributes);
    o->attributes = plain;
    return kernel;
}

/* As the convolution above. */
struct kernel *onednn_inner_product_after(struct onednn *o, enum pass pass, const struct layout *src,
                                          const struct layout *weights, const struct layout *bias,
                                          const struct layout *dst, struct onednn_after after, struct invar_error *err)
{
    dnnl_primitive_attr_t plain = o->attributes;
    struct kernel *kernel = NULL;
    if (after_attributes(&o->attributes, after, err))
        kernel = onednn_inner_product(o, pass, src, weights, bias, dst, NULL, err);
    if (o->attributes)
        dnnl_primitive_attr_destroy(o->attributes);
    o->attributes = plain;
    return kernel;
}

/* A binary operation and not `sum`: it may write over either of its operands. Neither scale is asked for: sums of a net
 * are plain, and a scaled one would be another operation. */
struct kernel *onednn_add(struct onednn *o, const struct layout *data, struct invar_error *err)
{
    dnnl_primitive_desc_t pd = NULL;
#if VERSION3
    dnnl_status_t status = dnnl_binary_primitive_desc_create(&pd, o->engine, dnnl_binary_add, onednn_desc(data),
                                                             onednn_desc(data), onednn_desc(data), o->attributes);
#else
    dnnl_binary_desc_t desc;
    dnnl_status_t status =
        dnnl_binary_desc_init(&desc, dnnl_binary_add, onednn_desc(data), onednn_desc(data), onednn_desc(data));
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, o->attributes, o->engine, NULL);
#endif
    return kernel_make(o, pd, status, err);
}

/* Both ends on the same engine, the processor; scratch memory is the caller's as everywhere. */
struct kernel *onednn_reorder(struct onednn *o, const struct layout *from, const struct layout *to,
                              struct invar_error *err)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, onednn_desc(from), o->engine, onednn_desc(to),
                                                              o->engine, o->attributes);
    return kernel_make(o, pd, status, err);
}

/* For measuring the machine's peak alone: products of a step are OpenBLAS's, whose calls take any stride without a
 * plan. */
struct kernel *onednn_matmul(struct onednn *o, const struct layout *a, const struct layout *b, const struct layout *c,
                             struct invar_error *err)
{
    dnnl_primitive_desc_t pd = NULL;
#if VERSION3
    dnnl_status_t status = dnnl_matmul_primitive_desc_create(&pd, o->engine, onednn_desc(a), onednn_desc(b), NULL,
                                                             onednn_desc(c), o->attributes);
#else
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = dnnl_matmul_desc_init(&desc, onednn_desc(a), onednn_desc(b), NULL, onednn_desc(c));
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, o->attributes, o->engine, NULL);
#endif
    return kernel_make(o, pd, status, err);
}
