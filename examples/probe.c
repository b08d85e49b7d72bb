/* SPDX-License-Identifier: Apache-2.0 */
/* How good features are, wherever they come from: probe TRAIN.npy LABELS.npy TEST.npy LABELS.npy, features [N][D] and
   labels [N] as numpy writes them, classes from 0. A linear probe, and the 5 nearest neighbours. */
#include <invar/invar.h>

#include <stdio.h>

#define K 5
#define TEMPERATURE 0.07

struct split {
    struct invar_array features, labels;
    struct invar_matrix x;
};

static bool read_split(struct split *s, const char *features, const char *labels, struct invar_error *err)
{
    if (!invar_npy_read(&s->features, features, err) || !invar_npy_read(&s->labels, labels, err))
        return false;
    if (s->features.rank != 2 || s->labels.rank != 1 || s->labels.shape[0] != s->features.shape[0] ||
        s->labels.dtype != INVAR_INT64)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s, %s: expected features [N][D] and int64 labels [N]", features,
                               labels);
    s->x = (struct invar_matrix){s->features.dtype, s->features.shape[0], s->features.shape[1], s->features.data};
    return true;
}

static bool measure(const struct split *train, const struct split *test, struct invar_error *err)
{
    const int64_t *labels = train->labels.data, *truth = test->labels.data;
    const int64_t count = test->x.rows;
    struct invar_probe_options options;
    struct invar_probe_result linear = {0};
    int64_t hits = 0, classes = 0;
    int64_t *predictions = invar_alloc((size_t)count, sizeof *predictions, err);

    for (int64_t i = 0; i < train->x.rows; i++)
        classes = labels[i] >= classes ? labels[i] + 1 : classes;
    invar_options_default(invar_probe_option_table, &options);
    const bool ok = predictions &&
                    invar_probe_fit(&train->x, labels, &test->x, truth, (int)classes, &options, &linear, err) &&
                    invar_neighbours(&train->x, labels, &test->x, (int)classes, K, TEMPERATURE, predictions, NULL, err);
    for (int64_t i = 0; ok && i < count; i++)
        hits += predictions[i] == truth[i];
    if (ok)
        printf("linear %.2f %% (%.2f - %.2f), %d neighbours %.2f %%, of %lld rows\n", linear.test.top1, linear.test.low,
               linear.test.high, K, 100.0 * (double)hits / (double)count, (long long)count);
    invar_free(predictions);
    invar_probe_result_free(&linear);
    return ok;
}

int main(int argc, char **argv)
{
    struct split train = {0}, test = {0};
    struct invar_error err = {0};

    if (argc != 5) {
        fprintf(stderr, "usage: probe TRAIN.npy LABELS.npy TEST.npy LABELS.npy\n");
        return 2;
    }
    const bool ok = read_split(&train, argv[1], argv[2], &err) && read_split(&test, argv[3], argv[4], &err) &&
                    measure(&train, &test, &err);
    invar_array_free(&train.features);
    invar_array_free(&train.labels);
    invar_array_free(&test.features);
    invar_array_free(&test.labels);
    if (!ok)
        fprintf(stderr, "probe: %s\n", err.message);
    return ok ? 0 : 1;
}
