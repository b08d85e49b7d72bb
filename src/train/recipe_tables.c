/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a recipe that belong to training itself; the other sections bring their own tables. */
#include "train/recipe.h"

#include <stddef.h>
#include <string.h>

#define ROOT(name) offsetof(struct invar_recipe, name)
/* Every table is also documentation: `invar recipes schema`, the command line and messages are made of these lines,
 * and a default is text because it is shown as it is written here. */
const struct invar_option invar_recipe_root_table[] = {
    {"name", INVAR_OPTION_TEXT, ROOT(name), "", 0, 0, NULL, "what the recipe is called; default: the name of its file"},
    {"init", INVAR_OPTION_TEXT, ROOT(init), "", 0, 0, NULL,
     "safetensors file whose encoder weights training starts from"},
    {0},
};

#define TARGET(name) offsetof(struct invar_target_options, name)
/* Defaults of momentum and schedule are BYOL's [R4]. */
const struct invar_option invar_target_option_table[] = {
    {"enabled", INVAR_OPTION_BOOL, TARGET(enabled), "false", 0, 0, NULL,
     "keep a target network: encoder and projector, moving averages of the trained ones [R4]"},
    {"momentum", INVAR_OPTION_REAL, TARGET(momentum), "0.996", 0, 1, NULL,
     "share of the past in the average at the start; rises to 1 over the run [R4]"},
    {"schedule", INVAR_OPTION_CHOICE, TARGET(schedule), "cosine", 0, 0, INVAR_CHOICES(INVAR_MOMENTUM_SCHEDULES),
     "of the momentum: rises to 1 over the run [R4], or stays (lightly's benchmarks)"},
    {"keep", INVAR_OPTION_BOOL, TARGET(keep), "false", 0, 0, NULL,
     "encoder.safetensors holds the target network's encoder, not the trained one"},
    {0},
};

#define ADVERSARY(name) offsetof(struct invar_adversary_options, name)
/* eps is in units of the standardised input, so that one value means the same on images, tables and clips. The
 * generator has a rate of its own because the two players need not learn equally fast. */
const struct invar_option invar_adversary_option_table[] = {
    {"kind", INVAR_OPTION_TEXT, ADVERSARY(kind), "none", 0, 0, NULL,
     "none; noise: a random direction; auto: the generator that suits the input; or one of the kinds below"},
    {"eps", INVAR_OPTION_REAL, ADVERSARY(eps), "0.25", 1e-9, 1e3, "auto",
     "mean (p 1), root mean square (p 2) or maximum (p inf) of the perturbation, in units of the standardised input; "
     "auto: half the median distance of a training sample to the nearest other one, as a root mean square"},
    {"p", INVAR_OPTION_CHOICE, ADVERSARY(p), "2", 0, 0, INVAR_CHOICES(INVAR_BALLS),
     "of the L_p ball that it lies on [A1]"},
    {"views", INVAR_OPTION_INT_LIST, ADVERSARY(views), "[1]", 0, INVAR_MAX_VIEWS - 1, NULL,
     "global views that are perturbed, counted from 0, after they were made"},
    {"terms", INVAR_OPTION_TEXT, ADVERSARY(terms), "", 0, 0, NULL,
     "names of terms, by commas, that the generator ascends; empty: all that read a perturbed view. Where that leaves "
     "one of these out, a step takes a second backward pass"},
    {"lr", INVAR_OPTION_REAL, ADVERSARY(lr), "1e-3", 0, 1e3, NULL,
     "peak rate of the generator's Adam; it rises and falls as the encoder's does"},
    {"steps", INVAR_OPTION_INT, ADVERSARY(steps), "1", 1, 100, NULL,
     "of the generator on a batch, each with a pass of its own through the encoder, before the encoder's one"},
    {"frozen", INVAR_OPTION_BOOL, ADVERSARY(frozen), "false", 0, 0, NULL,
     "the generator keeps its initial weights (an ablation)"},
    {"widths", INVAR_OPTION_INT_LIST, ADVERSARY(widths), "[]", 1, 65536, NULL,
     "cnn: channels by scale, each scale half as large as the one before; mlp: of hidden layers; []: those of the "
     "kind"},
    {"noise", INVAR_OPTION_INT, ADVERSARY(noise), "0", 0, 65536, NULL,
     "fresh noise that the generator reads: channels (cnn) or numbers (mlp); 0: one channel; as many numbers as the "
     "sample has, 16 at least"},
    {"blocks", INVAR_OPTION_INT, ADVERSARY(blocks), "1", 0, 64, NULL, "cnn: residual blocks at the lowest scale"},
    {0},
};

