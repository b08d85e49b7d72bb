/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's engine, tensor layouts, memory and execution, in 2.x and 3.x. */
#include "device/cpu/onednn_private.h"
#include "device/cpu/signals.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

/* What oneDNN says is a number; the four that occur have words. Others than these mean that arguments were put
 * together wrongly here. */
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

/* A want of memory is told apart, as it has another remedy (a smaller batch) than a missing operation. */
bool onednn_check(dnnl_status_t status, const char *what, struct invar_error *err)
{
    if (status == dnnl_success)
        return true;
    return invar_error_set(err, status == dnnl_out_of_memory ? INVAR_ERROR_MEMORY : INVAR_ERROR_DEVICE,
                           "oneDNN could not %s: %s", what, status_text(status));
}

/* What is made for a plan is freed with it, in one place, whatever step of the making failed. */
bool onednn_own(struct owned *owned, void *item, struct invar_error *err)
{
    void *items = owned->items;
    if (!invar_grow(&items, owned->count, &owned->capacity, sizeof *owned->items, err))
        return false;
    owned->items = items;
    owned->items[owned->count++] = item;
    return true;
}

/* Scratch memory of kernels is ours (user mode): it becomes part of a plan's workspace, where other operations use it
 * in between. */
struct onednn *onednn_create(struct invar_error *err)
{
    struct onednn *o = invar_alloc(1, sizeof *o, err);
    if (!o)
        return NULL;
    if (onednn_check(dnnl_engine_create(&o->engine, dnnl_cpu, 0), "open the processor", err) &&
        onednn_check(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags), "make a stream", err) &&
        onednn_check(dnnl_primitive_attr_create(&o->attributes), "make attributes", err) &&
        onednn_check(dnnl_primitive_attr_set_scratchpad_mode(o->attributes, dnnl_scratchpad_mode_user),
                     "set attributes", err))
        return o;
    onednn_free(o);
    return NULL;
}

/* The engine last, as everything else was made with it. */
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

/* What a call takes is a pointer in 2.x and a handle in 3.x; this is the one place that knows. */
desc_in onednn_desc(const struct layout *layout)
{
#if VERSION3
    return layout ? layout->desc : NULL;
#else
    return layout ? &layout->desc : NULL;
#endif
}

/* Whoever made the description has given it away, whether this succeeds or not: there is one owner at any time. */
const struct layout *onednn_layout_keep(struct onednn *o, dnnl_memory_desc_t desc, struct invar_error *err)
{
    struct layout *layout = invar_alloc(1, sizeof *layout, err);
    if (layout && onednn_own(&o->layouts, layout, err)) {
        layout->desc = desc;
        layout->bytes = dnnl_memory_desc_get_size(onednn_desc(layout));
        return layout;
    }
    invar_free(layout);
#if VERSION3
    dnnl_memory_desc_destroy(desc);
#endif
    return NULL;
}

/* ANY lets the operation choose; PLAIN is what callers have. */
const struct layout *onednn_layout(struct onednn *o, enum invar_dtype dtype, int rank, const int64_t *dims,
                                   enum layout_format format, struct invar_error *err)
{
    static const dnnl_format_tag_t plain[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd};
    dnnl_format_tag_t tag = format == LAYOUT_ANY            ? dnnl_format_tag_any
                            : format == LAYOUT_CHANNEL_LAST ? dnnl_acdb
                            : format == LAYOUT_BLOCKED_8    ? dnnl_aBcd8b
                            : format == LAYOUT_BLOCKED_16   ? dnnl_aBcd16b
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
    return onednn_check(status, "describe a tensor", err) ? onednn_layout_keep(o, desc, err) : NULL;
}

/* By content: equal layouts are made anew by every query, and a reorder between two of them would be a copy for
 * nothing. */
bool onednn_layout_equal(const struct layout *a, const struct layout *b)
{
    return a == b || dnnl_memory_desc_equal(onednn_desc(a), onednn_desc(b));
}

/* Two types, as plans have no others. */
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

