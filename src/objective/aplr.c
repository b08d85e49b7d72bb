/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APLR's objective of the encoder [A4]: reconstruction [A2] plus lambda times orthonormality [A3] of the clean view z
 * and the perturbed one z_tilde. With files, a linear predictor may be among them; in recipes a predictor is a net, and
 * the two terms stand by themselves.
 */
#include "objective/sums.h"

#define PREDICTORS(CHOICE) CHOICE(PREDICTOR_IDENTITY, "identity") CHOICE(PREDICTOR_LINEAR, "linear")
enum predictor_kind { PREDICTORS(INVAR_CHOICE_CONSTANT) };

struct aplr_options {
    struct invar_reconstruction_options reconstruction;
    struct invar_orthonormality_options orthonormality;
    double lambda;
    enum predictor_kind predictor;
};

#define AT(field) offsetof(struct aplr_options, field)
static const struct invar_option aplr_table[] = {
    {"target", INVAR_OPTION_CHOICE, AT(reconstruction.target), "same", 0, 0,
     INVAR_CHOICES(INVAR_RECONSTRUCTION_TARGETS),
     "what the clean side of the reconstruction is; its gradient from orthonormality stays whatever it is"},
    {"lambda", INVAR_OPTION_REAL, AT(lambda), "1", 0, 1e9, NULL, "weight of the orthonormality part"},
    {"both", INVAR_OPTION_BOOL, AT(orthonormality.both), "false", 0, 0, NULL,
     "orthonormality of the perturbed view too, as a sum"},
    {"predictor", INVAR_OPTION_CHOICE, AT(predictor), "identity", 0, 0, INVAR_CHOICES(PREDICTORS),
     "linear: the files predictor.weight and predictor.bias; recipes have the term reconstruction and a predictor"},
    {0},
};

static const struct invar_term_input aplr_inputs[] = {{"z", INVAR_ROLE_Z, 0},
                                                      {"z_tilde", INVAR_ROLE_Z, 1},
                                                      {"z_target", INVAR_ROLE_T, 0},
                                                      {"predictor.weight", INVAR_ROLE_W, 0},
                                                      {"predictor.bias", INVAR_ROLE_W, 1},
                                                      {0}};

static unsigned aplr_roles(const void *options)
{
    const struct aplr_options *o = options;

    return INVAR_ROLE_BIT(INVAR_ROLE_Z) |
           (o->reconstruction.target == INVAR_TARGET_EMA ? INVAR_ROLE_BIT(INVAR_ROLE_T) : 0) |
           (o->predictor == PREDICTOR_LINEAR ? INVAR_ROLE_BIT(INVAR_ROLE_W) : 0);
}

static bool aplr_reads(const void *options, enum invar_role role, int view)
{
    const struct aplr_options *o = options;

    return role == INVAR_ROLE_T ? view == 0 : role != INVAR_ROLE_W || o->predictor == PREDICTOR_LINEAR;
}

static bool check_predictor(const struct invar_embeddings *in, struct invar_error *err)
{
    const struct invar_matrix *weight = &in->by[INVAR_ROLE_W][0], *bias = &in->by[INVAR_ROLE_W][1];
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][0];

    if (weight->rows != z->cols || weight->cols != z->cols || weight->dtype != z->dtype)
        return invar_error_set(
            err, INVAR_ERROR_DATA, "aplr: predictor.weight is %lld x %lld, expected %lld x %lld of the type of z",
            (long long)weight->rows, (long long)weight->cols, (long long)z->cols, (long long)z->cols);
    if (bias->rows > 0 && (bias->rows * bias->cols != z->cols || bias->dtype != z->dtype))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "aplr: predictor.bias has %lld numbers, expected %lld of the type of z",
                               (long long)(bias->rows * bias->cols), (long long)z->cols);
    return true;
}

static bool aplr_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    const struct aplr_options *o = options;
    const struct invar_matrix *z = in->by[INVAR_ROLE_Z];

    if (in->views != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "aplr reads two views of every sample, not %d: set views.count=2, of which the second "
                               "is perturbed (or give z and z_tilde)",
                               in->views);
    if (!term_check_shapes(&invar_term_aplr, in, INVAR_ROLE_BIT(INVAR_ROLE_Z), 2, err))
        return false;
    if (o->reconstruction.target == INVAR_TARGET_EMA &&
        !term_check_input(&invar_term_aplr, in, INVAR_ROLE_T, 0, &z[0], &z[0], err))
        return false;
    return o->predictor == PREDICTOR_IDENTITY || check_predictor(in, err);
}

/* q = z W^T + b, and the way back */
struct predictor {
    const struct invar_matrix *weight, *z;
    struct invar_matrix ones, bias, q, dq;
};

