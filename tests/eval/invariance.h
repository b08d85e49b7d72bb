/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of embeddings, and whether what a line claims of them holds (test_invariance.c). */
#ifndef INVAR_TESTS_INVARIANCE_H
#define INVAR_TESTS_INVARIANCE_H

#include "test.h"

#include <math.h>

enum {
    SCALE = 1,          /* everything times one number */
    COLUMNS = 2,        /* every column times a number of its own, 1e-6 to 1e6 */
    COLUMNS_APART = 4,  /* other numbers in each view */
    ROWS = 8,           /* every row times a number of its own */
    SHIFT = 16,         /* every column moved, by up to 1e4 */
    SHIFT_APART = 32,   /* elsewhere in each view */
    ORDER = 64,         /* samples in another order */
    EXCHANGE = 128,     /* columns in another order */
    ROTATE = 256,       /* an orthogonal map of the columns */
    ROTATE_APART = 512, /* another one in each view */
    /* what often goes together */
    UNIT = SCALE | ROWS | ORDER | EXCHANGE | ROTATE, /* norm(), angles between views */
    DISTANCE = SHIFT | ORDER | EXCHANGE | ROTATE,    /* between views */
    CENTRED = SHIFT | SHIFT_APART | ORDER | EXCHANGE,
    SPREAD = CENTRED | ROTATE | ROTATE_APART /* of each view alone */
};
static const char *const changes[] = {"scale",       "columns", "columns apart", "rows",   "shift",
                                      "shift apart", "order",   "exchange",      "rotate", "rotate apart"};
enum { CHANGES = sizeof changes / sizeof *changes };

static inline double column_scale(int64_t j, int view)
{
    static const double scales[] = {1e-6, 30, 1e6, 0.01, 1, 2e3};
    return scales[(j + 2 * view) % 6];
}

static inline double shift_of(int64_t j, int view)
{
    static const double shifts[] = {1e4, -3e3, 5, 0, 777, -1e4};
    return shifts[(j + view) % 6];
}

static inline void rotate(double *row, int64_t cols, int view)
{
    for (int turn = 0; turn < 2; turn++)
        for (int64_t j = 0; j + 1 < cols; j++) {
            const double angle = 0.7 + 0.3 * (double)j + 1.1 * view, a = row[j], b = row[j + 1];
            row[j] = cos(angle) * a - sin(angle) * b;
            row[j + 1] = sin(angle) * a + cos(angle) * b;
        }
}

static inline void turn_row(double *row, int64_t cols)
{
    const double first = row[0];

    for (int64_t j = 0; j + 1 < cols; j++)
        row[j] = row[j + 1];
    row[cols - 1] = first;
}

static inline void reverse_rows(double *values, int64_t rows, int64_t cols)
{
    for (int64_t i = 0; i < rows / 2; i++)
        for (int64_t j = 0; j < cols; j++) {
            const double kept = values[i * cols + j];
            values[i * cols + j] = values[(rows - 1 - i) * cols + j];
            values[(rows - 1 - i) * cols + j] = kept;
        }
}

static inline void change(unsigned what, double *values, int64_t rows, int64_t cols, int view)
{
    const int own = what & (COLUMNS_APART | SHIFT_APART | ROTATE_APART) ? view : 0;

    for (int64_t i = 0; i < rows; i++) {
        double *row = values + i * cols;
        for (int64_t j = 0; j < cols; j++) {
            if (what & (COLUMNS | COLUMNS_APART))
                row[j] *= column_scale(j, own);
            if (what & (SHIFT | SHIFT_APART))
                row[j] += shift_of(j, own);
            if (what & SCALE)
                row[j] *= 3;
            if (what & ROWS)
                row[j] *= 0.5 + (double)(i % 7);
        }
        if (what & EXCHANGE)
            turn_row(row, cols);
        if (what & (ROTATE | ROTATE_APART))
            rotate(row, cols, own);
    }
    if (what & ORDER)
        reverse_rows(values, rows, cols);
}

static inline void reverse_integers(int64_t *x, int64_t rows)
{
    for (int64_t i = 0; i < rows / 2; i++) {
        const int64_t kept = x[i];
        x[i] = x[rows - 1 - i];
        x[rows - 1 - i] = kept;
    }
}

/* Does a change of the kind leave the values as they were, and does the line say so? */
static inline void judge(const char *name, const char *variant, unsigned claimed, int k, const double *before,
                         const double *after, int count)
{
    const bool says = (claimed >> k & 1) != 0;
    double apart = 0;

    for (int i = 0; i < count; i++) {
        const double off = fabs(after[i] - before[i]) / fmax(1e-3, fabs(before[i]));
        if (!(off <= apart))
            apart = off; /* NaN too */
    }
    if (says != (apart <= 1e-6))
        fail_msg("%s %s, %s: off by %.3g, which is %s", name, variant, changes[k], apart,
                 says ? "more than 1e-6" : "nothing: the line may claim it");
}

#endif
