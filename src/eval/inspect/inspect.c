/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection as a whole: its options, the samples it looks at, and its sections in their order. The sections of h,
 * z, correlations, classes and noise see the same samples, so that a number of one may explain that of another. */
#include "eval/inspect/inspect.h"

#include <stddef.h>
#include <stdio.h>

/* The bounds are what memory and the tests allow: pairs of 32768 samples are 8 GB of doubles, K2 needs 8 values, LiDAR
 * two views. Estimates depend on most of these numbers: results of other ones are not compared. */
#define AT(field) offsetof(struct invar_inspect_options, field)
const struct invar_option invar_inspect_option_table[] = {
    {"samples", INVAR_OPTION_INT, AT(samples), "4096", 2, 32768, NULL,
     "at most so many, evenly spaced over the split; PairDist takes 8 bytes for every pair of them"},
    {"seed", INVAR_OPTION_INT, AT(seed), "1", 0, 4294967295.0, NULL,
     "of views, noise and the draw of labelled samples"},
    {"beta", INVAR_OPTION_REAL, AT(beta), "1", 1e-9, 1e9, NULL, "of the LogDet entropy"},
    {"sigma", INVAR_OPTION_REAL, AT(sigma), "0", 0, 1e9, NULL,
     "of the PairDist entropies, in units of h or z; 0: sigma^2 is a tenth of their total variance"},
    {"uniformity_t", INVAR_OPTION_REAL, AT(uniformity_t), "2", 1e-3, 100, NULL, "of the uniformity"},
    {"noise_samples", INVAR_OPTION_INT, AT(noise_samples), "16", 0, 4096, NULL,
     "inputs that get noise, evenly spaced over the samples; 0: no such check"},
    {"noise_draws", INVAR_OPTION_INT, AT(noise_draws), "256", 8, 65536, NULL,
     "noisy copies of an input at a level: the values of one test of normality"},
    {"noise_levels", INVAR_OPTION_REAL_LIST, AT(noise_levels), "[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1]", 1e-9, 1e6,
     NULL, "deviation of the noise in deviations of a pixel's channel, ascending"},
    {"labelled", INVAR_OPTION_INT, AT(labelled), "1000", 0, 1e6, NULL,
     "labelled training samples of the generalisation bound, by class as in the split; 0: no bound"},
    {"unlabelled", INVAR_OPTION_INT, AT(unlabelled), "4096", 1, 1e6, NULL,
     "further training samples of it, as pairs of views"},
    {"lidar_samples", INVAR_OPTION_INT, AT(lidar_samples), "512", 0, 32768, NULL,
     "samples of LiDAR, which is at most one less; 0: none"},
    {"lidar_views", INVAR_OPTION_INT, AT(lidar_views), "8", 2, 256, NULL,
     "drawn views of each of them; its authors have 50"},
    {"jacobian_samples", INVAR_OPTION_INT, AT(jacobian_samples), "2", 0, 4096, NULL,
     "of the inputs that get noise: Jacobians of so many, a pass for every number of an input; 0: none"},
    {"collapse_deviation", INVAR_OPTION_REAL, AT(collapse_deviation), "0.1", 0, 1e9, NULL,
     "warn when the deviation of z is below (under LogDet, below 0.3 / root of beta where that is less)"},
    {"collapse_rank", INVAR_OPTION_REAL, AT(collapse_rank), "0.05", 0, 1, NULL,
     "warn when the effective rank is below this share of the directions that there could be"},
    {"collapse_spread", INVAR_OPTION_REAL, AT(collapse_spread), "0.1", 0, 1, NULL,
     "warn when the spread of directions is below"},
    {0},
};

/* Evenly spaced over the split, which is often sorted by class: the first ones would be of few classes, and a draw
 * would need a seed. */
int64_t *inspect_spaced(int64_t total, int64_t wanted, int64_t *count, struct invar_error *err)
{
    *count = total < wanted ? total : wanted;
    int64_t *order = invar_alloc((size_t)*count + 1, sizeof *order, err);
    for (int64_t i = 0; order && i < *count; i++)
        order[i] = i * total / *count;
    return order;
}

