/* SPDX-License-Identifier: Apache-2.0 */
/* Multinomial logistic regression (`PROBE`) by L-BFGS (liblbfgs) under the preconditioner of preconditioner.h. */
#include "eval/probe/logreg.h"

#include "base/linear.h"
#include "invar/memory.h"

#include <lbfgs.h>
#include <math.h>
#include <string.h>

/* Iterations until the preconditioner is taken anew. A preconditioner taken at the start of a fit fits badly where the
 * probabilities have become sharp; taken in every iteration it would cost more than it saves. MEMORY pairs of L-BFGS
 * are lost each time: 30 iterations make up for them. */
enum { MEMORY = 12, ROUND = 30 };
/* What `progress` returns to stop, and lbfgs passes on. */
enum { STOPPED = 1 };

struct problem {
    struct softmax_loss *loss;
    struct preconditioner *preconditioner;
    const struct invar_logreg_options *options;
    int classes;
    int64_t cols;
    double l2, scale;       /* the penalty on the weights of unscaled features */
    double *weight;         /* [classes][cols + 1] */
    double *start;          /* the same: where a round began */
    double *start_gradient; /* by v */
    double start_objective;
    double rounding;  /* share of the objective below which differences of it are not to be trusted */
    double unit;      /* liblbfgs tries a first step of length 1 in v: this makes it the Newton-like one */
    double *gradient; /* the same */
    double cross_entropy, objective, norm;
    int64_t iterations, round; /* in all, and since the preconditioner was taken */
};

/* Value and gradient at problem->weight; leaves the gradient by weight, and its largest entry on scaled features. The
 * norm that ends the fit is the largest entry and not a length, so that the tolerance means the same for ten features
 * and ten thousand; it is taken on scaled features, so that it does not depend on their unit either. */
static void evaluate_weight(struct problem *problem)
{
    int64_t stride = problem->cols + 1;
    double square = 0, norm = 0;
    problem->cross_entropy = softmax_loss_evaluate(problem->loss, problem->weight, problem->gradient);
    for (int c = 0; c < problem->classes; c++) {
        const double *w = problem->weight + c * stride;
        double *g = problem->gradient + c * stride;
        for (int64_t j = 0; j < problem->cols; j++) {
            square += w[j] * w[j];
            g[j] += problem->l2 * w[j];
            norm = fmax(norm, problem->scale * fabs(g[j]));
        }
        norm = fmax(norm, fabs(g[problem->cols]));
    }
    problem->objective = problem->cross_entropy + problem->l2 / 2 * square;
    problem->norm = isfinite(problem->objective) ? norm : INFINITY;
}

/* weight = start + unit L^-T v. Variables are steps from the start of the round, not weights: L-BFGS begins at 0, and
 * what it adds is of one scale. */
static void place_weight(struct problem *problem, const double *v)
{
    int64_t count = problem->classes * (problem->cols + 1);
    for (int64_t i = 0; i < count; i++)
        problem->weight[i] = problem->unit * v[i];
    preconditioner_leave(problem->preconditioner, problem->weight);
    for (int64_t i = 0; i < count; i++)
        problem->weight[i] += problem->start[i];
}

/* The objective less that of the start; scales the gradient to v. Near the minimum the difference of two objectives
 * is rounding, which would end every line search; there the trapezium of the slopes at both ends is far more exact.
 * The difference of two objectives of size 1 has nothing below 1e-16 left, while the slopes still have all their
 * digits: their mean along the way is the difference to third order. */
static double descent(const struct problem *problem, const double *v, double *gradient)
{
    int64_t count = problem->classes * (problem->cols + 1);
    double slope = 0, limit = problem->rounding * fabs(problem->start_objective);
    for (int64_t i = 0; i < count; i++) {
        gradient[i] *= problem->unit;
        slope += (gradient[i] + problem->start_gradient[i]) / 2 * v[i];
    }
    return fabs(slope) < limit ? slope : problem->objective - problem->start_objective;
}

