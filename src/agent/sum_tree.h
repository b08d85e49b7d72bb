/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_AGENT_SUM_TREE_H
#define INVAR_SRC_AGENT_SUM_TREE_H

#include "invar/error.h"
#include <stdint.h>

/** Weights that are drawn from in proportion. Every sum is that of its two halves, made anew, so that sums depend on
 * the weights alone and never on how these came about. */
struct sum_tree {
    int64_t size;   /**< leaves, a power of two */
    double *weight; /**< [2 size]: 1 is the root, leaf i is size + i */
};

/** What size is for leaves 0 .. count - 1. */
int64_t sum_tree_size(int64_t count);
/** Weights 0 for leaves 0 .. count - 1. Free with invar_free(tree->weight). */
bool sum_tree_create(struct sum_tree *tree, int64_t count, struct invar_error *err);
void sum_tree_set(struct sum_tree *tree, int64_t leaf, double weight);
/** A leaf of weight above 0; x in [0, sum). The sum must be above 0. */
int64_t sum_tree_find(const struct sum_tree *tree, double x);
static inline double sum_tree_get(const struct sum_tree *tree, int64_t leaf)
{
    return tree->weight[tree->size + leaf];
}
static inline double sum_tree_sum(const struct sum_tree *tree)
{
    return tree->weight[1];
}

#endif
