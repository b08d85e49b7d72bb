/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cpu as a device whose memory the host cannot reach: closed outside of calls of the backend, so that whoever reads
 * or writes it directly dies on the spot. For tests: INVAR_TEST_DEVICE=cpu-guarded. All of it is one range of
 * addresses, so that one call opens or closes it. The same pages lie at a second range that is always open and that
 * nobody is told: what copies and zeroes goes there, and no protection changes for it. Tests copy single numbers by the
 * million, which took minutes while each opened and closed a page.
 */
#include "device/cpu/cpu.h"
#include "device/cpu/onednn.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Addresses cost nothing until they are touched: 64 GiB of them leave room for any test, in one range that one call
 * opens. */
#define RESERVED ((size_t)64 << 30)
#define PLANNED ((size_t)1 << 30) /* by a device for planning, which has a byte of everything */
#define PAGE ((size_t)4096)

/* A piece that was given out, or given back, in the order of their places. */
struct piece {
    size_t at, bytes;
    bool used;
};

struct guard {
    char *memory;  /* what is given out */
    char *instead; /* the same pages, always open */
    size_t reserved;
    size_t end; /* nothing is used from here on */
    int depth;  /* of calls that have opened it */
    struct piece *pieces;
    int count, capacity;
};

/* Nested, as the cpu's entries call one another; the outermost call closes. */
static void enter(struct invar_device *device)
{
    struct guard *g = device->guard;
    if (g->depth++ == 0 && g->end)
        mprotect(g->memory, g->end, PROT_READ | PROT_WRITE);
}

/* Readable memory is closed again even after a failed call: the guard must not depend on how things went. */
static void leave(struct invar_device *device)
{
    struct guard *g = device->guard;
    if (--g->depth == 0 && g->end)
        mprotect(g->memory, g->end, PROT_NONE);
}

/* In this order: plans and weights are gone by contract, and nothing reads the range any more. */
static void guarded_close(struct invar_device *device)
{
    struct guard *g = device->guard;
    if (g) {
        if (g->memory)
            munmap(g->memory, g->reserved);
        if (g->instead)
            munmap(g->instead, g->reserved);
        invar_free(g->pieces);
        invar_free(g);
    }
    invar_backend_cpu.close(device);
}

/* Both ranges of one file without a name; it lives as long as they do. */
static bool map_twice(struct guard *g, size_t bytes)
{
    const int file = memfd_create("cpu-guarded", MFD_CLOEXEC), flags = MAP_SHARED | MAP_NORESERVE;
    if (file < 0)
        return false;
    g->reserved = bytes;
    if (ftruncate(file, (off_t)bytes) == 0) {
        void *memory = mmap(NULL, bytes, PROT_NONE, flags, file, 0);
        void *instead = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, file, 0);
        g->memory = memory == MAP_FAILED ? NULL : memory;
        g->instead = instead == MAP_FAILED ? NULL : instead;
    }
    close(file);
    return g->memory && g->instead;
}

static bool guarded_open(struct invar_device *device, struct invar_error *err)
{
    if (!invar_backend_cpu.open(device, err))
        return false;
    struct guard *g = device->guard = invar_alloc(1, sizeof *g, err);
    if (g && map_twice(g, device->planning ? PLANNED : RESERVED))
        return true;
    if (g)
        invar_error_set(err, INVAR_ERROR_MEMORY, "no range of addresses for cpu-guarded; test with cpu instead");
    guarded_close(device);
    return false;
}

/* The first free piece that is large enough, as it is; else a new one behind all. First fit and never split or
 * merged: tests allocate the same few sizes over and over, and a page a piece means that two pieces never share one. */
static struct piece *find_piece(struct guard *g, size_t bytes, struct invar_error *err)
{
    for (int i = 0; i < g->count; i++)
        if (!g->pieces[i].used && g->pieces[i].bytes >= bytes)
            return &g->pieces[i];
    void *items = g->pieces;
    if (bytes > g->reserved - g->end) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "cpu-guarded has no %zu bytes left; use a smaller batch or model",
                        bytes);
        return NULL;
    }
    if (!invar_grow(&items, g->count, &g->capacity, sizeof *g->pieces, err))
        return NULL;
    g->pieces = items;
    g->pieces[g->count] = (struct piece){.at = g->end, .bytes = bytes};
    g->end += bytes;
    if (g->depth > 0) /* it lies beyond what the call has opened */
        mprotect(g->memory, g->end, PROT_READ | PROT_WRITE);
    return &g->pieces[g->count++];
}