static bool predict(struct invar_device *device, struct invar_scratch *scratch, const struct invar_embeddings *in,
                    struct predictor *p, struct invar_error *err)
{
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][1], *bias = &in->by[INVAR_ROLE_W][1];

    p->z = z;
    p->weight = &in->by[INVAR_ROLE_W][0];
    p->bias = *bias;
    p->bias.rows = bias->rows > 0;
    p->bias.cols = z->cols;
    if (!invar_dense_take(scratch, z->dtype, 1, z->rows, &p->ones, err) ||
        !invar_dense_take(scratch, z->dtype, z->rows, z->cols, &p->q, err) ||
        !invar_dense_take(scratch, z->dtype, z->rows, z->cols, &p->dq, err))
        return false;
    invar_dense_zero(device, &p->ones);
    invar_dense_affine(device, 0, 1, &p->ones);
    invar_dense_zero(device, &p->dq);
    invar_dense_product(device, false, true, 1, z, p->weight, 0, &p->q);
    if (p->bias.rows > 0)
        invar_dense_product(device, true, false, 1, &p->ones, &p->bias, 1, &p->q);
    return true;
}

static void predict_backward(struct invar_device *device, const struct predictor *p,
                             const struct invar_embeddings *gradient)
{
    const struct invar_matrix *dz = term_wanted(gradient, INVAR_ROLE_Z, 1);
    const struct invar_matrix *dw = term_wanted(gradient, INVAR_ROLE_W, 0);
    const struct invar_matrix *db = term_wanted(gradient, INVAR_ROLE_W, 1);

    if (dz)
        invar_dense_product(device, false, false, 1, &p->dq, p->weight, 1, dz);
    if (dw)
        invar_dense_product(device, true, false, 1, &p->dq, p->z, 1, dw);
    if (db) {
        struct invar_matrix row = *db;
        row.rows = 1;
        row.cols = p->q.cols;
        invar_dense_product(device, false, false, 1, &p->ones, &p->dq, 1, &row);
    }
}

static bool aplr_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct aplr_options *o = call->options;
    const bool linear = o->predictor == PREDICTOR_LINEAR;
    struct invar_embeddings predicted = *call->in, by = {0};
    struct invar_term_call behind = *call;
    struct predictor p = {0};

    if (linear && !predict(call->device, call->scratch, call->in, &p, err))
        return false;
    if (call->gradient)
        by = *call->gradient;
    predicted.by[INVAR_ROLE_Q][1] = linear ? p.q : call->in->by[INVAR_ROLE_Z][1];
    by.by[INVAR_ROLE_Q][1] = linear ? p.dq : by.by[INVAR_ROLE_Z][1];
    behind.in = &predicted;
    behind.gradient = call->gradient ? &by : NULL;
    if (!sum_add(&invar_term_reconstruction, &behind, &o->reconstruction, "reconstruction", 1, err))
        return false;
    if (linear && call->gradient)
        predict_backward(call->device, &p, call->gradient);
    return sum_add(&invar_term_orthonormality, call, &o->orthonormality, "orthogonality", o->lambda, err);
}

static bool aplr_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct aplr_options *o = options;
    const struct invar_matrix *z = &in->by[INVAR_ROLE_Z][1], *weight = &in->by[INVAR_ROLE_W][0];
    const double *bias = in->by[INVAR_ROLE_W][1].data;
    struct invar_embeddings predicted = *in;
    double *q = invar_alloc((size_t)(z->rows * z->cols), sizeof *q, NULL);
    bool ok = q != NULL;

    for (int64_t i = 0; ok && i < z->rows; i++)
        for (int64_t j = 0; j < z->cols; j++) {
            double *at = &q[i * z->cols + j];
            *at = o->predictor == PREDICTOR_LINEAR ? (bias ? bias[j] : 0) : reference_at(z, i, j);
            for (int64_t k = 0; k < z->cols && o->predictor == PREDICTOR_LINEAR; k++)
                *at += reference_at(z, i, k) * reference_at(weight, j, k);
        }
    predicted.by[INVAR_ROLE_Q][1] = *z;
    predicted.by[INVAR_ROLE_Q][1].data = q;
    *out = (struct invar_term_value){0};
    ok = ok &&
         sum_add_reference(&invar_term_reconstruction, &o->reconstruction, &predicted, "reconstruction", 1, out) &&
         sum_add_reference(&invar_term_orthonormality, &o->orthonormality, in, "orthogonality", o->lambda, out);
    invar_free(q);
    return ok;
}

const struct invar_term_spec invar_term_aplr = {
    .name = "aplr",
    .help = "APLR of a clean and a perturbed view, the sum of reconstruction and orthonormality [A4]",
    .options = aplr_table,
    .options_size = sizeof(struct aplr_options),
    .inputs = aplr_inputs,
    .roles = aplr_roles,
    .reads = aplr_reads,
    .check = aplr_check,
    .evaluate = aplr_evaluate,
    .reference = aplr_reference,
};