#define CLASSIFIER(name) offsetof(struct invar_classifier_options, name)
const struct invar_option invar_classifier_option_table[] = {
    {"enabled", INVAR_OPTION_BOOL, CLASSIFIER(enabled), "false", 0, 0, NULL,
     "train a linear classifier on h beside the encoder, which stays as it would be without: shows how far a run is"},
    {"lr", INVAR_OPTION_REAL, CLASSIFIER(lr), "0.1", 0, 1e3, NULL,
     "peak rate of its SGD; it rises and falls as the encoder's does"},
    {"momentum", INVAR_OPTION_REAL, CLASSIFIER(momentum), "0.9", 0, 0.9999, NULL, "of its SGD"},
    {"weight_decay", INVAR_OPTION_REAL, CLASSIFIER(weight_decay), "0", 0, 10, NULL, "of its SGD"},
    {0},
};

#define RATE(name) offsetof(struct invar_optimiser_options, name)
const struct invar_option invar_rate_option_table[] = {
    {"lr", INVAR_OPTION_REAL, RATE(lr), "0.001", 0, 1e30, NULL, "peak learning rate, before scaling"},
    {"lr_scaling", INVAR_OPTION_CHOICE, RATE(lr_scaling), "none", 0, 0, INVAR_CHOICES(INVAR_RATE_SCALINGS),
     "linear: the peak is lr * training.batch / 256"},
    {0},
};

#define TRAINING(name) offsetof(struct invar_training_options, name)
/* The seed is 2^53 at most, since JSON and YAML readers elsewhere keep numbers as doubles. A batch has two samples
 * at least: batch norms and every contrast need a second one. */
