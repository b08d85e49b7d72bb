/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_DENSE_H
#define INVAR_DENSE_H

#include "invar/array.h"
#include "invar/device.h"
#include "invar/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Dense operations of a device: what terms and measurements are made of. Matrices are device memory, all of one call
 * float32 or all float64; what a call reduces to a number is accumulated in double and added to a slot of the device
 * (struct invar_ledger): *slot += factor * value. Shapes must agree (that is the caller's duty, not a user's); work
 * space comes from scratch, in the sizes said there. The same number of threads gives the same bits.
 */

/** A matrix over device memory of scratch (invar_device_scratch_create), not zeroed. */
bool invar_dense_take(struct invar_scratch *scratch, enum invar_dtype dtype, int64_t rows, int64_t cols,
                      struct invar_matrix *out, struct invar_error *err);

void invar_dense_zero(struct invar_device *device, const struct invar_matrix *x);
/** x <- factor x + shift, element by element. */
void invar_dense_affine(struct invar_device *device, double factor, double shift, const struct invar_matrix *x);
/** to = from, converting between float32 and float64 where they differ. */
void invar_dense_copy(struct invar_device *device, const struct invar_matrix *from, const struct invar_matrix *to);
/** x <- factor x. */
void invar_dense_scale(struct invar_device *device, double factor, const struct invar_matrix *x);
/** y += scale x; of any type each. */
void invar_dense_add(struct invar_device *device, double scale, const struct invar_matrix *x,
                     const struct invar_matrix *y);
/** y = x^T, or y += x^T; x and y are different memory. */
void invar_dense_transpose(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                           bool add);
/** x += x^T in place, x square. */
void invar_dense_symmetrise(struct invar_device *device, const struct invar_matrix *x);
/** Sum over all elements of a * b. */
void invar_dense_dot(struct invar_device *device, const struct invar_matrix *a, const struct invar_matrix *b,
                     double factor, double *slot);
/**
 * Sum of squares of a - b; with it da += scale (a - b) and db -= scale (a - b), where those and their data are not
 * NULL. With scale twice that of the sum they receive its gradient.
 */
void invar_dense_distance(struct invar_device *device, const struct invar_matrix *a, const struct invar_matrix *b,
                          double scale, const struct invar_matrix *da, const struct invar_matrix *db, double factor,
                          double *slot);
/** The diagonal of a square x <- factor values + shift; values: device double [rows], NULL: the diagonal itself. */
void invar_dense_diagonal_map(struct invar_device *device, const struct invar_matrix *x, const double *values,
                              double factor, double shift);
/** The diagonal of a square x += shift + share times its mean. */
void invar_dense_diagonal_add(struct invar_device *device, const struct invar_matrix *x, double shift, double share);

enum invar_dense_map {
    INVAR_MAP_EXP,
    INVAR_MAP_EXPM1,
    INVAR_MAP_LOG,
    INVAR_MAP_LOG_OR_0, /* 0 of 0 */
    INVAR_MAP_LOG1P,
    INVAR_MAP_SQRT,
    INVAR_MAP_RSQRT,      /* 1 / sqrt, 0 of 0 */
    INVAR_MAP_RECIPROCAL, /* 0 of 0 */
    INVAR_MAP_TANH,
    INVAR_MAP_CLAMP,  /* 0 below 0, 1 above 1 */
    INVAR_MAP_INSIDE, /* 1 between 0 and 1, else 0: the slope of the clamp */
};
/** x <- f(factor x + shift), element by element, float64. */
void invar_dense_map(struct invar_device *device, enum invar_dense_map f, double factor, double shift,
                     const struct invar_matrix *x);
/** y <- x y, element by element, float64. */
void invar_dense_multiply(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y);
/** Sum over all elements, float64. */
void invar_dense_sum(struct invar_device *device, const struct invar_matrix *x, double factor, double *slot);

/** c = scale op(a) op(b) + keep c, where op transposes on request; keep 0 ignores what c held. */
void invar_dense_product(struct invar_device *device, bool transpose_a, bool transpose_b, double scale,
                         const struct invar_matrix *a, const struct invar_matrix *b, double keep,
                         const struct invar_matrix *c);
