/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TESTS_DEVICE_H
#define INVAR_TESTS_DEVICE_H

#include "test.h"

#include "invar/expert/dense.h"
#include "invar/expert/random.h"
#include "invar/invar.h"

/** A device of two threads and scratch on it, for a group of tests: made by open_device, freed by close_device. */
static struct invar_device *device;
static struct invar_scratch *scratch;
static double *slot; /* one sum: FOUND */

static inline int open_device(void **state)
{
    (void)state;
    device = test_device_open(2, NULL);
    scratch = device ? invar_device_scratch_create(device, NULL) : NULL;
    slot = device ? invar_device_alloc(device, 1, sizeof *slot, NULL) : NULL;
    return device && scratch && slot ? 0 : -1;
}

static inline int close_device(void **state)
{
    (void)state;
    invar_device_free(device, slot);
    invar_scratch_free(scratch);
    invar_device_close(device);
    return 0;
}

static inline void clear_slot(void)
{
    const double zero = 0;

    invar_device_upload(device, slot, &zero, sizeof zero);
}

static inline double read_slot(void)
{
    double value;

    invar_device_download(device, &value, slot, sizeof value);
    return value;
}

/** What a reduction adds to the slot: FOUND(invar_dense_dot(device, &a, &b, 1, slot)). */
#define FOUND(call) (clear_slot(), (void)(call), read_slot())

#endif
