/* SPDX-License-Identifier: Apache-2.0 */
/* Large inputs of terms, and the formulas of the terms on them once more, in plain loops. */
#ifndef INVAR_TESTS_PLAIN_LOOPS_H
#define INVAR_TESTS_PLAIN_LOOPS_H

#include "test.h"

#include "invar/expert/random.h"
#include "invar/invar.h"

#define SEED 20260305
#ifdef __SANITIZE_ADDRESS__ /* sees no more at full size, in many minutes */
#define N 256
#else
#define N 1024
#endif
#define D (2 * N)
#define NARROW_D (N / 2) /* fewer dimensions than samples: the other side of LogDet's determinant */

/* ---- inputs ---- */

struct inputs {
    struct invar_embeddings in, gradient;
    int64_t groups[N], labels[N], partner[N];
    double share[N];
};

static double *wide_data(const struct inputs *x, enum invar_role role, int view)
{
    return x->in.by[role][view].data;
}

static void fill(struct inputs *x, enum invar_role role, int view)
{
    struct invar_random shared = invar_random_stream(SEED, INVAR_RANDOM_TEST, 0, 0, 0);
    struct invar_random own = invar_random_stream(SEED, INVAR_RANDOM_TEST, 1, (uint64_t)role, (uint32_t)view);
    const struct invar_matrix *m = &x->in.by[role][view];

    for (int64_t i = 0; i < m->rows * m->cols; i++) {
        const float value = 0.8f * invar_random_normal(&shared) + 0.3f * invar_random_normal(&own);
        if (m->dtype == INVAR_FLOAT32)
            ((float *)m->data)[i] = value;
        else
            ((double *)m->data)[i] = (double)value;
    }
}

/* Two views in the roles Z, Q and T, the same numbers in either type. */
static void open_inputs(struct inputs *x, enum invar_dtype dtype, int64_t d)
{
    *x = (struct inputs){.in.views = 2, .gradient.views = 2};
    for (int64_t i = 0; i < N; i++) {
        x->groups[i] = i * i % 97;
        x->labels[i] = i * i % d;
        x->partner[i] = (3 * i + 1) % N;
        x->share[i] = 0.5 + (double)(i % 5) / 8;
    }
    x->in.groups = x->groups;
    x->in.labels = x->labels;
    x->in.partner = x->partner;
    x->in.share = x->share;
    for (int role = INVAR_ROLE_Z; role < INVAR_ROLE_COUNT; role++)
        for (int v = 0; v < 2 && role != INVAR_ROLE_W; v++) { /* terms draw their own slices */
            const struct invar_matrix m = {.dtype = dtype, .rows = N, .cols = d};
            x->in.by[role][v] = x->gradient.by[role][v] = m;
            x->in.by[role][v].data = calloc((size_t)(N * d), invar_dtype_size(dtype));
            x->gradient.by[role][v].data = calloc((size_t)(N * d), invar_dtype_size(dtype));
            fill(x, (enum invar_role)role, v);
        }
}

static void close_inputs(struct inputs *x)
{
    for (int role = 0; role < INVAR_ROLE_COUNT; role++)
        for (int v = 0; v < 2; v++) {
            free(x->in.by[role][v].data);
            free(x->gradient.by[role][v].data);
        }
}

/* ---- the formulas in plain loops ---- */