/** c = scale op(a) op(a)^T, where op transposes on request: symmetric to the last bit, at little more than half of the
 * work. */
void invar_dense_gram(struct invar_device *device, bool transpose, double scale, const struct invar_matrix *a,
                      const struct invar_matrix *c);

/** c = keep c + scale op(a) op(b)^T on and above the diagonal, and the same below it: about half of the work. */
void invar_dense_mirrored(struct invar_device *device, bool transpose, double scale, const struct invar_matrix *a,
                          const struct invar_matrix *b, double keep, const struct invar_matrix *c);

/**
 * As invar_dense_product, for rows of c that are samples, view after view, and become rows of a gradient each by itself
 * (element by element, or normalised by row, but in no sum over rows): of processes that share products each makes
 * those of its own samples, and in the other rows c is keep c.
 */
void invar_dense_product_own(struct invar_device *device, bool transpose_a, bool transpose_b, double scale,
                             const struct invar_matrix *a, const struct invar_matrix *b, double keep,
                             const struct invar_matrix *c);

/** Other processes that call the same dense operations with the same numbers, in the same order. */
struct invar_dense_ranks {
    int count, rank;
    int64_t
        samples;  /**< of all, in every view; the rank's own are a stretch of samples / count, in the order of ranks */
    double inner; /**< products of fewer summands an element are made by each, as what they save is less than ... */
    double work;  /**< ... what it costs to send them; those of fewer multiply-adds too */
    void *own, *all; /**< memory of the host: [room] bytes, and [count][room] */
    size_t room;
    /** The first bytes of `own` of every rank, one behind the other in `all`. */
    void (*gather)(void *user, size_t bytes);
    void *user;
};
/** From now on invar_dense_product, _mirrored, _gram and _covariance are made by all ranks together where that pays,
 * each its rows of c, to the same bits everywhere, and invar_dense_product_own by each for itself. Borrowed; NULL: no
 * longer. */
void invar_dense_share(struct invar_device *device, const struct invar_dense_ranks *ranks);

/* ---- rows ---- */

/** y = norm(x) by row: x / max(|x|, 1e-12); y may be x. lengths: device double [rows], receives max(|x|, 1e-12). */
void invar_dense_normalise(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                           double *lengths);
/** dx += scale (dy - y <y, dy>) / length: the gradient of norm(); where a row was clamped, scale dy / 1e-12. */
void invar_dense_normalise_backward(struct invar_device *device, const struct invar_matrix *y, const double *lengths,
                                    const struct invar_matrix *dy, double scale, const struct invar_matrix *dx);

enum invar_dense_divergence {
    INVAR_DIVERGENCE_NONE,
    INVAR_DIVERGENCE_ALL,      /* every ordered pair of distinct matrices */
    INVAR_DIVERGENCE_ADJACENT, /* every matrix with the next one, the last with the first */
};

/** What invar_dense_contrast does with matrices a = 1 .. count of logits, p_a = row softmax of matrix a. */
struct invar_dense_contrast {
    int count;
    const int64_t *match;  /* device [rows]: the column that matches a row; NULL: row i + shift, modulo columns */
    int64_t shift;         /* 0 for the diagonal */
    bool exclude_diagonal; /* entry (i, i) takes no part in the softmax of row i */
    enum invar_dense_divergence divergence;
    bool first_constant;                     /* the first argument of every KL receives no gradient */
    double contrast_scale, divergence_scale; /* of the two values in the gradient */
    const double *divergence_weight;         /* device: times divergence_scale; NULL: 1 */
    double contrast_factor, divergence_factor;
    double *contrast_slot, *divergence_slot; /* NULL: nobody asks */
};
/**
 * contrast = - sum_i sum_a log p_a,i(match_i); divergence = sum_i sum over pairs (a, b) KL(p_a,i || p_b,i), from
 * log-softmax values. The logits are overwritten by the gradient of contrast_scale contrast + divergence_scale
 * divergence. Scratch: (count + 4) rows a thread.
 */
bool invar_dense_contrast(struct invar_device *device, struct invar_scratch *scratch,
                          const struct invar_dense_contrast *how, const struct invar_matrix *logits,
                          struct invar_error *err);

