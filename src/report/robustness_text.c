/* SPDX-License-Identifier: Apache-2.0 */
/* Errors under corruption as text for people. */
#include "report/text.h"

#include <math.h>
#include <string.h>

static void print_number(FILE *out, double value)
{
    if (isnan(value))
        fprintf(out, " %7s", "none");
    else
        fprintf(out, " %7.2f", value);
}

static void print_means(FILE *out, double error, double ce, double rce, int64_t severities, const char *suffix,
                        const char *title, bool reference)
{
    fprintf(out, "%-24s", title);
    print_number(out, error);
    if (reference) {
        fprintf(out, "%*s", (int)(8 * severities), "");
        print_number(out, ce);
        print_number(out, rce);
        fprintf(out, "  (mCE%s, mrCE%s)", suffix, suffix);
    }
    fprintf(out, "\n");
}

static void print_corruption(FILE *out, const struct invar_corruption_errors *errors, bool reference)
{
    char name[64];

    snprintf(name, sizeof name, "%s%s", errors->name, errors->extra == 1 ? " (extra)" : "");
    fprintf(out, "%-24s", name);
    print_number(out, errors->mean_error);
    for (int64_t i = 0; i < errors->error.count; i++)
        fprintf(out, " %7.2f", errors->error.value[i]);
    if (reference) {
        print_number(out, errors->ce);
        print_number(out, errors->rce);
    }
    fprintf(out, "\n");
}

static void print_flips(FILE *out, const struct invar_robustness_errors *errors)
{
    if (!errors->flips.count)
        return;
    fprintf(out, "%-24s %7s\n", "flips of the prediction", "% a step");
    for (int64_t i = 0; i < errors->flips.count; i++) {
        const struct invar_flip_rate *flip = &errors->flips.item[i];
        fprintf(out, "  %-22s %7.2f  from %.3g to %.3g in %lld steps\n", flip->name, flip->rate, flip->low, flip->high,
                (long long)flip->steps);
    }
    fprintf(out, "  %-22s %7.2f\n", "mean", errors->mean_flip);
}

static void print_encoder(FILE *out, const struct invar_robustness_errors *errors,
                          const struct invar_numbers *severities, const char *title)
{
    bool reference = false;

    for (int64_t i = 0; i < errors->corruptions.count; i++)
        reference |= !isnan(errors->corruptions.item[i].ce) || !isnan(errors->corruptions.item[i].rce);
    fprintf(out, "\n%-24s %7s", title, "mean");
    for (int64_t i = 0; i < severities->count; i++)
        fprintf(out, " %7.0f", severities->value[i]);
    fprintf(out, "%s\n%-24s", reference ? "    CE %   rCE %" : "", "clean");
    print_number(out, errors->clean->error);
    fprintf(out, "\n");
    for (int64_t i = 0; i < errors->corruptions.count; i++)
        print_corruption(out, &errors->corruptions.item[i], reference);
    if (errors->probe && !isnan(errors->probe->extra_error))
        fprintf(out, "strength %g of the probe chosen on %s: %.2f\n", errors->probe->l2, errors->probe->chosen_on,
                errors->probe->extra_error);
    print_means(out, errors->mean_error, errors->mce, errors->mrce, severities->count, "", "mean over the 15",
                reference);
    print_means(out, errors->mean_error_19, errors->mce_19, errors->mrce_19, severities->count, "_19",
                "mean over all 19", reference);
    if (!isnan(errors->less_clean))
        fprintf(out, "%-24s %7.2f\n", "the 15 less clean", errors->less_clean);
    print_flips(out, errors);
}

static void print_protocol(FILE *out, const struct invar_robustness_protocol *p)
{
    fprintf(out, "%s: %lld test images of %lld x %lld x %lld; errors in %%\n", p->data, (long long)p->images,
            (long long)p->height, (long long)p->width, (long long)p->channels);
    if (p->from) {
        fprintf(out, "corrupted images: those of %s\n", p->from);
        return;
    }
    const bool scaled = strcmp(p->table, "scaled") == 0, pictures = strcmp(p->frost, "synthetic") != 0;
    fprintf(out, "corrupted by the parameters %s%s%s, seed %lld, frost: %s\n",
            scaled ? "between those for 32 and 224 pixels" : "for ", scaled ? "" : p->table, scaled ? "" : " pixels",
            (long long)p->seed, pictures ? p->frost : "synthetic pictures (not comparable with published numbers)");
}

/* What ReLIC's paper has for the corruptions that were measured, where the reference is the same. */
static void print_published(FILE *out, const struct invar_robustness_errors *errors)
{
    fprintf(out, "\n%-24s %7s", "CE %", "here");
    for (int i = 0; i < INVAR_PUBLISHED; i++)
        fprintf(out, " %12s", invar_published_name(i));
    fprintf(out, "\n");
    for (int64_t c = 0; c < errors->corruptions.count; c++) {
        const struct invar_corruption_errors *own = &errors->corruptions.item[c];
        double ce, rce;
        if (!invar_published_error(0, own->name, &ce, &rce))
            continue;
        fprintf(out, "%-24s", own->name);
        print_number(out, own->ce);
        for (int i = 0; i < INVAR_PUBLISHED && invar_published_error(i, own->name, &ce, &rce); i++)
            fprintf(out, " %12.1f", ce);
        fprintf(out, "\n");
    }
    const double own[] = {errors->mce, errors->mrce, errors->mean_error, errors->clean->error, errors->less_clean};
    static const char *const title[] = {"mCE", "mrCE", "mean error of the 15", "clean error", "the 15 less clean"};
    for (int k = 0; k < 5; k++) {
        fprintf(out, "%-24s", title[k]);
        print_number(out, own[k]);
        for (int i = 0; i < INVAR_PUBLISHED; i++) {
            const struct invar_published_means m = invar_published_means(i);
            const double value[] = {m.mce, m.mrce, m.mean_error, invar_published_clean(i), m.less_clean};
            if (isnan(value[k]))
                fprintf(out, " %12s", "none");
            else
                fprintf(out, " %12.1f", value[k]);
        }
        fprintf(out, "\n");
    }
    fprintf(out, "all but \"here\": Mitrovic et al., arXiv 2010.07922, ResNet-50 on ImageNet-C\n");
}

void report_robustness_print(FILE *out, const struct invar_robustness_results *results)
{
    const struct invar_numbers *severities = &results->protocol->severities;

    print_protocol(out, results->protocol);
    if (results->protocol->plain)
        fprintf(out, "images are seen as %s\n", results->protocol->plain);
    if (results->reference)
        fprintf(out, "reference: %s, %.2f on clean images\n", results->reference->name, results->reference->clean);
    print_encoder(out, &results->run, severities, "probe of the run");
    if (results->reference && strcmp(results->reference->name, "alexnet") == 0)
        print_published(out, &results->run);
    for (int64_t i = 0; i < results->baselines.count; i++)
        print_encoder(out, &results->baselines.item[i], severities, results->baselines.item[i].name);
}
