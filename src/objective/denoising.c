/* SPDX-License-Identifier: Apache-2.0 */
/* The denoising autoencoder: z of every view, a decoder's output, is to be the plain input that the view was made of.
 */
#include "objective/reconstruct.h"

enum { OVER_ALL, OVER_CORRUPTED };

struct denoising_options {
    int over;
};

static const struct invar_option denoising_table[] = {
    {"over", INVAR_OPTION_CHOICE, offsetof(struct denoising_options, over), "all", 0, 0, "all|corrupted",
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
    return invar_reconstruct_check(&invar_term_denoising, options, in, err);
}

static bool denoising_evaluate(struct invar_device *device, struct invar_scratch *scratch, const void *options,
                               const struct invar_embeddings *in, double weight,
                               const struct invar_embeddings *gradient, struct invar_term_value *out,
                               struct invar_error *err)
{
    const struct denoising_options *o = options;
    const struct invar_matrix *x = &in->by[INVAR_ROLE_X][0];
    double loss = 0;

    (void)scratch, (void)err;
    for (int v = 0; v < in->views; v++) {
        const struct invar_matrix *mask = o->over == OVER_CORRUPTED ? &in->by[INVAR_ROLE_M][v] : NULL;
        double count = (double)x->rows * (double)x->cols;
        if (mask) /* a batch in which nothing was corrupted has nothing to mend */
            count = invar_reconstruct_count(device, mask);
        const double mean = 1 / count / in->views;
        loss += mean * invar_dense_columns_distance(device, &in->by[INVAR_ROLE_Z][v], 0, x, mask, 2 * weight * mean,
                                                    invar_term_wanted(gradient, INVAR_ROLE_Z, v));
    }
    *out = (struct invar_term_value){.loss = loss};
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
                const double apart = invar_reference_at(&in->by[INVAR_ROLE_Z][v], i, j) - invar_reference_at(x, i, j);
                const double m = o->over == OVER_CORRUPTED ? invar_reference_at(&in->by[INVAR_ROLE_M][v], i, j) : 1;
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
    .reads = invar_reconstruct_reads,
    .width = denoising_width,
    .check = denoising_check,
    .evaluate = denoising_evaluate,
    .reference = denoising_reference,
};
