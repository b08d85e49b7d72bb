/* SPDX-License-Identifier: Apache-2.0 */
/* Many linear classifiers on the same batches: one product for the scores of all, one for all gradients. */
#include "base/linear.h"
#include "eval/probe/bank.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

void bank_free(struct bank *bank)
{
    invar_free(bank->head);
    invar_free(bank->weight);
    invar_free(bank->gradient);
    invar_free(bank->past);
    invar_free(bank->bias);
    invar_free(bank->bias_gradient);
    invar_free(bank->bias_past);
    invar_free(bank->scores);
    *bank = (struct bank){0};
}

/* All candidates begin at the same weights: what tells them apart is rate and strength, not luck. The range is that
 * of torch.nn.Linear, as the protocols that are repeated here start there. */
static void initialise(struct bank *bank, uint64_t seed)
{
    const int64_t weights = bank->classes * bank->cols;
    const float limit = (float)(1 / sqrt((double)bank->cols));
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_INIT, 0, 0, 0);

    for (int64_t i = 0; i < weights; i++)
        bank->weight[i] = invar_random_range(&random, -limit, limit);
    for (int c = 0; c < bank->classes; c++)
        bank->bias[c] = invar_random_range(&random, -limit, limit);
    for (int h = 1; h < bank->count; h++) {
        memcpy(bank->weight + h * weights, bank->weight, (size_t)weights * sizeof(float));
        memcpy(bank->bias + h * bank->classes, bank->bias, (size_t)bank->classes * sizeof(float));
    }
}

bool bank_create(struct bank *bank, int count, const struct bank_head *head, int classes, int64_t cols, int64_t batch,
                 uint64_t seed, struct invar_error *err)
{
    const size_t rows = (size_t)count * (size_t)classes, width = (size_t)cols * sizeof(float);

    *bank = (struct bank){.count = count, .classes = classes, .cols = cols, .batch = batch};
    bank->head = invar_alloc((size_t)count, sizeof *head, err);
    bank->weight = bank->head ? invar_alloc(rows, width, err) : NULL;
    bank->gradient = bank->weight ? invar_alloc(rows, width, err) : NULL;
    bank->past = bank->gradient ? invar_alloc(rows, width, err) : NULL;
    bank->bias = bank->past ? invar_alloc(rows, sizeof(float), err) : NULL;
    bank->bias_gradient = bank->bias ? invar_alloc(rows, sizeof(float), err) : NULL;
    bank->bias_past = bank->bias_gradient ? invar_alloc(rows, sizeof(float), err) : NULL;
    bank->scores = bank->bias_past ? invar_alloc((size_t)batch, rows * sizeof(float), err) : NULL;
    if (!bank->scores) {
        bank_free(bank);
        return false;
    }
    memcpy(bank->head, head, (size_t)count * sizeof *head);
    initialise(bank, seed);
    return true;
}

/* Scores of one row and one classifier become the gradient of its cross-entropy, times scale. Around the largest
 * score, so that nothing overflows; whether it was finite is answered by the way. */
static bool softmax_gradient(float *score, int classes, int64_t label, float scale)
{
    float largest = score[0], sum = 0;

    for (int c = 1; c < classes; c++)
        largest = score[c] > largest ? score[c] : largest;
    for (int c = 0; c < classes; c++) {
        score[c] = expf(score[c] - largest);
        sum += score[c];
    }
    for (int c = 0; c < classes; c++)
        score[c] = (score[c] / sum - (c == label ? 1.0F : 0.0F)) * scale;
    return isfinite(largest) && isfinite(sum);
}

/* The gradient of every score, in place; false where a score is not finite. A candidate that must not see the held-
 * out samples gets a gradient of 0 for them and divides by the others, as if the batch were smaller: all candidates
 * still share one product. */