/* Zero as the contract of alloc says, for nobody has touched it since it was the file's or was given back: a large
 * piece of which little is used has few pages, and opening it takes no longer than they do. Up to a page more than
 * asked for, so that a kernel that reads past the end of a vector (which they may, within a vector) finds readable
 * memory within the call. */
static void *guarded_alloc(struct invar_device *device, size_t count, size_t size, struct invar_error *err)
{
    struct guard *g = device->guard;
    size_t bytes = 0;
    if (!invar_size_multiply(count, size, &bytes) || bytes > g->reserved) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%zu elements of %zu bytes are more than memory of cpu-guarded", count,
                        size);
        return NULL;
    }
    bytes = (bytes + PAGE) / PAGE * PAGE;
    struct piece *piece = find_piece(g, bytes, err);
    if (!piece)
        return NULL;
    piece->used = true;
    return g->memory + piece->at;
}

/* Freed memory keeps its addresses, closed like all of them, so that a use after free dies as well; its pages go, and
 * are zero for who gets the piece next. */
static void guarded_free(struct invar_device *device, void *memory)
{
    struct guard *g = device->guard;
    const size_t end = g->end;

    for (int i = 0; i < g->count; i++)
        if (g->memory + g->pieces[i].at == (char *)memory) {
            char *pages = g->instead + g->pieces[i].at;
            if (madvise(pages, g->pieces[i].bytes, MADV_REMOVE) != 0)
                memset(pages, 0, g->pieces[i].bytes);
            g->pieces[i].used = false;
        }
    for (; g->count > 0 && !g->pieces[g->count - 1].used; g->count--)
        g->end = g->pieces[g->count - 1].at;
    if (g->end < end && g->depth > 0)
        mprotect(g->memory + g->end, end - g->end, PROT_NONE);
}

/* ---- calls of the backend, each between enter and leave ---- */

/* Every entry of the cpu's table has a twin here, made by these lines: an entry that is forgotten is NULL, and the
 * first test that calls it dies. */
#define INSIDE(name, parameters, arguments)                                                                            \
    static void guarded_##name parameters                                                                              \
    {                                                                                                                  \
        enter(device);                                                                                                 \
        invar_backend_cpu.name arguments;                                                                              \
        leave(device);                                                                                                 \
    }
#define AT struct invar_device *device

/* Where this memory lies open, so that the other side of a copy has to be the host's: memory of the device dies there.
 * NULL for what is none of the device's, or beyond what is used. */
static void *opened(struct invar_device *device, const void *memory)
{
    struct guard *g = device->guard;
    const uintptr_t at = (uintptr_t)memory - (uintptr_t)g->memory;

    return at < g->end ? g->instead + at : NULL;
}

static void guarded_upload(AT, void *to, const void *from, size_t bytes)
{
    void *open = opened(device, to);
    invar_backend_cpu.upload(device, open ? open : to, from, bytes);
}

static void guarded_download(AT, void *to, const void *from, size_t bytes)
{
    const void *open = opened(device, from);
    invar_backend_cpu.download(device, to, open ? open : from, bytes);
}

INSIDE(fill, (AT, float *x, int64_t count, float value), (device, x, count, value))
INSIDE(sum_squares, (AT, const float *x, int64_t count, double factor, double *slot), (device, x, count, factor, slot))
INSIDE(scale, (AT, float *x, int64_t count, double factor), (device, x, count, factor))
INSIDE(add, (AT, float *x, const float *y, double factor, int64_t count), (device, x, y, factor, count))
INSIDE(lerp, (AT, float *x, const float *y, double m, int64_t count), (device, x, y, m, count))
INSIDE(decide, (AT, const double *slots, int count, const double *squares, double limit, double *scalars),
       (device, slots, count, squares, limit, scalars))
INSIDE(follow, (AT, float *x, const float *y, const double *scalars, int64_t count), (device, x, y, scalars, count))
INSIDE(update, (AT, const struct invar_update *update), (device, update))
INSIDE(segment_squares, (AT, const struct invar_update *update, const double *decay), (device, update, decay))

