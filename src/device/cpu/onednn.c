/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows which oneDNN it is: 2.x describes an operation first and memory descriptors are values, 3.x
   makes primitive descriptors at once and memory descriptors are handles. */
#include "device/cpu/onednn.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

#define VERSION3 (DNNL_VERSION_MAJOR >= 3)

struct owned {
    void **items;
    int count, capacity;
};

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attributes; /* scratchpad given by the user */
    struct owned layouts, kernels, memories;
};

static const char *status_text(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not available on this processor";
    default:
        return "runtime error";
    }
}

static bool check(dnnl_status_t status, const char *what, struct invar_error *err)
{
    if (status == dnnl_success)
        return true;
    return invar_error_set(err, status == dnnl_out_of_memory ? INVAR_ERROR_MEMORY : INVAR_ERROR_DEVICE,
                           "oneDNN could not %s: %s", what, status_text(status));
}

static bool own(struct owned *owned, void *item, struct invar_error *err)
{
    void *items = owned->items;
    if (!invar_grow(&items, owned->count, &owned->capacity, sizeof *owned->items, err))
        return false;
    owned->items = items;
    owned->items[owned->count++] = item;
    return true;
}

struct onednn *onednn_create(struct invar_error *err)
{
    struct onednn *o = invar_alloc(1, sizeof *o, err);
    if (!o)
        return NULL;
    if (check(dnnl_engine_create(&o->engine, dnnl_cpu, 0), "open the processor", err) &&
        check(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags), "make a stream", err) &&
        check(dnnl_primitive_attr_create(&o->attributes), "make attributes", err) &&
        check(dnnl_primitive_attr_set_scratchpad_mode(o->attributes, dnnl_scratchpad_mode_user), "set attributes", err))
        return o;
    onednn_free(o);
    return NULL;
}

void onednn_free(struct onednn *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->memories.count; i++)
        dnnl_memory_destroy(o->memories.items[i]);
    for (int i = 0; i < o->kernels.count; i++) {
        struct kernel *kernel = o->kernels.items[i];
        if (kernel->primitive)
            dnnl_primitive_destroy(kernel->primitive);
        if (kernel->pd)
            dnnl_primitive_desc_destroy(kernel->pd);
        invar_free(kernel);
    }
    for (int i = 0; i < o->layouts.count; i++) {
        struct layout *layout = o->layouts.items[i];
#if VERSION3
        dnnl_memory_desc_destroy(layout->desc);
#endif
        invar_free(layout);
    }
    invar_free(o->memories.items);
    invar_free(o->kernels.items);
    invar_free(o->layouts.items);
    if (o->attributes)
        dnnl_primitive_attr_destroy(o->attributes);
    if (o->stream)
        dnnl_stream_destroy(o->stream);
    if (o->engine)
        dnnl_engine_destroy(o->engine);
    invar_free(o);
}

/* ---- layouts ---- */

#if VERSION3
typedef const_dnnl_memory_desc_t desc_in;
static desc_in in(const struct layout *layout)
{
    return layout ? layout->desc : NULL;
}
#else
typedef const dnnl_memory_desc_t *desc_in;
static desc_in in(const struct layout *layout)
{
    return layout ? &layout->desc : NULL;
}
#endif

/* Takes over desc. */
static const struct layout *layout_keep(struct onednn *o, dnnl_memory_desc_t desc, struct invar_error *err)
{
    struct layout *layout = invar_alloc(1, sizeof *layout, err);
    if (layout && own(&o->layouts, layout, err)) {
        layout->desc = desc;
        layout->bytes = dnnl_memory_desc_get_size(in(layout));
        return layout;
    }
    invar_free(layout);
#if VERSION3
    dnnl_memory_desc_destroy(desc);
#endif
    return NULL;
}

const struct layout *onednn_layout(struct onednn *o, enum invar_dtype dtype, int rank, const int64_t *dims,
                                   enum layout_format format, struct invar_error *err)
{
    static const dnnl_format_tag_t plain[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd};
    dnnl_format_tag_t tag = format == LAYOUT_ANY            ? dnnl_format_tag_any
                            : format == LAYOUT_CHANNEL_LAST ? dnnl_acdb
                                                            : plain[rank];
    dnnl_data_type_t type = dtype == INVAR_BFLOAT16 ? dnnl_bf16 : dnnl_f32;
    dnnl_dims_t sizes = {0};
    dnnl_memory_desc_t desc;
    for (int i = 0; i < rank; i++)
        sizes[i] = dims[i];
#if VERSION3
    dnnl_status_t status = dnnl_memory_desc_create_with_tag(&desc, rank, sizes, type, tag);
#else
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&desc, rank, sizes, type, tag);
#endif
    return check(status, "describe a tensor", err) ? layout_keep(o, desc, err) : NULL;
}

