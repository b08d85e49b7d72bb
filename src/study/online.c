/* SPDX-License-Identifier: Apache-2.0 */
/* invar probe method online: the classifier that was trained beside the encoder, as pretraining left it. */
#include "study/study.h"
#include "invar/expert/file.h"

enum { PATH_SIZE = 4096 };

/* It has no options; a table may not be empty of a struct. */
const struct invar_option study_online_option_table[] = {{0}};

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
                        "`invar pretrain` with classifier.enabled=true makes it, method sgd trains one afterwards",
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

cJSON *study_measure_online(const struct invar_run *run, const struct study_settings *settings, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    const double started = invar_seconds();
    struct invar_head *head = read_classifier(run, err);
    struct invar_accuracy accuracy = {0};
    cJSON *object = NULL;

    if (head && study_accuracy_of(run, run->encoder, head, INVAR_TEST, NULL, 0, &accuracy, err)) {
        object = cJSON_CreateObject();
        study_add_accuracy(object, &accuracy);
        cJSON_AddNumberToObject(object, "seconds", invar_seconds() - started);
        run_add_data(info, object);
        cJSON_AddNumberToObject(object, "train_count", (double)invar_run_labelled(run->dataset, INVAR_TRAIN));
        cJSON_AddNumberToObject(object, "test_count", (double)invar_run_labelled(run->dataset, INVAR_TEST));
        cJSON_AddNumberToObject(object, "dimensions", (double)invar_run_width(run));
        if (info->class_names)
            cJSON_AddItemToObject(object, "classes", cJSON_CreateStringArray(info->class_names, info->classes));
        study_add_protocol(object, settings);
        if (!study_add_groups(object, &accuracy, accuracy.index, settings, err)) {
            cJSON_Delete(object);
            object = NULL;
        }
    }
    invar_accuracy_free(&accuracy);
    invar_head_free(head);
    return object;
}
