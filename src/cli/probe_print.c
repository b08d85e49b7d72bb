/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a probe as text for people. */
#include "cli/probe.h"
#include "base/json.h"
#include "run/results.h"

#include <string.h>

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* How the encoder was trained, where that is part of a result: once, behind all of its results. */
static void print_training(const cJSON *result)
{
    const cJSON *training = cJSON_GetObjectItemCaseSensitive(result, "training");
    char seconds[32];
    if (training && (!result->next || !cJSON_GetObjectItemCaseSensitive(result->next, "training")))
        printf("%-20s trained on labels for %.0f steps in %s; best of them step %.0f, held out %.2f %% of %.0f; its "
               "own head %.2f %%\n",
               "", number(training, "steps"), cli_duration(number(training, "seconds"), seconds, sizeof seconds),
               number(training, "best_step"), number(training, "held_out_top1"), number(training, "held_out_count"),
               number(training, "head_top1"));
}

/* "  best epoch 61: 88.90 % (held out 89.20 %), lr 0.2, l2 0; last 80: 88.70 % ..." */
static void print_states(const cJSON *result)
{
    static const char *const names[] = {"best", "last"};

    for (int i = 0; i < 2; i++) {
        const cJSON *state = cJSON_GetObjectItemCaseSensitive(result, names[i]);
        const bool epochs = cJSON_GetObjectItemCaseSensitive(state, "epoch");
        printf("%s %s %s %.0f: %.2f %%", i ? ";" : " ", names[i], epochs ? "epoch" : "step",
               number(state, epochs ? "epoch" : "step"), number(state, "top1"));
        if (cJSON_GetObjectItemCaseSensitive(state, "held_out_top1"))
            printf(" (held out %.2f %%)", number(state, "held_out_top1"));
        if (epochs)
            printf(", lr %g, l2 %g", number(state, "lr"), number(state, "l2"));
    }
}

static void print_fit(const cJSON *result)
{
    const cJSON *by_k = cJSON_GetObjectItemCaseSensitive(result, "top1_by_k"), *item;
    const cJSON *draws = cJSON_GetObjectItemCaseSensitive(result, "top1_by_draw");
    char seconds[32];
    if (draws) {
        printf("  mean of %d draws of %.0f labels", cJSON_GetArraySize(draws), number(result, "train_count"));
    } else if (cJSON_GetObjectItemCaseSensitive(result, "last")) {
        print_states(result);
    } else if (!cJSON_GetObjectItemCaseSensitive(result, "l2") && !by_k) {
        printf("  trained beside the encoder");
    } else if (by_k) {
        cJSON_ArrayForEach(item, by_k) printf("  k %s: %.2f %%", item->string, item->valuedouble);
    } else {
        bool converged = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "converged"));
        printf("  l2 %g", number(result, "l2"));
        if (cJSON_GetObjectItemCaseSensitive(result, "held_out_top1"))
            printf(" (held out %.2f %%)", number(result, "held_out_top1"));
        printf("  gradient %.1e, %s", number(result, "gradient_norm"), converged ? "converged" : "NOT CONVERGED");
    }
    printf("  %s\n", cli_duration(number(result, "seconds"), seconds, sizeof seconds));
}

static void print_classes(const cJSON *results, const struct invar_dataset_info *info)
{
    const cJSON *result;
    printf("\n%-24s", "per class, %");
    cJSON_ArrayForEach(result, results) if (cJSON_GetObjectItemCaseSensitive(result, "per_class"))
    {
        const char *baseline = strrchr(result->string, '_');
        printf(" %12.12s", baseline ? baseline + 1 : result->string);
    }
    printf("\n");
    for (int c = 0; c < info->classes; c++) {
        char name[32];
        snprintf(name, sizeof name, "%d", c);
        printf("%-24.24s", info->class_names ? info->class_names[c] : name);
        cJSON_ArrayForEach(result, results)
        {
            const cJSON *value = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(result, "per_class"), c);
            if (value)
                printf(" %12.2f", value->valuedouble);
        }
        printf("\n");
    }
}

static void print_interval(const cJSON *result)
{
    const cJSON *interval = cJSON_GetObjectItemCaseSensitive(result, "interval");
    const cJSON *low = cJSON_GetArrayItem(interval, 0), *high = cJSON_GetArrayItem(interval, 1);

    if (low && high)
        printf(" %8.2f - %7.2f", low->valuedouble, high->valuedouble);
    else
        printf(" %18s", "none");
}

static void print_fraction(const cJSON *result, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(result, name);

    if (cJSON_IsNumber(value))
        printf(" %9.4f", value->valuedouble);
    else
        printf(" %9s", "none");
}

