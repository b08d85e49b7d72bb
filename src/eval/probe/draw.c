/* SPDX-License-Identifier: Apache-2.0 */
/* Some of the labelled samples, class by class: few labels, and held-out parts. One function for all methods that draw,
 * so that few labels and held-out parts mean the same in a probe by SGD, a fine-tuning and the supervised baseline. */
#include "eval/check.h"
#include "invar/eval.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

/* Never all of a class; where the fraction is less than half a sample of every one, a sample of each that has two.
 * Classes of one sample keep it: a class that cannot be learned cannot be chosen by either. */
static void hold_out_quota(double fraction, int classes, int64_t *quota)
{
    int64_t total = 0;

    for (int c = 0; c < classes; c++)
        total += llround(fraction * (double)quota[c]) && quota[c] > 1;
    for (int c = 0; c < classes; c++) {
        const int64_t part = total ? llround(fraction * (double)quota[c]) : 1;
        quota[c] = part < quota[c] ? part : quota[c] > 0 ? quota[c] - 1 : 0;
    }
}

/* quota[classes] of the samples that every class has, which quota holds at first. Few labels keep every class alive
 * with one sample at least, or the classifier would have fewer outputs than the test split has classes. */
static bool set_quota(const struct invar_label_draw *how, int classes, int64_t *quota, struct invar_error *err)
{
    int64_t largest = 0;

    for (int c = 0; c < classes; c++)
        largest = quota[c] > largest ? quota[c] : largest;
    if (how->per_class > largest)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%lld labels a class are asked for, but the largest class has %lld samples: ask for "
                               "%lld or less, or for all",
                               (long long)how->per_class, (long long)largest, (long long)largest);
    if (how->hold_out)
        hold_out_quota(how->fraction, classes, quota);
    for (int c = 0; !how->hold_out && c < classes; c++) {
        /* A share below 1 takes a sample less than all of a class, however it is rounded: a draw that is not all labels
         * has some left over in every class that has two. */
        const int64_t most = quota[c] > 1 && how->fraction < 1 ? quota[c] - 1 : quota[c];
        const int64_t part = llround(how->fraction * (double)quota[c]);
        if (how->per_class == 0)
            quota[c] = part < 1 ? 1 : part > most ? most : part;
        else if (how->per_class < quota[c])
            quota[c] = how->per_class;
    }
    return true;
}

/* One shuffle for all classes and a quota for each, so that the draw of a class does not depend on how many others
 * there are. index comes back in three parts, drawn, labelled, unlabelled, each in the order of the data, which disks
 * like. */
bool invar_draw_labelled(const int64_t *labels, int64_t count, int classes, const struct invar_label_draw *how,
                         int64_t *index, int64_t *drawn, struct invar_error *err)
{
    struct invar_random random =
        invar_random_stream((uint64_t)how->seed, INVAR_RANDOM_SPLIT, 1 + (uint64_t)how->draw, 0, 0);
    int64_t *quota = NULL, labelled = 0, rest = 0, none = 0;
    bool *taken = NULL, ok = false;

    *drawn = 0;
    if (!labels_check_some(labels, count, classes, "training samples", err))
        return false;
    quota = invar_alloc((size_t)classes, sizeof *quota, err);
    taken = invar_alloc((size_t)count, sizeof *taken, err);
    if (!quota || !taken)
        goto done;
    for (int64_t i = 0; i < count; i++) {
        index[i] = i;
        if (labels[i] < 0)
            continue;
        quota[labels[i]]++;
        labelled++;
    }
    if (!set_quota(how, classes, quota, err))
        goto done;
    invar_random_shuffle(&random, index, count);
    for (int64_t i = 0; i < count; i++)
        if (labels[index[i]] >= 0 && quota[labels[index[i]]] > 0) {
            quota[labels[index[i]]]--;
            taken[index[i]] = true;
            (*drawn)++;
        }
    for (int64_t i = 0, next = 0; i < count; i++)
        index[taken[i] ? next++ : labels[i] >= 0 ? *drawn + rest++ : labelled + none++] = i;
    ok = true;
done:
    invar_free(quota);
    invar_free(taken);
    return ok;
}
