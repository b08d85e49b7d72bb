/* SPDX-License-Identifier: Apache-2.0 */
/* Information and geometry of one space, h or z: spread, spectrum, entropies, and what two views share [I1]. No number
 * stands alone: a rank is free of scale, a deviation blind to direction, an entropy grows with the scale, and an
 * alignment is small in a collapse too. */
#include "eval/inspect/inspect.h"
#include "invar/measure.h"
#include "invar/expert/objective.h"
#include "objective/measure.h"

#include <math.h>
#include <stdio.h>

static const double pi = 3.14159265358979323846;
enum { PLAIN, FIRST, SECOND, MATRICES };

/* One space: the samples under the plain view and under two drawn ones, on the device. */
struct space {
    struct inspect *in;
    struct invar_findings *out;
    struct invar_device *device;
    struct invar_matrix x[MATRICES]; /* of drawn views only where views is true */
    bool views;
    double sigma; /* of PairDist; 0: all samples coincide */
};

static const struct estimator {
    enum invar_entropy_estimator kind;
    const char *entropy, *view_entropy, *bound, *fitted; /* names; NULL: not given */
    const char *says;
} estimators[] = {
    {INVAR_ENTROPY_GAUSSIAN, "entropy_gaussian", "view_entropy_gaussian", "bound_gaussian", "bound_fitted_gaussian",
     "of a Gaussian of the same covariance: above the true entropy"},
    {INVAR_ENTROPY_LOGDET, "entropy_logdet", "view_entropy_logdet", "bound_logdet", NULL,
     "0 when all samples coincide; grows with every direction in use"},
    {INVAR_ENTROPY_PAIRDIST_KL, "entropy_pairdist_upper", "view_entropy_pairdist_upper", "bound_pairdist_upper",
     "bound_fitted_pairdist_upper", "of a mixture of Gaussians around the samples, from above"},
    {INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA, "entropy_pairdist_lower", "view_entropy_pairdist_lower",
     "bound_pairdist_lower", "bound_fitted_pairdist_lower", "the same from below"},
};
enum { ESTIMATORS = sizeof estimators / sizeof *estimators };

/* Of the two bounds on a mixture's entropy, one by each distance of Gaussians [I2]: they share sigma and its meaning.
 */
static bool is_pairdist(const struct estimator *e)
{
    return e->kind == INVAR_ENTROPY_PAIRDIST_KL || e->kind == INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA;
}

/* Once a space: all its numbers are made of matrices that stay on the device. */
static bool upload(struct space *s, int which, const struct invar_array *array, struct invar_error *err)
{
    const size_t count = (size_t)(array->shape[0] * array->shape[1]);
    void *data = invar_device_alloc(s->device, count, sizeof(float), err);

    s->x[which] = (struct invar_matrix){INVAR_FLOAT32, array->shape[0], array->shape[1], data};
    if (data)
        invar_device_upload(s->device, data, array->data, count * sizeof(float));
    return data != NULL;
}

/* What could not be had is a finding. */
static bool unknown(struct invar_findings *out, const char *name, const char *unit, const struct invar_error *why,
                    struct invar_error *err)
{
    if (!inspect_is_finding(why))
        return invar_error_set(err, why->code, "%s", why->message);
    inspect_add_unknown(out, name, unit, why->message);
    return true;
}

/* ---- spread and spectrum ---- */

/* Root of the total variance of norm(x): 0 where all rows point one way, 1 where their directions cancel out. On the
 * host, as it needs one pass and no product. */