/** y = x of rows no longer than limit, the others shortened to it; y may be x. lengths: device double [rows], receives
 * max(1, |x| / limit). float64. */
void invar_dense_shorten(struct invar_device *device, double limit, const struct invar_matrix *x,
                         const struct invar_matrix *y, double *lengths);
/** dx += the gradient by x, dy being that by y. */
void invar_dense_shorten_backward(struct invar_device *device, double limit, const struct invar_matrix *y,
                                  const double *lengths, const struct invar_matrix *dy, const struct invar_matrix *dx);
/** Sums over columns of x y (y NULL: of x), device double [rows]. */
void invar_dense_row_products(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                              double *products);
/** Row i of x <- factors[i] (device double) times it. */
void invar_dense_scale_rows(struct invar_device *device, const double *factors, const struct invar_matrix *x);
/** By row, x <- log softmax of x, p <- softmax. */
void invar_dense_log_softmax(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *p);

/** What invar_dense_soft_contrast does with rows of logits s, of which p is the softmax. */
struct invar_dense_soft {
    const struct invar_matrix *targets;   /* weights w of the type of the logits; NULL: one match a row */
    bool mixture;                         /* with targets: - log sum_j w_j p_j in place of - sum_j w_j log p_j */
    int64_t shift;                        /* without targets: row i matches column i + shift, modulo columns */
    const double *weight;                 /* device [rows], of the match's logit; NULL: 1 */
    bool exclude_match, exclude_diagonal; /* take no part in the softmax */
    double *own;       /* device [rows]: the match's logit, which stands in no column; receives its gradient */
    const float *live; /* device: how many columns take part; NULL: all */
    double scale;      /* of the gradient */
    double factor, *slot;
};
/**
 * The sum over rows of the cross entropy, [log sum_j e^{s_j}] - weight * logit of the match where one matches, as said
 * above otherwise; a row of targets that is all 0 counts as 0. logits <- scale times the gradient. Scratch: a row a
 * thread.
 */
bool invar_dense_soft_contrast(struct invar_device *device, struct invar_scratch *scratch,
                               const struct invar_dense_soft *how, const struct invar_matrix *logits,
                               struct invar_error *err);

/** What invar_dense_distil compares: scores of online views with those of a teacher, all of one shape and type. */
struct invar_dense_distil {
    int targets, views;               /* target a and online view a are the same view, which is not compared */
    const struct invar_matrix *t, *q; /* [targets], [views] */
    const struct invar_matrix *dq;    /* [views]: receive the gradient where data is not NULL */
    const double *centre;             /* device [cols], taken off every t */
    double *mean;                     /* device [cols], receives that of t over rows and targets; not centre */
    double sharpen_t, sharpen_q;      /* factors of t - centre and of q: 1 / temperature */
    double scale;                     /* of the gradient */
    double factor, *slot;             /* of the cross entropies */
    double entropy_factor, *entropy;  /* of the entropies of p */
};
/**
 * With p = softmax(sharpen_t (t - centre)) by row: the sum over rows, targets a and views b != a of - sum_k p^a_k log
 * softmax(sharpen_q q^b)_k, and the sum over rows and targets of the entropy of p; dq += scale times the gradient of
 * the former. Scratch: (targets + 2) rows a thread, a row, and 32 rows of doubles, of the host.
 */
bool invar_dense_distil(struct invar_device *device, struct invar_scratch *scratch,
                        const struct invar_dense_distil *how, struct invar_error *err);

/** Numbers the distinct ids (host [count]) in order of appearance: index, device [count], in 0 .. *groups - 1. Scratch:
 * at most 5 count integers of the host. */
bool invar_dense_group_index(struct invar_device *device, struct invar_scratch *scratch, const int64_t *ids,
                             int64_t count, int64_t *index, int64_t *groups, struct invar_error *err);
/**
 * Logits of groups of columns: grouped(i, c) = log sum over the columns j with group[j] = c of exp x(i, j), so that the
 * softmax of grouped is the sum of the softmax of x over each group. group: device [cols of x], 0 .. cols of grouped -
 * 1, none empty. Scratch: one row of doubles a thread.
 */
