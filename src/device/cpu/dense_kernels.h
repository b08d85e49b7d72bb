/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows, columns and elements of dense.h, written once for both types: dense.c includes this twice, with
 * REAL (float or double) and NAME(x) (the type's suffix). No guard: it is
 * meant to be included twice. What adds up over elements does so in double and in an order that does not depend on the
 * number of threads.
 */

/* ---- elements ---- */

/* `simd` beside `parallel for`: what a loop body does to one element it does to a vector of them, and elements do not
 * meet. */
static void NAME(add)(int threads, double scale, const REAL *x, REAL *y, int64_t count)
{
    const REAL factor = (REAL)scale;
#pragma omp parallel for simd num_threads(threads) if (count > SMALL_WORK)
    for (int64_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

/* Rounded to the type first: what a float matrix is multiplied by is a float. */
static void NAME(scale)(int threads, double scale, REAL *x, int64_t count)
{
    const REAL factor = (REAL)scale;
#pragma omp parallel for simd num_threads(threads) if (count > SMALL_WORK)
    for (int64_t i = 0; i < count; i++)
        x[i] *= factor;
}

/* The lanes of the reduction are a matter of the instruction set, so the last bits differ between processors, not
 * between numbers of threads. */
INVAR_CLONES static double NAME(dot_block)(const REAL *a, const REAL *b, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double NAME(dot)(int threads, const REAL *a, const REAL *b, int64_t count)
{
    double part[BLOCKS] = {0}, sum = 0;
#pragma omp parallel for num_threads(threads) if (count > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++) {
        const int64_t from = block_start(k, count), to = block_start(k + 1, count);
        part[k] = NAME(dot_block)(a + from, b + from, to - from);
    }
    for (int k = 0; k < BLOCKS; k++)
        sum += part[k];
    return sum;
}

/* the sum of squares of a - b; da += factor (a - b), db -= factor (a - b) where they are. Blocks that stay in the
 * first cache, so that a and b are read from memory once though the loop is written three times: one body with both
 * conditions inside would not become vectors. */
INVAR_CLONES static double NAME(distance_block)(const REAL *a, const REAL *b, REAL factor, REAL *da, REAL *db,
                                                int64_t count)
{
    double sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        const double apart = (double)a[i] - (double)b[i];
        sum += apart * apart;
    }
    if (da)
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            da[i] += factor * (a[i] - b[i]);
    if (db)
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            db[i] -= factor * (a[i] - b[i]);
    return sum;
}

static double NAME(distance)(int threads, const REAL *a, const REAL *b, double scale, REAL *da, REAL *db, int64_t count)
{
    const int64_t blocks = (count + CACHED - 1) / CACHED;
    double part[BLOCKS] = {0}, sum = 0;

#pragma omp parallel for num_threads(threads) if (count > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++)
        for (int64_t block = block_start(k, blocks); block < block_start(k + 1, blocks); block++) {
            const int64_t from = block * CACHED, size = from + CACHED < count ? CACHED : count - from;
            part[k] += NAME(distance_block)(a + from, b + from, (REAL)scale, da ? da + from : NULL,
                                            db ? db + from : NULL, size);
        }
    for (int k = 0; k < BLOCKS; k++)
        sum += part[k];
    return sum;
}

/*
 * Tiles go through memory of their own: rows are read and written whole, and where a matrix is a power of two wide, a
 * column of it has room for a few entries only in the first cache.
 */
INVAR_INLINE void NAME(turn_tile)(const REAL *x, int64_t stride, int64_t height, int64_t width, REAL turned[TILE][TILE])
{
    for (int64_t i = 0; i < height; i++)
        for (int64_t j = 0; j < width; j++)
            turned[j][i] = x[i * stride + j];
}

/* Columns of tiles are shared out, not rows: each thread writes rows of y of its own. */
static void NAME(transpose)(int threads, const REAL *x, REAL *y, int64_t rows, int64_t cols, bool add)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t c = 0; c < cols; c += TILE)
        for (int64_t r = 0; r < rows; r += TILE) {
            const int64_t height = r + TILE < rows ? TILE : rows - r, width = c + TILE < cols ? TILE : cols - c;
            REAL turned[TILE][TILE];
            NAME(turn_tile)(x + r * cols + c, cols, height, width, turned);
            for (int64_t j = 0; j < width; j++) {
                REAL *row = y + (c + j) * rows + r;
                if (add)
                    for (int64_t i = 0; i < height; i++)
                        row[i] += turned[j][i];
                else
                    memcpy(row, turned[j], sizeof(REAL) * (size_t)height);
            }
        }
}

