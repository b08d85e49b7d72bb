/* SPDX-License-Identifier: Apache-2.0 */
/* Protocols of papers and of other code as settings of methods; docs/evaluation.md says where every number is from. */
#include "study/study.h"
#include "base/names.h"

/* the test view of most papers on ImageNet: 256 to 224 */
#define PLAIN_256                                                                                                      \
    {                                                                                                                  \
        .resize = 256, .interpolation = INVAR_BICUBIC                                                                  \
    }
#define PLAIN                                                                                                          \
    {                                                                                                                  \
        0                                                                                                              \
    }
#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct study_preset study_presets[] = {
    {"relic", "linear evaluation of ReLIC: Nesterov SGD, 80 epochs, batch 1024, crop and flip, no penalty",
     &study_method_sgd,
     SETTINGS("epochs=80", "batch=1024", "lr=[0.4, 0.3, 0.2, 0.1, 0.05]", "lr_scaling=linear", "l2=0", "momentum=0.9",
              "nesterov=true", "schedule=cosine", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5", "held_out=0.1",
              "choose=held_out", "report=last"),
     PLAIN_256, "the paper gives no rate: the five are those of BYOL's linear evaluation",
     "Mitrovic et al. 2021; Grill et al. 2020"},
    {"relicv2", "linear evaluation of ReLICv2's code: 100 epochs at 0.3, otherwise as relic", &study_method_sgd,
     SETTINGS("epochs=100", "batch=1024", "lr=0.3", "lr_scaling=linear", "l2=0", "momentum=0.9", "nesterov=true",
              "schedule=cosine", "warmup=0", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5", "held_out=0.1",
              "choose=held_out", "report=last"),
     PLAIN_256, "momentum, schedule and views are those of preset relic", "Tomasev et al. 2022, the authors' code"},
    {"solo-learn-online", "solo-learn's online classifier, of a run with classifier.enabled=true", &study_method_online,
     SETTINGS(NULL), PLAIN,
     "the classifier is trained by SGD at classifier.lr, there by the optimiser of the method at that rate; accuracy "
     "is "
     "measured at the end, there after every epoch too",
     "solo-learn: solo/methods/base.py, scripts/pretrain/cifar/simclr.yaml"},
    {"solo-learn-offline", "solo-learn's main_linear: SGD, 100 epochs, a tenth of the rate at 60 and 80",
     &study_method_sgd,
     SETTINGS("epochs=100", "batch=256", "lr=1", "lr_scaling=linear", "l2=0", "momentum=0.9", "nesterov=false",
              "schedule=step", "milestones=[60, 80]", "gamma=0.1", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5",
              "choose=test", "report=last"),
     PLAIN, "the rate is that of simclr, others have their own there (byol 0.3)",
     "solo-learn: main_linear.py, solo/methods/linear.py, solo/args/linear.py, "
     "scripts/linear/imagenet-100/simclr.yaml"},
    {"solo-learn-knn", "the defaults of solo-learn's nearest neighbours: k 20, temperature 0.07",
     &study_method_neighbours, SETTINGS("k=20", "temperature=0.07"), PLAIN,
     "main_knn.py prints a grid of k, temperature, distance and features, from which the reader chooses on the test "
     "split; this is one point of it",
     "solo-learn: main_knn.py, solo/utils/knn.py"},
    {"lightly-knn", "lightly's benchmark: k 200, temperature 0.1", &study_method_neighbours,
     SETTINGS("k=200", "temperature=0.1"), PLAIN, "similarities are of float32 features, there of float16 ones",
     "lightly: benchmarks/imagenet/resnet50/knn_eval.py, lightly/utils/benchmarking/knn.py"},
    {"lightly-linear", "lightly's benchmark: SGD 0.1, 90 epochs, batch 256, crop and flip", &study_method_sgd,
     SETTINGS("epochs=90", "batch=256", "lr=0.1", "lr_scaling=linear", "l2=0", "momentum=0.9", "nesterov=false",
              "schedule=cosine", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5", "choose=test", "report=best"),
     PLAIN, "the batch there is what the machine holds, with the rate in proportion",
     "lightly: benchmarks/imagenet/resnet50/linear_eval.py, lightly/utils/benchmarking/linear_classifier.py"},
    {"lightly-finetune", "lightly's benchmark: all weights by SGD 0.05, 30 epochs, batch 256, crop and flip",
     &study_method_finetune,
     SETTINGS("epochs=30", "minimum_steps=1", "batch=256", "optimiser=sgd", "lr=0.05", "lr_scaling=linear",
              "layer_decay=1", "weight_decay=0", "warmup=0", "augment=crop_flip", "crop=[0.08, 1]", "flip=0.5",
              "looks=30", "patience=0", "head=fresh", "choose=test", "report=best"),
     PLAIN, "the batch there is what the machine holds, with the rate in proportion",
     "lightly: benchmarks/imagenet/resnet50/finetune_eval.py"},
    {0},
};

const struct study_preset *study_preset_find(const char *name, struct invar_error *err)
{
    return names_find(NAMES_ROWS("protocol", study_presets), "preset", name, err);
}

bool invar_probe_describe(struct invar_text *out, struct invar_error *err)
{
    bool ok = invar_text_printf(out, err, "Protocols (preset; KEY=VALUE changes them):\n");

    for (const struct study_preset *p = study_presets; ok && p->name; p++)
        ok = invar_text_printf(out, err, "  %-20s %s\n", p->name, p->help);
    for (const struct study_method_spec *const *m = study_methods; ok && *m; m++)
        if ((*m)->options->name)
            ok = invar_text_printf(out, err, "\nKEY=VALUE of method %s (%s):\n", (*m)->name, (*m)->help) &&
                 invar_options_describe((*m)->options, 2, out, err);
    return ok;
}
