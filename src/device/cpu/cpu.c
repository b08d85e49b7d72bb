/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu backend: plain memory, OpenMP threads, oneDNN plans. */
#include "device/cpu/cpu.h"
#include "device/cpu/dense.h"
#include "device/cpu/onednn.h"
#include "device/cpu/signals.h"
#include "base/threads.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Does oneDNN compute in bfloat16 here at all? Asked once: planning a probe costs more than remembering.
 * INVAR_EMULATE_BFLOAT16 counts only where the processor has no bfloat16 of its own, so that it can never make a fast
 * machine slow. */
struct cpu_state {
    bool bfloat16;
    bool emulates; /* plan_emulate.c */
    bool is_taken_by_auto;
};

/* What whoever starts the process says for OpenMP, its first number where it is a list, else every core. From the
 * environment and not from OpenMP: what another part of the process has set for itself is none of our business, and
 * ours must not become its. */
static int usual_threads(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    char *end = NULL;
    const long number = text ? strtol(text, &end, 10) : 0;
    const bool sound = text && end != text && (!*end || *end == ',') && number >= 1 && number <= 4096;
    return sound ? (int)number : omp_get_num_procs();
}

/* The probe is a whole engine, made and thrown away: oneDNN says what it can do only when it is asked for an
 * operation. */
static bool cpu_open(struct invar_device *device, struct invar_error *err)
{
    struct cpu_state *state = invar_alloc(1, sizeof *state, err);
    struct onednn *probe = onednn_create(err);
    if (!state || !probe) {
        invar_free(state);
        onednn_free(probe);
        return false;
    }
    if (device->threads == 0)
        device->threads = usual_threads();
    state->bfloat16 = onednn_has_bfloat16(probe);
    const char *emulate = getenv("INVAR_EMULATE_BFLOAT16");
    const bool by_auto = emulate && strcmp(emulate, "auto") == 0;
    state->emulates = !state->bfloat16 && emulate && (by_auto || strcmp(emulate, "1") == 0);
    state->is_taken_by_auto = state->bfloat16 ? onednn_native_bfloat16() : by_auto;
    onednn_free(probe);
    device->state = state;
    processor_name(device->processor, sizeof device->processor);
    onednn_version(device->engine, sizeof device->engine);
    snprintf(device->instruction_set, sizeof device->instruction_set, "%s%s", onednn_instruction_set(),
             state->emulates ? ", emulated" : "");
    char engine[96];
    onednn_describe(engine, sizeof engine);
    snprintf(device->description, sizeof device->description, "cpu, %d thread%s, %s%s", device->threads,
             device->threads == 1 ? "" : "s", engine,
             state->bfloat16   ? ""
             : state->emulates ? ", bfloat16 emulated"
                               : ", no bfloat16");
    return true;
}

/* Everything else that was made on it is gone by contract. */
static void cpu_close(struct invar_device *device)
{
    invar_free(device->state);
}

/* AUTO takes bfloat16 only where it is native: AVX-512 without it gets there by conversions; and where
 * INVAR_EMULATE_BFLOAT16 is "auto", which shows on any processor what a test or a command does on one that has it. Who
 * asks for it by name gets it in either case. */
static bool cpu_precision(const struct invar_device *device, enum invar_precision wanted, enum invar_precision *out,
                          struct invar_error *err)
{
    const struct cpu_state *state = device->state;
    if (wanted == INVAR_PRECISION_AUTO)
        wanted = state->is_taken_by_auto ? INVAR_PRECISION_BFLOAT16 : INVAR_PRECISION_FLOAT32;
    if (wanted == INVAR_PRECISION_BFLOAT16 && !state->bfloat16 && !state->emulates)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "precision bfloat16: this processor cannot (%s); it needs AVX-512; use float32 or auto",
                               device->description);
    *out = wanted;
    return true;
}

/* Memory of the device is memory of the host here; who relies on that is found by cpu-guarded. */
static void *cpu_alloc(struct invar_device *device, size_t count, size_t size, struct invar_error *err)
{
    (void)device;
    return invar_alloc(count, size, err);
}

static void cpu_free(struct invar_device *device, void *memory)
{
    (void)device;
    invar_free(memory);
}

/* Both directions are one here, and done when the call returns. */
static void cpu_copy(struct invar_device *device, void *to, const void *from, size_t bytes)
{
    (void)device;
    memcpy(to, from, bytes);
}

