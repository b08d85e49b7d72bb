/* SPDX-License-Identifier: Apache-2.0 */
/* A term of one's own in a recipe: own_term FILE.csv FOLDER trains with the mean distance of normalised embeddings,
   2 - 2 cos, and VICReg's variance and covariance against collapse. */
#include <invar/invar.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct nearness_options {
    double margin; /* what is nearer than that is near enough: it is taken off the value */
};

static const struct invar_option nearness_table[] = {
    {"margin", INVAR_OPTION_REAL, offsetof(struct nearness_options, margin), "0", 0, 4, NULL, "taken off the value"},
    {0},
};

static unsigned nearness_roles(const void *options)
{
    (void)options;
    return INVAR_ROLE_BIT(INVAR_ROLE_Z);
}

static bool nearness_check(const void *options, const struct invar_embeddings *in, struct invar_error *err)
{
    (void)options;
    return in->views == 2 || invar_error_set(err, INVAR_ERROR_USAGE, "nearness needs two views, not %d", in->views);
}

/* Memory is the device's: invar/expert/dense.h has what computes there, and a sum goes to a slot that is read at the
   end of the step. */
static bool nearness_evaluate(const struct invar_term_call *call, struct invar_error *err)
{
    const struct nearness_options *o = call->options;
    const struct invar_matrix *z = call->in->by[INVAR_ROLE_Z];
    const double each = 1 / (double)z->rows;
    struct invar_matrix unit[2], slope[2];
    double *lengths[2], *loss = invar_term_part(call->sum, NULL, 1);

    invar_term_part_of(call->sum, NULL, NULL, 0, -o->margin, 1);
    for (int v = 0; v < 2; v++) {
        lengths[v] = invar_device_take(call->scratch, (size_t)z->rows, sizeof(double), err);
        if (!lengths[v] || !invar_dense_take(call->scratch, z->dtype, z->rows, z->cols, &unit[v], err) ||
            !invar_dense_take(call->scratch, z->dtype, z->rows, z->cols, &slope[v], err))
            return false;
        invar_dense_normalise(call->device, &z[v], &unit[v], lengths[v]);
        invar_dense_zero(call->device, &slope[v]);
    }
    invar_dense_distance(call->device, &unit[0], &unit[1], 2 * call->weight * each, &slope[0], &slope[1], each, loss);
    for (int v = 0; v < 2; v++)
        if (call->gradient && call->gradient->by[INVAR_ROLE_Z][v].data)
            invar_dense_normalise_backward(call->device, &unit[v], lengths[v], &slope[v], 1,
                                           &call->gradient->by[INVAR_ROLE_Z][v]);
    return true;
}

static const struct invar_term_spec nearness = {
    .name = "nearness",
    .help = "mean squared distance of normalised embeddings",
    .options = nearness_table,
    .options_size = sizeof(struct nearness_options),
    .roles = nearness_roles,
    .check = nearness_check,
    .evaluate = nearness_evaluate,
};

/* False would end the training. */
static bool report(void *user, const struct invar_record *record, struct invar_error *err)
{
    (void)user, (void)err;
    for (int i = 0; i < record->count; i++)
        if (strcmp(record->metric[i].name, "loss/nearness") == 0)
            printf("step %lld: nearness %.4f\n", (long long)record->step, record->metric[i].value);
    return true;
}

int main(int argc, char **argv)
{
    char source[1024];
    const char *const changes[] = {source,
                                   "terms.ntxent=null",
                                   "terms.nearness.weight=10",
                                   "terms.nearness.margin=0.01",
                                   "terms.variance.weight=10",
                                   "terms.covariance.weight=1",
                                   "training.steps=100",
                                   "training.batch=64",
                                   "training.log_interval=50"};
    struct invar_error err = {0};

    if (argc != 3) {
        fprintf(stderr, "usage: own_term FILE.csv FOLDER\n");
        return 2;
    }
    snprintf(source, sizeof source, "data.source=csv:%s", argv[1]);
    const struct invar_trainer_options options = {.folder = argv[2], .report = report};
    struct invar_recipe *recipe =
        invar_term_add(&nearness, &err)
            ? invar_recipe_load("simclr-table", changes, sizeof changes / sizeof *changes, &err)
            : NULL;
    struct invar_device *device = recipe ? invar_device_open("cpu", 0, &err) : NULL;
    struct invar_dataset *data = device ? invar_dataset_open(&recipe->data, &err) : NULL;
    struct invar_trainer *trainer = data ? invar_trainer_create(recipe, data, device, &options, &err) : NULL;
    const bool ok = trainer && invar_trainer_run(trainer, &err);
    invar_trainer_free(trainer);
    invar_dataset_close(data);
    invar_device_close(device);
    invar_recipe_free(recipe);
    if (!ok)
        fprintf(stderr, "own_term: %s\n", err.message);
    return ok ? 0 : 1;
}
