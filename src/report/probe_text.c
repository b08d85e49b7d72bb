/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a probe as text for people. */
#include "base/human.h"
#include "report/text.h"

#include <math.h>
#include <string.h>

/* How the encoder was trained, where that is part of a result: once, behind all of its results. */
static void print_training(FILE *out, const struct invar_probe_results *results, int64_t i)
{
    const struct invar_probed_training *t = results->item[i].training;
    char seconds[32], head[64] = "";

    if (t && !isnan(t->head_top1))
        snprintf(head, sizeof head, "; its own head %.2f %%", t->head_top1);
    if (t && (i + 1 == results->count || !results->item[i + 1].training))
        fprintf(out,
                "%-20s trained on labels for %lld steps in %s; best of them step %lld, held out %.2f %% of %lld%s\n",
                "", (long long)t->steps, human_duration(t->seconds, seconds, sizeof seconds), (long long)t->best_step,
                t->held_out_top1, (long long)t->held_out_count, head);
}

/* "  best epoch 61: 88.90 % (held out 89.20 %), lr 0.2, l2 0; last 80: 88.70 % ..." */
static void print_state(FILE *out, const char *before, const struct invar_probed_state *state)
{
    const bool epochs = state->epoch >= 0;

    fprintf(out, "%s %s %lld: %.2f %%", before, epochs ? "epoch" : "step",
            (long long)(epochs ? state->epoch : state->step), state->top1);
    if (!isnan(state->held_out_top1))
        fprintf(out, " (held out %.2f %%)", state->held_out_top1);
    if (epochs)
        fprintf(out, ", lr %g, l2 %g", state->lr, state->l2);
}

static void print_fit(FILE *out, const struct invar_probed *p)
{
    char seconds[32];

    if (p->top1_by_draw.value) {
        fprintf(out, "  mean of %lld draws of %lld labels", (long long)p->top1_by_draw.count,
                (long long)p->train_count);
    } else if (p->last) {
        print_state(out, "  best", p->best);
        print_state(out, "; last", p->last);
    } else if (p->top1_by_k.item) {
        for (int64_t i = 0; i < p->top1_by_k.count; i++)
            fprintf(out, "  k %s: %.2f %%", p->top1_by_k.item[i].name, p->top1_by_k.item[i].value);
    } else if (isnan(p->l2)) {
        fprintf(out, "%s", strcmp(p->protocol->method, "online") == 0 ? "  trained beside the encoder" : "");
    } else {
        fprintf(out, "  l2 %g", p->l2);
        if (!isnan(p->held_out_top1))
            fprintf(out, " (held out %.2f %%)", p->held_out_top1);
        fprintf(out, "  gradient %.1e, %s", p->gradient_norm, p->converged == 1 ? "converged" : "NOT CONVERGED");
    }
    fprintf(out, "  %s\n", human_duration(p->seconds, seconds, sizeof seconds));
}

static void print_classes(FILE *out, const struct invar_probe_results *results, const struct invar_dataset_info *info)
{
    fprintf(out, "\n%-24s", "per class, %");
    for (int64_t i = 0; i < results->count; i++) {
        const char *name = results->item[i].name, *baseline = strrchr(name, '_');
        if (results->item[i].per_class.value)
            fprintf(out, " %12.12s", baseline ? baseline + 1 : name);
    }
    fprintf(out, "\n");
    for (int c = 0; c < info->classes; c++) {
        char name[32];
        snprintf(name, sizeof name, "%d", c);
        fprintf(out, "%-24.24s", info->class_names ? info->class_names[c] : name);
        for (int64_t i = 0; i < results->count; i++)
            if (c < results->item[i].per_class.count)
                fprintf(out, " %12.2f", results->item[i].per_class.value[c]);
        fprintf(out, "\n");
    }
}

static void print_fraction(FILE *out, double value)
{
    if (isnan(value))
        fprintf(out, " %9s", "none");
    else
        fprintf(out, " %9.4f", value);
}