/* x += x^T in the tile from (r, c) and its mirror image, r <= c */
static void NAME(symmetrise_tile)(REAL *x, int64_t n, int64_t r, int64_t c)
{
    const int64_t height = r + TILE < n ? TILE : n - r, width = c + TILE < n ? TILE : n - c;
    REAL turned[TILE][TILE];

    NAME(turn_tile)(x + r * n + c, n, height, width, turned);
    for (int64_t j = 0; j < width; j++) {
        REAL *row = x + (c + j) * n + r;
        for (int64_t i = 0; i < height; i++)
            turned[j][i] = row[i] + turned[j][i];
        memcpy(row, turned[j], sizeof(REAL) * (size_t)height);
    }
    for (int64_t i = 0; i < height && r != c; i++)
        for (int64_t j = 0; j < width; j++)
            x[(r + i) * n + c + j] = turned[j][i];
}

/* schedule(static, 1): rows of tiles get shorter, and dealing them out one by one evens that out. */
static void NAME(symmetrise)(int threads, REAL *x, int64_t n)
{
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (n * n > SMALL_WORK)
    for (int64_t r = 0; r < n; r += TILE)
        for (int64_t c = r; c < n; c += TILE)
            NAME(symmetrise_tile)(x, n, r, c);
}

/* ---- norm() ---- */

/* By the reciprocal in double: one division a row, and the product is rounded once. */
INVAR_CLONES static void NAME(scaled_row)(const REAL *x, double factor, REAL *y, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        y[j] = (REAL)((double)x[j] * factor);
}

/* Lengths are kept for the backward pass, clamped as they were used. */
static void NAME(normalise)(int threads, const REAL *x, REAL *y, double *lengths, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++) {
        const double length = sqrt(NAME(dot_block)(x + i * cols, x + i * cols, cols));
        /* written so that a NaN goes through instead of being clamped */
        lengths[i] = length < SHORTEST ? SHORTEST : length;
        NAME(scaled_row)(x + i * cols, 1 / lengths[i], y + i * cols, cols);
    }
}

/* (I - u u^T) du / |x|: what is along u changes the length alone, which norm() forgets. */
INVAR_CLONES static void NAME(normalise_backward_row)(const REAL *u, const REAL *du, double along, double factor,
                                                      REAL *dx, int64_t cols)
{
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        dx[j] += (REAL)(factor * ((double)du[j] - along * (double)u[j]));
}

static void NAME(normalise_backward)(int threads, const REAL *y, const double *lengths, const REAL *dy, double scale,
                                     REAL *dx, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++) {
        const REAL *u = y + i * cols, *du = dy + i * cols;
        const double along = lengths[i] <= SHORTEST ? 0 : NAME(dot_block)(u, du, cols); /* 0: clamped */
        NAME(normalise_backward_row)(u, du, along, scale / lengths[i], dx + i * cols, cols);
    }
}

/* A row of length limit is left alone, so that the derivative is that of the identity up to it and of the projection
 * beyond. */
static void NAME(shorten)(int threads, double limit, const REAL *x, REAL *y, double *lengths, int64_t rows,
                          int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++) {
        const double length = sqrt(NAME(dot_block)(x + i * cols, x + i * cols, cols)) / limit;
        lengths[i] = length < 1 ? 1 : length; /* a NaN goes through */
        NAME(scaled_row)(x + i * cols, 1 / lengths[i], y + i * cols, cols);
    }
}