static bool direction_spread(const struct invar_array *array, double *spread, struct invar_error *err)
{
    const int64_t rows = array->shape[0], cols = array->shape[1];
    const float *x = array->data;
    double *mean = invar_alloc((size_t)cols, sizeof *mean, err), square = 0, ones = 0;

    if (!mean)
        return false;
    for (int64_t i = 0; i < rows; i++) {
        double length = 0;
        for (int64_t j = 0; j < cols; j++)
            length += (double)x[i * cols + j] * (double)x[i * cols + j];
        /* The floor of norm() in all losses, so that a row of zeros counts as it did in training. */
        length = fmax(sqrt(length), 1e-12);
        for (int64_t j = 0; j < cols; j++) {
            const double unit = (double)x[i * cols + j] / length;
            mean[j] += unit / (double)rows;
            ones += unit * unit / (double)rows;
        }
    }
    for (int64_t j = 0; j < cols; j++)
        square += mean[j] * mean[j];
    /* With N - 1, twice its square is the mean squared distance of two different samples exactly, which is what
     * alignment_relative divides by. The mean of the squared lengths is summed and not taken for 1: rows of zeros have
     * none. */
    *spread = sqrt(fmax(ones - square, 0) * (double)rows / (double)(rows > 1 ? rows - 1 : 1));
    invar_free(mean);
    return true;
}

/* Entropies come later, as sigma follows from the total variance unless it is given. */
static bool add_spectrum(struct space *s, const struct invar_array *host, struct invar_error *err)
{
    const int64_t d = s->x[PLAIN].cols, least = s->x[PLAIN].rows < d ? s->x[PLAIN].rows : d;
    double total = 0, part = 0, deviation;
    int64_t needed = 0;
    double *eigenvalues = inspect_add_series(s->out, "eigenvalues", "squared units",
                                             "of the covariance, descending: how much each direction varies", d, err);

    invar_scratch_reset(s->in->scratch);
    double *singular = invar_scratch_take(s->in->scratch, (size_t)least, sizeof *singular, err);
    if (!eigenvalues || !singular ||
        !invar_measure_deviation(s->device, s->in->scratch, &s->x[PLAIN], &deviation, err) ||
        !invar_measure_spectrum(s->device, s->in->scratch, &s->x[PLAIN], singular, eigenvalues, err))
        return false;
    for (int64_t i = 0; i < d; i++)
        total += eigenvalues[i];
    /* Where nothing varies the total is 0, and so is the number of directions. */
    while (needed < d && part < 0.99 * total)
        part += eigenvalues[needed++];
    inspect_add(s->out, "deviation", "units", deviation, "mean over columns of their deviation; 0 is collapse");
    inspect_add(s->out, "effective_rank", "directions", measure_rank_of(singular, least),
                "RankMe: about how many directions are in use");
    inspect_add(s->out, "directions_99", "directions", (double)needed, "hold 99 % of the variance");
    /* A fixed sigma says nothing of embeddings in another unit: where all distances are many sigma, both bounds of
     * PairDist are log N above the entropy of one Gaussian, whatever the embeddings are. A tenth of the total variance
     * leaves room for either bound to move. */
    s->sigma = s->in->options->sigma > 0 ? s->in->options->sigma : sqrt(total / 10);
    return inspect_shape(s->in, s->out, host, singular, eigenvalues, err);
}

/* Uniformity may have no value, which is then told; alignment always has. */
static bool add_geometry(struct space *s, const struct invar_array *host, struct invar_error *err)
{
    struct invar_error why = {0};
    double spread, value;

    if (!direction_spread(host, &spread, err))
        return false;
    inspect_add(s->out, "direction_spread", "0 to 1", spread,
                "deviation of norm(x): 0 when all samples point one way, 1 when their directions cancel out");
    invar_scratch_reset(s->in->scratch);
    if (invar_measure_uniformity(s->device, s->in->scratch, &s->x[PLAIN], s->in->options->uniformity_t, NULL, &value,
                                 &why))
        inspect_add(s->out, "uniformity", "log", value,
                    "0 when all samples coincide; more negative: more evenly spread");
    else if (!unknown(s->out, "uniformity", "log", &why, err))
        return false;
    if (!s->views)
        return true;
    invar_scratch_reset(s->in->scratch);
    if (!invar_measure_alignment(s->device, s->in->scratch, &s->x[FIRST], &s->x[SECOND], NULL, NULL, &value, err))
        return false;
    inspect_add(s->out, "alignment", "squared length", value,
                "mean distance of two views of a sample on the unit sphere, 0 to 4; smaller: more invariant");
    /* Where all samples point one way both distances are rounding, and their ratio would be any number. */
    if (spread > 1e-6)
        inspect_add(s->out, "alignment_relative", "ratio", value / (2 * spread * spread),
                    "the same over the distance of different samples: 0 is invariant, 1 tells no sample from another");
    else
        inspect_add_unknown(s->out, "alignment_relative", "ratio", "all samples point one way");
    return true;
}

