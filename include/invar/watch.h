/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_WATCH_H
#define INVAR_WATCH_H

#include "invar/error.h"
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How far a stretch of work is; all texts are borrowed for the length of the call. */
struct invar_progress {
    const char *what;    /**< "embedding train"; another text: another stretch begins */
    const char *unit;    /**< what is counted: "samples", "steps" */
    int64_t done, total; /**< of the unit */
    const char *note;    /**< what is known so far, "best 88.20 %"; NULL: nothing */
};

/** Whoever wants to know how far long work is, and may end it. It is told in the thread that called, after every batch
 * or so. */
struct invar_watch {
    bool (*told)(void *user, const struct invar_progress *progress); /**< false: give up */
    void *user;
};

/** Tells a watch; NULL, or one without a function, wants to know nothing. False where it wants no more, with
 * INVAR_ERROR_INTERRUPTED and a sentence that says how far the work was. */
bool invar_watch_tell(const struct invar_watch *watch, const struct invar_progress *progress, struct invar_error *err);

/** Seconds of a clock that only goes forward. */
double invar_seconds(void);

#ifdef __cplusplus
}
#endif

#endif
