/* SPDX-License-Identifier: Apache-2.0 */
/* Draws in proportion to weights that change, in time that grows with the logarithm of their number. */
#include "agent/sum_tree.h"

#include "invar/memory.h"

int64_t sum_tree_size(int64_t count)
{
    int64_t size = 1;

    while (size < count)
        size *= 2;
    return size;
}

bool sum_tree_create(struct sum_tree *tree, int64_t count, struct invar_error *err)
{
    tree->size = sum_tree_size(count);
    tree->weight = invar_alloc(2 * (size_t)tree->size, sizeof *tree->weight, err);
    return tree->weight != NULL;
}

void sum_tree_set(struct sum_tree *tree, int64_t leaf, double weight)
{
    int64_t at = tree->size + leaf;

    tree->weight[at] = weight;
    while (at > 1) {
        at /= 2;
        tree->weight[at] = tree->weight[2 * at] + tree->weight[2 * at + 1];
    }
}

/* Rounding may leave x beyond what is there: a half without weight is never gone into. */
int64_t sum_tree_find(const struct sum_tree *tree, double x)
{
    int64_t at = 1;

    while (at < tree->size) {
        const double left = tree->weight[2 * at];
        const bool right = tree->weight[2 * at + 1] > 0 && !(x < left);
        x -= right ? left : 0;
        at = 2 * at + right;
    }
    return at - tree->size;
}