/* y has length limit where it was shortened: what of dy points along it goes nowhere. */
static void NAME(shorten_backward)(int threads, double limit, const REAL *y, const double *lengths, const REAL *dy,
                                   REAL *dx, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++) {
        const REAL *u = y + i * cols, *du = dy + i * cols;
        const double along = lengths[i] > 1 ? NAME(dot_block)(u, du, cols) / limit / limit : 0;
        NAME(normalise_backward_row)(u, du, along, 1 / lengths[i], dx + i * cols, cols);
    }
}

/* ---- row softmax, contrast and divergence ---- */

/* eight lanes, which compilers turn into vectors without being allowed to reorder */
INVAR_INLINE REAL NAME(largest)(const REAL *x, int64_t count)
{
    REAL lane[8];
    int64_t j = 0;

    for (int k = 0; k < 8; k++)
        lane[k] = -(REAL)INFINITY;
    for (; j + 8 <= count; j += 8)
        for (int k = 0; k < 8; k++)
            lane[k] = x[j + k] > lane[k] ? x[j + k] : lane[k];
    for (; j < count; j++)
        lane[0] = x[j] > lane[0] ? x[j] : lane[0];
    for (int k = 1; k < 8; k++)
        lane[0] = lane[k] > lane[0] ? lane[k] : lane[0];
    return lane[0];
}

/* s <- log softmax of s, p <- softmax; entry skip (-1: none) takes no part and becomes 0 in both. The log of the sum.
 */
INVAR_INLINE double NAME(softmax_row)(REAL *s, REAL *p, int64_t cols, int64_t skip)
{
    double sum = 0;

    if (skip >= 0)
        s[skip] = -(REAL)INFINITY;
    const REAL largest = NAME(largest)(s, cols);
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < cols; j++) {
        s[j] -= largest;
        p[j] = NAME(exponential)(s[j]);
        sum += (double)p[j];
    }
    const REAL log_sum = (REAL)log(sum), inverse = (REAL)(1 / sum);
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) {
        s[j] -= log_sum;
        p[j] *= inverse;
    }
    if (skip >= 0)
        s[skip] = 0;
    return (double)largest + log(sum);
}

/*
 * Two matrices, the case of two views: KL(p || q) + KL(q || p), with the ratio log p - log q, whose gradient is p
 * (ratio - K) for the first argument of each and p - q for the second.
 */
INVAR_INLINE double NAME(divergence_two)(const struct invar_dense_contrast *how, REAL *s, REAL *t, const REAL *p,
                                         const REAL *q, int64_t cols)
{
    const REAL cs = (REAL)how->contrast_scale, ds = (REAL)how->divergence_scale, first = how->first_constant ? 0 : ds;
    double forth = 0, back = 0;

#pragma omp simd reduction(+ : forth, back)
    for (int64_t j = 0; j < cols; j++) {
        const double ratio = (double)(s[j] - t[j]);
        forth += (double)p[j] * ratio;
        back -= (double)q[j] * ratio;
    }
    const REAL k = (REAL)forth, l = (REAL)back;
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) {
        const REAL ratio = s[j] - t[j], apart = ds * (p[j] - q[j]);
        s[j] = cs * p[j] + apart + first * p[j] * (ratio - k);
        t[j] = cs * q[j] - apart - first * q[j] * (ratio + l);
    }
    return forth + back;
}

/*
 * All ordered pairs at once, at a cost linear in the matrices: with n matrices, L = sum_b log p_b and P = sum_b p_b,
 * sum_b KL(p_a || p_b) = K_a = sum_j p_a (n log p_a - L); its gradient as first argument is p_a (n log p_a - L - K_a),
 * as second argument n p_a - P. L and P are kept in double: n log p_a - L cancels where the p agree.
 */