const struct invar_option invar_training_option_table[] = {
    {"epochs", INVAR_OPTION_REAL, TRAINING(epochs), "10", 1e-6, 1e6, NULL,
     "passes over the training split; may be fractional"},
    {"steps", INVAR_OPTION_INT, TRAINING(steps), "0", 0, 1e12, NULL,
     "steps of the run, instead of epochs, so that a recipe means the same on data of any size; 0: by epochs"},
    {"batch", INVAR_OPTION_INT, TRAINING(batch), "256", 2, 1048576, NULL,
     "samples a step, each with views.count views"},
    {"warmup", INVAR_OPTION_REAL, TRAINING(warmup), "0.1", 0, 0.99, NULL,
     "part of the run in which the rate rises from 0 to its peak; then a cosine takes it down"},
    {"start_ratio", INVAR_OPTION_REAL, TRAINING(start_ratio), "0", 0, 1, NULL,
     "first rate of the warm-up as a fraction of the peak"},
    {"final_ratio", INVAR_OPTION_REAL, TRAINING(final_ratio), "0", 0, 1, NULL, "last rate as a fraction of the peak"},
    {"rate_interval", INVAR_OPTION_CHOICE, TRAINING(rate_interval), "step", 0, 0, INVAR_CHOICES(INVAR_RATE_INTERVALS),
     "how often the rate changes; epoch: it stays at that of the epoch's first step"},
    {"seed", INVAR_OPTION_INT, TRAINING(seed), "0", 0, 9007199254740992.0, NULL, "of initial weights, order and views"},
    {"precision", INVAR_OPTION_CHOICE, TRAINING(precision), "auto", 0, 0, INVAR_CHOICES(INVAR_PRECISIONS),
     "of the encoder's activations; auto: bfloat16 where the processor computes in it"},
    {"clip", INVAR_OPTION_REAL, TRAINING(clip), "0", 0, 1e30, NULL, "largest gradient norm; 0: no limit"},
    {"log_interval", INVAR_OPTION_INT, TRAINING(log_interval), "10", 1, 1e9, NULL, "steps between logged steps"},
    {"measure_interval", INVAR_OPTION_INT, TRAINING(measure_interval), "50", 1, 1e9, NULL,
     "steps between measurements of entropy, effective rank and alignment"},
    {"checkpoint_interval", INVAR_OPTION_INT, TRAINING(checkpoint_interval), "0", 0, 1e9, NULL,
     "steps between checkpoints; 0: one an epoch"},
    {"collapse_deviation", INVAR_OPTION_REAL, TRAINING(collapse_deviation), "0.03", 0, 1e9, NULL,
     "warn when the standard deviation of the embeddings falls below; 0: never"},
    {"collapse_rank", INVAR_OPTION_REAL, TRAINING(collapse_rank), "2", 0, 1e9, NULL,
     "warn when the effective rank of the embeddings falls below; 0: never"},
    {"sync_norm", INVAR_OPTION_BOOL, TRAINING(sync_norm), "true", 0, 0, NULL,
     "of several processes (mpirun, srun): batch norms take their statistics over the rows of all, as one process "
     "would; "
     "false: each over its own, and the result depends on how many there are"},
    {0},
};

#define COMPUTE(name) offsetof(struct invar_compute_options, name)
const struct invar_option invar_compute_option_table[] = {
    {"convolution", INVAR_OPTION_CHOICE, COMPUTE(convolution), "auto", 0, 0, INVAR_CHOICES(INVAR_CONVOLUTIONS),
     "of 3x3 kernels and stride 1 in training: winograd takes a quarter of the multiplications and rounds up to some "
     "four times as coarsely (in float32); auto: that, where there are 16 channels or more"},
    {0},
};

/* What is no key of the root; the reader refuses every other word there. */
const char *const invar_recipe_sections[] = {
    "data",       "views", "encoder",   "projector", "predictor", "target", "adversary",
    "classifier", "terms", "optimiser", "training",  "device",    NULL,
};

/* Tables end with an empty line and have no counts that could be wrong. */
static int table_length(const struct invar_option *table)
{
    int n = 0;
    while (table[n].name)
        n++;
    return n;
}

/* One object of two structs, the second at a multiple of a cache line, which is aligned for whatever the options
 * hold. */
bool rate_and_options_create(struct invar_rate_and_options *out, const struct invar_optimiser_spec *spec,
                             struct invar_error *err)
{
    const size_t shift = (sizeof(struct invar_optimiser_options) + 63) / 64 * 64;
    int rates = table_length(invar_rate_option_table), options = table_length(spec->options);

    *out = (struct invar_rate_and_options){
        .table = invar_alloc((size_t)(rates + options) + 1, sizeof(struct invar_option), err),
        .object = invar_alloc(1, shift + spec->options_size, err),
    };
    if (!out->table || !out->object) {
        rate_and_options_free(out);
        return false;
    }
    memcpy(out->table, invar_rate_option_table, (size_t)rates * sizeof(struct invar_option));
    memcpy(out->table + rates, spec->options, (size_t)options * sizeof(struct invar_option));
    for (int i = rates; i < rates + options; i++)
        out->table[i].offset += shift;
    out->rate = out->object;
    out->options = (char *)out->object + shift;
    invar_options_default(out->table, out->object);
    return true;
}

void rate_and_options_free(struct invar_rate_and_options *both)
{
    invar_free(both->table);
    invar_free(both->object);
    *both = (struct invar_rate_and_options){0};
}