/* The tail of v, up to whole vectors, has no gradient and so stays 0. */
static lbfgsfloatval_t evaluate(void *user, const lbfgsfloatval_t *v, lbfgsfloatval_t *gradient, const int n,
                                const lbfgsfloatval_t step)
{
    struct problem *problem = user;
    size_t size = (size_t)(problem->classes * (problem->cols + 1)) * sizeof *v;
    (void)step;
    place_weight(problem, v);
    evaluate_weight(problem);
    memset(gradient, 0, (size_t)n * sizeof *gradient);
    memcpy(gradient, problem->gradient, size);
    preconditioner_pull(problem->preconditioner, gradient);
    return descent(problem, v, gradient);
}

/* Where the objective is not finite the norm is infinite: the fit goes on to the limit of iterations and says that it
 * did not converge. */
static bool finished(const struct problem *problem)
{
    return problem->norm <= problem->options->tolerance || problem->iterations >= problem->options->iterations;
}

/* Called after every iteration, at the point evaluated last; anything but 0 stops. L-BFGS's own tests for an end are
 * off: it knows the gradient by v, and the tolerance is by weights. */
static int progress(void *user, const lbfgsfloatval_t *v, const lbfgsfloatval_t *gradient, const lbfgsfloatval_t value,
                    const lbfgsfloatval_t vnorm, const lbfgsfloatval_t gnorm, const lbfgsfloatval_t step, int n, int k,
                    int evaluations)
{
    struct problem *problem = user;
    (void)v, (void)gradient, (void)value, (void)vnorm, (void)gnorm, (void)step, (void)n, (void)k, (void)evaluations;
    problem->iterations++;
    return ++problem->round >= ROUND || finished(problem) ? STOPPED : 0;
}

/* From problem->weight, where the gradient is known, to where L-BFGS stops; v [n]. The history of L-BFGS belongs to
 * one change of variables, so a round is a call of its own. */
static bool descend(struct problem *problem, double *v, int n, struct invar_error *err)
{
    int64_t count = problem->classes * (problem->cols + 1);
    size_t size = (size_t)count * sizeof *v;
    lbfgs_parameter_t parameter;
    double value, square = 0;
    lbfgs_parameter_init(&parameter);
    parameter.m = MEMORY;
    parameter.epsilon = 0; /* `progress` decides */
    memcpy(problem->start, problem->weight, size);
    memcpy(v, problem->gradient, size);
    preconditioner_pull(problem->preconditioner, v);
    for (int64_t i = 0; i < count; i++)
        square += v[i] * v[i];
    /* liblbfgs scales its first step to length 1 whatever the gradient: in units of the gradient's own length that is
     * the step of Newton's method with the preconditioner for a Hessian. */
    problem->unit = square > 0 ? sqrt(square) : 1;
    for (int64_t i = 0; i < count; i++)
        problem->start_gradient[i] = problem->unit * v[i];
    problem->start_objective = problem->objective;
    memset(v, 0, (size_t)n * sizeof *v);
    const int status = lbfgs(n, v, &value, evaluate, progress, problem, &parameter);
    if (status == STOPPED)
        return true;
    if (status == LBFGSERR_OUTOFMEMORY)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "there is not enough memory for the logistic regression");
    /* A line search failed and v went back to the last good point. */
    place_weight(problem, v);
    evaluate_weight(problem);
    return true;
}

/* A constant added to the row of every class changes no probability: the bias is reported with sum 0. */
static void centre_bias(double *weight, int classes, int64_t cols)
{
    double mean = 0;
    for (int c = 0; c < classes; c++)
        mean += weight[c * (cols + 1) + cols] / classes;
    for (int c = 0; c < classes; c++)
        weight[c * (cols + 1) + cols] -= mean;
}

/* From problem->weight towards the minimum with products in that precision, in rounds. A round that ends early met
 * rounding in a line search; going on helps as long as the gradient shrinks. What a round gains shrinks where
 * products are float32: below that, differences of objectives say nothing, and descent() goes by slopes. */
