/* SPDX-License-Identifier: Apache-2.0 */
/* One, two and four ranks make the same steps, in every recipe that ships, and share all products: a small encoder, but
 * its views, terms, target network, adversary and optimiser. All steps are made at the parameters that the run began
 * with, as a rate of 1e-30 changes none of them: what is compared is one step each, and not how rounding grows from
 * step to step. */
#include "ranks_threads.h"
#include "shipped.h"
#include "train/recipe.h"
#include "train/trainer.h"

#include <malloc.h>

#define STEPS 5

struct outcome {
    const char *recipe, *folder;
    bool done;
    double loss[STEPS];
    int64_t gradients, parameters_count, statistics;
    float *gradient[STEPS], *parameters, *statistic; /* of all nets, behind each other */
    char message[1200];
};

static int64_t collect(const struct invar_trainer *t, int64_t (*one)(const struct invar_weights *, float *), float *out)
{
    int64_t count = 0;

    for (int i = 0; i < INVAR_NET_ALL; i++)
        if (trainer_net(t, i)->net) {
            count += one(trainer_net(t, i)->weights, out ? out + count : NULL);
            if (trainer_net(t, i)->target_weights && one(trainer_net(t, i)->target_weights, NULL) >= 0)
                count += one(trainer_net(t, i)->target_weights, out ? out + count : NULL);
        }
    return count;
}

static int64_t take(const struct invar_weights *w, const float *from, int64_t count, float *out)
{
    if (out && from)
        invar_device_download(w->device, out, from, (size_t)count * sizeof *out);
    return from ? count : 0;
}

static int64_t gradients(const struct invar_weights *w, float *out)
{
    return take(w, w->gradients, w->net->trained_count, out);
}

static int64_t parameters(const struct invar_weights *w, float *out)
{
    return take(w, w->parameters, w->net->trained_count, out);
}

static int64_t statistics(const struct invar_weights *w, float *out)
{
    return take(w, w->statistics, w->net->statistic_count, out);
}

static float *keep(const struct invar_trainer *t, int64_t (*one)(const struct invar_weights *, float *), int64_t *count)
{
    *count = collect(t, one, NULL);
    float *out = calloc((size_t)*count + 1, sizeof *out);
    collect(t, one, out);
    return out;
}

static void step_all(struct outcome *o, struct invar_trainer *t, struct invar_error *err)
{
    struct invar_record record;

    for (int step = 0; step < STEPS; step++) {
        if (!invar_trainer_step(t, &record, err))
            return;
        o->loss[step] = t->loss;
        o->gradient[step] = keep(t, gradients, &o->gradients);
    }
    o->parameters = keep(t, parameters, &o->parameters_count);
    o->statistic = keep(t, statistics, &o->statistics);
    o->done = true;
}

/* The recipe over small data, with an encoder and heads that a test has time for. */
static struct invar_recipe *load(const char *name, const char *folder, struct invar_error *err)
{
    char source[700];
    const char *overrides[24] = {shipped_source(name, folder, source),
                                 ends_with(name, "-table")
                                     ? "encoder={kind: mlp, widths: [16, 8]}"
                                     : "encoder={kind: small-resnet, widths: [4, 8], stride: 2, pool: 2}",
                                 strstr(name, "wmse") ? "training.batch=80" : "training.batch=32",
                                 "training.steps=50",
                                 "training.warmup=0",
                                 "optimiser.lr=1e-30",
                                 "adversary.lr=1e-30",
                                 "training.log_interval=2",
                                 "training.measure_interval=2",
                                 "training.precision=float32"};
    int count = 10;
    if (ends_with(name, "-imagenet")) /* oneDNN sums over pixels in float */
        overrides[count++] = "data.size=64";
    if (strstr(name, "corinfomax")) /* a covariance that the samples of a batch span, as those of the recipe do */
        overrides[count++] = "projector.output=8";
    struct invar_recipe *recipe = invar_recipe_load(name, overrides, count, err);

    if (!recipe || strstr(name, "wmse")) /* which whitens, and so needs heads wider than z */
        return recipe;
    if (recipe->projector.hidden.count > 0)
        overrides[count++] = "projector.hidden=[24]";
    if (recipe->projector.output > 64)
        overrides[count++] = "projector.output=32";
    if (recipe->predictor.output > 0)
        overrides[count++] = "predictor.hidden=[24]";
    if (recipe->predictor.output > 64)
        overrides[count++] = "predictor.output=32";
    invar_recipe_free(recipe);
    return invar_recipe_load(name, overrides, count, err);
}

