/* SPDX-License-Identifier: Apache-2.0 */
/* A child process that is talked to over a socket and shares memory with this one: the only place of the library that
 * starts a process. It is in a process group of its own, so that Ctrl-C of a terminal is its parent's to handle, and
 * gets no descriptor but these: 0 its program's text, 1 and 2 what it says (read here), 3 the socket, 4 the memory. */
#ifndef INVAR_SRC_ENV_CHILD_H
#define INVAR_SRC_ENV_CHILD_H

#include "invar/error.h"

#include <stddef.h>
#include <stdint.h>

struct env_child;

/** Starts `program` (looked for in PATH) with `text` for it to run, as Python does: `program -u -`. who is what
 * messages begin with; it is borrowed. No answer for `patience` seconds is a failure. */
struct env_child *env_child_start(const char *program, const char *text, size_t size, const char *who, double patience,
                                  struct invar_error *err);
/** Ends it, and all that it started but what has a session of its own, and waits for it: its end of the socket closes,
 * and after three seconds, or a failure, it is killed. NULL is accepted. */
void env_child_end(struct env_child *child);

/** All of the bytes, or a sentence about what became of the child: that it ended, with the last line it said, or that
 * it did not answer in time, and was ended. After that only env_child_end is of use. */
bool env_child_send(struct env_child *child, const void *data, size_t size, struct invar_error *err);
bool env_child_receive(struct env_child *child, void *data, size_t size, struct invar_error *err);
/** So many bytes that both see, zeroed; once. They cannot be made fewer by the child. */
void *env_child_share(struct env_child *child, size_t size, struct invar_error *err);
/** Bytes of memory that it has for itself alone now; 0: not known. */
int64_t env_child_memory(const struct env_child *child);

#endif