bool invar_dense_group(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                       const int64_t *group, const struct invar_matrix *grouped, struct invar_error *err);
/** The way back: x(i, j) <- gradient(i, group[j]) exp(x(i, j) - grouped(i, group[j])), logits in, their gradient out.
 */
void invar_dense_ungroup(struct invar_device *device, const struct invar_matrix *grouped,
                         const struct invar_matrix *gradient, const int64_t *group, const struct invar_matrix *x);

/**
 * [A1] by row: delta = eps dim^{1/p} raw / |raw|_p over the coordinates whose mask is not 0 (device [cols]; NULL: all),
 * dim of them, and 0 in the others. norms: device double [rows], receives |raw|_p. A norm below 1e-12 gives a row of
 * zeros; a NaN or Inf in raw gives a norm that is one.
 */
void invar_dense_project(struct invar_device *device, enum invar_ball ball, double eps, const struct invar_matrix *raw,
                         const uint8_t *mask, const struct invar_matrix *delta, double *norms);
/**
 * The way back, norms as made above: out = scale times the gradient by raw, where upstream is that by delta. The norm
 * of p = 1 has derivative 0 at 0, that of p = inf goes through the first element of largest magnitude; rows of norm
 * below 1e-12 receive none. out may be upstream.
 */
void invar_dense_project_backward(struct invar_device *device, enum invar_ball ball, double eps,
                                  const struct invar_matrix *raw, const uint8_t *mask, const double *norms,
                                  const struct invar_matrix *upstream, double scale, const struct invar_matrix *out);

/* ---- columns ---- */

/** y = x less its column means (two passes, means in double); y may be x. */
void invar_dense_centre(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y);
/** Device double [cols] each: means, and sums of squared distances from them (two passes). */
void invar_dense_moments(struct invar_device *device, const struct invar_matrix *x, double *mean, double *squares);
/** Whether no few of some values (device double [count], none below 0) have nearly all of their sum: the sum of their
 * squares is at most share times the square of it. For choosing between ways of computing the same: false as well where
 * there is NaN, and where the device would have to be waited for. */
bool invar_dense_even(struct invar_device *device, const double *values, int64_t count, double share);
/** Sums over rows of x y, device double [cols]. */
void invar_dense_column_products(struct invar_device *device, const struct invar_matrix *x,
                                 const struct invar_matrix *y, double *products);
/** y(i, j) = factor[j] (x(i, j) - mean[j]), or += ; mean and factor: device double [cols]. */
void invar_dense_standardise(struct invar_device *device, const struct invar_matrix *x, const double *mean,
                             const double *factor, const struct invar_matrix *y, bool add);
/** values (device double [count], sums of squares) <- 1 / sqrt(values / divisor + constant). */
void invar_dense_rsqrt_of_squares(struct invar_device *device, double *values, int64_t count, double divisor,
                                  double constant);
/**
 * With s = sqrt(values / divisor + constant), values as above: the sum of max(0, margin - s); values <- scale / s where
 * s is below the margin, and 0 elsewhere.
 */
void invar_dense_hinge(struct invar_device *device, double *values, int64_t count, double divisor, double constant,
                       double margin, double scale, double factor, double *slot);
/**
 * dx += scale factor[j] (dy - column mean of dy - y * column sum of (dy y) / divisor): the gradient of y where mean is
 * that of x and factor 1 / sqrt(squares / divisor + constant).
 */
void invar_dense_standardise_backward(struct invar_device *device, const struct invar_matrix *y, const double *factor,
                                      double divisor, const struct invar_matrix *dy, double scale,
                                      const struct invar_matrix *dx);
/** c = x^T x / (rows - 1) for a centred x: C(Z) of [V3]. */
void invar_dense_covariance(struct invar_device *device, const struct invar_matrix *centred,
                            const struct invar_matrix *c);

/** Columns first, first + 1, ... of y = those of x, both float32; and the way back, x = those of y. */
void invar_dense_columns_put(struct invar_device *device, const struct invar_matrix *x, const struct invar_matrix *y,
                             int64_t first);
void invar_dense_columns_take(struct invar_device *device, const struct invar_matrix *y, int64_t first,
                              const struct invar_matrix *x);
