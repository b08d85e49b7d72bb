/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TESTS_DEVICE_H
#define INVAR_TESTS_DEVICE_H

#include "test.h"

#include "invar/invar.h"

/** A device of two threads and scratch on it, for a group of tests: made by open_device, freed by close_device. */
static struct invar_device *device;
static struct invar_scratch *scratch;

static inline int open_device(void **state)
{
    (void)state;
    device = invar_device_open("cpu", 2, NULL);
    scratch = invar_scratch_create(NULL);
    return device && scratch ? 0 : -1;
}

static inline int close_device(void **state)
{
    (void)state;
    invar_scratch_free(scratch);
    invar_device_close(device);
    return 0;
}

#endif
