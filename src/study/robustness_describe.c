/* SPDX-License-Identifier: Apache-2.0 */
/* Errors under corruption as results. */
#include "study/robustness.h"
#include "study/study.h"

#include <math.h>
#include <string.h>

struct invar_robustness_protocol robustness_protocol(const struct robustness_plan *plan, struct json_room *room)
{
    double *severities = json_room_take(room, plan->severity_count, sizeof *severities);
    struct invar_robustness_protocol out = {.data = json_room_text(room, plan->data),
                                            .from = json_room_text(room, plan->from),
                                            .images = plan->images,
                                            .height = plan->height,
                                            .width = plan->width,
                                            .channels = plan->channels,
                                            .severities = {plan->severity_count, severities},
                                            .plain = study_plain_text(&plan->plain, room),
                                            .seed = -1,
                                            .frost_pictures = -1};

    for (int i = 0; severities && i < plan->severity_count; i++)
        severities[i] = plan->severities[i];
    if (!plan->from) {
        out.table = invar_corruption_table_name((int)plan->options.table);
        out.seed = (int64_t)plan->options.seed;
        out.frost = plan->frost ? json_room_text(room, plan->frost) : "synthetic";
        out.frost_pictures = invar_frost_count(plan->pictures);
    }
    return out;
}

static double mean(const double *value, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += value[i];
    return sum / count;
}

/* NAN and infinities are left out. */
static double finite_or_nan(double value)
{
    return isfinite(value) ? value : (double)NAN;
}

static struct invar_corruption_errors describe_one(const struct invar_corruption_spec *spec, const double *error,
                                                   const struct robustness_plan *plan, double clean,
                                                   const struct robustness_reference *reference, struct json_room *room)
{
    const int count = plan->severity_count;
    double theirs[INVAR_CORRUPTION_SEVERITIES];
    struct invar_corruption_errors out = {.name = spec->name,
                                          .family = spec->family,
                                          .extra = spec->extra,
                                          .error = {count, json_room_numbers(room, error, count)},
                                          .mean_error = mean(error, count),
                                          .ce = (double)NAN,
                                          .rce = (double)NAN};

    if (!reference->name)
        return out;
    robustness_reference_errors(reference, plan, spec->name, theirs);
    out.ce = finite_or_nan(invar_corruption_error(error, theirs, count));
    out.rce = finite_or_nan(
        invar_relative_corruption_error(error, clean, theirs, robustness_reference_clean(reference), count));
    return out;
}

/* Means over corruptions: those of the benchmark, or all. */
struct means {
    double error, ce, rce;
    int count;
};

static struct means means_of(const struct invar_robustness_errors *errors, bool extra)
{
    struct means m = {0};

    for (int64_t c = 0; c < errors->corruptions.count; c++) {
        const struct invar_corruption_errors *one = &errors->corruptions.item[c];
        if (one->extra && !extra)
            continue;
        m.error += one->mean_error;
        m.ce += one->ce;
        m.rce += one->rce;
        m.count++;
    }
    return (struct means){m.error / m.count, m.ce / m.count, m.rce / m.count, m.count};
}

void robustness_describe(struct invar_robustness_errors *out, const struct robustness_plan *plan,
                         const struct robustness_result *result, const struct robustness_reference *reference,
                         struct json_room *room)
{
    struct invar_clean_error *clean = json_room_take(room, 1, sizeof *clean);
    struct invar_corruption_errors *item = json_room_take(room, plan->corruption_count, sizeof *item);
    int known = 0;

    if (!clean || !item)
        return;
    *clean = (struct invar_clean_error){finite_or_nan(result->clean), result->clean_count};
    for (int c = 0; c < plan->corruption_count; c++)
        item[c] = describe_one(plan->corruptions[c], result->error + c * plan->severity_count, plan, result->clean,
                               reference, room);
    out->clean = clean;
    out->corruptions.count = plan->corruption_count;
    out->corruptions.item = item;
    for (int i = 0; i < invar_corruption_count(); i++)
        known += !invar_corruption_at(i)->extra;
    const struct means benchmark = means_of(out, false), all = means_of(out, true);
    if (benchmark.count == known) {
        out->mean_error = benchmark.error;
        out->less_clean = benchmark.error - result->clean;
        out->mce = benchmark.ce;
        out->mrce = benchmark.rce;
    }
    /* of all 19 some are those that were chosen by */
    if (all.count == invar_corruption_count() && !plan->choose_extra) {
        out->mean_error_19 = all.error;
        out->mce_19 = all.ce;
        out->mrce_19 = all.rce;
    }
}