/**
 * Mean of (z - x)^2 over the columns first, first + 1, ... of z, as many as x has, and of those numbers alone whose
 * mask, of 0 and 1, is 1 (NULL: all; 0 where none is). With it, where dz is not NULL, dz += scale (z - x) / how many
 * there.
 */
void invar_dense_columns_distance(struct invar_device *device, const struct invar_matrix *z, int64_t first,
                                  const struct invar_matrix *x, const struct invar_matrix *mask, double scale,
                                  const struct invar_matrix *dz, double factor, double *slot);
/** Mean of log(1 + exp(z)) - m z over such columns, as many as m has: the binary cross-entropy of logits z. With it dz
 * += scale (sigmoid(z) - m) / how many. */
void invar_dense_columns_bernoulli(struct invar_device *device, const struct invar_matrix *z, int64_t first,
                                   const struct invar_matrix *m, double scale, const struct invar_matrix *dz,
                                   double factor, double *slot);

/* ---- distances and factorisations, float64 ---- */

/**
 * [I4] from gram = z z^T (invar_dense_gram), z (N, d) centred: the value is sum_i log (1/N) sum_j exp(-scale |z_i -
 * z_j|^2), j = i included. gram is overwritten by the symmetric matrix whose product with z is the gradient of the
 * value by z. Scratch: 2 N doubles.
 */
bool invar_dense_pair_kernel(struct invar_device *device, struct invar_scratch *scratch,
                             const struct invar_matrix *gram, double scale, double factor, double *slot,
                             struct invar_error *err);

/** gram = z z^T, of any type, becomes |z_i - z_j|^2. squares: device double [rows], receives the diagonal. */
void invar_dense_distances(struct invar_device *device, const struct invar_matrix *gram, double *squares);
/** A symmetric w becomes diag(row sums) - w: with w the derivative of a value by all |z_i - z_j|^2, 4 w z is its
 * gradient by z. */
void invar_dense_laplacian(struct invar_device *device, const struct invar_matrix *w);
/** x(i, j) = 1 where group i is group j and i is not j, else 0; group: (rows, 1) float64, x of any type. */
void invar_dense_same_group(struct invar_device *device, const struct invar_matrix *group,
                            const struct invar_matrix *x);

/* An index is a matrix of one column of row numbers, float32 or float64; -1: none. */

/** index(i) = the row of x other than i that is nearest to it, the first of equals, by differences of rows; distances:
 * of x, as above, float64 or, of centred rows, float32, which only say which rows can be it. A NaN in row i is nearest.
 */
void invar_dense_nearest(struct invar_device *device, const struct invar_matrix *x,
                         const struct invar_matrix *distances, const struct invar_matrix *index);
/** index(i) = the first column of the largest element of row i of x among the first *live (device; NULL: all); -1 where
 * there are none. */
void invar_dense_largest(struct invar_device *device, const struct invar_matrix *x, const float *live,
                         const struct invar_matrix *index);
/** Row i of y = row index(i) of table, of any type; left alone where that is -1. */
void invar_dense_gather(struct invar_device *device, const struct invar_matrix *table, const struct invar_matrix *index,
                        const struct invar_matrix *y);
/** Row index(i) of y += scale times row i of x, for i = 0, 1, .. */
void invar_dense_scatter_add(struct invar_device *device, double scale, const struct invar_matrix *x,
                             const struct invar_matrix *index, const struct invar_matrix *y);

/* ---- draws and slices ---- */

/** Standard normal numbers, a function of seed, step and the place (at most 2^24 rows), the same in both types. */
void invar_dense_normals(struct invar_device *device, uint64_t seed, uint64_t step, const struct invar_matrix *x);
/**
 * [SR1] of every column of x, float64: values (device double [cols]) receives rows * int |phi(t) - e^{-t^2/2}|^2
 * e^{-t^2/2} dt by `knots` (2 to 64) points of [0, t_max]; x <- scale times the gradient of their sum.
 */
void invar_dense_sketch(struct invar_device *device, int knots, double t_max, double scale,
                        const struct invar_matrix *x, double *values);
/** Sum of squares of sorted column less targets (device double [rows], ascending), for every column of x, float64, into
 * values (device double [cols]); x <- scale times the gradient. Equal numbers keep their order. */
