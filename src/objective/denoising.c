/* SPDX-License-Identifier: Apache-2.0 */
/* The denoising autoencoder: z of every view, a decoder's output, is to be the plain input that the view was made of.
 */
#include "objective/reconstruct.h"

#define OVER(CHOICE) CHOICE(OVER_ALL, "all") CHOICE(OVER_CORRUPTED, "corrupted")
enum over { OVER(INVAR_CHOICE_CONSTANT) };

struct denoising_options {
    enum over over;
};

static const struct invar_option denoising_table[] = {
    {"over", INVAR_OPTION_CHOICE, offsetof(struct denoising_options, over), "all", 0, 0, INVAR_CHOICES(OVER),
     "mean of the squared errors over all numbers of the input, or over those in corrupted columns alone"},
    {0},
};

static unsigned denoising_roles(const void *options)
{
    const struct denoising_options *o = options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z) | INVAR_ROLE_BIT(INVAR_ROLE_X) |
           (o->over == OVER_CORRUPTED ? INVAR_ROLE_BIT(INVAR_ROLE_M) : 0);
}

static int64_t denoising_width(const void *options, int64_t input)
{
    (void)options;
    return input;
}

static bool denoising_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    return reconstruct_check(&invar_term_denoising, options, in, err);
}

static bool denoising_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct denoising_options *o = call->options;
    const struct invar_embeddings *in = call->in;
    const double share = 1.0 / in->views;
    double *loss = invar_term_part(call->sum, NULL, 1);

    (void)err;
    for (int v = 0; v < in->views; v++)
        /* a batch in which nothing was corrupted has nothing to mend */
        invar_dense_columns_distance(call->device, &in->by[INVAR_ROLE_Z][v], 0, &in->by[INVAR_ROLE_X][0],
                                     o->over == OVER_CORRUPTED ? &in->by[INVAR_ROLE_M][v] : NULL,
                                     2 * call->weight * share, term_wanted(call->gradient, INVAR_ROLE_Z, v), share,
                                     loss);
    return true;
}

static bool denoising_reference(const void *options, const struct invar_embeddings *in, struct invar_term_value *out)
{
    const struct denoising_options *o = options;
    const struct invar_matrix *x = &in->by[INVAR_ROLE_X][0];
    double loss = 0;

    for (int v = 0; v < in->views; v++) {
        double sum = 0, count = 0;
        for (int64_t i = 0; i < x->rows; i++)
            for (int64_t j = 0; j < x->cols; j++) {
                const double apart = reference_at(&in->by[INVAR_ROLE_Z][v], i, j) - reference_at(x, i, j);
                const double m = o->over == OVER_CORRUPTED ? reference_at(&in->by[INVAR_ROLE_M][v], i, j) : 1;
                sum += m * apart * apart;
                count += m;
            }
        loss += sum / (count > 1 ? count : 1);
    }
    *out = (struct invar_term_value){.loss = loss / in->views};
    return true;
}

const struct invar_term_spec invar_term_denoising = {
    .name = "denoising",
    .help = "squared error of the plain input, reconstructed from corrupted views (denoising autoencoder)",
    .options = denoising_table,
    .options_size = sizeof(struct denoising_options),
    .roles = denoising_roles,
    .reads = reconstruct_reads,
    .width = denoising_width,
    .check = denoising_check,
    .evaluate = denoising_evaluate,
    .reference = denoising_reference,
};