/* One rank, with data and device of its own, as a process has. */
static void train(struct invar_ranks *ranks, void *user)
{
    struct outcome *o = user;
    struct invar_error err = {0};
    const struct invar_trainer_options options = {.ranks = ranks};
    struct invar_recipe *recipe = load(o->recipe, o->folder, &err);
    struct invar_dataset *dataset = recipe ? invar_dataset_open(&recipe->data, &err) : NULL;
    struct invar_device *device = dataset ? test_device_open(1, &err) : NULL;
    struct invar_trainer *t = device ? invar_trainer_create(recipe, dataset, device, &options, &err) : NULL;

    ranks_share_from(ranks, 0, 0);
    if (t)
        step_all(o, t, &err);
    snprintf(o->message, sizeof o->message, "%s", err.message);
    invar_trainer_free(t);
    invar_device_close(device);
    invar_dataset_close(dataset);
    invar_recipe_free(recipe);
}

static double distance(const float *a, const float *b, int64_t count)
{
    double difference = 0, norm = 0;

    for (int64_t i = 0; i < count; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / (norm > 0 ? norm : 1));
}

static void forget(struct outcome *o)
{
    for (int step = 0; step < STEPS; step++)
        free(o->gradient[step]);
    free(o->parameters);
    free(o->statistic);
}

/* The worst of what was seen; limits are those that are promised. */
static struct {
    double loss, gradient, statistic;
    int steps, same_bits;
} worst;

static double more(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}

static void compare(const struct outcome *alone, const struct outcome *o, int count)
{
    for (int step = 0; step < STEPS; step++) {
        const double apart = fabs(o->loss[step] - alone->loss[step]);
        const double loss = apart == 0 ? 0 : apart / fabs(alone->loss[step]);
        const double gradient = distance(o->gradient[step], alone->gradient[step], o->gradients);
        worst.loss = more(worst.loss, loss);
        worst.gradient = more(worst.gradient, gradient);
        worst.steps++;
        worst.same_bits += memcmp(&o->loss[step], &alone->loss[step], sizeof o->loss[step]) == 0;
        if (!(loss <= 1e-6 && gradient <= 1e-5))
            fail_msg("%s: step %d of %d ranks: loss %.9g, alone %.9g (%.2g); gradient %.2g off", o->recipe, step + 1,
                     count, o->loss[step], alone->loss[step], loss, gradient);
    }
    const double statistic = distance(o->statistic, alone->statistic, o->statistics);
    worst.statistic = more(worst.statistic, statistic);
    if (!(statistic <= 1e-7))
        fail_msg("%s: %d ranks: running statistics %.2g off", o->recipe, count, statistic);
}

static void check_ranks(const char *recipe, const char *folder, const struct outcome *alone, int count)
{
    static struct outcome of[CROWD_MOST];
    struct crowd crowd;
    void *users[CROWD_MOST];

    for (int k = 0; k < count; k++) {
        of[k] = (struct outcome){.recipe = recipe, .folder = folder};
        users[k] = &of[k];
    }
    crowd_run(&crowd, count, train, users);
    for (int k = 0; k < count; k++) {
        if (!of[k].done)
            fail_msg("%s: rank %d of %d: %s", recipe, k, count, of[k].message);
        assert_memory_equal(of[k].parameters, of[0].parameters, (size_t)of[0].parameters_count * sizeof(float));
        assert_memory_equal(of[k].statistic, of[0].statistic, (size_t)of[0].statistics * sizeof(float));
        assert_memory_equal(of[k].loss, of[0].loss, sizeof of[0].loss);
    }
    compare(alone, &of[0], count);
    for (int k = 0; k < count; k++)
        forget(&of[k]);
}

static void every_recipe(void **state)
{
    const char *wanted = getenv("INVAR_TEST_RECIPE");
    char *folder = test_folder_create();

    (void)state;
    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* what plans take is had from the last ones, not from the system */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    shipped_write_data(folder);
    for (const struct invar_recipe_name *recipe = invar_recipe_names(); recipe->name; recipe++) {
        struct outcome alone = {.recipe = recipe->name, .folder = folder};
        if (wanted && strcmp(wanted, recipe->name) != 0)
            continue;
        train(NULL, &alone);
        if (!alone.done)
            fail_msg("%s: %s", recipe->name, alone.message);
        check_ranks(recipe->name, folder, &alone, 2);
        check_ranks(recipe->name, folder, &alone, 4);
        forget(&alone);
    }
    print_message("worst of all: loss %.2g, gradient %.2g, running statistics %.2g off; of %d losses %d have the same "
                  "bits\n",
                  worst.loss, worst.gradient, worst.statistic, worst.steps, worst.same_bits);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_recipe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