bool invar_dense_sorted_distance(struct invar_device *device, struct invar_scratch *scratch, const double *targets,
                                 double scale, const struct invar_matrix *x, double *values, struct invar_error *err);

/* ---- spectra, float64 ---- */

/** Of each of `count` symmetric matrices x of one size: eigenvalues, ascending, device double [rows], those below
 * rounding 0; row k of x becomes the eigenvector of value k. NaN all over where there are none. Scratch: as LAPACK
 * asks. */
bool invar_dense_eigen(struct invar_device *device, struct invar_scratch *scratch, int count,
                       const struct invar_matrix *x, double *const *values, struct invar_error *err);
/** x <- x^{-1}, and log det x; NaN where det x is not positive. */
bool invar_dense_inverse(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                         double factor, double *slot, struct invar_error *err);
/** Sum over rows i of the sum of singular values of the matrix of rows i of x[0] .. x[count - 1]; dx[v] += scale times
 * the gradient where its data is not NULL (dx NULL: nowhere). */
void invar_dense_nuclear_rows(struct invar_device *device, int count, const struct invar_matrix *x, double scale,
                              const struct invar_matrix *dx, double factor, double *slot);

/* ---- rings of rows ---- */

/* A ring is float32 (K, d) with place = {the next row to write, rows that hold something}, device float. */

/** Rows of x, of any type, go to the ring one after the other; place stays. */
void invar_dense_ring_write(struct invar_device *device, const struct invar_matrix *x, const float *place,
                            const struct invar_matrix *queue);
/** place after so many rows were written to rings of `room` rows. */
void invar_dense_ring_advance(struct invar_device *device, int64_t rows, int64_t room, float *place);
/**
 * Sinkhorn-Knopp [SW1]: p = the assignments of the first rows of scores x [B][K], as many as p has, rows that sum to 1;
 * x and p of any type. Rows of x beyond those are of a ring of `room` rows with place, and count where it is full; NULL
 * where x has no more rows than p. Scratch: B (K + 1) + 17 K doubles of the host.
 */
bool invar_dense_sinkhorn(struct invar_device *device, struct invar_scratch *scratch, double epsilon,
                          int64_t iterations, const struct invar_matrix *x, int64_t room, const float *place,
                          const struct invar_matrix *p, struct invar_error *err);

/** a = L L^T, in place: L in the lower triangle, zeros above. Where a is not positive definite, or holds NaN or Inf, L
 * is NaN all over. */
void invar_dense_cholesky(struct invar_device *device, const struct invar_matrix *a);
/** Sum of the logarithms of the diagonal of a square x. */
void invar_dense_log_diagonal(struct invar_device *device, const struct invar_matrix *x, double factor, double *slot);
/** x <- safe x + I for a square x, *safe (device) 1, or less where an element of the diagonal would be above `limit`.
 */
void invar_dense_add_identity(struct invar_device *device, const struct invar_matrix *x, double limit, double *safe);
/** x <- *factor x with a factor of the device. */
void invar_dense_scale_by(struct invar_device *device, const double *factor, const struct invar_matrix *x);
/** b <- (L L^T)^{-1} b, or from the right: b <- b (L L^T)^{-1}. */
void invar_dense_cholesky_solve(struct invar_device *device, const struct invar_matrix *l, bool right,
                                const struct invar_matrix *b);
/** b <- b L^{-1}, or b <- b L^{-T} where transpose is set. */
void invar_dense_triangular_solve(struct invar_device *device, const struct invar_matrix *l, bool transpose,
                                  const struct invar_matrix *b);
/** Singular values in descending order, host [min(rows, cols)], for which the host waits; x is destroyed. NaN or Inf in
 * x: INVAR_ERROR_NUMERIC. Scratch: as LAPACK asks. */
bool invar_dense_singular_values(struct invar_device *device, struct invar_scratch *scratch,
                                 const struct invar_matrix *x, double *values, struct invar_error *err);
/** The same with the left singular vectors: u (rows, min(rows, cols)) has orthonormal columns, in the order of values.
 */
bool invar_dense_left_vectors(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *x,
                              double *values, const struct invar_matrix *u, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
