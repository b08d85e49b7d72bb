/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a probe as text for people. */
#include "cli/probe.h"

#include <math.h>
#include <string.h>

/* How the encoder was trained, where that is part of a result: once, behind all of its results. */
static void print_training(const struct invar_probe_results *results, int64_t i)
{
    const struct invar_probed_training *t = results->item[i].training;
    char seconds[32];

    if (t && (i + 1 == results->count || !results->item[i + 1].training))
        printf("%-20s trained on labels for %lld steps in %s; best of them step %lld, held out %.2f %% of %lld; its "
               "own head %.2f %%\n",
               "", (long long)t->steps, cli_duration(t->seconds, seconds, sizeof seconds), (long long)t->best_step,
               t->held_out_top1, (long long)t->held_out_count, t->head_top1);
}

/* "  best epoch 61: 88.90 % (held out 89.20 %), lr 0.2, l2 0; last 80: 88.70 % ..." */
static void print_state(const char *before, const struct invar_probed_state *state)
{
    const bool epochs = state->epoch >= 0;

    printf("%s %s %lld: %.2f %%", before, epochs ? "epoch" : "step", (long long)(epochs ? state->epoch : state->step),
           state->top1);
    if (!isnan(state->held_out_top1))
        printf(" (held out %.2f %%)", state->held_out_top1);
    if (epochs)
        printf(", lr %g, l2 %g", state->lr, state->l2);
}

static void print_fit(const struct invar_probed *p)
{
    char seconds[32];

    if (p->top1_by_draw.value) {
        printf("  mean of %lld draws of %lld labels", (long long)p->top1_by_draw.count, (long long)p->train_count);
    } else if (p->last) {
        print_state("  best", p->best);
        print_state("; last", p->last);
    } else if (p->top1_by_k.item) {
        for (int64_t i = 0; i < p->top1_by_k.count; i++)
            printf("  k %s: %.2f %%", p->top1_by_k.item[i].name, p->top1_by_k.item[i].value);
    } else if (isnan(p->l2)) {
        printf("%s", strcmp(p->protocol->method, "online") == 0 ? "  trained beside the encoder" : "");
    } else {
        printf("  l2 %g", p->l2);
        if (!isnan(p->held_out_top1))
            printf(" (held out %.2f %%)", p->held_out_top1);
        printf("  gradient %.1e, %s", p->gradient_norm, p->converged == 1 ? "converged" : "NOT CONVERGED");
    }
    printf("  %s\n", cli_duration(p->seconds, seconds, sizeof seconds));
}

static void print_classes(const struct invar_probe_results *results, const struct invar_dataset_info *info)
{
    printf("\n%-24s", "per class, %");
    for (int64_t i = 0; i < results->count; i++) {
        const char *name = results->item[i].name, *baseline = strrchr(name, '_');
        if (results->item[i].per_class.value)
            printf(" %12.12s", baseline ? baseline + 1 : name);
    }
    printf("\n");
    for (int c = 0; c < info->classes; c++) {
        char name[32];
        snprintf(name, sizeof name, "%d", c);
        printf("%-24.24s", info->class_names ? info->class_names[c] : name);
        for (int64_t i = 0; i < results->count; i++)
            if (c < results->item[i].per_class.count)
                printf(" %12.2f", results->item[i].per_class.value[c]);
        printf("\n");
    }
}

static void print_fraction(double value)
{
    if (isnan(value))
        printf(" %9s", "none");
    else
        printf(" %9.4f", value);
}

/* What top-1 does not say: of classes of different size, and of probabilities. */
static void print_measures(const struct invar_probe_results *results)
{
    const char *absent = NULL;

    printf("\n%-20s %9s %9s %9s %9s\n", "fractions", "balanced", "macro F1", "AUROC", "ECE");
    for (int64_t i = 0; i < results->count; i++) {
        const struct invar_probed *p = &results->item[i];
        printf("%-20s", p->name);
        print_fraction(p->balanced_accuracy);
        print_fraction(p->macro_f1);
        print_fraction(p->auroc);
        print_fraction(p->ece);
        printf("\n");
        if (!absent)
            absent = p->auroc_absent;
    }
    if (absent)
        printf("no AUROC: %s\n", absent);
}