static double dot(const double *a, const double *b, int64_t d)
{
    double sum[8] = {0};

    for (int64_t k = 0; k < d; k += 8)
        for (int u = 0; u < 8; u++)
            sum[u] += a[k + u] * b[k + u];
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

/* out[i][j] = <a_i, b_j>, rows of length d; where b is a, half of them are mirrored */
static double *products(const double *a, const double *b, int64_t rows, int64_t d)
{
    enum { BLOCK = 8 }; /* rows of a that stay in cache */
    double *out = malloc((size_t)(rows * rows) * sizeof *out);

#pragma omp parallel for schedule(dynamic)
    for (int64_t first = 0; first < rows; first += BLOCK)
        for (int64_t j = 0; j < (a == b ? first + BLOCK : rows); j++)
            for (int64_t i = first; i < first + BLOCK; i++)
                out[i * rows + j] = dot(a + i * d, b + j * d, d);
    for (int64_t i = 0; a == b && i < rows; i++)
        for (int64_t j = i + 1; j < rows; j++)
            out[i * rows + j] = out[j * rows + i];
    return out;
}

static double *normalised(const double *z, int64_t d)
{
    double *out = malloc((size_t)(N * d) * sizeof *out);

    for (int64_t i = 0; i < N; i++) {
        const double length = sqrt(dot(z + i * d, z + i * d, d));
        for (int64_t k = 0; k < d; k++)
            out[i * d + k] = z[i * d + k] / length;
    }
    return out;
}

/* columns as rows [d][N], less their means */
static double *turned_and_centred(const double *z, int64_t d)
{
    double *out = malloc((size_t)(N * d) * sizeof *out);

    for (int64_t k = 0; k < d; k++) {
        double mean = 0;
        for (int64_t i = 0; i < N; i++)
            mean += z[i * d + k] / N;
        for (int64_t i = 0; i < N; i++)
            out[k * N + i] = z[i * d + k] - mean;
    }
    return out;
}

static double log_sum_exp(const double *x, int64_t count, int64_t left_out)
{
    double largest = -INFINITY, sum = 0;

    for (int64_t j = 0; j < count; j++)
        if (j != left_out)
            largest = fmax(largest, x[j]);
    for (int64_t j = 0; j < count; j++)
        if (j != left_out)
            sum += exp(x[j] - largest);
    return largest + log(sum);
}

/* [R3] of S = <q_i, t_j> / tau of both directions; with groups over the distributions of groups */
static double relic_of(const double *forth, const double *back, double tau, const int64_t *groups)
{
    enum { GROUPS = 97 };
    double loss = 0;

    for (int64_t i = 0; i < N; i++) {
        double logits[2][N], p[2][N] = {{0}};
        const int64_t classes = groups ? GROUPS : N;
        for (int64_t j = 0; j < N; j++) {
            logits[0][j] = forth[i * N + j] / tau;
            logits[1][j] = back[i * N + j] / tau;
        }
        for (int side = 0; side < 2; side++) {
            const double all = log_sum_exp(logits[side], N, -1);
            for (int64_t j = 0; j < N; j++)
                p[side][groups ? groups[j] : j] += exp(logits[side][j] - all);
            loss -= log(p[side][groups ? groups[i] : i]) / N;
        }
        for (int64_t c = 0; c < classes; c++)
            if (p[0][c] > 0 && p[1][c] > 0)
                loss += (p[0][c] - p[1][c]) * (log(p[0][c]) - log(p[1][c])) / N;
    }
    return loss;
}

static double *transposed(const double *s)
{
    double *out = malloc((size_t)N * N * sizeof *out);

    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++)
            out[j * N + i] = s[i * N + j];
    return out;
}

/* <norm(z^l_i), norm(z^k_j)>, which several terms start from: made once, [0][1] for l = 0, k = 1 */
static double *cosines[2][2];

static void make_cosines(const struct inputs *x)
{
    double *z[2];

    for (int v = 0; v < 2; v++)
        z[v] = normalised(wide_data(x, INVAR_ROLE_Z, v), D);
    cosines[0][0] = products(z[0], z[0], N, D);
    cosines[1][1] = products(z[1], z[1], N, D);
    cosines[0][1] = products(z[0], z[1], N, D);
    cosines[1][0] = transposed(cosines[0][1]);
    free(z[0]), free(z[1]);
}

static void free_cosines(void)
{
    for (int v = 0; v < 2; v++)
        free(cosines[v][0]), free(cosines[v][1]);
}

static double plain_relic_groups(const struct inputs *x)
{
    return relic_of(cosines[0][1], cosines[1][0], 0.1, x->groups);
}

static double plain_relic_samples(const struct inputs *x)
{
    (void)x;
    return relic_of(cosines[0][1], cosines[1][0], 0.1, NULL);
}

static double plain_relic_target(const struct inputs *x)
{
    double *q[2], *t[2], loss;

    for (int v = 0; v < 2; v++) {
        q[v] = normalised(wide_data(x, INVAR_ROLE_Q, v), D);
        t[v] = normalised(wide_data(x, INVAR_ROLE_T, v), D);
    }
    double *forth = products(q[0], t[1], N, D), *back = products(q[1], t[0], N, D);
    loss = relic_of(forth, back, 0.2, NULL);
    free(q[0]), free(q[1]), free(t[0]), free(t[1]), free(forth), free(back);
    return loss;
}