int onednn_layout_rank(const struct layout *layout)
{
#if VERSION3
    int32_t rank = 0;
    return dnnl_memory_desc_query(layout->desc, dnnl_query_ndims_s32, &rank) == dnnl_success ? rank : 0;
#else
    return layout->desc.ndims;
#endif
}

/* Sizes, padded sizes, strides and the block of channels of a layout; false where it is blocked in another way. Two
 * versions of the library say the same in two ways; everything above sees one. */
static bool blocking(const struct layout *layout, int rank, const dnnl_dim_t **padded, const dnnl_dim_t **strides,
                     int64_t *block)
{
#if VERSION3
    const dnnl_dims_t *sizes = NULL, *steps = NULL, *blocks = NULL, *axes = NULL;
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    int inner = 0;
    if (dnnl_memory_desc_query(layout->desc, dnnl_query_format_kind, &kind) != dnnl_success || kind != dnnl_blocked ||
        dnnl_memory_desc_query(layout->desc, dnnl_query_padded_dims, &sizes) != dnnl_success ||
        dnnl_memory_desc_query(layout->desc, dnnl_query_strides, &steps) != dnnl_success ||
        dnnl_memory_desc_query(layout->desc, dnnl_query_inner_nblks_s32, &inner) != dnnl_success ||
        dnnl_memory_desc_query(layout->desc, dnnl_query_inner_blks, &blocks) != dnnl_success ||
        dnnl_memory_desc_query(layout->desc, dnnl_query_inner_idxs, &axes) != dnnl_success)
        return false;
    const dnnl_dim_t *inner_blocks = *blocks, *inner_axes = *axes;
    *padded = *sizes;
    *strides = *steps;
#else
    if (layout->desc.format_kind != dnnl_blocked)
        return false;
    const int inner = layout->desc.format_desc.blocking.inner_nblks;
    const dnnl_dim_t *inner_blocks = layout->desc.format_desc.blocking.inner_blks;
    const dnnl_dim_t *inner_axes = layout->desc.format_desc.blocking.inner_idxs;
    *padded = layout->desc.padded_dims;
    *strides = layout->desc.format_desc.blocking.strides;
#endif
    if (inner > 1 || (inner == 1 && (inner_axes[0] != 1 || rank != 4)))
        return false;
    *block = inner ? inner_blocks[0] : 1;
    return true;
}

/* All that our own kernels can read: rows of blocks of pixels of `width` neighbouring channels, without gaps.
 * Channels last is one block as wide as all channels; what is plain has blocks of width 1. */
bool onednn_layout_form(const struct layout *layout, struct form *out)
{
    const int rank = onednn_layout_rank(layout);
    const dnnl_dim_t *size = NULL, *stride = NULL;
    int64_t block = 1;
    if ((rank != 4 && rank != 2) || !blocking(layout, rank, &size, &stride, &block))
        return false;
    const int64_t height = rank == 4 ? size[2] : 1, width = rank == 4 ? size[3] : 1;
    *out = (struct form){size[0], size[1] / block, height * width, block};
    const bool last = block == 1 && stride[1] == 1 && (rank == 2 || stride[3] == size[1] || height * width == 1);
    if (last)
        *out = (struct form){size[0], 1, height * width, size[1]};
    /* a stride along one step alone may be anything */
    const bool pixels =
        rank == 2 || ((width == 1 || stride[3] == out->width) && (height == 1 || stride[2] == width * out->width));
    const bool blocks = last || out->blocks == 1 || stride[1] == out->pixels * out->width;
    return pixels && blocks && (out->rows == 1 || stride[0] == out->blocks * out->pixels * out->width);
}

/* ---- memory and execution ---- */

/* An object over memory that is somebody else's; NONE where the place is known later (inputs of a pass). */
dnnl_memory_t onednn_memory(struct onednn *o, const struct layout *layout, void *data, struct invar_error *err)
{
    dnnl_memory_t memory = NULL;
    if (!onednn_check(dnnl_memory_create(&memory, onednn_desc(layout), o->engine, data ? data : DNNL_MEMORY_NONE),
                      "make a memory object", err))
        return NULL;
    if (onednn_own(&o->memories, memory, err))
        return memory;
    dnnl_memory_destroy(memory);
    return NULL;
}

