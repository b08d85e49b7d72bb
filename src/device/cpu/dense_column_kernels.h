/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of dense_kernels.h, which includes this: some neighbours at a time, four rows at once. */

/* Four rows a pass quarter the loads and stores of the sums; pairs are added first, which shortens the chain of
 * roundings. */
INVAR_CLONES static void NAME(add_rows)(const REAL *x, double *sum, int64_t rows, int64_t cols, int64_t count)
{
    int64_t i = 0;

    for (; i + 4 <= rows; i += 4, x += 4 * cols)
#pragma omp simd
        for (int64_t j = 0; j < count; j++)
            sum[j] += ((double)x[j] + (double)x[cols + j]) + ((double)x[2 * cols + j] + (double)x[3 * cols + j]);
    for (; i < rows; i++, x += cols)
        for (int64_t j = 0; j < count; j++)
            sum[j] += (double)x[j];
}

/* squares += (x - mean)^2, from the sums of x on. Around the mean, in a second pass: E[x^2] - E[x]^2 in one pass
 * cancels where the mean is large beside the deviation. */
INVAR_CLONES static void NAME(add_squares)(const REAL *x, const double *mean, double *squares, int64_t rows,
                                           int64_t cols, int64_t count)
{
    int64_t i = 0;

    for (; i + 4 <= rows; i += 4, x += 4 * cols)
#pragma omp simd
        for (int64_t j = 0; j < count; j++) {
            const double a = (double)x[j] - mean[j], b = (double)x[cols + j] - mean[j];
            const double c = (double)x[2 * cols + j] - mean[j], d = (double)x[3 * cols + j] - mean[j];
            squares[j] += (a * a + b * b) + (c * c + d * d);
        }
    for (; i < rows; i++, x += cols)
        for (int64_t j = 0; j < count; j++) {
            const double away = (double)x[j] - mean[j];
            squares[j] += away * away;
        }
}

/* sum += x, products += x y. Both sums in one walk: x is read once. */
INVAR_CLONES static void NAME(add_products)(const REAL *x, const REAL *y, double *sum, double *products, int64_t rows,
                                            int64_t cols, int64_t count)
{
    for (int64_t i = 0; i < rows; i++, x += cols, y += cols)
#pragma omp simd
        for (int64_t j = 0; j < count; j++) {
            sum[j] += (double)x[j];
            products[j] += (double)x[j] * (double)y[j];
        }
}

INVAR_CLONES static void NAME(standard_row)(const REAL *x, const double *mean, const double *factor, REAL *y, bool add,
                                            int64_t count)
{
    if (add)
#pragma omp simd
        for (int64_t j = 0; j < count; j++)
            y[j] += (REAL)(factor[j] * ((double)x[j] - mean[j]));
    else
#pragma omp simd
        for (int64_t j = 0; j < count; j++)
            y[j] = (REAL)(factor[j] * ((double)x[j] - mean[j]));
}

INVAR_CLONES static void NAME(centred_row)(const REAL *x, const double *mean, REAL *y, int64_t count)
{
#pragma omp simd
    for (int64_t j = 0; j < count; j++)
        y[j] = (REAL)((double)x[j] - mean[j]);
}

/* dx += factor (dy - mean - y along) */
INVAR_CLONES static void NAME(standard_backward_row)(const REAL *y, const REAL *dy, const double *factor,
                                                     const double *mean, const double *along, REAL *dx, int64_t count)
{
#pragma omp simd
    for (int64_t j = 0; j < count; j++)
        dx[j] += (REAL)(factor[j] * ((double)dy[j] - mean[j] - (double)y[j] * along[j]));
}

/* products[j] = sum of x y over column j. sum is made and forgotten: the loop is the one of standardise_backward,
 * which needs both. */
static void NAME(column_products)(int threads, const REAL *x, const REAL *y, double *products, int64_t rows,
                                  int64_t cols)
{
    const int64_t wide = columns_at_once(threads, cols);
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t from = 0; from < cols; from += wide) {
        const int64_t count = from + wide < cols ? wide : cols - from;
        double sum[COLUMNS] = {0};
        memset(products + from, 0, sizeof(double) * (size_t)count);
        NAME(add_products)(x + from, y + from, sum, products + from, rows, cols, count);
    }
}

/* mean of `count` columns from x on. In double, from columns of any length. */
static void NAME(column_means)(const REAL *x, double *mean, int64_t rows, int64_t cols, int64_t count)
{
    for (int64_t j = 0; j < count; j++)
        mean[j] = 0;
    NAME(add_rows)(x, mean, rows, cols, count);
    for (int64_t j = 0; j < count; j++)
        mean[j] /= (double)rows;
}

/* Columns in pieces, whose means are used while they are there: two walks over the piece, none over the matrix. */
static void NAME(centre)(int threads, const REAL *x, REAL *y, int64_t rows, int64_t cols)
{
    const int64_t wide = columns_at_once(threads, cols);
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t from = 0; from < cols; from += wide) {
        const int64_t count = from + wide < cols ? wide : cols - from;
        double mean[COLUMNS];
        NAME(column_means)(x + from, mean, rows, cols, count);
        for (int64_t i = 0; i < rows; i++)
            NAME(centred_row)(x + i * cols + from, mean, y + i * cols + from, count);
    }
}

/* Means of the whole column come first and stay in the caller's memory, which later steps read. */
static void NAME(moments)(int threads, const REAL *x, double *mean, double *squares, int64_t rows, int64_t cols)
{
    const int64_t wide = columns_at_once(threads, cols);
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t from = 0; from < cols; from += wide) {
        const int64_t count = from + wide < cols ? wide : cols - from;
        NAME(column_means)(x + from, mean + from, rows, cols, count);
        for (int64_t j = from; j < from + count; j++)
            squares[j] = 0;
        NAME(add_squares)(x + from, mean + from, squares + from, rows, cols, count);
    }
}

/* By rows, since the factors of all columns are in the cache and rows are what is contiguous. */
static void NAME(standardise)(int threads, const REAL *x, const double *mean, const double *factor, REAL *y, bool add,
                              int64_t rows, int64_t cols)
{
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t i = 0; i < rows; i++)
        NAME(standard_row)(x + i * cols, mean, factor, y + i * cols, add, cols);
}

/* mean(dy) and mean(dy y) are what the mean and the deviation of the column pass back; divisor is that of the
 * variance. */
static void NAME(standardise_backward)(int threads, const REAL *y, const double *factor, double divisor, const REAL *dy,
                                       double scale, REAL *dx, int64_t rows, int64_t cols)
{
    const int64_t wide = columns_at_once(threads, cols);
#pragma omp parallel for num_threads(threads) if (rows * cols > SMALL_WORK)
    for (int64_t from = 0; from < cols; from += wide) {
        const int64_t count = from + wide < cols ? wide : cols - from;
        double mean[COLUMNS] = {0}, along[COLUMNS] = {0}, scaled[COLUMNS];
        NAME(add_products)(dy + from, y + from, mean, along, rows, cols, count);
        for (int64_t j = 0; j < count; j++) {
            mean[j] /= (double)rows;
            along[j] /= divisor;
            scaled[j] = scale * factor[from + j];
        }
        for (int64_t i = 0; i < rows; i++)
            NAME(standard_backward_row)
        (y + i * cols + from, dy + i * cols + from, scaled, mean, along, dx + i * cols + from, count);
    }
}
