/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the cpu backend know of each other. */
#ifndef INVAR_SRC_DEVICE_CPU_CPU_H
#define INVAR_SRC_DEVICE_CPU_CPU_H

/* The entries of the cpu's table, so that cpu-guarded, which is the cpu behind a fence, can call them one by one. */
#include "device/backend.h"

/* vectors.c */
void cpu_fill(struct invar_device *device, float *x, int64_t count, float value);
void cpu_sum_squares(struct invar_device *device, const float *x, int64_t count, double factor, double *slot);
void cpu_scale(struct invar_device *device, float *x, int64_t count, double factor);
void cpu_add(struct invar_device *device, float *x, const float *y, double factor, int64_t count);
void cpu_lerp(struct invar_device *device, float *x, const float *y, double m, int64_t count);
void cpu_decide(struct invar_device *device, const double *slots, int count, const double *squares, double limit,
                double *scalars);
void cpu_follow(struct invar_device *device, float *x, const float *y, const double *scalars, int64_t count);
void cpu_update(struct invar_device *device, const struct invar_update *update);
void cpu_segment_squares(struct invar_device *device, const struct invar_update *update, const double *decay);

/* plan.c */
struct invar_plan *cpu_plan_create(struct invar_weights *weights, const struct invar_plan_options *options,
                                   struct invar_error *err);
void cpu_plan_free(struct invar_plan *plan);
bool cpu_plan_forward(struct invar_plan *plan, const float *input, struct invar_error *err);
const float *cpu_plan_output(const struct invar_plan *plan);
bool cpu_plan_backward(struct invar_plan *plan, const float *output_gradient, struct invar_error *err);
const float *cpu_plan_input_gradient(const struct invar_plan *plan);
float *cpu_plan_state(const struct invar_plan *plan);
const char *cpu_plan_find_nonfinite(struct invar_plan *plan);
void cpu_plan_memory(const struct invar_plan *plan, struct invar_plan_memory *out);
int cpu_plan_profile(const struct invar_plan *plan, struct invar_profile_entry *entries, int capacity);

#endif
