/* SPDX-License-Identifier: Apache-2.0 */
/* One net that is trained: its optimiser, its weights to and from the host, its update. */
#include "train/chain.h"

#include "invar/expert/dense.h"

/* Scalars of the step (rate, clip factor, whether to go at all) lie on the device beside the optimiser, so that an
 * update reads them there and nothing has to come back to the host in between. */
bool chain_net_optimise(struct invar_chain_net *n, const struct invar_optimiser_spec *spec, const void *options,
                        struct invar_error *err)
{
    n->optimiser = invar_optimiser_create(spec, options, n->weights, n->buffers, err);
    n->scalars =
        n->optimiser ? invar_device_alloc(n->weights->device, INVAR_SCALAR_COUNT, sizeof *n->scalars, err) : NULL;
    return n->scalars != NULL;
}

/* Plans before the weights that they are made for, and these before their net. Any part may be missing: this is also
 * the way out of a creation that failed. */
void chain_net_free(struct invar_chain_net *n)
{
    struct invar_device *device = n->weights ? n->weights->device : NULL;

    invar_plan_free(n->plan);
    invar_plan_free(n->target_plan);
    invar_optimiser_free(n->optimiser);
    if (device) {
        invar_device_free(device, n->scalars);
        invar_device_free(device, n->output_gradient);
        invar_device_free(device, n->shared.output);
        invar_device_free(device, n->shared.gradient);
        invar_device_free(device, n->shared.target);
        for (int b = 0; b < INVAR_MAX_BUFFERS; b++)
            invar_device_free(device, n->buffers[b]);
    }
    invar_weights_free(n->weights);
    invar_weights_free(n->target_weights);
    if (n->owns_net)
        invar_net_free(n->net);
}

void weights_upload(struct invar_weights *w, const float *parameters, const float *statistics)
{
    invar_device_upload(w->device, w->parameters, parameters, (size_t)w->net->trained_count * sizeof(float));
    if (w->net->statistic_count > 0)
        invar_device_upload(w->device, w->statistics, statistics, (size_t)w->net->statistic_count * sizeof(float));
}

void weights_download(const struct invar_weights *w, float *parameters, float *statistics)
{
    invar_device_download(w->device, parameters, w->parameters, (size_t)w->net->trained_count * sizeof(float));
    if (w->net->statistic_count > 0)
        invar_device_download(w->device, statistics, w->statistics, (size_t)w->net->statistic_count * sizeof(float));
}

/* A damaged checkpoint may have left something there. */
void chain_net_forget(const struct invar_chain_net *n)
{
    for (int b = 0; n->net && b < n->buffer_count; b++)
        invar_device_fill(n->weights->device, n->buffers[b], n->net->trained_count, 0);
}

/* On the host and by the number of the net, so that initial weights are the same on every device, and the encoder's
 * do not depend on which heads a recipe has. */
bool chain_net_initialise(const struct invar_chain_net *n, int which, uint64_t seed, struct invar_error *err)
{
    if (!n->net)
        return true;
    float *parameters = invar_alloc((size_t)n->net->trained_count, sizeof(float), err);
    float *statistics = invar_alloc((size_t)n->net->statistic_count + 1, sizeof(float), err);
    const bool ok = parameters && statistics;

    if (ok) {
        invar_net_initialise(n->net, seed, (uint64_t)which, parameters, statistics);
        weights_upload(n->weights, parameters, statistics);
        if (n->target_weights)
            weights_upload(n->target_weights, parameters, statistics);
    }
    invar_free(parameters);
    invar_free(statistics);
    chain_net_forget(n);
    return ok;
}

/* The factor of the clip is a number on the device and multiplies the gradient there, whether the norm is above the
 * limit or not: a branch would have to wait for the norm. `decide` reads all slots that are filled so far, which is
 * why the norm of the whole net comes before the first update of any. */
void chain_net_step(const struct invar_chain_net *n, const struct invar_clock *k, const struct invar_ledger *ledger,
                    double rate, double clip, const double *squares)
{
    struct invar_device *device = n->weights->device;
    const struct invar_matrix gradients = {INVAR_FLOAT32, 1, n->net->trained_count, n->weights->gradients};
    double scalars[INVAR_SCALAR_COUNT];

    invar_optimiser_scalars(n->optimiser, rate, k->step + 1, scalars);
    scalars[INVAR_SCALAR_FOLLOW] = k->momentum;
    invar_device_upload(device, n->scalars, scalars, sizeof scalars);
    invar_device_decide(device, ledger->slots, ledger->count, squares, clip, n->scalars);
    if (clip > 0)
        invar_dense_scale_by(device, n->scalars + INVAR_SCALAR_CLIP, &gradients);
    invar_optimiser_update(n->optimiser, n->scalars);
}