INVAR_INLINE double NAME(divergence_all)(const struct invar_dense_contrast *how, REAL *const *s, const REAL *p,
                                         double *sums, int64_t cols)
{
    const double n = how->count, cs = how->contrast_scale, ds = how->divergence_scale;
    double *sum_log = sums, *sum_p = sums + cols, total = 0;

    memset(sums, 0, sizeof(double) * (size_t)(2 * cols));
    for (int a = 0; a < how->count; a++)
#pragma omp simd
        for (int64_t j = 0; j < cols; j++) {
            sum_log[j] += (double)s[a][j];
            sum_p[j] += (double)p[a * cols + j];
        }
    for (int a = 0; a < how->count; a++) {
        const REAL *q = p + a * cols;
        double divergence = 0;
#pragma omp simd reduction(+ : divergence)
        for (int64_t j = 0; j < cols; j++)
            divergence += (double)q[j] * (n * (double)s[a][j] - sum_log[j]);
        const double first = how->first_constant ? 0 : ds;
#pragma omp simd
        for (int64_t j = 0; j < cols; j++)
            s[a][j] = (REAL)(cs * (double)q[j] + ds * (n * (double)q[j] - sum_p[j]) +
                             first * (double)q[j] * (n * (double)s[a][j] - sum_log[j] - divergence));
        total += divergence;
    }
    return total;
}

/* KL(p_a || p_a+1), the last matrix with the first; saved keeps it while the gradients are made */
INVAR_INLINE double NAME(divergence_adjacent)(const struct invar_dense_contrast *how, REAL *const *s, const REAL *p,
                                              double *saved, int64_t cols)
{
    const int n = how->count;
    const double cs = how->contrast_scale, ds = how->divergence_scale, first = how->first_constant ? 0 : ds;
    double total = 0;

    for (int64_t j = 0; j < cols; j++)
        saved[j] = (double)s[0][j];
    for (int a = 0; a < n; a++) {
        const REAL *q = p + a * cols, *before = p + (a + n - 1) % n * cols;
        double divergence = 0;
        for (int64_t j = 0; j < cols; j++)
            divergence += (double)q[j] * ((double)s[a][j] - (a + 1 < n ? (double)s[a + 1][j] : saved[j]));
        for (int64_t j = 0; j < cols; j++) {
            const double ratio = (double)s[a][j] - (a + 1 < n ? (double)s[a + 1][j] : saved[j]);
            s[a][j] = (REAL)(cs * (double)q[j] + ds * ((double)q[j] - (double)before[j]) +
                             first * (double)q[j] * (ratio - divergence));
        }
        total += divergence;
    }
    return total;
}

/* The gradient of a row of logits sums to 0. Where one p is nearly 1, its entry is a difference such as p - 1 that
 * cancels: what the row is off by belongs there. In float32 an entry such as p - 1 has lost the digits by which p
 * differs from 1, which are exactly the sum of all other entries. */
INVAR_INLINE void NAME(balance_row)(REAL *s, const REAL *p, int64_t match, int64_t cols)
{
    const REAL dominant = (REAL)0.5;
    int64_t at = match;
    double sum = 0;

    if (!(p[match] > dominant)) {
        if (!(NAME(largest)(p, cols) > dominant))
            return;
        for (at = 0; !(p[at] > dominant); at++)
            ;
    }
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < cols; j++)
        sum += (double)s[j];
    s[at] = (REAL)((double)s[at] - sum);
}

/* The softmax of every matrix is made before any gradient is, because a divergence reads all of them; logits are then
 * overwritten by their gradients in place. */
INVAR_CLONES static void NAME(contrast_row)(const struct invar_dense_contrast *how, REAL *const *s, REAL *p,
                                            double *sums, int64_t i, int64_t cols, double values[2])
{
    const int64_t match = how->match ? how->match[i] : (i + how->shift) % cols;

    for (int a = 0; a < how->count; a++) {
        (void)NAME(softmax_row)(s[a], p + a * cols, cols, how->exclude_diagonal ? i : -1);
        values[0] -= (double)s[a][match];
    }
    if (how->divergence != INVAR_DIVERGENCE_NONE && how->count == 2)
        values[1] += NAME(divergence_two)(how, s[0], s[1], p, p + cols, cols);
    else if (how->divergence == INVAR_DIVERGENCE_ALL)
        values[1] += NAME(divergence_all)(how, s, p, sums, cols);
    else if (how->divergence == INVAR_DIVERGENCE_ADJACENT)
        values[1] += NAME(divergence_adjacent)(how, s, p, sums, cols);
    else
        for (int a = 0; a < how->count; a++)
            for (int64_t j = 0; j < cols; j++)
                s[a][j] = (REAL)how->contrast_scale * p[a * cols + j];
    for (int a = 0; a < how->count; a++) {
        s[a][match] -= (REAL)how->contrast_scale;
        NAME(balance_row)(s[a], p + a * cols, match, cols);
    }
}

