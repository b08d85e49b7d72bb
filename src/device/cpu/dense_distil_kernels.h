/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of distillation, written once for both types: dense_distil.c includes this twice, with REAL (float or double)
 * and NAME(x) (the type's suffix). No guard: it is meant to be included twice.
 */

/* s = factor (x - centre), the largest of it; sums += x. A NaN is no maximum, and spoils the sum of exponentials. */
INVAR_INLINE REAL NAME(sharpen)(const REAL *x, const REAL *centre, REAL factor, REAL *s, double *sums, int64_t cols)
{
    REAL most = -(REAL)INFINITY;

    if (centre)
#pragma omp simd reduction(max : most)
        for (int64_t j = 0; j < cols; j++) {
            sums[j] += (double)x[j];
            s[j] = factor * (x[j] - centre[j]);
            most = s[j] > most ? s[j] : most;
        }
    else
#pragma omp simd reduction(max : most)
        for (int64_t j = 0; j < cols; j++) {
            s[j] = factor * x[j];
            most = s[j] > most ? s[j] : most;
        }
    return most;
}

/* Rows lie in pages of their own, at whose ends the processor's own look ahead stops: a piece of the next row is asked
 * for while a piece of this one is computed. */
INVAR_INLINE void NAME(ask_for)(const REAL *x, int64_t count)
{
    for (int64_t j = 0; j < count; j += LINE / (int64_t)sizeof *x)
        __builtin_prefetch(x + j);
}

/* e = exp(e - most): sums of it and of w (e - most), w = e where NULL. A piece is added up in its own type: a few
 * additions a lane, and half the work of doing so in double. */
INVAR_INLINE void NAME(exponentials)(REAL *e, REAL most, const REAL *w, int64_t count, double *sum, double *along)
{
    REAL own = 0, weighted = 0;

#pragma omp simd reduction(+ : own, weighted)
    for (int64_t j = 0; j < count; j++) {
        const REAL s = e[j] - most;
        e[j] = NAME(exponential)(s);
        own += e[j];
        weighted += (w ? w[j] : e[j]) * s;
    }
    *sum += (double)own;
    *along += (double)weighted;
}

/* p = softmax of what is sharpened; its entropy, log of the sum less the mean exponent */
INVAR_CLONES static double NAME(teacher_row)(const REAL *t, const REAL *centre, REAL factor, REAL *p, double *sums,
                                             int64_t cols, const REAL *next)
{
    const REAL most = NAME(sharpen)(t, centre, factor, p, sums, cols);
    double sum = 0, along = 0;

    for (int64_t from = 0; from < cols; from += PIECE) {
        const int64_t count = cols - from < PIECE ? cols - from : PIECE;
        NAME(ask_for)(next + from, count);
        NAME(exponentials)(p + from, most, NULL, count, &sum, &along);
    }
    const REAL inverse = (REAL)(1 / sum);
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        p[j] *= inverse;
    return log(sum) - along / sum;
}

/* - sum w log softmax(factor q), w of so many targets, whose gradient by the logits is targets softmax - w; e: room for
 * a row */
INVAR_CLONES static double NAME(student_row)(const REAL *q, REAL factor, const REAL *w, int targets, REAL *e,
                                             double scale, REAL *dq, int64_t cols, int64_t ahead)
{
    const REAL most = NAME(sharpen)(q, NULL, factor, e, NULL, cols);
    double sum = 0, along = 0;

    for (int64_t from = 0; from < cols; from += PIECE) {
        const int64_t count = cols - from < PIECE ? cols - from : PIECE;
        NAME(ask_for)(q + ahead + from, count);
        if (dq)
            NAME(ask_for)(dq + ahead + from, count);
        NAME(exponentials)(e + from, most, w + from, count, &sum, &along);
    }
    const REAL share = (REAL)(targets / sum), step = (REAL)(scale * (double)factor);
    if (dq)
#pragma omp simd
        for (int64_t j = 0; j < cols; j++)
            dq[j] += step * (share * e[j] - w[j]);
    return targets * log(sum) - along;
}

/* The sum of the targets of all views but one: the cross entropy is linear in it. Of one it is that itself. */
INVAR_CLONES static const REAL *NAME(others)(const REAL *p, int targets, int view, REAL *room, int64_t cols)
{
    const int first = view == 0, second = first + 1 + (view == first + 1);

    if (second >= targets)
        return p + first * cols;
    memcpy(room, p + first * cols, sizeof *p * (size_t)cols);
    for (int a = second; a < targets; a++)
        if (a != view)
#pragma omp simd
            for (int64_t j = 0; j < cols; j++)
                room[j] += p[a * cols + j];
    return room;
}

/* All targets before any online view, as each view is compared with all of them but its own. room: targets + 2 rows;
 * values: of the losses, of the entropies. */
static void NAME(distil_row)(const struct invar_dense_distil *how, const REAL *centre, REAL *room, double *sums,
                             int64_t i, double values[2])
{
    const int64_t cols = how->t[0].cols;
    const int64_t ahead = i + 1 < how->t[0].rows ? cols : 0;
    REAL *p = room + 2 * cols;

    for (int a = 0; a < how->targets; a++) {
        const REAL *t = (const REAL *)how->t[a].data + i * cols;
        values[1] += NAME(teacher_row)(t, centre, (REAL)how->sharpen_t, p + a * cols, sums, cols, t + ahead);
    }
    for (int b = 0; b < how->views; b++) {
        const REAL *q = (const REAL *)how->q[b].data + i * cols;
        REAL *dq = how->dq[b].data;
        if (how->targets > (b == 0))
            values[0] += NAME(student_row)(q, (REAL)how->sharpen_q, NAME(others)(p, how->targets, b, room, cols),
                                           how->targets - (b < how->targets), room + cols, how->scale,
                                           dq ? dq + i * cols : NULL, cols, ahead);
    }
}

/* Values and sums of columns are kept block by block, and blocks are put together in their order: the thread that made
 * a block does not matter. rooms: for each thread; parts: for each block */
static void NAME(distil)(int threads, const struct invar_dense_distil *how, REAL *centre, REAL *rooms, double *parts,
                         double values[2])
{
    const int64_t rows = how->t[0].rows, cols = how->t[0].cols;
    double part[BLOCKS][2] = {{0}};

    for (int64_t j = 0; j < cols; j++)
        centre[j] = (REAL)how->centre[j];
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++) {
        REAL *room = rooms + omp_get_thread_num() * (how->targets + 2) * cols;
        memset(parts + k * cols, 0, sizeof *parts * (size_t)cols);
        for (int64_t i = rows * k / BLOCKS; i < rows * (k + 1) / BLOCKS; i++)
            NAME(distil_row)(how, centre, room, parts + k * cols, i, part[k]);
    }
    for (int k = 0; k < BLOCKS; k++) {
        values[0] += part[k][0];
        values[1] += part[k][1];
    }
}

#undef REAL
#undef NAME