const struct layout *onednn_layout_rows(struct onednn *o, const struct layout *whole, int64_t rows,
                                        struct invar_error *err)
{
    dnnl_dims_t sizes = {0}, offsets = {0};
    dnnl_memory_desc_t desc;
#if VERSION3
    const dnnl_dims_t *dims = NULL;
    int rank = 0;
    if (!check(dnnl_memory_desc_query(whole->desc, dnnl_query_ndims_s32, &rank), "read a tensor's rank", err) ||
        !check(dnnl_memory_desc_query(whole->desc, dnnl_query_dims, &dims), "read a tensor's shape", err))
        return NULL;
    memcpy(sizes, *dims, sizeof sizes);
    sizes[0] = rows;
    dnnl_status_t status = dnnl_memory_desc_create_submemory(&desc, whole->desc, sizes, offsets);
#else
    memcpy(sizes, whole->desc.dims, sizeof sizes);
    sizes[0] = rows;
    dnnl_status_t status = dnnl_memory_desc_init_submemory(&desc, &whole->desc, sizes, offsets);
#endif
    return check(status, "take rows of a tensor", err) ? layout_keep(o, desc, err) : NULL;
}

bool onednn_layout_equal(const struct layout *a, const struct layout *b)
{
    return a == b || dnnl_memory_desc_equal(in(a), in(b));
}

enum invar_dtype onednn_layout_dtype(const struct layout *layout)
{
    dnnl_data_type_t type;
#if VERSION3
    if (dnnl_memory_desc_query(layout->desc, dnnl_query_data_type, &type) != dnnl_success)
        type = dnnl_f32;
#else
    type = layout->desc.data_type;
#endif
    return type == dnnl_bf16 ? INVAR_BFLOAT16 : INVAR_FLOAT32;
}

/* ---- kernels ---- */

/* Layout of one operand as the kernel wants it; NULL where there is none. */
static bool operand(struct onednn *o, const struct kernel *kernel, dnnl_query_t query, const struct layout **out,
                    struct invar_error *err)
{
#if VERSION3
    const_dnnl_memory_desc_t found = dnnl_primitive_desc_query_md(kernel->pd, query, 0);
    dnnl_memory_desc_t copy;
    if (!found || dnnl_memory_desc_get_size(found) == 0)
        return true;
    if (!check(dnnl_memory_desc_clone(&copy, found), "copy a tensor description", err))
        return false;
#else
    const dnnl_memory_desc_t *found = dnnl_primitive_desc_query_md(kernel->pd, query, 0);
    if (!found || dnnl_memory_desc_get_size(found) == 0)
        return true;
    dnnl_memory_desc_t copy = *found;
#endif
    *out = layout_keep(o, copy, err);
    return *out != NULL;
}

/* From a primitive descriptor (taken over) to a kernel; status is what making the descriptor said. */
static struct kernel *kernel_make(struct onednn *o, dnnl_primitive_desc_t pd, dnnl_status_t status,
                                  struct invar_error *err)
{
    if (status == dnnl_unimplemented)
        return NULL;
    if (!check(status, "plan an operation", err))
        return NULL;
    struct kernel *kernel = invar_alloc(1, sizeof *kernel, err);
    if (!kernel || !own(&o->kernels, kernel, err)) {
        invar_free(kernel);
        dnnl_primitive_desc_destroy(pd);
        return NULL;
    }
    kernel->pd = pd;
    kernel->implementation = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&kernel->implementation);
    bool ok = check(dnnl_primitive_create(&kernel->primitive, pd), "compile an operation", err) &&
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

static dnnl_prop_kind_t forward_kind(enum pass pass)
{
    return pass == PASS_TRAINING ? dnnl_forward_training : dnnl_forward_inference;
}

