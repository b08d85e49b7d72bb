/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The means of the classes as a classifier of h, and what theory says of it: ReLIC's Theorem 2 in the form of Arora et
 * al. (2019), L(f) <= gamma L_gamma(f) + eps with gamma = 1 + c M sigma (sqrt k + sqrt log(M / eps)), without the term
 * of a finite sample. L is the hinge loss of f . (mean of the own class - mean of another), L_gamma the same with
 * margin gamma, so that gamma L_gamma = E max(0, gamma - margin).
 */
#include "eval/inspect/inspect.h"
#include "invar/expert/objective.h"

#include <math.h>
#include <stdio.h>

/* The theorem names neither; one negative, as in its proof. */
static const double constant = 1, eps = 0.1, negatives = 1;

struct means {
    const float *x;
    const int64_t *labels;
    int64_t rows, cols;
    int classes;
    double *mean;   /* [classes][cols] */
    int64_t *count; /* [classes] */
    double sigma, norm, correct, hinge, bound;
    int64_t labelled;
};

static void take_means(struct means *m)
{
    for (int64_t i = 0; i < m->rows; i++) {
        const int64_t c = m->labels[i];
        double square = 0;
        if (c < 0)
            continue;
        m->count[c]++;
        m->labelled++;
        for (int64_t j = 0; j < m->cols; j++) {
            /* In double, as sums over a class of float32 rows are: means of large classes would drift otherwise. */
            const double x = (double)m->x[i * m->cols + j];
            m->mean[c * m->cols + j] += x;
            square += x * x;
        }
        /* M of the theorem bounds every |h|: it is the largest and no quantile, however loose one outlier makes the
         * bound. */
        m->norm = fmax(m->norm, sqrt(square));
    }
    for (int64_t c = 0; c < m->classes; c++)
        for (int64_t j = 0; m->count[c] && j < m->cols; j++)
            m->mean[c * m->cols + j] /= (double)m->count[c];
}

/* Largest deviation of a class in one direction, the largest over the classes: no sub-Gaussian constant is below. */
static bool take_sigma(struct inspect *in, struct means *m, struct invar_error *err)
{
    for (int64_t c = 0; c < m->classes; c++) {
        struct invar_matrix rows = {INVAR_FLOAT32, m->count[c], m->cols, NULL};
        const size_t width = (size_t)m->cols * sizeof(float);
        int64_t at = 0;
        /* One sample does not vary, and says nothing of how its class does. */
        if (m->count[c] < 2)
            continue;
        invar_scratch_reset(in->scratch);
        double *values = invar_scratch_take(in->scratch, (size_t)m->cols, sizeof *values, err);
        rows.data = invar_device_take(in->scratch, (size_t)m->count[c], width, err);
        if (!values || !rows.data)
            return false;
        for (int64_t i = 0; i < m->rows; i++)
            if (m->labels[i] == c)
                invar_device_upload(in->subject->device, (float *)rows.data + at++ * m->cols, m->x + i * m->cols,
                                    width);
        if (!invar_measure_spectrum(in->subject->device, in->scratch, &rows, NULL, values, err))
            return false;
        m->sigma = fmax(m->sigma, sqrt(values[0]));
    }
    return true;
}

/* Losses of all samples against every other class that has a mean. score: [classes] */
static void take_losses(struct means *m, double gamma, double *score)
{
    double pairs = 0;

    for (int64_t i = 0; i < m->rows; i++) {
        const int64_t own = m->labels[i];
        bool best = true;
        if (own < 0)
            continue;
        for (int64_t c = 0; c < m->classes; c++) {
            score[c] = 0;
            for (int64_t j = 0; j < m->cols; j++)
                score[c] += (double)m->x[i * m->cols + j] * m->mean[c * m->cols + j];
        }
        for (int64_t c = 0; c < m->classes; c++) {
            if (c == own || !m->count[c])
                continue;
            m->hinge += fmax(0, 1 - (score[own] - score[c]));
            m->bound += fmax(0, gamma - (score[own] - score[c]));
            /* Strictly: where all means coincide nothing is told apart, and nothing is right. */
            best = best && score[own] > score[c];
            pairs++;
        }
        m->correct += best;
    }
    /* One divisor for both losses, pairs of a sample and another class, since the theorem compares them. */
    m->hinge /= pairs;
    m->bound = m->bound / pairs + eps;
}

static void add(struct invar_findings *out, const struct means *m, double gamma)
{
    char says[INVAR_FINDING_TEXT];

    inspect_add(out, "sigma_f", "units of h", m->sigma,
                "largest deviation of a class in any direction: a sub-Gaussian constant of f is no smaller");
    inspect_add(out, "norm_max", "units of h", m->norm, "M of Theorem 2: largest |h|");
    inspect_add(out, "mean_top1", "percent", 100 * m->correct / (double)m->labelled,
                "of the class whose mean has the largest product with h, the same samples");
    inspect_add(out, "mean_hinge", "loss", m->hinge, "of that classifier, the mean over samples and other classes");
    snprintf(says, sizeof says, "of Theorem 2: 1 + c M sigma (sqrt k + sqrt log(M / eps)), c %g, k %g, eps %g",
             constant, negatives, eps);
    inspect_add(out, "theorem2_gamma", "margin", gamma, says);
    inspect_add(out, "theorem2_bound", "loss", m->bound,
                "right-hand side of Theorem 2 at h itself, without the term of a finite sample: no smaller than "
                "mean_hinge");
}

bool inspect_means(struct inspect *in, struct invar_error *err)
{
    struct means m = {.x = in->plain.h[0].data,
                      .labels = in->plain.labels.data,
                      .rows = in->plain.rows,
                      .cols = in->plain.h[0].shape[1],
                      .classes = invar_dataset_info(in->subject->dataset)->classes};
    double *score = invar_alloc((size_t)m.classes, sizeof *score, err);
    bool ok = false;

    m.mean = invar_alloc((size_t)m.classes, (size_t)m.cols * sizeof *m.mean, err);
    m.count = invar_alloc((size_t)m.classes, sizeof *m.count, err);
    if (score && m.mean && m.count) {
        take_means(&m);
        ok = take_sigma(in, &m, err);
    }
    if (ok) {
        /* The logarithm is cut at 0: where M is below eps its root would not exist. */
        const double gamma = 1 + constant * m.norm * m.sigma * (sqrt(negatives) + sqrt(fmax(log(m.norm / eps), 0)));
        take_losses(&m, gamma, score);
        add(&in->out->section[INVAR_INSPECT_FISHER], &m, gamma);
    }
    invar_free(score);
    invar_free(m.mean);
    invar_free(m.count);
    return ok;
}
