/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of `invar probe`, and protocols of papers and of other code as settings of them; docs/evaluation.md says
 * where every number is from. */
#include "cli/probe.h"

#include <stddef.h>
#include <string.h>

static const char *const all_baselines[] = {"random", "input", "supervised", NULL};
static const char *const encoders[] = {"random", "supervised", NULL};
static const char *const untrained_or_input[] = {"random", "input", NULL};
static const char *const untrained[] = {"random", NULL};
static const char *const none[] = {NULL};

const struct probe_method_spec probe_methods[PROBE_METHODS] = {
    [PROBE_LINEAR] = {"linear", "logistic regression, fitted until it converges", invar_probe_option_table,
                      offsetof(struct probe_settings, linear), all_baselines, true},
    [PROBE_RIDGE] = {"ridge", "of labels that are numbers, where it is what linear means: ridge regression",
                     invar_ridge_option_table, offsetof(struct probe_settings, ridge), untrained_or_input, true},
    [PROBE_NEIGHBOURS] = {"neighbours", "nearest neighbours by cosine similarity", invar_neighbours_option_table,
                          offsetof(struct probe_settings, knn), all_baselines, false},
    [PROBE_SGD] = {"sgd", "a linear classifier by SGD on views drawn anew every epoch, as in papers",
                   invar_sgd_probe_option_table, offsetof(struct probe_settings, sgd), encoders, false},
    [PROBE_FINETUNE] = {"finetune", "encoder and a linear head trained on the labels", probe_finetune_option_table,
                        offsetof(struct probe_settings, finetune), untrained, true},
    [PROBE_ONLINE] = {"online", "the linear classifier that was trained beside the encoder", probe_online_option_table,
                      0, none, false},
};

const struct probe_method_spec *probe_method_find(const char *name)
{
    for (int i = 0; i < PROBE_METHODS; i++)
        if (strcmp(probe_methods[i].name, name) == 0)
            return &probe_methods[i];
    return NULL;
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct probe_preset probe_presets[] = {
    {"relic", "linear evaluation of ReLIC: Nesterov SGD, 80 epochs, batch 1024, crop and flip, no penalty", PROBE_SGD,
     SETTINGS("epochs=80", "batch=1024", "lr=[0.4, 0.3, 0.2, 0.1, 0.05]", "lr_scaling=linear", "l2=0", "momentum=0.9",
              "nesterov=true", "schedule=cosine", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5", "held_out=0.1",
              "choose=held_out", "report=last"),
     "the five rates are those of BYOL's linear evaluation", "Mitrovic et al. 2021; Grill et al. 2020"},
    {"solo-learn-online", "solo-learn's online classifier, of a run with classifier.enabled=true", PROBE_ONLINE,
     SETTINGS(NULL),
     "the classifier is trained by SGD at classifier.lr, there by the optimiser of the method at that rate; accuracy "
     "is "
     "measured at the end, there after every epoch too",
     "solo-learn: solo/methods/base.py, scripts/pretrain/cifar/simclr.yaml"},
    {"solo-learn-offline", "solo-learn's main_linear: SGD, 100 epochs, a tenth of the rate at 60 and 80", PROBE_SGD,
     SETTINGS("epochs=100", "batch=256", "lr=1", "lr_scaling=linear", "l2=0", "momentum=0.9", "nesterov=false",
              "schedule=step", "milestones=[60, 80]", "gamma=0.1", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5",
              "choose=test", "report=last"),
     "the rate is that of simclr, others have their own there (byol 0.3)",
     "solo-learn: main_linear.py, solo/methods/linear.py, solo/args/linear.py, "
     "scripts/linear/imagenet-100/simclr.yaml"},
    {"solo-learn-knn", "the defaults of solo-learn's nearest neighbours: k 20, temperature 0.07", PROBE_NEIGHBOURS,
     SETTINGS("k=20", "temperature=0.07"),
     "main_knn.py prints a grid of k, temperature, distance and features, from which the reader chooses on the test "
     "split; this is one point of it",
     "solo-learn: main_knn.py, solo/utils/knn.py"},
    {"lightly-knn", "lightly's benchmark: k 200, temperature 0.1", PROBE_NEIGHBOURS,
     SETTINGS("k=200", "temperature=0.1"), "similarities are of float32 features, there of float16 ones",
     "lightly: benchmarks/imagenet/resnet50/knn_eval.py, lightly/utils/benchmarking/knn.py"},
    {"lightly-linear", "lightly's benchmark: SGD 0.1, 90 epochs, batch 256, crop and flip", PROBE_SGD,
     SETTINGS("epochs=90", "batch=256", "lr=0.1", "lr_scaling=linear", "l2=0", "momentum=0.9", "nesterov=false",
              "schedule=cosine", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5", "choose=test", "report=best"),
     "the batch there is what the machine holds, with the rate in proportion",
     "lightly: benchmarks/imagenet/resnet50/linear_eval.py, lightly/utils/benchmarking/linear_classifier.py"},
    {"lightly-finetune", "lightly's benchmark: all weights by SGD 0.05, 30 epochs, batch 256, crop and flip",
     PROBE_FINETUNE,
     SETTINGS("epochs=30", "minimum_steps=1", "batch=256", "optimiser=sgd", "lr=0.05", "lr_scaling=linear",
              "layer_decay=1", "weight_decay=0", "warmup=0", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5",
              "looks=30", "patience=0", "head=fresh", "choose=test", "report=best"),
     "the batch there is what the machine holds, with the rate in proportion",
     "lightly: benchmarks/imagenet/resnet50/finetune_eval.py"},
    {0},
};

const struct probe_preset *probe_preset_find(const char *name, struct invar_error *err)
{
    const char *names[sizeof probe_presets / sizeof *probe_presets] = {0};
    const char *near;
    int count = 0;

    for (const struct probe_preset *p = probe_presets; p->name; p++) {
        if (strcmp(p->name, name) == 0)
            return p;
        names[count++] = p->name;
    }
    near = invar_nearest_name(name, names);
    invar_error_set(err, INVAR_ERROR_USAGE,
                    "--preset: there is no protocol \"%s\"%s%s%s; `invar probe --help` lists them", name,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"" : "");
    return NULL;
}

void probe_print_tables(FILE *stream)
{
    struct invar_text text = {0};

    fprintf(stream, "Protocols (--preset; KEY=VALUE changes them):\n");
    for (const struct probe_preset *p = probe_presets; p->name; p++)
        fprintf(stream, "  %-20s %s\n", p->name, p->help);
    for (int i = 0; i < PROBE_METHODS; i++) {
        text.size = 0;
        if (probe_methods[i].options->name && invar_options_describe(probe_methods[i].options, 2, &text, NULL))
            fprintf(stream, "\nKEY=VALUE of --method %s (%s):\n%s", probe_methods[i].name, probe_methods[i].help,
                    text.data);
    }
    invar_text_free(&text);
}

bool probe_check_features(const struct cli_features *features, const char *misfit, struct invar_error *err)
{
    if (misfit)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "%s is for runs: %s holds features, which linear probes, ridge regression and neighbours "
            "are for",
            misfit, features->file);
    if (!features->labels)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: whose labels? --labels FILE.npy or --labels FILE.csv says, one for every row",
                               features->file);
    return !features->test || features->test_labels ||
           invar_error_set(err, INVAR_ERROR_USAGE, "--test %s: whose labels? --test-labels FILE says", features->test);
}