/* In 2.x an operation is described first; `desc` and the call that filled it come from the caller. */
#if !VERSION3
static struct kernel *from_desc(struct onednn *o, dnnl_status_t status, const void *desc, const struct kernel *hint,
                                struct invar_error *err)
{
    dnnl_primitive_desc_t pd = NULL;
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, desc, o->attributes, o->engine, hint ? hint->pd : NULL);
    return kernel_make(o, pd, status, err);
}
#endif

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
        status = dnnl_convolution_backward_data_primitive_desc_create(&pd, o->engine, alg, in(src), in(weights),
                                                                      in(dst), stride, dilation, padding, padding,
                                                                      hint->pd, o->attributes);
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_convolution_backward_weights_primitive_desc_create(&pd, o->engine, alg, in(src), in(weights),
                                                                         in(bias), in(dst), stride, dilation, padding,
                                                                         padding, hint->pd, o->attributes);
    else
        status = dnnl_convolution_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), alg, in(src),
                                                                in(weights), in(bias), in(dst), stride, dilation,
                                                                padding, padding, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_convolution_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD_DATA)
        status = dnnl_dilated_convolution_backward_data_desc_init(&desc, alg, in(src), in(weights), in(dst), stride,
                                                                  dilation, padding, padding);
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_dilated_convolution_backward_weights_desc_init(&desc, alg, in(src), in(weights), in(bias),
                                                                     in(dst), stride, dilation, padding, padding);
    else
        status = dnnl_dilated_convolution_forward_desc_init(&desc, forward_kind(pass), alg, in(src), in(weights),
                                                            in(bias), in(dst), stride, dilation, padding, padding);
    return from_desc(o, status, &desc, hint, err);
#endif
}

struct kernel *onednn_inner_product(struct onednn *o, enum pass pass, const struct layout *src,
                                    const struct layout *weights, const struct layout *bias, const struct layout *dst,
                                    const struct kernel *hint, struct invar_error *err)
{
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD_DATA)
        status = dnnl_inner_product_backward_data_primitive_desc_create(&pd, o->engine, in(src), in(weights), in(dst),
                                                                        hint->pd, o->attributes);
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_inner_product_backward_weights_primitive_desc_create(&pd, o->engine, in(src), in(weights),
                                                                           in(bias), in(dst), hint->pd, o->attributes);
    else
        status = dnnl_inner_product_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), in(src),
                                                                  in(weights), in(bias), in(dst), o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_inner_product_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD_DATA)
        status = dnnl_inner_product_backward_data_desc_init(&desc, in(src), in(weights), in(dst));
    else if (pass == PASS_BACKWARD_WEIGHTS)
        status = dnnl_inner_product_backward_weights_desc_init(&desc, in(src), in(weights), in(bias), in(dst));
    else
        status =
            dnnl_inner_product_forward_desc_init(&desc, forward_kind(pass), in(src), in(weights), in(bias), in(dst));
    return from_desc(o, status, &desc, hint, err);
#endif
}

struct kernel *onednn_batchnorm(struct onednn *o, enum pass pass, const struct layout *src, double epsilon, bool global,
                                bool relu, const struct kernel *hint, struct invar_error *err)
{
    unsigned flags = (unsigned)dnnl_use_scale | (unsigned)dnnl_use_shift;
    if (global)
        flags |= (unsigned)dnnl_use_global_stats;
    if (relu)
        flags |= (unsigned)dnnl_fuse_norm_relu;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_batch_normalization_backward_primitive_desc_create(
            &pd, o->engine, dnnl_backward, in(src), in(src), in(src), (float)epsilon, flags, hint->pd, o->attributes);
    else
        status = dnnl_batch_normalization_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), in(src),
                                                                        in(src), (float)epsilon, flags, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status =
            dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, in(src), in(src), (float)epsilon, flags);
    else
        status = dnnl_batch_normalization_forward_desc_init(&desc, forward_kind(pass), in(src), (float)epsilon, flags);
    return from_desc(o, status, &desc, hint, err);
#endif
}