/* What top-1 does not say: of classes of different size, and of probabilities. */
static void print_measures(const cJSON *results)
{
    static const char *const names[] = {"balanced_accuracy", "macro_f1", "auroc", "ece"};
    const cJSON *result, *absent = NULL;

    printf("\n%-20s %9s %9s %9s %9s\n", "fractions", "balanced", "macro F1", "AUROC", "ECE");
    cJSON_ArrayForEach(result, results)
    {
        printf("%-20s", result->string);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            print_fraction(result, names[i]);
        printf("\n");
        if (!absent)
            absent = cJSON_GetObjectItemCaseSensitive(result, "auroc_absent");
    }
    if (absent)
        printf("no AUROC: %s\n", absent->valuestring);
}

static bool any_by_class(const cJSON *results)
{
    const cJSON *result;

    cJSON_ArrayForEach(result, results) if (cJSON_GetObjectItemCaseSensitive(result, "per_class")) return true;
    return false;
}

/* What is needed to repeat a result, and to know what it is worth; of the first one, whose settings are those of all.
 */
static void print_protocol(const cJSON *result)
{
    const cJSON *protocol = cJSON_GetObjectItemCaseSensitive(result, "protocol");
    const cJSON *preset = cJSON_GetObjectItemCaseSensitive(protocol, "preset");
    const cJSON *differs = cJSON_GetObjectItemCaseSensitive(protocol, "differs"), *option;
    const cJSON *options = cJSON_GetObjectItemCaseSensitive(protocol, "options");
    int column = printf("protocol: %s%s%s%s", cJSON_GetObjectItemCaseSensitive(protocol, "method")->valuestring,
                        preset ? ", preset " : "", preset ? preset->valuestring : "", options->child ? ":" : "");

    cJSON_ArrayForEach(option, options)
    {
        char *value = json_print(option, false, option->string, NULL);
        const int width = (int)(strlen(option->string) + strlen(value ? value : "?") + 2);
        if (column + width > 118)
            column = printf("\n   ") - 1;
        column += printf(" %s %s%s", option->string, value ? value : "?", option->next ? "," : "");
        cJSON_free(value);
    }
    printf("\nchosen on %s\n", cJSON_GetObjectItemCaseSensitive(protocol, "chosen_on")->valuestring);
    if (differs)
        printf("not as in %s: %s\n", cJSON_GetObjectItemCaseSensitive(protocol, "source")->valuestring,
               differs->valuestring);
}

/* Where it was measured on other data: once, behind all of the results. */
static void print_test(const cJSON *result)
{
    const cJSON *test = cJSON_GetObjectItemCaseSensitive(result, "test"), *item;

    if (!test)
        return;
    printf("\nmeasured on %s (%s): %.0f samples", cJSON_GetObjectItemCaseSensitive(test, "source")->valuestring,
           strcmp(cJSON_GetObjectItemCaseSensitive(test, "split")->valuestring, "test") == 0 ? "its test split"
                                                                                             : "all of it",
           number(test, "samples"));
    if (number(test, "dropped") > 0)
        printf(", %.0f of other classes dropped", number(test, "dropped"));
    printf("\n");
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(test, "mapping"))
        printf("  %s -> %s\n", item->string, item->valuestring);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(test, "dropped_classes"))
        printf("  %s -> dropped\n", item->valuestring);
}

static void print_head(const cJSON *result, const struct invar_dataset_info *info, const char *label,
                       const char *hold_out)
{
    const char *all = cJSON_GetObjectItemCaseSensitive(result, "drawn_from") ? "drawn_from" : "train_count";

    printf("%s: %.0f training and %.0f test samples ", info->source, number(result, all), number(result, "test_count"));
    if (info->label_number)
        printf("whose label %s is a number\n", label ? label : info->table ? info->table->label : "");
    else
        printf("of %d classes\n", info->classes);
    if (label)
        printf("label: %s\n", label);
    if (hold_out)
        printf("held out: fitted without %s, measured on it\n", hold_out);
    print_protocol(result);
    printf("\n");
}

static void print_accuracies(const cJSON *results, const struct invar_dataset_info *info)
{
    const cJSON *result;

    printf("%-20s %8s %18s %8s %6s\n", "", "top-1 %", "95 % interval", "top-5 %", "dim");
    cJSON_ArrayForEach(result, results)
    {
        const bool top5 = cJSON_GetObjectItemCaseSensitive(result, "top5");
        printf("%-20s %8.2f", result->string, number(result, "top1"));
        print_interval(result);
        if (top5)
            printf(" %8.2f", number(result, "top5"));
        else
            printf(" %8s", "");
        printf(" %6.0f", number(result, "dimensions"));
        print_fit(result);
        print_training(result);
    }
    print_measures(results);
    probe_print_groups(results);
    if (info->classes <= 100 && any_by_class(results))
        print_classes(results, info);
}

void probe_print(const struct invar_results *results, const struct invar_run *run, const char *label,
                 const char *hold_out)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);

    print_head(results->root->child, info, label, hold_out);
    if (info->label_number)
        probe_print_numbers(results->root);
    else
        print_accuracies(results->root, info);
    print_test(results->root->child);
}
