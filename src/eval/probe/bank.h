/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_EVAL_BANK_H
#define INVAR_EVAL_BANK_H

#include "invar/error.h"

#include <stdbool.h>
#include <stdint.h>

/** One linear softmax classifier of a bank: how it is trained. */
struct bank_head {
    double lr;    /**< of the next step */
    double l2;    /**< (l2/2) ||W||_F^2, bias free */
    bool partial; /**< does not see rows that are held out */
};

/** Linear softmax classifiers of the same features, trained side by side by gradient descent with momentum. */
struct bank {
    int count, classes;
    int64_t cols, batch;
    double momentum;
    bool nesterov;
    struct bank_head *head;                  /**< [count], owned */
    float *weight, *gradient, *past;         /**< [count][classes][cols] */
    float *bias, *bias_gradient, *bias_past; /**< [count][classes] */
    float *scores;                           /**< [batch][count][classes] */
    bool started;
};

/** Weights and biases uniform in +-1/sqrt(cols), the same for every classifier, from seed. head is copied. */
bool bank_create(struct bank *bank, int count, const struct bank_head *head, int classes, int64_t cols, int64_t batch,
                 uint64_t seed, struct invar_error *err);
void bank_free(struct bank *bank);
/** One step on rows <= batch: features [rows][cols], held[rows] tells who is held out. Refuses a loss that is not
 * finite. */
bool bank_step(struct bank *bank, const float *features, const int64_t *labels, const bool *held, int64_t rows,
               struct invar_error *err);
/** out[rows][classes] of one classifier. */
void bank_scores(const struct bank *bank, int which, const float *features, int64_t rows, float *out);
/** out [classes][cols], then [classes]: a copy of one classifier, or back from it. */
void bank_copy(struct bank *bank, int which, float *out, bool back);

#endif