bool inspect_embed(struct inspect *in, const char *what, const struct pass_options *pass, int64_t input_stride,
                   bool projector, struct embed_rows *out, struct invar_error *err)
{
    const struct embed_work work = {.device = in->subject->device,
                                    .encoder = in->subject->encoder,
                                    .projector = projector ? in->subject->projector : NULL,
                                    .dataset = in->subject->dataset,
                                    .pass = *pass,
                                    /* Whatever precision a run was trained in: what its numbers differ by from those of
                                     * others is then in the weights alone. */
                                    .precision = INVAR_PRECISION_FLOAT32,
                                    .input_stride = input_stride,
                                    .features = !in->subject->encoder,
                                    .what = what,
                                    .watch = in->subject->watch};
    return embed_run(&work, out, err);
}

bool inspect_has_pairs(const struct inspect *in)
{
    return in->subject->encoder ? in->subject->views != NULL : in->subject->pair != NULL;
}

/* Of representations from elsewhere the second view lies in a data set of its own, row by row. They are paired by
 * position, since files of other programs bring no numbers of samples. */
static bool join_pairs(const struct inspect *in, const char *what, const struct pass_options *pass,
                       struct embed_rows *out, struct invar_error *err)
{
    struct embed_rows second = {0};
    struct embed_work work = {.device = in->subject->device,
                              .dataset = in->subject->dataset,
                              .pass = *pass,
                              .features = true,
                              .what = what,
                              .watch = in->subject->watch};
    bool ok = embed_run(&work, out, err);

    work.dataset = in->subject->pair;
    ok = ok && embed_run(&work, &second, err);
    if (ok) {
        out->h[1] = second.h[0];
        second.h[0] = (struct invar_array){0};
    }
    embed_rows_free(&second);
    return ok;
}

bool inspect_embed_pairs(struct inspect *in, const char *what, const struct pass_options *pass, uint64_t epoch,
                         bool projector, struct embed_rows *out, struct invar_error *err)
{
    struct pass_options drawn = *pass;

    if (!in->subject->encoder)
        return join_pairs(in, what, pass, out, err);
    /* As in training, adversary included: the views of a run that has no other augmentation would be equal without
     * it. */
    drawn.draw = in->subject->views;
    drawn.perturber = in->subject->perturber;
    drawn.seed = (uint64_t)in->options->seed;
    drawn.epoch = epoch;
    return inspect_embed(in, what, &drawn, 0, projector, out, err);
}

/* Numbers of the inputs that are kept for their distances; of larger data every few samples. */
static const int64_t most_inputs = (int64_t)1 << 26;

/* Embeds the samples plainly, with their inputs, and under two views. The same samples in all sections, so that their
 * numbers may be set side by side. */
static bool take_samples(struct inspect *in, struct invar_error *err)
{
    const struct invar_inspect_subject *subject = in->subject;
    const struct invar_dataset_info *info = invar_dataset_info(subject->dataset);
    struct pass_options pass = {.split = subject->split};
    int64_t *order = inspect_spaced(info->count[subject->split], in->options->samples, &pass.count, err);

    pass.order = order;
    if (in->options->noise_samples > 0 && subject->encoder)
        /* Inputs are kept for the noise and the distances between inputs alone: as many as fit into a quarter of a
         * gigabyte. */
        in->input_stride = 1 + pass.count * info->channels * info->height * info->width / most_inputs;
    bool ok = order && inspect_embed(in, "samples", &pass, in->input_stride, true, &in->plain, err);
    ok = ok && (!inspect_has_pairs(in) ||
                inspect_embed_pairs(in, "views", &pass, INSPECT_EPOCH_SAMPLES, true, &in->drawn, err));
    invar_free(order);
    return ok;
}