struct kernel *onednn_layernorm(struct onednn *o, enum pass pass, const struct layout *src, double epsilon,
                                const struct kernel *hint, struct invar_error *err)
{
    unsigned flags = (unsigned)dnnl_use_scale | (unsigned)dnnl_use_shift;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_layer_normalization_backward_primitive_desc_create(&pd, o->engine, dnnl_backward, in(src),
                                                                         in(src), in(src), NULL, (float)epsilon, flags,
                                                                         hint->pd, o->attributes);
    else
        status = dnnl_layer_normalization_forward_primitive_desc_create(
            &pd, o->engine, forward_kind(pass), in(src), in(src), NULL, (float)epsilon, flags, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_layer_normalization_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_layer_normalization_backward_desc_init(&desc, dnnl_backward, in(src), in(src), NULL,
                                                             (float)epsilon, flags);
    else
        status =
            dnnl_layer_normalization_forward_desc_init(&desc, forward_kind(pass), in(src), NULL, (float)epsilon, flags);
    return from_desc(o, status, &desc, hint, err);
#endif
}

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
        status = dnnl_pooling_backward_primitive_desc_create(&pd, o->engine, alg, in(src), in(dst), stride, kernel,
                                                             dilation, padding, padding, hint->pd, o->attributes);
    else
        status = dnnl_pooling_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), alg, in(src), in(dst),
                                                            stride, kernel, dilation, padding, padding, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_pooling_v2_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_pooling_v2_backward_desc_init(&desc, alg, in(src), in(dst), stride, kernel, dilation, padding,
                                                    padding);
    else
        status = dnnl_pooling_v2_forward_desc_init(&desc, forward_kind(pass), alg, in(src), in(dst), stride, kernel,
                                                   dilation, padding, padding);
    return from_desc(o, status, &desc, hint, err);
#endif
}

struct kernel *onednn_upsample(struct onednn *o, enum pass pass, const struct layout *src, const struct layout *dst,
                               const struct kernel *hint, struct invar_error *err)
{
    const dnnl_alg_kind_t alg = dnnl_resampling_nearest;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_resampling_backward_primitive_desc_create(&pd, o->engine, alg, NULL, in(src), in(dst), hint->pd,
                                                                o->attributes);
    else
        status = dnnl_resampling_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), alg, NULL, in(src),
                                                               in(dst), o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_resampling_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_resampling_backward_desc_init(&desc, alg, NULL, in(src), in(dst));
    else
        status = dnnl_resampling_forward_desc_init(&desc, forward_kind(pass), alg, NULL, in(src), in(dst));
    return from_desc(o, status, &desc, hint, err);
#endif
}

struct kernel *onednn_relu(struct onednn *o, enum pass pass, const struct layout *data, const struct kernel *hint,
                           struct invar_error *err)
{
    dnnl_alg_kind_t alg = pass == PASS_INFERENCE ? dnnl_eltwise_relu : dnnl_eltwise_relu_use_dst_for_bwd;
#if VERSION3
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_eltwise_backward_primitive_desc_create(&pd, o->engine, alg, in(data), in(data), in(data), 0, 0,
                                                             hint->pd, o->attributes);
    else
        status = dnnl_eltwise_forward_primitive_desc_create(&pd, o->engine, forward_kind(pass), alg, in(data), in(data),
                                                            0, 0, o->attributes);
    return kernel_make(o, pd, status, err);
#else
    dnnl_eltwise_desc_t desc;
    dnnl_status_t status;
    if (pass == PASS_BACKWARD)
        status = dnnl_eltwise_backward_desc_init(&desc, alg, in(data), in(data), 0, 0);
    else
        status = dnnl_eltwise_forward_desc_init(&desc, forward_kind(pass), alg, in(data), 0, 0);
    return from_desc(o, status, &desc, hint, err);
#endif
}

/* Attributes with a ReLU after the operation. */
static bool relu_attributes(dnnl_primitive_attr_t *out, struct invar_error *err)
{
    dnnl_post_ops_t after = NULL;
    *out = NULL;
    bool ok = check(dnnl_primitive_attr_create(out), "make attributes", err) &&
              check(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user), "set attributes", err) &&
              check(dnnl_post_ops_create(&after), "make attributes", err) &&
#if VERSION3
              check(dnnl_post_ops_append_eltwise(after, dnnl_eltwise_relu, 0, 0), "fuse ReLU", err) &&
#else
              check(dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0), "fuse ReLU", err) &&
#endif
              check(dnnl_primitive_attr_set_post_ops(*out, after), "set attributes", err);
    if (after)
        dnnl_post_ops_destroy(after);
    return ok;
}