bool onednn_memory_set(dnnl_memory_t memory, void *data, struct invar_error *err)
{
    return onednn_check(dnnl_memory_set_data_handle(memory, data), "point a memory object at data", err);
}

/* One stream in order: what an operation writes is there for the next one, without events between them. */
bool onednn_execute(struct onednn *o, const struct kernel *kernel, const dnnl_exec_arg_t *args, int count,
                    struct invar_error *err)
{
    sigset_t before;
    signals_hold(&before);
    const dnnl_status_t status = dnnl_primitive_execute(kernel->primitive, o->stream, count, args);
    signals_release(&before);
    return onednn_check(status, "run an operation", err);
}

/* Tests hold it: a plan that makes a kernel twice has lost its way. */
int64_t onednn_kernel_count(const struct onednn *o)
{
    return o->kernels.count;
}

/* ---- the processor ---- */

/* By asking for a convolution, which is what it would be used for, rather than by the processor's flags. */
bool onednn_has_bfloat16(struct onednn *o)
{
    const int64_t map[] = {2, 16, 8, 8}, weights[] = {16, 16, 3, 3};
    const struct window window = {{3, 3}, {1, 1}, {1, 1}};
    const struct layout *x = onednn_layout(o, INVAR_BFLOAT16, 4, map, LAYOUT_ANY, NULL);
    const struct layout *w = onednn_layout(o, INVAR_BFLOAT16, 4, weights, LAYOUT_ANY, NULL);
    return x && w && onednn_convolution(o, PASS_TRAINING, x, w, NULL, x, &window, NULL, NULL) != NULL;
}

/* Bits of the effective set: all of the wanted ones, as the sets are masks that include one another. */
bool onednn_native_bfloat16(void)
{
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(), bf16 = (unsigned)dnnl_cpu_isa_avx512_core_bf16;
    return (isa & bf16) == bf16;
}

/* From the best down: the first whose bits are all there. Named as ONEDNN_MAX_CPU_ISA wants them, so that a line of a
 * result can be repeated. */
const char *onednn_instruction_set(void)
{
    static const struct {
        dnnl_cpu_isa_t isa;
        const char *name;
    } names[] = {
#if DNNL_VERSION_MAJOR >= 3
        {dnnl_cpu_isa_avx512_core_amx_fp16, "AVX512_CORE_AMX_FP16"},
#endif
        {dnnl_cpu_isa_avx512_core_amx, "AVX512_CORE_AMX"},
#if DNNL_VERSION_MAJOR >= 3
        {dnnl_cpu_isa_avx512_core_fp16, "AVX512_CORE_FP16"},
#endif
        {dnnl_cpu_isa_avx512_core_bf16, "AVX512_CORE_BF16"},
        {dnnl_cpu_isa_avx512_core_vnni, "AVX512_CORE_VNNI"},
        {dnnl_cpu_isa_avx512_core, "AVX512_CORE"},
#if DNNL_VERSION_MAJOR >= 3
        {dnnl_cpu_isa_avx2_vnni_2, "AVX2_VNNI_2"},
#endif
        {dnnl_cpu_isa_avx2_vnni, "AVX2_VNNI"},
        {dnnl_cpu_isa_avx2, "AVX2"},
        {dnnl_cpu_isa_avx, "AVX"},
        {dnnl_cpu_isa_sse41, "SSE41"}
    };
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((isa & (unsigned)names[i].isa) == (unsigned)names[i].isa)
            return names[i].name;
    return "no vector instructions";
}

void onednn_version(char *out, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(out, size, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
}

void onednn_describe(char *out, size_t size)
{
    char version[64];
    onednn_version(version, sizeof version);
    snprintf(out, size, "%s, %s", version, onednn_instruction_set());
}