static bool minimise_in(struct problem *problem, const struct labelled_rows *rows, enum invar_dtype precision,
                        double *v, int n, struct invar_error *err)
{
    bool ok = false, stuck = false;
    problem->loss = softmax_loss_create(rows, problem->classes, precision, err);
    if (!problem->loss)
        return false;
    problem->rounding = precision == INVAR_FLOAT32 ? 1e-5 : 1e-9;
    evaluate_weight(problem);
    while (!stuck && !finished(problem)) {
        double before = problem->norm;
        if (!preconditioner_set(problem->preconditioner, problem->weight, problem->l2, err))
            goto done;
        problem->round = 0;
        if (!descend(problem, v, n, err))
            goto done;
        stuck = problem->round < ROUND && !(problem->norm < before / 2);
    }
    ok = true;
done:
    softmax_loss_free(problem->loss);
    problem->loss = NULL;
    return ok;
}

/* options->l2 is of features scaled to a mean square of 1, so that a strength means the same for every encoder; the
 * weights are those of features as they are, which is where the division by scale^2 comes from. */
bool logreg_minimise(const struct labelled_rows *rows, int classes, struct preconditioner *preconditioner, double scale,
                     const struct invar_logreg_options *options, double *weight, struct invar_logreg_result *result,
                     struct invar_error *err)
{
    bool ok = false;
    int64_t cols = rows->features->cols, parameters = classes * (cols + 1);
    int n = (int)((parameters + 15) / 16 * 16); /* liblbfgs built with SSE2 wants whole vectors */
    struct problem problem = {.preconditioner = preconditioner,
                              .options = options,
                              .classes = classes,
                              .cols = cols,
                              .scale = scale,
                              .l2 = options->l2 / (scale * scale),
                              .weight = weight};
    if (parameters > 1 << 30)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%lld features for %d classes are more weights than the probe can fit", (long long)cols,
                               classes);
    double *v = invar_alloc((size_t)n, sizeof *v, err);
    problem.gradient = invar_alloc((size_t)parameters, sizeof *problem.gradient, err);
    problem.start = invar_alloc((size_t)parameters, sizeof *problem.start, err);
    problem.start_gradient = invar_alloc((size_t)parameters, sizeof *problem.start_gradient, err);
    if (!v || !problem.gradient || !problem.start || !problem.start_gradient ||
        !minimise_in(&problem, rows, rows->features->dtype, v, n, err))
        goto done;
    /* Rounding of float32 products can keep the gradient above the tolerance; double goes the rest of the way. */
    if (rows->features->dtype == INVAR_FLOAT32 && !finished(&problem) &&
        !minimise_in(&problem, rows, INVAR_FLOAT64, v, n, err))
        goto done;
    if (!isfinite(problem.objective)) {
        invar_error_set(err, INVAR_ERROR_NUMERIC,
                        "the logistic regression overflowed (%lld features, penalty %g); scale the features down",
                        (long long)cols, options->l2);
        goto done;
    }
    /* After the last evaluation: the penalty leaves the bias out, so that no number of the result changes with it. */
    centre_bias(weight, classes, cols);
    *result = (struct invar_logreg_result){.objective = problem.objective,
                                           .cross_entropy = problem.cross_entropy,
                                           .gradient_norm = problem.norm,
                                           .iterations = problem.iterations,
                                           .converged = problem.norm <= options->tolerance};
    ok = true;
done:
    invar_free(problem.gradient);
    invar_free(problem.start);
    invar_free(problem.start_gradient);
    invar_free(v);
    return ok;
}

/* Row by class with the bias behind its weights: one contiguous vector for L-BFGS, one product for the scores. */
static void pack(double *packed, const double *weight, const double *bias, int classes, int64_t cols)
{
    for (int c = 0; c < classes; c++) {
        memcpy(packed + c * (cols + 1), weight + c * cols, (size_t)cols * sizeof *packed);
        packed[c * (cols + 1) + cols] = bias[c];
    }
}