static double plain_ntxent(const struct inputs *x)
{
    double loss = 0;

    (void)x;
    for (int v = 0; v < 2; v++)
        for (int64_t i = 0; i < N; i++) {
            double logits[2 * N]; /* those of the own view first */
            for (int64_t j = 0; j < N; j++) {
                logits[j] = cosines[v][v][i * N + j] / 0.2;
                logits[N + j] = cosines[v][1 - v][i * N + j] / 0.2;
            }
            loss += (log_sum_exp(logits, 2 * N, i) - logits[N + i]) / (2 * N);
        }
    return loss;
}

static double squared_distance(const double *a, const double *b, int64_t d)
{
    double sum[8] = {0};

    for (int64_t k = 0; k < d; k += 8)
        for (int u = 0; u < 8; u++)
            sum[u] += (a[k + u] - b[k + u]) * (a[k + u] - b[k + u]);
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

static double plain_byol(const struct inputs *x)
{
    double *q[2], *t[2], loss = 0;

    for (int v = 0; v < 2; v++) {
        q[v] = normalised(wide_data(x, INVAR_ROLE_Q, v), D);
        t[v] = normalised(wide_data(x, INVAR_ROLE_T, v), D);
    }
    for (int64_t i = 0; i < N * D; i += D)
        loss += (squared_distance(q[0] + i, t[1] + i, D) + squared_distance(q[1] + i, t[0] + i, D)) / N;
    free(q[0]), free(q[1]), free(t[0]), free(t[1]);
    return loss;
}

static double plain_invariance(const struct inputs *x)
{
    return squared_distance(wide_data(x, INVAR_ROLE_Z, 0), wide_data(x, INVAR_ROLE_Z, 1), (int64_t)N * D) / N / D;
}

static double plain_barlow(const struct inputs *x)
{
    double *z[2], loss = 0;

    for (int v = 0; v < 2; v++) {
        z[v] = turned_and_centred(wide_data(x, INVAR_ROLE_Z, v), D);
        for (int64_t k = 0; k < D; k++) {
            const double deviation = sqrt(dot(z[v] + k * N, z[v] + k * N, N) / N + 1e-5);
            for (int64_t i = 0; i < N; i++)
                z[v][k * N + i] /= deviation;
        }
    }
    double *c = products(z[0], z[1], D, N);
    for (int64_t k = 0; k < D; k++)
        for (int64_t l = 0; l < D; l++) {
            const double entry = c[k * D + l] / N;
            loss += k == l ? (1 - entry) * (1 - entry) : 0.0051 * entry * entry;
        }
    free(z[0]), free(z[1]), free(c);
    return loss;
}

static double plain_variance(const struct inputs *x)
{
    double loss = 0;

    for (int v = 0; v < 2; v++) {
        double *z = turned_and_centred(wide_data(x, INVAR_ROLE_Z, v), D);
        for (int64_t k = 0; k < D; k++)
            loss += fmax(0, 1 - sqrt(dot(z + k * N, z + k * N, N) / (N - 1) + 1e-4)) / D / 2;
        free(z);
    }
    return loss;
}

static double plain_covariance(const struct inputs *x)
{
    double loss = 0;

    for (int v = 0; v < 2; v++) {
        double *z = turned_and_centred(wide_data(x, INVAR_ROLE_Z, v), D), *c = products(z, z, D, N);
        for (int64_t k = 0; k < D; k++)
            for (int64_t l = 0; l < D; l++)
                loss += k == l ? 0 : pow(c[k * D + l] / (N - 1), 2) / D;
        free(z), free(c);
    }
    return loss;
}

/* log det(I + m) of a symmetric matrix [n][n] by elimination of its upper half, which destroys it */
static double log_det_beside_one(double *m, int64_t n)
{
    double sum = 0;

    for (int64_t k = 0; k < n; k++)
        m[k * n + k] += 1;
    for (int64_t k = 0; k < n; k++) {
        sum += log(m[k * n + k]);
#pragma omp parallel for
        for (int64_t i = k + 1; i < n; i++) {
            const double factor = m[k * n + i] / m[k * n + k];
            for (int64_t j = i; j < n; j++)
                m[i * n + j] -= factor * m[k * n + j];
        }
    }
    return sum;
}

/* of the Gram matrix, whichever side the term takes */
static double plain_logdet_of(const struct inputs *x, int64_t d, double beta)
{
    double entropy = 0;

    for (int v = 0; v < 2; v++) {
        double *turned = turned_and_centred(wide_data(x, INVAR_ROLE_Z, v), d);
        double *centred = malloc((size_t)(N * d) * sizeof *centred);
        for (int64_t i = 0; i < N; i++)
            for (int64_t k = 0; k < d; k++)
                centred[i * d + k] = turned[k * N + i] * sqrt(beta / (N - 1));
        double *gram = products(centred, centred, N, d);
        entropy += log_det_beside_one(gram, N) / 2 / (double)d;
        free(turned), free(centred), free(gram);
    }
    return entropy;
}

static double plain_logdet(const struct inputs *x)
{
    return plain_logdet_of(x, D, 10);
}

static double plain_logdet_narrow(const struct inputs *x)
{
    return plain_logdet_of(x, NARROW_D, 10);
}

/* of norm(z): |a - b|^2 = 2 - 2 <a, b> */
static double plain_pairdist_of(double factor)
{
    double entropy = 0;

    for (int v = 0; v < 2; v++)
        for (int64_t i = 0; i < N; i++) {
            double minus[N];
            for (int64_t j = 0; j < N; j++)
                minus[j] = -factor * (2 - 2 * cosines[v][v][i * N + j]);
            entropy += (log(N) - log_sum_exp(minus, N, -1)) / N;
        }
    return entropy;
}

static double plain_pairdist_kl(const struct inputs *x)
{
    (void)x;
    return plain_pairdist_of(1 / (2 * 0.45 * 0.45));
}

static double plain_pairdist_bhattacharyya(const struct inputs *x)
{
    (void)x;
    return plain_pairdist_of(1 / (8 * 0.3 * 0.3));
}

static double plain_pairdist_chernoff(const struct inputs *x)
{
    (void)x;
    return plain_pairdist_of(0.2 * 0.8 / (2 * 0.3 * 0.3));
}

static double plain_imix(const struct inputs *x)
{
    double loss = 0;

    for (int64_t i = 0; i < N; i++) {
        double logits[N];
        for (int64_t j = 0; j < N; j++)
            logits[j] = cosines[0][1][i * N + j] / 0.2;
        const double all = log_sum_exp(logits, N, -1);
        loss += (all - x->share[i] * logits[i] - (1 - x->share[i]) * logits[x->partner[i]]) / N;
    }
    return loss;
}

static double plain_cross_entropy(const struct inputs *x)
{
    double loss = 0;

    for (int v = 0; v < 2; v++)
        for (int64_t i = 0; i < N; i++) {
            const double *z = wide_data(x, INVAR_ROLE_Z, v) + i * D;
            loss += (log_sum_exp(z, D, -1) - z[x->labels[i]]) / (2 * N);
        }
    return loss;
}

static double plain_reconstruction(const struct inputs *x)
{
    const double *clean = wide_data(x, INVAR_ROLE_Z, 0), *guess = wide_data(x, INVAR_ROLE_Q, 1);
    double loss = 0;

    for (int64_t i = 0; i < N * D; i++)
        loss += (guess[i] - clean[i]) * (guess[i] - clean[i]) / (N * D);
    return loss;
}

static double plain_orthonormality(const struct inputs *x)
{
    double *z = turned_and_centred(wide_data(x, INVAR_ROLE_Z, 0), D), *c = products(z, z, D, N);
    double loss = 0;

    for (int64_t k = 0; k < D; k++)
        for (int64_t l = 0; l < D; l++)
            loss += pow(c[k * D + l] / (N - 1) - (k == l), 2) / D;
    free(z), free(c);
    return loss;
}

static double plain_denoising(const struct inputs *x)
{
    const double *clean = wide_data(x, INVAR_ROLE_X, 0);
    double loss = 0;

    for (int v = 0; v < 2; v++)
        for (int64_t i = 0; i < N * D; i++)
            loss += pow(wide_data(x, INVAR_ROLE_Z, v)[i] - clean[i], 2) / (2 * N * D);
    return loss;
}

static double plain_vime(const struct inputs *x)
{
    enum { HALF = D / 2 };
    const double *clean = wide_data(x, INVAR_ROLE_X, 0);
    double loss = 0;

    for (int v = 0; v < 2; v++)
        for (int64_t i = 0; i < N; i++)
            for (int64_t k = 0; k < HALF; k++) {
                const double *z = wide_data(x, INVAR_ROLE_Z, v) + i * D;
                const double mask = wide_data(x, INVAR_ROLE_M, v)[i * HALF + k];
                const double apart = z[HALF + k] - clean[i * HALF + k];
                loss += (fmax(z[k], 0) - z[k] * mask + log1p(exp(-fabs(z[k]))) + 2 * apart * apart) / (2 * N * HALF);
            }
    return loss;
}

#endif
