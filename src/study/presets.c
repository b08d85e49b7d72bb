/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of `invar probe`, and protocols of papers and of other code as settings of them; docs/evaluation.md says
 * where every number is from. */
#include "study/study.h"

#include <stddef.h>
#include <string.h>

static const char *const all_baselines[] = {"random", "input", "supervised", NULL};
static const char *const encoders[] = {"random", "supervised", NULL};
static const char *const untrained_or_input[] = {"random", "input", NULL};
static const char *const untrained[] = {"random", NULL};
static const char *const none[] = {NULL};

const struct study_method_spec study_methods[STUDY_METHODS] = {
    [STUDY_LINEAR] = {"linear", "logistic regression, fitted until it converges", invar_probe_option_table,
                      offsetof(struct study_settings, linear), all_baselines, true},
    [STUDY_RIDGE] = {"ridge", "of labels that are numbers, where it is what linear means: ridge regression",
                     invar_ridge_option_table, offsetof(struct study_settings, ridge), untrained_or_input, true},
    [STUDY_NEIGHBOURS] = {"neighbours", "nearest neighbours by cosine similarity", invar_neighbours_option_table,
                          offsetof(struct study_settings, knn), all_baselines, false},
    [STUDY_SGD] = {"sgd", "a linear classifier by SGD on views drawn anew every epoch, as in papers",
                   invar_sgd_probe_option_table, offsetof(struct study_settings, sgd), encoders, false},
    [STUDY_FINETUNE] = {"finetune", "encoder and a linear head trained on the labels", study_finetune_option_table,
                        offsetof(struct study_settings, finetune), untrained, true},
    [STUDY_ONLINE] = {"online", "the linear classifier that was trained beside the encoder", study_online_option_table,
                      0, none, false},
};

const struct study_method_spec *study_method_find(const char *name)
{
    for (int i = 0; i < STUDY_METHODS; i++)
        if (strcmp(study_methods[i].name, name) == 0)
            return &study_methods[i];
    return NULL;
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct study_preset study_presets[] = {
    {"relic", "linear evaluation of ReLIC: Nesterov SGD, 80 epochs, batch 1024, crop and flip, no penalty", STUDY_SGD,
     SETTINGS("epochs=80", "batch=1024", "lr=[0.4, 0.3, 0.2, 0.1, 0.05]", "lr_scaling=linear", "l2=0", "momentum=0.9",
              "nesterov=true", "schedule=cosine", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5", "held_out=0.1",
              "choose=held_out", "report=last"),
     "the five rates are those of BYOL's linear evaluation", "Mitrovic et al. 2021; Grill et al. 2020"},
    {"solo-learn-online", "solo-learn's online classifier, of a run with classifier.enabled=true", STUDY_ONLINE,
     SETTINGS(NULL),
     "the classifier is trained by SGD at classifier.lr, there by the optimiser of the method at that rate; accuracy "
     "is "
     "measured at the end, there after every epoch too",
     "solo-learn: solo/methods/base.py, scripts/pretrain/cifar/simclr.yaml"},
    {"solo-learn-offline", "solo-learn's main_linear: SGD, 100 epochs, a tenth of the rate at 60 and 80", STUDY_SGD,
     SETTINGS("epochs=100", "batch=256", "lr=1", "lr_scaling=linear", "l2=0", "momentum=0.9", "nesterov=false",
              "schedule=step", "milestones=[60, 80]", "gamma=0.1", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5",
              "choose=test", "report=last"),
     "the rate is that of simclr, others have their own there (byol 0.3)",
     "solo-learn: main_linear.py, solo/methods/linear.py, solo/args/linear.py, "
     "scripts/linear/imagenet-100/simclr.yaml"},
    {"solo-learn-knn", "the defaults of solo-learn's nearest neighbours: k 20, temperature 0.07", STUDY_NEIGHBOURS,
     SETTINGS("k=20", "temperature=0.07"),
     "main_knn.py prints a grid of k, temperature, distance and features, from which the reader chooses on the test "
     "split; this is one point of it",
     "solo-learn: main_knn.py, solo/utils/knn.py"},
    {"lightly-knn", "lightly's benchmark: k 200, temperature 0.1", STUDY_NEIGHBOURS,
     SETTINGS("k=200", "temperature=0.1"), "similarities are of float32 features, there of float16 ones",
     "lightly: benchmarks/imagenet/resnet50/knn_eval.py, lightly/utils/benchmarking/knn.py"},
    {"lightly-linear", "lightly's benchmark: SGD 0.1, 90 epochs, batch 256, crop and flip", STUDY_SGD,
     SETTINGS("epochs=90", "batch=256", "lr=0.1", "lr_scaling=linear", "l2=0", "momentum=0.9", "nesterov=false",
              "schedule=cosine", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5", "choose=test", "report=best"),
     "the batch there is what the machine holds, with the rate in proportion",
     "lightly: benchmarks/imagenet/resnet50/linear_eval.py, lightly/utils/benchmarking/linear_classifier.py"},
    {"lightly-finetune", "lightly's benchmark: all weights by SGD 0.05, 30 epochs, batch 256, crop and flip",
     STUDY_FINETUNE,
     SETTINGS("epochs=30", "minimum_steps=1", "batch=256", "optimiser=sgd", "lr=0.05", "lr_scaling=linear",
              "layer_decay=1", "weight_decay=0", "warmup=0", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5",
              "looks=30", "patience=0", "head=fresh", "choose=test", "report=best"),
     "the batch there is what the machine holds, with the rate in proportion",
     "lightly: benchmarks/imagenet/resnet50/finetune_eval.py"},
    {0},
};

const struct study_preset *study_preset_find(const char *name, struct invar_error *err)
{
    const char *names[sizeof study_presets / sizeof *study_presets] = {0};
    const char *near;
    int count = 0;

    for (const struct study_preset *p = study_presets; p->name; p++) {
        if (strcmp(p->name, name) == 0)
            return p;
        names[count++] = p->name;
    }
    near = invar_nearest_name(name, names);
    invar_error_set(err, INVAR_ERROR_USAGE,
                    "preset: there is no protocol \"%s\"%s%s%s; `invar probe --help` lists them", name,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"" : "");
    return NULL;
}

bool invar_probe_describe(struct invar_text *out, struct invar_error *err)
{
    bool ok = invar_text_printf(out, err, "Protocols (--preset; KEY=VALUE changes them):\n");

    for (const struct study_preset *p = study_presets; ok && p->name; p++)
        ok = invar_text_printf(out, err, "  %-20s %s\n", p->name, p->help);
    for (int i = 0; ok && i < STUDY_METHODS; i++)
        if (study_methods[i].options->name)
            ok = invar_text_printf(out, err, "\nKEY=VALUE of --method %s (%s):\n", study_methods[i].name,
                                   study_methods[i].help) &&
                 invar_options_describe(study_methods[i].options, 2, out, err);
    return ok;
}