/* What top-1 does not say: of classes of different size, and of probabilities. */
static void print_measures(FILE *out, const struct invar_probe_results *results)
{
    const char *absent = NULL;

    fprintf(out, "\n%-20s %9s %9s %9s %9s\n", "fractions", "balanced", "macro F1", "AUROC", "ECE");
    for (int64_t i = 0; i < results->count; i++) {
        const struct invar_probed *p = &results->item[i];
        fprintf(out, "%-20s", p->name);
        print_fraction(out, p->balanced_accuracy);
        print_fraction(out, p->macro_f1);
        print_fraction(out, p->auroc);
        print_fraction(out, p->ece);
        fprintf(out, "\n");
        if (!absent)
            absent = p->auroc_absent;
    }
    if (absent)
        fprintf(out, "no AUROC: %s\n", absent);
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
static void print_protocol(FILE *out, const struct invar_probed_protocol *protocol)
{
    const struct invar_named_texts *options = &protocol->options;
    int column = fprintf(out, "protocol: %s%s%s%s", protocol->method, protocol->preset ? ", preset " : "",
                         protocol->preset ? protocol->preset : "", options->count ? ":" : "");

    for (int64_t i = 0; i < options->count; i++) {
        const char *name = options->item[i].name, *value = options->item[i].text;
        if (column + (int)(strlen(name) + strlen(value) + 2) > 118)
            column = fprintf(out, "\n   ") - 1;
        column += fprintf(out, " %s %s%s", name, value, i + 1 < options->count ? "," : "");
    }
    fprintf(out, "\nchosen on %s\n", protocol->chosen_on);
    if (protocol->plain)
        fprintf(out, "images are seen as %s\n", protocol->plain);
    if (protocol->differs)
        fprintf(out, "not as in %s: %s\n", protocol->source, protocol->differs);
}

/* Where it was measured on other data: once, behind all of the results. */
static void print_test(FILE *out, const struct invar_probed_test *test)
{
    if (!test)
        return;
    fprintf(out, "\nmeasured on %s (%s): %lld samples", test->source,
            strcmp(test->split, "test") == 0 ? "its test split" : "all of it", (long long)test->samples);
    if (test->dropped > 0)
        fprintf(out, ", %lld of other classes dropped", (long long)test->dropped);
    if (test->compete && strcmp(test->compete, "test") == 0)
        fprintf(out, "; its classes alone compete");
    fprintf(out, "\n");
    for (int64_t i = 0; i < test->mapping.count; i++)
        fprintf(out, "  %s -> %s\n", test->mapping.item[i].name, test->mapping.item[i].text);
    for (int64_t i = 0; i < test->dropped_classes.count; i++)
        fprintf(out, "  %s -> dropped\n", test->dropped_classes.text[i]);
}

static void print_head(FILE *out, const struct invar_probed *p, const struct invar_dataset_info *info,
                       const char *label, const char *hold_out)
{
    fprintf(out, "%s: %lld training and %lld test samples ", info->source,
            (long long)(p->drawn_from >= 0 ? p->drawn_from : p->train_count), (long long)p->test_count);
    if (info->label_number)
        fprintf(out, "whose label %s is a number\n", label ? label : info->table ? info->table->label : "");
    else
        fprintf(out, "of %d classes\n", info->classes);
    if (label)
        fprintf(out, "label: %s\n", label);
    if (hold_out)
        fprintf(out, "held out: fitted without %s, measured on it\n", hold_out);
    print_protocol(out, p->protocol);
    fprintf(out, "\n");
}

static void print_accuracies(FILE *out, const struct invar_probe_results *results,
                             const struct invar_dataset_info *info)
{
    fprintf(out, "%-20s %8s %18s %8s %6s\n", "", "top-1 %", "95 % interval", "top-5 %", "dim");
    for (int64_t i = 0; i < results->count; i++) {
        const struct invar_probed *p = &results->item[i];
        fprintf(out, "%-20s %8.2f", p->name, p->top1);
        if (isnan(p->interval[0]))
            fprintf(out, " %18s", "none");
        else
            fprintf(out, " %8.2f - %7.2f", p->interval[0], p->interval[1]);
        if (isnan(p->top5))
            fprintf(out, " %8s", "");
        else
            fprintf(out, " %8.2f", p->top5);
        fprintf(out, " %6lld", (long long)p->dimensions);
        print_fit(out, p);
        print_training(out, results, i);
    }
    print_measures(out, results);
    report_probe_groups(out, results);
    if (info->classes <= 100 && any_by_class(results))
        print_classes(out, results, info);
}

void report_probe_print(FILE *out, const struct invar_probe_results *results, const struct invar_run *run,
                        const char *label, const char *hold_out)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);

    print_head(out, results->item, info, label, hold_out);
    if (info->label_number)
        report_probe_numbers(out, results);
    else
        print_accuracies(out, results, info);
    print_test(out, results->item->test);
}