static bool differentiate(struct bank *bank, const int64_t *labels, const bool *held, int64_t rows)
{
    const int64_t width = (int64_t)bank->count * bank->classes;
    int64_t seen = 0;
    bool finite = true;

    for (int64_t i = 0; i < rows; i++)
        seen += !held[i];
#pragma omp parallel for schedule(static) reduction(&& : finite)
    for (int64_t i = 0; i < rows; i++)
        for (int h = 0; h < bank->count; h++) {
            float *score = bank->scores + i * width + (int64_t)h * bank->classes;
            const bool left_out = bank->head[h].partial && held[i];
            const int64_t count = bank->head[h].partial ? seen : rows;
            for (int c = 0; c < bank->classes; c++)
                score[c] += bank->bias[h * bank->classes + c];
            finite = softmax_gradient(score, bank->classes, labels[i], left_out ? 0 : 1 / (float)count) && finite;
        }
    return finite;
}

/* As torch.optim.SGD: decay in the gradient, the first step without a past, the rate outside the buffer. */
static void update(const struct bank *bank, float *p, const float *gradient, float *past, int64_t count, double lr,
                   double decay)
{
    const float momentum = (float)bank->momentum, rate = (float)lr, l2 = (float)decay;

    for (int64_t i = 0; i < count; i++) {
        /* The rate stays out of the buffer, unlike in the textbook's form: with a rate that falls step by step the two
         * differ, and protocols that name a rate mean this one. Of g nothing is damped: the buffer is the sum of
         * momentum^k g, not a mean. */
        const float g = gradient[i] + l2 * p[i];
        past[i] = bank->started ? momentum * past[i] + g : g;
        p[i] -= rate * (bank->nesterov ? g + momentum * past[i] : past[i]);
    }
}

/* Scores of all candidates are one product, and so are their gradients: fifteen classifiers cost about what one wide
 * one does. */
bool bank_step(struct bank *bank, const float *features, const int64_t *labels, const bool *held, int64_t rows,
               struct invar_error *err)
{
    const int width = bank->count * bank->classes, cols = (int)bank->cols;
    const int64_t weights = bank->classes * bank->cols;

    linear_rows(INVAR_FLOAT32, (int)rows, width, cols, features, bank->weight, 0, bank->scores, width);
    if (!differentiate(bank, labels, held, rows))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "the scores of the classifier are not finite: its rate is too large for these features; "
                               "give smaller ones with lr=");
    linear_columns(INVAR_FLOAT32, width, cols, (int)rows, bank->scores, features, 0, bank->gradient, cols);
    memset(bank->bias_gradient, 0, (size_t)width * sizeof(float));
    for (int64_t i = 0; i < rows; i++)
        for (int j = 0; j < width; j++)
            /* On one thread and in the order of rows, so that the sum does not depend on the number of threads; it is a
             * column of the product's work. */
            bank->bias_gradient[j] += bank->scores[i * width + j];
#pragma omp parallel for schedule(static)
    for (int h = 0; h < bank->count; h++) {
        const int64_t at = h * weights, bias = (int64_t)h * bank->classes;
        const struct bank_head *head = &bank->head[h];
        update(bank, bank->weight + at, bank->gradient + at, bank->past + at, weights, head->lr, head->l2);
        /* The bias has no decay: the penalty is of W alone. */
        update(bank, bank->bias + bias, bank->bias_gradient + bias, bank->bias_past + bias, bank->classes, head->lr, 0);
    }
    bank->started = true;
    return true;
}

void bank_scores(const struct bank *bank, int which, const float *features, int64_t rows, float *out)
{
    const int classes = bank->classes, cols = (int)bank->cols;
    const float *bias = bank->bias + (int64_t)which * classes;

    for (int64_t i = 0; i < rows; i++)
        /* The bias first and the product added to it: one pass over the scores fewer. */
        memcpy(out + i * classes, bias, (size_t)classes * sizeof *bias);
    linear_rows(INVAR_FLOAT32, (int)rows, classes, cols, features, bank->weight + (int64_t)which * classes * bank->cols,
                1, out, classes);
}

void bank_copy(struct bank *bank, int which, float *out, bool back)
{
    const size_t weights = (size_t)(bank->classes * bank->cols), biases = (size_t)bank->classes;
    float *weight = bank->weight + (size_t)which * weights, *bias = bank->bias + (size_t)which * biases;

    memcpy(back ? weight : out, back ? out : weight, weights * sizeof(float));
    memcpy(back ? bias : out + weights, back ? out + weights : bias, biases * sizeof(float));
}
