/* SPDX-License-Identifier: Apache-2.0 */
/* invar probe method online: the classifier that was trained beside the encoder, as pretraining left it. */
#include "study/study.h"
#include "invar/expert/file.h"

enum { PATH_SIZE = 4096 };

/* It has no options; a table may not be empty of a struct. */
static const struct invar_option option_table[] = {{0}};

static struct invar_head *read_classifier(const struct invar_run *run, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const int64_t width = invar_run_width(run);
    struct invar_head *head = NULL;
    char path[PATH_SIZE];

    if (!invar_path_join(path, sizeof path, run->folder, "classifier.safetensors", err))
        return NULL;
    if (!invar_path_exists(path)) {
        invar_error_set(err, INVAR_ERROR_USAGE,
                        "%s: there is no such file; the online classifier is trained beside the encoder: "
                        "training with classifier.enabled=true makes it, method sgd trains one afterwards",
                        path);
        return NULL;
    }
    head = invar_head_read(path, err);
    if (head && (invar_net_input(head->net).channels != width || head->options.output != info->classes)) {
        invar_error_set(err, INVAR_ERROR_DATA,
                        "%s: reads %lld numbers and tells %lld classes apart, where the encoder gives "
                        "%lld and %s has %d: expected that of the run, and the data it was trained on",
                        path, (long long)invar_net_input(head->net).channels, (long long)head->options.output,
                        (long long)width, info->source, info->classes);
        invar_head_free(head);
        head = NULL;
    }
    return head;
}

static bool measure(const struct study_subject *subject, const struct study_labels *labels, struct invar_probed *out,
                    struct invar_error *err)
{
    const struct invar_run *run = subject->run;
    const double started = invar_seconds();
    struct invar_head *head = read_classifier(run, err);
    struct invar_accuracy accuracy = {0};
    const bool ok = head && study_accuracy_of(run, run->encoder, head, INVAR_TEST, NULL, 0, &accuracy, err) &&
                    study_put_groups(subject, &accuracy, accuracy.index, out, err);

    (void)labels;
    if (ok) {
        study_put_accuracy(subject, &accuracy, out);
        out->seconds = invar_seconds() - started;
        study_put_data(subject, invar_run_labelled(run->dataset, INVAR_TRAIN),
                       invar_run_labelled(run->dataset, INVAR_TEST), invar_run_width(run), out);
        study_put_classes(subject, out);
        study_put_protocol(subject, NULL, out);
    }
    invar_accuracy_free(&accuracy);
    invar_head_free(head);
    return ok;
}

static const char *const baselines[] = {NULL};
const struct study_method_spec study_method_online = {.name = "online",
                                                      .help =
                                                          "the linear classifier that was trained beside the encoder",
                                                      .options = option_table,
                                                      .baselines = baselines,
                                                      .labels = STUDY_CLASSES,
                                                      .own_labels = true,
                                                      .measure = measure};