/* How the two views come about, where an adversary has a hand in it. */
static void say_views(const struct inspect *in)
{
    struct invar_perturber *perturber = in->subject->views ? in->subject->perturber : NULL;
    const bool first = perturber && invar_perturber_has(perturber, 0),
               second = perturber && invar_perturber_has(perturber, 1);
    char *out = in->out->perturbed;

    if (!perturber)
        return;
    if (first || second)
        snprintf(out, INVAR_FINDING_TEXT, "of the two drawn views %s perturbed by the run's adversary (%s)",
                 first && second ? "both are"
                 : first         ? "the first is"
                                 : "the second is",
                 invar_perturber_describe(perturber));
    else
        snprintf(out, INVAR_FINDING_TEXT,
                 "the run's adversary perturbs neither of the two drawn views, but later ones");
}

void invar_inspection_name(struct invar_inspection *out)
{
    /* Sections have their names before they have numbers, so that one that is absent can still be said to be. */
    static const char *const names[][2] = {
        {"h", "representation h, plain view and two drawn ones"},
        {"z", "embedding z, behind the projector"},
        {"correlation", "canonical correlations of two drawn views, in h and z"},
        {"fisher", "classes in h: Fisher ratios of ordered pairs, and class means as a classifier"},
        {"noise", "normality of the outputs where noise N(0, s^2) is added to an input"},
        {"bound", "generalisation bound of a least-squares head on h, without Q(m, n, delta)"},
        {"view", "what h and z know of how their view was drawn"},
    };
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++) {
        out->section[s].name = names[s][0];
        out->section[s].title = names[s][1];
    }
}

/* Collapse last: it reads what the other sections found. */
static bool measure(struct inspect *in, struct invar_error *err)
{
    const struct invar_inspect_subject *subject = in->subject;
    struct invar_inspection *out = in->out;

    if (!take_samples(in, err))
        return false;
    out->samples = in->plain.rows;
    for (int64_t i = 0; i < in->plain.rows; i++)
        out->labelled += ((const int64_t *)in->plain.labels.data)[i] >= 0;
    out->h_width = in->plain.h[0].shape[1];
    out->z_width = subject->projector ? in->plain.z[0].shape[1] : 0;
    if (!subject->projector)
        inspect_absent(&out->section[INVAR_INSPECT_EMBEDDING],
                       subject->no_projector ? subject->no_projector : "there is no projector");
    if (!inspect_space(in, INVAR_INSPECT_REPRESENTATION, err) ||
        (subject->projector && !inspect_space(in, INVAR_INSPECT_EMBEDDING, err)) || !inspect_lidar(in, err) ||
        !inspect_correlation(in, err) || !inspect_fisher(in, err) || !inspect_noise(in, err) ||
        !inspect_bound(in, err) || !inspect_view(in, err))
        return false;
    inspect_collapse(in);
    return true;
}

/* Ascending, as curves over them are read. */
static bool check_levels(const struct invar_real_list *levels, struct invar_error *err)
{
    for (int i = 0; i < levels->count; i++)
        if (!(levels->value[i] > (i ? levels->value[i - 1] : 0)))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "noise_levels: %g is not above the level before it; give them in ascending order",
                                   levels->value[i]);
    return levels->count > 0 ||
           invar_error_set(err, INVAR_ERROR_USAGE, "noise_levels: is empty; give one or more, or noise_samples=0");
}

struct invar_inspection *invar_inspect(const struct invar_inspect_subject *subject,
                                       const struct invar_inspect_options *options, struct invar_error *err)
{
    struct inspect in = {.subject = subject, .options = options};
    bool ok = false;

    /* Before anything is embedded, which may take minutes. */
    if (!check_levels(&options->noise_levels, err))
        return NULL;
    in.out = invar_alloc(1, sizeof *in.out, err);
    in.scratch = invar_device_scratch_create(subject->device, err);
    if (!in.out || !in.scratch)
        goto done;
    invar_inspection_name(in.out);
    say_views(&in);
    ok = measure(&in, err);
done:
    embed_rows_free(&in.plain);
    embed_rows_free(&in.drawn);
    invar_scratch_free(in.scratch);
    if (!ok) {
        invar_inspection_free(in.out);
        in.out = NULL;
    }
    return in.out;
}
