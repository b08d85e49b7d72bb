/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_LOG_H
#define INVAR_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

enum invar_log_level { INVAR_LOG_DEBUG, INVAR_LOG_INFO, INVAR_LOG_WARNING };

typedef void (*invar_log_sink)(void *user, enum invar_log_level level, const char *message);

/** The library prints nothing by itself; messages (one line, no newline) go to this sink. NULL, the default, drops
 * them. Messages of several threads arrive one after the other; a sink must not log itself. */
void invar_log_set_sink(invar_log_sink sink, void *user);

void invar_log(enum invar_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
