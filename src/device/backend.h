/* SPDX-License-Identifier: Apache-2.0 */
/* What a device is made of: a table of functions behind device.h, one a backend. See device.h for what each must do. */
#ifndef INVAR_SRC_DEVICE_BACKEND_H
#define INVAR_SRC_DEVICE_BACKEND_H

#include "device/dense.h"

#include "invar/device.h"

/* Entries are what a device must do itself. What can be said with them (weights, ledgers, scratch, checks of options)
 * stands in device.c once for all devices, so that a new one is this table and nothing else. */
struct invar_backend {
    const char *name;
    /** As invar_device_engine. */
    void (*engine)(char *out, size_t size);
    /** Fills device->state and the texts of device. */
    bool (*open)(struct invar_device *device, struct invar_error *err);
    void (*close)(struct invar_device *device);
    bool (*precision)(const struct invar_device *device, enum invar_precision wanted, enum invar_precision *out,
                      struct invar_error *err);

    void *(*alloc)(struct invar_device *device, size_t count, size_t size, struct invar_error *err);
    void (*free)(struct invar_device *device, void *memory);
    void (*upload)(struct invar_device *device, void *to, const void *from, size_t bytes);
    void (*download)(struct invar_device *device, void *to, const void *from, size_t bytes);

    void (*fill)(struct invar_device *device, float *x, int64_t count, float value);
    void (*sum_squares)(struct invar_device *device, const float *x, int64_t count, double factor, double *slot);
    void (*scale)(struct invar_device *device, float *x, int64_t count, double factor);
    void (*add)(struct invar_device *device, float *x, const float *y, double factor, int64_t count);
    void (*lerp)(struct invar_device *device, float *x, const float *y, double m, int64_t count);
    void (*decide)(struct invar_device *device, const double *slots, int count, const double *squares, double limit,
                   double *scalars);
    void (*follow)(struct invar_device *device, float *x, const float *y, const double *scalars, int64_t count);
    void (*update)(struct invar_device *device, const struct invar_update *update);
    void (*segment_squares)(struct invar_device *device, const struct invar_update *update, const double *decay);

    struct invar_plan *(*plan_create)(struct invar_weights *weights, const struct invar_plan_options *options,
                                      struct invar_error *err);
    void (*plan_free)(struct invar_plan *plan);
    bool (*plan_forward)(struct invar_plan *plan, const float *input, struct invar_error *err);
    const float *(*plan_output)(const struct invar_plan *plan);
    bool (*plan_backward)(struct invar_plan *plan, const float *output_gradient, struct invar_error *err);
    const float *(*plan_input_gradient)(const struct invar_plan *plan);
    float *(*plan_state)(const struct invar_plan *plan);
    const char *(*plan_find_nonfinite)(struct invar_plan *plan);
    void (*plan_memory)(const struct invar_plan *plan, struct invar_plan_memory *out);
    int (*plan_profile)(const struct invar_plan *plan, struct invar_profile_entry *entries, int capacity);
    bool (*matrix_peak)(struct invar_device *device, enum invar_precision precision, int64_t n, double *flops,
                        struct invar_error *err);

    /* Made from the list of dense.h; an entry that has a default there may be NULL. */
    struct dense_entries dense; /* dense.h */
};

struct invar_device {
    const struct invar_backend *backend;
    int threads;
    bool planning;                         /* nothing made here has memory, and nothing runs */
    int64_t waits;                         /* downloads so far */
    const struct invar_dense_ranks *ranks; /* that share products; NULL: none do */
    char description[160];
    char processor[64], engine[32], instruction_set[32]; /* as in struct invar_machine */
    void *state;                                         /* the backend's */
    void *guard;                                         /* of cpu-guarded */
};

/** Every backend's plan begins with this. */
struct invar_plan {
    struct invar_device *device;
};

/** The name that the processor of this machine gives itself, in ASCII without quotes. */
void processor_name(char *out, size_t size);

extern const struct invar_backend invar_backend_cpu;
/** The same with memory that is closed outside of its calls: for tests. */
extern const struct invar_backend invar_backend_cpu_guarded;

#endif
