/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows, columns and elements of dense.h, written once for both types: dense.c includes this twice, with
 * REAL (float or double), EXP and NAME(x) (the type's suffix). No guard: it is meant to be included twice. What
 * adds up over elements does so in double and in an order that does not depend on the number of threads.
 */

/* ---- elements ---- */

static void NAME(add)(int threads, double scale, const REAL *x, REAL *y, int64_t count)
{
    const REAL factor = (REAL)scale;
#pragma omp parallel for simd num_threads(threads) if (count > SMALL_WORK)
    for (int64_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

static void NAME(scale)(int threads, double scale, REAL *x, int64_t count)
{
    const REAL factor = (REAL)scale;
#pragma omp parallel for simd num_threads(threads) if (count > SMALL_WORK)
    for (int64_t i = 0; i < count; i++)
        x[i] *= factor;
}

static double NAME(dot_block)(const REAL *a, const REAL *b, int64_t count)
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

/* y = x^T over the tile of rows from r and columns from c, or += */
static void NAME(transpose_tile)(const REAL *x, REAL *y, int64_t rows, int64_t cols, int64_t r, int64_t c, bool add)
{
    const int64_t r_end = r + TILE < rows ? r + TILE : rows, c_end = c + TILE < cols ? c + TILE : cols;
    for (int64_t j = c; j < c_end; j++)
        for (int64_t i = r; i < r_end; i++)
            y[j * rows + i] = (add ? y[j * rows + i] : 0) + x[i * cols + j];
}

static void NAME(transpose)(int threads, const REAL *x, REAL *y, int64_t rows, int64_t cols, bool add)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t c = 0; c < cols; c += TILE)
        for (int64_t r = 0; r < rows; r += TILE)
            NAME(transpose_tile)(x, y, rows, cols, r, c, add);
}

static void NAME(symmetrise)(int threads, REAL *x, int64_t n)
{
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (n * n > SMALL_WORK)
    for (int64_t r = 0; r < n; r += TILE)
        for (int64_t c = r; c < n; c += TILE)
            for (int64_t i = r; i < r + TILE && i < n; i++)
                for (int64_t j = c > i ? c : i; j < c + TILE && j < n; j++)
                    x[i * n + j] = x[j * n + i] = x[i * n + j] + x[j * n + i];
}

/* ---- norm() ---- */

static void NAME(normalise)(int threads, const REAL *x, REAL *y, double *lengths, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++) {
        const double length = sqrt(NAME(dot_block)(x + i * cols, x + i * cols, cols));
        /* written so that a NaN goes through instead of being clamped */
        lengths[i] = length < SHORTEST ? SHORTEST : length;
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] = (REAL)((double)x[i * cols + j] / lengths[i]);
    }
}

static void NAME(normalise_backward)(int threads, const REAL *y, const double *lengths, const REAL *dy, double scale,
                                     REAL *dx, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++) {
        const REAL *u = y + i * cols, *du = dy + i * cols;
        const bool clamped = lengths[i] <= SHORTEST;
        const double along = clamped ? 0 : NAME(dot_block)(u, du, cols);
        const double factor = scale / lengths[i];
        for (int64_t j = 0; j < cols; j++)
            dx[i * cols + j] += (REAL)(factor * ((double)du[j] - along * (double)u[j]));
    }
}

/* ---- row softmax, contrast and divergence ---- */

/* eight lanes, which compilers turn into vectors without being allowed to reorder */
static REAL NAME(largest)(const REAL *x, int64_t count)
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

/* s <- log softmax of s, p <- softmax; entry skip (-1: none) takes no part and becomes 0 in both */
static void NAME(softmax_row)(REAL *s, REAL *p, int64_t cols, int64_t skip)
{
    double sum = 0;

    if (skip >= 0)
        s[skip] = -(REAL)INFINITY;
    const REAL largest = NAME(largest)(s, cols);
    for (int64_t j = 0; j < cols; j++) {
        s[j] -= largest;
        p[j] = EXP(s[j]);
    }
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < cols; j++)
        sum += (double)p[j];
    const REAL log_sum = (REAL)log(sum), inverse = (REAL)(1 / sum);
#pragma omp simd
    for (int64_t j = 0; j < cols; j++) {
        s[j] -= log_sum;
        p[j] *= inverse;
    }
    if (skip >= 0)
        s[skip] = 0;
}

/*
 * All ordered pairs at once, at a cost linear in the matrices: with n matrices, L = sum_b log p_b and P = sum_b p_b,
 * sum_b KL(p_a || p_b) = K_a = sum_j p_a (n log p_a - L); its gradient as first argument is p_a (n log p_a - L - K_a),
 * as second argument n p_a - P. L and P are kept in double: n log p_a - L cancels where the p agree.
 */