/* work: for each thread count rows of REAL, then 2 of double; pointers: for each thread count. Values are kept block
 * by block, and blocks are put together in their order: the thread that made a block does not matter. */
static void NAME(contrast)(int threads, const struct invar_dense_contrast *how, const struct invar_matrix *logits,
                           REAL *work, double *sums, REAL **pointers, double values[2])
{
    const int64_t rows = logits[0].rows, cols = logits[0].cols;
    double part[BLOCKS][2] = {{0}};

#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++) {
        const int me = omp_get_thread_num();
        REAL **s = pointers + me * how->count;
        for (int64_t i = block_start(k, rows); i < block_start(k + 1, rows); i++) {
            for (int a = 0; a < how->count; a++)
                s[a] = (REAL *)logits[a].data + i * cols;
            NAME(contrast_row)(how, s, work + me * how->count * cols, sums + me * 2 * cols, i, cols, part[k]);
        }
    }
    values[0] = values[1] = 0;
    for (int k = 0; k < BLOCKS; k++) {
        values[0] += part[k][0];
        values[1] += part[k][1];
    }
}

/* ---- row softmax with targets of any kind ---- */

/* A function of its own, as a parallel region is not compiled for each instruction set. */
INVAR_CLONES static void NAME(log_softmax_row)(REAL *x, REAL *p, int64_t cols)
{
    (void)NAME(softmax_row)(x, p, cols, -1);
}

static void NAME(log_softmax)(int threads, REAL *x, REAL *p, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++)
        NAME(log_softmax_row)(x + i * cols, p + i * cols, cols);
}

/* - log sum w p: s, of log p, becomes the gradient */
INVAR_INLINE double NAME(mixture_row)(const struct invar_dense_soft *how, REAL *s, const REAL *p, const REAL *w,
                                      int64_t cols)
{
    double all = 0, sum = 0, highest = -(double)INFINITY;

    for (int64_t j = 0; j < cols; j++) {
        all += (double)w[j];
        if (w[j] != 0 && !((double)s[j] <= highest))
            highest = (double)s[j];
    }
    for (int64_t j = 0; j < cols; j++)
        sum += w[j] != 0 ? (double)w[j] * exp((double)s[j] - highest) : 0;
    for (int64_t j = 0; j < cols; j++) {
        const double own = w[j] == 0 ? 0 : (double)w[j] * exp((double)s[j] - highest) / sum;
        s[j] = (REAL)(how->scale * ((double)p[j] * (all != 0) - own));
    }
    return all != 0 ? -(highest + log(sum)) : all;
}

/* - sum w log p, likewise; no number where a logit is minus infinity. Targets are often all that there is (SwAV, DINO),
 * so both loops are without a condition and become vectors; a mixture looks at every weight. */
INVAR_INLINE double NAME(soft_row)(const struct invar_dense_soft *how, REAL *s, const REAL *p, const REAL *w,
                                   int64_t cols)
{
    const double scale = how->scale;
    double all = 0, value = 0;

#pragma omp simd reduction(+ : all, value)
    for (int64_t j = 0; j < cols; j++) {
        all += (double)w[j];
        value -= (double)w[j] * (double)s[j];
    }
#pragma omp simd
    for (int64_t j = 0; j < cols; j++)
        s[j] = (REAL)(scale * (all * (double)p[j] - (double)w[j]));
    return value;
}

/* log(e^a + e^b) */
INVAR_INLINE double NAME(log_of_two)(double a, double b)
{
    return a > b ? a + log1p(exp(b - a)) : b + log1p(exp(a - b));
}

/*
 * The match may be a column of its own (own), may be left out of the sum, and its logit may have a factor: what is told
 * apart is then no distribution, and the gradient of a row does not sum to 0. Columns that are not live count for
 * nothing; where none is, the match is told from itself alone and the value is 0.
 */