struct kernel *onednn_add(struct onednn *o, const struct layout *data, bool relu, struct invar_error *err)
{
    dnnl_primitive_attr_t fused = NULL;
    struct kernel *kernel = NULL;
    dnnl_primitive_desc_t pd = NULL;
    if (relu && !relu_attributes(&fused, err))
        goto done;
    dnnl_primitive_attr_t attributes = relu ? fused : o->attributes;
#if VERSION3
    dnnl_status_t status =
        dnnl_binary_primitive_desc_create(&pd, o->engine, dnnl_binary_add, in(data), in(data), in(data), attributes);
#else
    dnnl_binary_desc_t desc;
    dnnl_status_t status = dnnl_binary_desc_init(&desc, dnnl_binary_add, in(data), in(data), in(data));
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, attributes, o->engine, NULL);
#endif
    kernel = kernel_make(o, pd, status, err);
done:
    if (fused)
        dnnl_primitive_attr_destroy(fused);
    return kernel;
}

struct kernel *onednn_reorder(struct onednn *o, const struct layout *from, const struct layout *to,
                              struct invar_error *err)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&pd, in(from), o->engine, in(to), o->engine, o->attributes);
    return kernel_make(o, pd, status, err);
}

struct kernel *onednn_matmul(struct onednn *o, const struct layout *a, const struct layout *b, const struct layout *c,
                             struct invar_error *err)
{
    dnnl_primitive_desc_t pd = NULL;
#if VERSION3
    dnnl_status_t status = dnnl_matmul_primitive_desc_create(&pd, o->engine, in(a), in(b), NULL, in(c), o->attributes);
#else
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = dnnl_matmul_desc_init(&desc, in(a), in(b), NULL, in(c));
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&pd, &desc, o->attributes, o->engine, NULL);
#endif
    return kernel_make(o, pd, status, err);
}

/* ---- memory and execution ---- */

dnnl_memory_t onednn_memory(struct onednn *o, const struct layout *layout, void *data, struct invar_error *err)
{
    dnnl_memory_t memory = NULL;
    if (!check(dnnl_memory_create(&memory, in(layout), o->engine, data ? data : DNNL_MEMORY_NONE),
               "make a memory object", err))
        return NULL;
    if (own(&o->memories, memory, err))
        return memory;
    dnnl_memory_destroy(memory);
    return NULL;
}

bool onednn_memory_set(dnnl_memory_t memory, void *data, struct invar_error *err)
{
    return check(dnnl_memory_set_data_handle(memory, data), "point a memory object at data", err);
}

bool onednn_execute(struct onednn *o, const struct kernel *kernel, const dnnl_exec_arg_t *args, int count,
                    struct invar_error *err)
{
    return check(dnnl_primitive_execute(kernel->primitive, o->stream, count, args), "run an operation", err);
}

int64_t onednn_kernel_count(const struct onednn *o)
{
    return o->kernels.count;
}

/* ---- the processor ---- */

bool onednn_has_bfloat16(struct onednn *o)
{
    const int64_t map[] = {2, 16, 8, 8}, weights[] = {16, 16, 3, 3};
    const struct window window = {{3, 3}, {1, 1}, {1, 1}};
    const struct layout *x = onednn_layout(o, INVAR_BFLOAT16, 4, map, LAYOUT_ANY, NULL);
    const struct layout *w = onednn_layout(o, INVAR_BFLOAT16, 4, weights, LAYOUT_ANY, NULL);
    return x && w && onednn_convolution(o, PASS_TRAINING, x, w, NULL, x, &window, NULL, NULL) != NULL;
}

bool onednn_native_bfloat16(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(), bf16 = (unsigned)dnnl_cpu_isa_avx512_core_bf16;
    return (isa & bf16) == bf16;
}

static const char *isa_name(void)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {{dnnl_cpu_isa_avx512_core_amx, "AMX"},
                 {dnnl_cpu_isa_avx512_core_bf16, "AVX512-BF16"},
                 {dnnl_cpu_isa_avx512_core_vnni, "AVX512-VNNI"},
                 {dnnl_cpu_isa_avx512_core, "AVX512"},
                 {dnnl_cpu_isa_avx2, "AVX2"},
                 {dnnl_cpu_isa_avx, "AVX"},
                 {dnnl_cpu_isa_sse41, "SSE4.1"}};
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((isa & (unsigned)names[i].isa) == (unsigned)names[i].isa)
            return names[i].name;
    return "no vector instructions";
}

void onednn_describe(char *out, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(out, size, "oneDNN %d.%d.%d, %s", version->major, version->minor, version->patch, isa_name());
}
