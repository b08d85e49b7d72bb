/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TESTS_OPEN_DEVICE_H
#define INVAR_TESTS_OPEN_DEVICE_H

#include "invar/device.h"

#include <stdlib.h>
#include <string.h>

/** The device that tests compute on: INVAR_TEST_DEVICE, or cpu. With cpu-guarded no test and nothing that it tests may
 * read memory of the device but by invar_device_download. */
static inline struct invar_device *test_device_open(int threads, struct invar_error *err)
{
    return invar_device_open("auto", threads, err);
}

/** Number i of a vector of the device. */
static inline float test_device_at(struct invar_device *device, const float *x, int64_t i)
{
    float value;

    invar_device_download(device, &value, x + i, sizeof value);
    return value;
}

/** A copy of count numbers of the device; free it. */
static inline float *test_device_copy(struct invar_device *device, const float *x, int64_t count)
{
    float *copy = malloc((size_t)count * sizeof *copy);

    invar_device_download(device, copy, x, (size_t)count * sizeof *copy);
    return copy;
}

/** Whether the device holds these bytes. */
static inline bool test_device_holds(struct invar_device *device, const void *x, const void *expected, size_t bytes)
{
    void *copy = malloc(bytes);

    invar_device_download(device, copy, x, bytes);
    const bool same = memcmp(copy, expected, bytes) == 0;
    free(copy);
    return same;
}

#endif
