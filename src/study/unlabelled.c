/* SPDX-License-Identifier: Apache-2.0 */
/* What has no label trained the encoder, is left out of a probe, and is counted. */
#include "study/study.h"
#include "invar/log.h"

#include <math.h>

/* Labelled samples, and all, of what is fitted on and of what is measured on. */
struct label_counts {
    int64_t labelled[2], samples[2];
};

static struct label_counts count_labels(const struct invar_run *run)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    struct label_counts counts;

    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++) {
        counts.samples[split] = info->count[split];
        counts.labelled[split] = invar_run_labelled(run->dataset, (enum invar_split)split);
    }
    if (run->test)
        run_test_count(run->test, &counts.labelled[INVAR_TEST], &counts.samples[INVAR_TEST]);
    return counts;
}

bool study_tell_unlabelled(const struct invar_run *run, struct invar_error *err)
{
    const struct label_counts n = count_labels(run);

    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++)
        if (!n.labelled[split])
            return invar_error_set(
                err, INVAR_ERROR_DATA,
                "%s: none of the %lld %s samples has a label; a probe needs some in both splits: give "
                "more labels, or another data.test_fraction or data.split_seed",
                invar_dataset_info(run->dataset)->source, (long long)n.samples[split],
                split == INVAR_TEST ? "test" : "training");
    if (n.labelled[INVAR_TRAIN] < n.samples[INVAR_TRAIN] || n.labelled[INVAR_TEST] < n.samples[INVAR_TEST])
        invar_log(INVAR_LOG_INFO,
                  "%lld of %lld training and %lld of %lld test samples have a label; the others are left out",
                  (long long)n.labelled[INVAR_TRAIN], (long long)n.samples[INVAR_TRAIN],
                  (long long)n.labelled[INVAR_TEST], (long long)n.samples[INVAR_TEST]);
    return true;
}

void study_count_unlabelled(const struct invar_run *run, double out[2])
{
    const struct label_counts n = count_labels(run);
    const int64_t train = n.samples[INVAR_TRAIN] - n.labelled[INVAR_TRAIN];
    const int64_t test = n.samples[INVAR_TEST] - n.labelled[INVAR_TEST];

    out[0] = train > 0 || test > 0 ? (double)train : (double)NAN;
    out[1] = (double)test;
}
