/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of an array, as a table of one column, so that one rule says what labels are. */
#include "data/table/table.h"

#include "invar/log.h"
#include "invar/memory.h"
#include "base/points.h"
#include <math.h>
#include <string.h>

bool data_npy_labels(struct data_csv *csv, const char *path, const struct invar_array *labels, bool below,
                     struct invar_error *err)
{
    NUMBERS_HAVE_POINTS();
    const int64_t count = invar_array_count(labels);
    const bool whole = labels->dtype == INVAR_INT64;
    char *text = invar_alloc((size_t)count + 1, 32, err);
    size_t used = sizeof "label";

    if (!text)
        return false;
    strcpy(text, "label");
    for (int64_t i = 0; i < count; i++) {
        const double value = invar_array_at(labels, i);
        if (isinf(value)) {
            invar_free(text);
            return invar_error_set(err, INVAR_ERROR_DATA, "%s: label %lld is infinite; a missing one is NaN", path,
                                   (long long)i);
        }
        if (!isnan(value) && (below || !whole || value >= 0))
            used += (size_t)snprintf(text + used, 32, "%.17g", value);
        used++; /* its NUL; room is zeroed */
    }
    return data_csv_adopt(csv, path, text, used, count, err);
}

/* Of the numbers below 0: -1 alone likely stands for a missing label, and says nothing of what labels are. */
struct below {
    int64_t one, others;
};

static struct below count_below(const struct invar_array *labels)
{
    struct below found = {0};

    for (int64_t i = 0; labels->dtype == INVAR_INT64 && i < invar_array_count(labels); i++) {
        const double value = invar_array_at(labels, i);
        found.one += value == -1;
        found.others += value < -1;
    }
    return found;
}

/* What the numbers would be where nothing else says it. */
static bool seem_number(const struct data_rules *rules, const char *path, const struct invar_array *labels, bool below,
                        bool *number, struct invar_error *err)
{
    struct data_label label = {.rules = rules, .name = "label"};
    struct data_csv csv[2] = {0};
    const bool ok = data_npy_labels(csv, path, labels, below, err) && data_label_look(&label, csv, (int[]){0, -1}, err);

    *number = label.seems;
    data_words_free(&label.classes);
    data_csv_free(csv);
    return ok;
}

bool data_npy_below(bool *below, const struct data_rules *rules, const struct data_schema *schema, const char *path,
                    const struct invar_array *labels, struct invar_error *err)
{
    const enum invar_label_kind kind = rules->options->label_kind;
    const bool known = schema && (schema->classes || schema->label_number);
    const struct below found = count_below(labels);

    *below = kind == INVAR_LABEL_NUMBER || (kind == INVAR_LABEL_AUTO && known && schema->label_number);
    if (kind != INVAR_LABEL_AUTO || known || !(found.one || found.others))
        return true;
    if (!seem_number(rules, path, labels, found.others > 0, below, err))
        return false;
    if (*below && !found.others)
        invar_log(INVAR_LOG_WARNING,
                  "%s: -1 in %lld rows is taken for a number, as the other labels are; where it stands for a missing "
                  "one, save an array of floats with NaN there",
                  path, (long long)found.one);
    if (!*below && found.others)
        invar_log(INVAR_LOG_WARNING,
                  "%s: the labels are taken for classes, of which the %lld numbers below 0 are none; "
                  "data.label_kind=number takes them for numbers",
                  path, (long long)(found.one + found.others));
    return true;
}