/* Best of several products: the peak is what the machine can do, not what it did on average. Its own engine, layouts
 * and memory, freed before it answers: a measurement leaves nothing behind in a device. */
static bool cpu_matrix_peak(struct invar_device *device, enum invar_precision precision, int64_t n, double *flops,
                            struct invar_error *err)
{
    THREADS_FOR(device->threads);
    signals_hold_team(device->threads);
    enum invar_precision used = INVAR_PRECISION_FLOAT32;
    struct onednn *o = NULL;
    void *data[3] = {0};
    bool ok = false;
    /* A square in whatever layout oneDNN likes best: the question is what the machine can do, not what a plan would
     * get. */
    const int64_t dims[] = {n, n};
    if (!cpu_precision(device, precision, &used, err))
        return false;
    bool half = used == INVAR_PRECISION_BFLOAT16 && ((struct cpu_state *)device->state)->bfloat16;
    o = onednn_create(err);
    if (!o)
        return false;
    const struct layout *any = onednn_layout(o, half ? INVAR_BFLOAT16 : INVAR_FLOAT32, 2, dims, LAYOUT_ANY, err);
    const struct kernel *kernel = any ? onednn_matmul(o, any, any, any, err) : NULL;
    if (!kernel) {
        invar_error_set(err, INVAR_ERROR_DEVICE, "oneDNN has no matrix product of that precision here");
        goto done;
    }
    const struct layout *layout[] = {kernel->src, kernel->weights, kernel->dst, kernel->scratchpad};
    const int id[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    void *scratch = kernel->scratchpad ? invar_alloc(kernel->scratchpad->bytes, 1, err) : NULL;
    dnnl_exec_arg_t args[4];
    int count = kernel->scratchpad ? 4 : 3;
    for (int i = 0; i < count; i++) {
        void *memory = i == 3 ? scratch : (data[i] = invar_alloc(layout[i]->bytes, 1, err));
        args[i] = (dnnl_exec_arg_t){id[i], memory ? onednn_memory(o, layout[i], memory, err) : NULL};
        if (!args[i].memory)
            goto free_scratch;
    }
    /* At least three, since the first one touches its memory; two seconds are enough for clocks to settle. */
    double best = 0.0, begin = omp_get_wtime();
    for (int i = 0; i < 100 && (i < 3 || omp_get_wtime() - begin < 2.0); i++) {
        double start = omp_get_wtime();
        if (!onednn_execute(o, kernel, args, count, err))
            goto free_scratch;
        double rate = 2.0 * (double)n * (double)n * (double)n / (omp_get_wtime() - start);
        best = rate > best ? rate : best;
    }
    *flops = best;
    ok = true;
free_scratch:
    invar_free(scratch);
done:
    for (int i = 0; i < 3; i++)
        invar_free(data[i]);
    onednn_free(o);
    return ok;
}

/* The dense entries of the table, each by the name of its operation. */
#define ENTRY(name, parameters, arguments) .name = cpu_dense_##name,
#define ANSWER_ENTRY(type, name, parameters, arguments) .name = cpu_dense_##name,
#define LEFT(name, parameters, arguments)

const struct invar_backend invar_backend_cpu = {
    .name = "cpu",
    .engine = onednn_describe,
    .open = cpu_open,
    .close = cpu_close,
    .precision = cpu_precision,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .upload = cpu_copy,
    .download = cpu_copy,
    .fill = cpu_fill,
    .sum_squares = cpu_sum_squares,
    .scale = cpu_scale,
    .add = cpu_add,
    .lerp = cpu_lerp,
    .decide = cpu_decide,
    .follow = cpu_follow,
    .update = cpu_update,
    .segment_squares = cpu_segment_squares,
    .plan_create = cpu_plan_create,
    .plan_free = cpu_plan_free,
    .plan_forward = cpu_plan_forward,
    .plan_output = cpu_plan_output,
    .plan_backward = cpu_plan_backward,
    .plan_input_gradient = cpu_plan_input_gradient,
    .plan_state = cpu_plan_state,
    .plan_find_nonfinite = cpu_plan_find_nonfinite,
    .plan_memory = cpu_plan_memory,
    .plan_profile = cpu_plan_profile,
    .matrix_peak = cpu_matrix_peak,
    .dense = {DENSE_LIST(ENTRY, ANSWER_ENTRY, LEFT)},
};