/* ---- entropies and the bound [I1] ---- */

/* Checked here, as sigma is derived from the data: a mixture of width 0 has the entropy of points, which is none. */
static bool entropy(struct space *s, int which, const struct estimator *e, double *value, struct invar_error *err)
{
    const struct invar_entropy_options options = {e->kind, s->in->options->beta, s->sigma};

    if (is_pairdist(e) && !(s->sigma > 1e-12))
        return invar_error_set(err, INVAR_ERROR_NUMERIC,
                               "all samples coincide, so that sigma has no scale: give sigma=VALUE");
    invar_scratch_reset(s->in->scratch);
    return invar_measure_entropy(s->device, s->in->scratch, &s->x[which], &options, NULL, value, err);
}

/* What a noisy sample tells about which of the samples it was: the entropy above that of one Gaussian. */
static void add_mixture(struct space *s, const char *name, double entropy_value, const char *side)
{
    const double d = (double)s->x[PLAIN].cols, one = d / 2 * (log(2 * pi * s->sigma * s->sigma) + 1);
    char says[INVAR_FINDING_TEXT];

    snprintf(says, sizeof says, "what a sample with noise sigma tells about which one it is, %s; at most log N = %.3g",
             side, log((double)s->x[PLAIN].rows));
    inspect_add(s->out, name, "nats", entropy_value - one, says);
}

/* Estimates from above and from below stand beside one another, since no one of them is the entropy. */
static bool add_entropies(struct space *s, struct invar_error *err)
{
    char says[INVAR_FINDING_TEXT];

    snprintf(says, sizeof says, "deviation of the Gaussians of PairDist: %s",
             s->in->options->sigma > 0 ? "as given" : "root of a tenth of the total variance");
    inspect_add(s->out, "sigma", "units", s->sigma, says);
    for (int i = 0; i < ESTIMATORS; i++) {
        const struct estimator *e = &estimators[i];
        struct invar_error why = {0};
        double value;
        if (!entropy(s, PLAIN, e, &value, &why)) {
            if (!unknown(s->out, e->entropy, "nats", &why, err))
                return false;
            continue;
        }
        inspect_add(s->out, e->entropy, "nats", value, e->says);
        /* LogDet as a loss has no constant: the term (d / 2) log(2 pi e / beta) takes it to the scale of [I5], where I
         * + beta C is mostly beta C. */
        if (e->kind == INVAR_ENTROPY_LOGDET)
            inspect_add(s->out, "entropy_logdet_gaussian_scale", "nats",
                        invar_measure_logdet_in_nats(value, s->x[PLAIN].cols, s->in->options->beta),
                        "the same on the scale of entropy_gaussian, where beta C is large");
        else if (e->kind == INVAR_ENTROPY_PAIRDIST_KL)
            add_mixture(s, "pairdist_information_upper", value, "from above");
        else if (e->kind == INVAR_ENTROPY_PAIRDIST_BHATTACHARYYA)
            add_mixture(s, "pairdist_information_lower", value, "from below");
    }
    return true;
}

/* E log N(z; z', v I) where the pairs have variance v, which is the best v. */
static double fitted_log_q(double d, double variance)
{
    return -d / 2 * (log(2 * pi * variance) + 1);
}

/* variance: mean square of a coordinate of z - z'. PairDist has the entropy of z with noise, whose pairs vary more. The
 * entropy is of the first drawn view and not of the plain one, since the bound is of what the two drawn views tell of
 * each other. LogDet has no fitted form: as a loss it is no differential entropy, and a sum with E log q would be
 * neither in nats nor free of scale. */
static bool add_bound(struct space *s, const struct estimator *e, double log_q, double variance,
                      struct invar_error *err)
{
    const double d = (double)s->x[PLAIN].cols;
    struct invar_error why = {0};
    double value;