/* A plan allocates through the device while it is made, within the call. */
static struct invar_plan *guarded_plan_create(struct invar_weights *weights, const struct invar_plan_options *options,
                                              struct invar_error *err)
{
    enter(weights->device);
    struct invar_plan *plan = invar_backend_cpu.plan_create(weights, options, err);
    leave(weights->device);
    return plan;
}

static void guarded_plan_free(struct invar_plan *plan)
{
    struct invar_device *device = plan->device;
    enter(device);
    invar_backend_cpu.plan_free(plan);
    leave(device);
}

/* Inputs and gradients may be memory of the host as well: what is outside the range is not guarded. */
static bool guarded_plan_forward(struct invar_plan *plan, const float *input, struct invar_error *err)
{
    enter(plan->device);
    const bool ok = invar_backend_cpu.plan_forward(plan, input, err);
    leave(plan->device);
    return ok;
}

static bool guarded_plan_backward(struct invar_plan *plan, const float *output_gradient, struct invar_error *err)
{
    enter(plan->device);
    const bool ok = invar_backend_cpu.plan_backward(plan, output_gradient, err);
    leave(plan->device);
    return ok;
}

static const char *guarded_plan_find_nonfinite(struct invar_plan *plan)
{
    enter(plan->device);
    const char *name = invar_backend_cpu.plan_find_nonfinite(plan);
    leave(plan->device);
    return name;
}

/* From the list of dense.h, so that a new operation is guarded without a line here. */
#define DENSE_INSIDE(name, parameters, arguments)                                                                      \
    static void guarded_dense_##name parameters                                                                        \
    {                                                                                                                  \
        enter(device);                                                                                                 \
        invar_backend_cpu.dense.name arguments;                                                                        \
        leave(device);                                                                                                 \
    }
#define DENSE_INSIDE_ANSWER(type, name, parameters, arguments)                                                         \
    static type guarded_dense_##name parameters                                                                        \
    {                                                                                                                  \
        enter(device);                                                                                                 \
        const type answer = invar_backend_cpu.dense.name arguments;                                                    \
        leave(device);                                                                                                 \
        return answer;                                                                                                 \
    }
#define LEFT(name, parameters, arguments)
DENSE_LIST(DENSE_INSIDE, DENSE_INSIDE_ANSWER, LEFT)

#define ENTRY(name, parameters, arguments) .name = guarded_dense_##name,
#define ANSWER_ENTRY(type, name, parameters, arguments) .name = guarded_dense_##name,

static bool guarded_precision(const struct invar_device *device, enum invar_precision wanted, enum invar_precision *out,
                              struct invar_error *err)
{
    return invar_backend_cpu.precision(device, wanted, out, err);
}

static bool guarded_matrix_peak(struct invar_device *device, enum invar_precision precision, int64_t n, double *flops,
                                struct invar_error *err)
{
    return invar_backend_cpu.matrix_peak(device, precision, n, flops, err);
}

const struct invar_backend invar_backend_cpu_guarded = {
    .name = "cpu-guarded",
    .engine = onednn_describe,
    .open = guarded_open,
    .close = guarded_close,
    .precision = guarded_precision,
    .alloc = guarded_alloc,
    .free = guarded_free,
    .upload = guarded_upload,
    .download = guarded_download,
    .fill = guarded_fill,
    .sum_squares = guarded_sum_squares,
    .scale = guarded_scale,
    .add = guarded_add,
    .lerp = guarded_lerp,
    .decide = guarded_decide,
    .follow = guarded_follow,
    .update = guarded_update,
    .segment_squares = guarded_segment_squares,
    .plan_create = guarded_plan_create,
    .plan_free = guarded_plan_free,
    .plan_forward = guarded_plan_forward,
    .plan_output = cpu_plan_output,
    .plan_backward = guarded_plan_backward,
    .plan_input_gradient = cpu_plan_input_gradient,
    .plan_state = cpu_plan_state,
    .plan_find_nonfinite = guarded_plan_find_nonfinite,
    .plan_memory = cpu_plan_memory,
    .plan_profile = cpu_plan_profile,
    .matrix_peak = guarded_matrix_peak,
    .dense = {DENSE_LIST(ENTRY, ANSWER_ENTRY, LEFT)},
};