static double NAME(divergence_all)(const struct invar_dense_contrast *how, REAL *const *s, const REAL *p, double *sums,
                                   int64_t cols)
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
static double NAME(divergence_adjacent)(const struct invar_dense_contrast *how, REAL *const *s, const REAL *p,
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

/*
 * The gradient of a row of logits sums to 0. Where one p is nearly 1, its entry is a difference such as p - 1 that
 * cancels: what the row is off by belongs there.
 */
static void NAME(balance_row)(REAL *s, const REAL *p, int64_t match, int64_t cols)
{
    const REAL dominant = (REAL)0.5;
    int64_t at = match;
    double sum = 0;

    if (!(p[match] > dominant))
        for (at = 0; at < cols && !(p[at] > dominant); at++)
            ;
    if (at == cols)
        return;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < cols; j++)
        sum += (double)s[j];
    s[at] = (REAL)((double)s[at] - sum);
}

static void NAME(contrast_row)(const struct invar_dense_contrast *how, REAL *const *s, REAL *p, double *sums, int64_t i,
                               int64_t cols, double values[2])
{
    const int64_t match = how->match ? how->match[i] : (i + how->shift) % cols;

    for (int a = 0; a < how->count; a++) {
        NAME(softmax_row)(s[a], p + a * cols, cols, how->exclude_diagonal ? i : -1);
        values[0] -= (double)s[a][match];
    }
    if (how->divergence == INVAR_DIVERGENCE_ALL)
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

/* work: for each thread count rows of REAL, then 2 of double; pointers: for each thread count */
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

/* ---- groups of columns ---- */

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

static void NAME(group)(int threads, const REAL *x, const int64_t *group, REAL *grouped, double *sums, int64_t rows,
                        int64_t cols, int64_t groups)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++)
        NAME(group_row)(x + i * cols, group, grouped + i * groups, sums + omp_get_thread_num() * groups, cols, groups);
}

static void NAME(ungroup)(int threads, const REAL *grouped, const REAL *gradient, const int64_t *group, REAL *x,
                          int64_t rows, int64_t cols, int64_t groups)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            const int64_t at = i * groups + group[j];
            x[i * cols + j] = gradient[at] * EXP(x[i * cols + j] - grouped[at]);
        }
}

/* ---- columns, TILE of them at a time ---- */

static void NAME(column_means)(const REAL *x, double *mean, int64_t rows, int64_t cols, int64_t from, int64_t to)
{
    for (int64_t j = from; j < to; j++)
        mean[j - from] = 0;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = from; j < to; j++)
            mean[j - from] += (double)x[i * cols + j];
    for (int64_t j = from; j < to; j++)
        mean[j - from] /= (double)rows;
}

static void NAME(centre)(int threads, const REAL *x, REAL *y, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t from = 0; from < cols; from += TILE) {
        const int64_t to = from + TILE < cols ? from + TILE : cols;
        double mean[TILE];
        NAME(column_means)(x, mean, rows, cols, from, to);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = from; j < to; j++)
                y[i * cols + j] = (REAL)((double)x[i * cols + j] - mean[j - from]);
    }
}

static void NAME(moments)(int threads, const REAL *x, double *mean, double *squares, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t from = 0; from < cols; from += TILE) {
        const int64_t to = from + TILE < cols ? from + TILE : cols;
        NAME(column_means)(x, mean + from, rows, cols, from, to);
        for (int64_t j = from; j < to; j++)
            squares[j] = 0;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = from; j < to; j++) {
                const double away = (double)x[i * cols + j] - mean[j];
                squares[j] += away * away;
            }
    }
}

static void NAME(standardise)(int threads, const REAL *x, const double *mean, const double *factor, REAL *y,
                              int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[i * cols + j] = (REAL)(factor[j] * ((double)x[i * cols + j] - mean[j]));
}

static void NAME(standardise_backward)(int threads, const REAL *y, const double *factor, double divisor, const REAL *dy,
                                       double scale, REAL *dx, int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t from = 0; from < cols; from += TILE) {
        const int64_t to = from + TILE < cols ? from + TILE : cols;
        double mean[TILE], along[TILE] = {0};
        NAME(column_means)(dy, mean, rows, cols, from, to);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = from; j < to; j++)
                along[j - from] += (double)dy[i * cols + j] * (double)y[i * cols + j] / divisor;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = from; j < to; j++)
                dx[i * cols + j] +=
                    (REAL)(scale * factor[j] *
                           ((double)dy[i * cols + j] - mean[j - from] - (double)y[i * cols + j] * along[j - from]));
    }
}

#undef REAL
#undef EXP
#undef NAME