    if (!entropy(s, FIRST, e, &value, &why))
        return unknown(s->out, e->bound, "nats", &why, err);
    inspect_add(s->out, e->view_entropy, "nats", value, "entropy by the same estimator under the first drawn view");
    inspect_add(s->out, e->bound, "nats", value + log_q,
                is_pairdist(e) ? "[I1] view entropy + E log q, the one of z with noise sigma, the other without"
                               : "[I1] view entropy + E log q: what one view tells about the other, at least, if the "
                                 "entropy is exact");
    if (is_pairdist(e))
        inspect_add(s->out, e->fitted, "nats", value + fitted_log_q(d, variance + s->sigma * s->sigma),
                    "the same with noise sigma in both and a fitted q: free of scale");
    else if (e->fitted && variance > 0)
        inspect_add(s->out, e->fitted, "nats", value + fitted_log_q(d, variance),
                    "the same with a fitted q: free of scale");
    return true;
}

/* One pass for E log q, which all estimators share; the entropies differ. */
static bool add_information(struct space *s, struct invar_error *err)
{
    /* Any estimator would do for this call, as E log q depends on the pairs alone; LogDet is finite whatever the data
     * are, so that no number of pairs is lost to an entropy that cannot be had. */
    const struct invar_entropy_options options = {INVAR_ENTROPY_LOGDET, s->in->options->beta, 1};
    const double d = (double)s->x[PLAIN].cols;
    struct invar_information information;

    invar_scratch_reset(s->in->scratch);
    if (!invar_measure_information(s->device, s->in->scratch, &s->x[FIRST], &s->x[SECOND], &options, NULL, NULL,
                                   &information, err))
        return false;
    const double log_q = information.expected_log_q;
    /* [I1] with q = N(z', I) holds the mean squared distance and a constant of d: taken back out of it, so that the
     * fitted form and the literal one are of the same pairs, without a second pass. */
    double variance = (-2 * log_q - d * log(2 * pi)) / d;
    if (!(variance > 1e-12)) /* rounding of what should be 0 */
        variance = 0;
    inspect_add(s->out, "expected_log_q", "nats", log_q,
                "E log N(z; z', I) over two views: -|z - z'|^2/2 and a constant; larger: more invariant");
    if (variance > 0)
        inspect_add(s->out, "expected_log_q_fitted", "nats", fitted_log_q(d, variance),
                    "the same with the variance of q fitted to the pairs instead of 1");
    else
        inspect_add_unknown(s->out, "expected_log_q_fitted", "nats", "the two views coincide to rounding");
    for (int i = 0; i < ESTIMATORS; i++)
        if (!add_bound(s, &estimators[i], log_q, variance, err))
            return false;
    return true;
}

/* z and h by one function: whatever is said of one can be compared with the other. */
bool inspect_space(struct inspect *in, enum invar_inspect_section which, struct invar_error *err)
{
    const bool z = which == INVAR_INSPECT_EMBEDDING;
    const struct invar_array *plain = z ? in->plain.z : in->plain.h, *drawn = z ? in->drawn.z : in->drawn.h;
    struct space s = {
        .in = in, .out = &in->out->section[which], .device = in->subject->device, .views = in->drawn.rows > 0};
    const char *what = z ? "numbers of z" : "numbers of h";

    bool ok = inspect_tell(in, what, 0, 4, err) && upload(&s, PLAIN, &plain[0], err) &&
              (!s.views || (upload(&s, FIRST, &drawn[0], err) && upload(&s, SECOND, &drawn[1], err))) &&
              add_spectrum(&s, &plain[0], err) && inspect_tell(in, what, 1, 4, err) &&
              add_geometry(&s, &plain[0], err) && inspect_tell(in, what, 2, 4, err) && add_entropies(&s, err) &&
              inspect_tell(in, what, 3, 4, err) && (!s.views || add_information(&s, err)) &&
              inspect_tell(in, what, 4, 4, err);
    for (int i = 0; i < MATRICES; i++)
        invar_device_free(s.device, s.x[i].data);
    return ok;
}