INVAR_CLONES static double NAME(soft_contrast_row)(const struct invar_dense_soft *how, REAL *s, REAL *p, const REAL *w,
                                                   int64_t i, int64_t cols)
{
    const int64_t live = how->live ? (int64_t)*how->live : cols, match = (i + how->shift) % cols;
    const double weight = how->weight ? how->weight[i] : 1, raw = how->own ? how->own[i] : (double)s[match];

    if (how->exclude_match)
        s[match] = -(REAL)INFINITY;
    double sum = live > 0 ? NAME(softmax_row)(s, p, live, how->exclude_diagonal ? i : -1) : -(double)INFINITY;
    if (w)
        return how->mixture ? NAME(mixture_row)(how, s, p, w, cols) : NAME(soft_row)(how, s, p, w, cols);
    double share = 1;
    if (how->own) {
        const double with = live > 0 ? NAME(log_of_two)(sum, raw) : raw;
        share = live > 0 ? exp(sum - with) : 0;
        sum = with;
        how->own[i] = how->scale * (exp(raw - with) - weight);
    }
    const double scale = how->scale * share;
#pragma omp simd
    for (int64_t j = 0; j < live; j++)
        s[j] = (REAL)(scale * (double)p[j]);
    for (int64_t j = live; j < cols; j++)
        s[j] = 0;
    if (!how->own)
        s[match] = (REAL)(how->scale * ((how->exclude_match ? 0 : (double)p[match]) - weight));
    return sum - weight * raw;
}

static double NAME(soft_contrast)(int threads, const struct invar_dense_soft *how, REAL *s, REAL *work, int64_t rows,
                                  int64_t cols)
{
    const REAL *w = how->targets ? how->targets->data : NULL;
    double part[BLOCKS] = {0}, sum = 0;

#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int k = 0; k < BLOCKS; k++)
        for (int64_t i = block_start(k, rows); i < block_start(k + 1, rows); i++)
            part[k] += NAME(soft_contrast_row)(how, s + i * cols, work + omp_get_thread_num() * cols,
                                               w ? w + i * cols : NULL, i, cols);
    for (int k = 0; k < BLOCKS; k++)
        sum += part[k];
    return sum;
}

/* ---- groups of columns ---- */

/* Log of a sum of exponentials over the columns of a group, each group around its own maximum. A maximum that is NaN
 * is found by the negated comparison and spoils its group, as it should. */
static void NAME(group_row)(const REAL *x, const int64_t *group, REAL *grouped, double *sum, int64_t cols,
                            int64_t groups)
{
    for (int64_t c = 0; c < groups; c++) {
        grouped[c] = -(REAL)INFINITY;
        sum[c] = 0;
    }
    for (int64_t j = 0; j < cols; j++)
        if (!(x[j] <= grouped[group[j]]))
            grouped[group[j]] = x[j];
    for (int64_t j = 0; j < cols; j++)
        sum[group[j]] += exp((double)x[j] - (double)grouped[group[j]]);
    for (int64_t c = 0; c < groups; c++)
        grouped[c] = (REAL)((double)grouped[c] + log(sum[c]));
}

/* Rows are independent, each with room of its own thread for the sums of its groups. */
static void NAME(group)(int threads, const REAL *x, const int64_t *group, REAL *grouped, double *sums, int64_t rows,
                        int64_t cols, int64_t groups)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++)
        NAME(group_row)(x + i * cols, group, grouped + i * groups, sums + omp_get_thread_num() * groups, cols, groups);
}

/* The softmax within the group times the group's gradient; x still holds the logits here and becomes their gradient. */
static void NAME(ungroup)(int threads, const REAL *grouped, const REAL *gradient, const int64_t *group, REAL *x,
                          int64_t rows, int64_t cols, int64_t groups)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            const int64_t at = i * groups + group[j];
            x[i * cols + j] = gradient[at] * NAME(exponential)(x[i * cols + j] - grouped[at]);
        }
}

#include "dense_column_kernels.h"

#undef REAL
#undef NAME
