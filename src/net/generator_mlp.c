/* SPDX-License-Identifier: Apache-2.0 */
/* The generator for vectors and tables: an MLP that reads the sample and a noise vector as wide beside each other. */
#include "net/generator.h"

#include <stdio.h>

#define LEAST_NOISE 16

static struct invar_net *build(const struct invar_generator_options *options, struct invar_shape sample,
                               struct invar_error *err)
{
    const int64_t dim = sample.rank == 3 ? sample.channels * sample.height * sample.width : sample.channels;
    /* as many numbers as the sample has, as the noise channel of an image: few are no match for a wide row */
    const int64_t noise = options->noise > 0 ? options->noise : dim > LEAST_NOISE ? dim : LEAST_NOISE;
    struct invar_net *net = invar_net_create((struct invar_shape){1, dim + noise, 1, 1}, err);
    int at = 0;

    if (!net)
        return NULL;
    for (int i = 0; i < options->widths.count; i++) {
        char linear[32], norm[32];
        snprintf(linear, sizeof linear, "%d.linear", i);
        snprintf(norm, sizeof norm, "%d.norm", i);
        at = invar_net_linear(net, at, linear, options->widths.value[i], false, err);
        at = invar_net_relu(net, invar_net_batchnorm(net, at, norm, err), err);
    }
    if (invar_net_linear(net, at, "out", dim, true, err) >= 0)
        return net;
    invar_net_free(net);
    return NULL;
}

const struct invar_generator_spec invar_generator_mlp = {
    "mlp",           "linear, batch norm, ReLU on the sample and a noise vector; for tables and other vectors",
    {2, {128, 128}}, 0,
    false,           build};
