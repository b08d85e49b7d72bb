/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_MEMORY_PLAN_H
#define EXPORT_MEMORY_PLAN_H

#include "invar/expert/net.h"

/** Where the outputs of a net's layers lie in one block of work space, each until it was last read. */
struct memory_plan {
    int *owner;      /**< [layers] whose output this one's is: its own, or that of the layer it changes in place */
    int64_t *offset; /**< [layers] of owners, in numbers; -1: outside the block (the caller's input or output) */
    int64_t size;    /**< numbers of the block */
};
/** own_input: the input is a copy, in the block. The last layer's output lies outside. Close it in either case. */
bool memory_plan_open(struct memory_plan *plan, const struct invar_net *net, bool own_input, struct invar_error *err);
void memory_plan_close(struct memory_plan *plan);

int64_t memory_plan_count(struct invar_shape shape);

#endif