/* From the weights that are given, so that a fit can go on from another. Scale 1: the penalty is of features as they
 * are. */
bool invar_logreg_fit(const struct invar_matrix *features, const int64_t *labels, int classes,
                      const struct invar_logreg_options *options, double *weight, double *bias,
                      struct invar_logreg_result *result, struct invar_error *err)
{
    bool ok = false;
    double *packed = NULL;
    struct preconditioner *preconditioner = NULL;
    struct labelled_rows rows = {.features = features, .labels = labels, .count = features->rows};
    if (!matrix_check(features, "training features", err) || !matrix_check_finite(features, "training features", err) ||
        !labels_check(labels, features->rows, classes, "training features", true, err))
        return false;
    if (!(options->l2 >= 0) || !isfinite(options->l2) || !(options->tolerance >= 0))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "the penalty %g and the tolerance %g of the logistic regression must not be negative",
                               options->l2, options->tolerance);
    int64_t cols = features->cols;
    packed = invar_alloc((size_t)classes, (size_t)(cols + 1) * sizeof *packed, err);
    preconditioner = preconditioner_create(features, classes, matrix_scale(features), err);
    if (!packed || !preconditioner)
        goto done;
    pack(packed, weight, bias, classes, cols);
    if (!logreg_minimise(&rows, classes, preconditioner, 1, options, packed, result, err))
        goto done;
    for (int c = 0; c < classes; c++) {
        memcpy(weight + c * cols, packed + c * (cols + 1), (size_t)cols * sizeof *weight);
        bias[c] = packed[c * (cols + 1) + cols];
    }
    ok = true;
done:
    preconditioner_free(preconditioner);
    invar_free(packed);
    return ok;
}

enum { SCORE_ROWS = 256 };

/* Scores of a float64 block in double, rounded once. */
static void score_block(const struct invar_matrix *features, int64_t first, int n, const void *weight,
                        const double *bias, int classes, void *scratch, float *out)
{
    int cols = (int)features->cols;
    if (features->dtype == INVAR_FLOAT32) {
        linear_rows(INVAR_FLOAT32, n, classes, cols, (const float *)features->data + first * cols, weight, 0, out,
                    classes);
    } else {
        double *scores = scratch;
        linear_rows(INVAR_FLOAT64, n, classes, cols, (const double *)features->data + first * cols, weight, 0, scores,
                    classes);
        for (int i = 0; i < n * classes; i++)
            out[i] = (float)(scores[i] + bias[i % classes]);
        return;
    }
    for (int i = 0; i < n * classes; i++)
        out[i] = (float)((double)out[i] + bias[i % classes]);
}

/* In blocks, so that the room for scores in double does not grow with the data. */
bool invar_logreg_scores(const struct invar_matrix *features, const double *weight, const double *bias, int classes,
                         float *out, struct invar_error *err)
{
    bool ok = false, single = features->dtype == INVAR_FLOAT32;
    float *narrow = NULL;
    double *scratch = NULL;
    int64_t count = classes * features->cols;
    if (!matrix_check(features, "features", err))
        return false;
    scratch = invar_alloc(SCORE_ROWS, (size_t)classes * sizeof *scratch, err);
    narrow = single ? invar_alloc((size_t)count, sizeof *narrow, err) : NULL;
    if (!scratch || (single && !narrow))
        goto done;
    for (int64_t i = 0; single && i < count; i++)
        narrow[i] = (float)weight[i];
    for (int64_t first = 0; first < features->rows; first += SCORE_ROWS) {
        int n = (int)(features->rows - first < SCORE_ROWS ? features->rows - first : SCORE_ROWS);
        score_block(features, first, n, single ? (const void *)narrow : weight, bias, classes, scratch,
                    out + first * classes);
    }
    ok = true;
done:
    invar_free(scratch);
    invar_free(narrow);
    return ok;
}
