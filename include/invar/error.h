/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_ERROR_H
#define INVAR_ERROR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What kind of failure it was; the command turns USAGE into exit status 2, every other into 1. */
enum invar_error_code {
    INVAR_OK = 0,
    INVAR_ERROR_USAGE,       /**< wrong arguments, an option or recipe value that is not allowed */
    INVAR_ERROR_FILE,        /**< a file that cannot be opened, read, written */
    INVAR_ERROR_FORMAT,      /**< a file that is not what it should be (foreign, truncated, corrupt, oversized) */
    INVAR_ERROR_DATA,        /**< data that do not fit (labels out of range, too few samples, ...) */
    INVAR_ERROR_MEMORY,      /**< memory could not be had, or a size would overflow */
    INVAR_ERROR_DEVICE,      /**< the device or its library failed */
    INVAR_ERROR_NUMERIC,     /**< NaN, Inf, a factorisation that failed */
    INVAR_ERROR_INTERRUPTED, /**< the caller asked to stop; the command exits with 130 */
    INVAR_ERROR_SYSTEM,      /**< the system fails: no descriptors are left, a disk cannot be read */
};

#define INVAR_ERROR_MESSAGE_SIZE 1024

/** One failure: a code and one sentence that says what, where, what was expected and what to do. */
struct invar_error {
    enum invar_error_code code;
    char message[INVAR_ERROR_MESSAGE_SIZE];
};

/**
 * Records a failure; err may be NULL. The first failure wins: a call on an err whose code is already set changes
 * nothing, so whoever detects writes and whoever forwards adds nothing. Always returns false, so that
 * `return invar_error_set(...)` reads well.
 */
bool invar_error_set(struct invar_error *err, enum invar_error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Back to INVAR_OK and an empty message. */
void invar_error_clear(struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