static bool any_by_class(const struct invar_probe_results *results)
{
    for (int64_t i = 0; i < results->count; i++)
        if (results->item[i].per_class.value)
            return true;
    return false;
}

/* What is needed to repeat a result, and to know what it is worth; of the first one, whose settings are those of all.
 */
static void print_protocol(const struct invar_probed_protocol *protocol)
{
    const struct invar_named_texts *options = &protocol->options;
    int column = printf("protocol: %s%s%s%s", protocol->method, protocol->preset ? ", preset " : "",
                        protocol->preset ? protocol->preset : "", options->count ? ":" : "");

    for (int64_t i = 0; i < options->count; i++) {
        const char *name = options->item[i].name, *value = options->item[i].text;
        if (column + (int)(strlen(name) + strlen(value) + 2) > 118)
            column = printf("\n   ") - 1;
        column += printf(" %s %s%s", name, value, i + 1 < options->count ? "," : "");
    }
    printf("\nchosen on %s\n", protocol->chosen_on);
    if (protocol->plain)
        printf("images are seen as %s\n", protocol->plain);
    if (protocol->differs)
        printf("not as in %s: %s\n", protocol->source, protocol->differs);
}

/* Where it was measured on other data: once, behind all of the results. */
static void print_test(const struct invar_probed_test *test)
{
    if (!test)
        return;
    printf("\nmeasured on %s (%s): %lld samples", test->source,
           strcmp(test->split, "test") == 0 ? "its test split" : "all of it", (long long)test->samples);
    if (test->dropped > 0)
        printf(", %lld of other classes dropped", (long long)test->dropped);
    if (test->compete && strcmp(test->compete, "test") == 0)
        printf("; its classes alone compete");
    printf("\n");
    for (int64_t i = 0; i < test->mapping.count; i++)
        printf("  %s -> %s\n", test->mapping.item[i].name, test->mapping.item[i].text);
    for (int64_t i = 0; i < test->dropped_classes.count; i++)
        printf("  %s -> dropped\n", test->dropped_classes.text[i]);
}

static void print_head(const struct invar_probed *p, const struct invar_dataset_info *info, const char *label,
                       const char *hold_out)
{
    printf("%s: %lld training and %lld test samples ", info->source,
           (long long)(p->drawn_from >= 0 ? p->drawn_from : p->train_count), (long long)p->test_count);
    if (info->label_number)
        printf("whose label %s is a number\n", label ? label : info->table ? info->table->label : "");
    else
        printf("of %d classes\n", info->classes);
    if (label)
        printf("label: %s\n", label);
    if (hold_out)
        printf("held out: fitted without %s, measured on it\n", hold_out);
    print_protocol(p->protocol);
    printf("\n");
}

static void print_accuracies(const struct invar_probe_results *results, const struct invar_dataset_info *info)
{
    printf("%-20s %8s %18s %8s %6s\n", "", "top-1 %", "95 % interval", "top-5 %", "dim");
    for (int64_t i = 0; i < results->count; i++) {
        const struct invar_probed *p = &results->item[i];
        printf("%-20s %8.2f", p->name, p->top1);
        if (isnan(p->interval[0]))
            printf(" %18s", "none");
        else
            printf(" %8.2f - %7.2f", p->interval[0], p->interval[1]);
        if (isnan(p->top5))
            printf(" %8s", "");
        else
            printf(" %8.2f", p->top5);
        printf(" %6lld", (long long)p->dimensions);
        print_fit(p);
        print_training(results, i);
    }
    print_measures(results);
    probe_print_groups(results);
    if (info->classes <= 100 && any_by_class(results))
        print_classes(results, info);
}

void probe_print(const struct invar_probe_results *results, const struct invar_run *run, const char *label,
                 const char *hold_out)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);

    print_head(results->item, info, label, hold_out);
    if (info->label_number)
        probe_print_numbers(results);
    else
        print_accuracies(results, info);
    print_test(results->item->test);
}
