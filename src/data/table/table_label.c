/* SPDX-License-Identifier: Apache-2.0 */
/* The label column of a table: classes, or a number for every row. */
#include "data/table/table.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <math.h>
#include <string.h>

#define FEW 50    /* so many different whole numbers are classes */
#define SHARE 0.1 /* so are more, where they are less of the labelled rows */

/* What stands in the column. */
struct look {
    int64_t labelled, numbers, fractions;
    const char *text;   /* the first that is no number, */
    int64_t line;       /* and where it is */
    int codes;          /* whole numbers with zeros before them */
    double least, most; /* of the numbers */
    int distinct;       /* at most one more than there may be classes */
};

static bool is_code(const char *text)
{
    text += *text == '-' || *text == '+';
    return text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

/* One file of the column; first_text is that of the first file. */
static bool look(struct data_label *label, const struct data_csv *csv, int column, struct look *found,
                 struct invar_error *err)
{
    for (int64_t row = 0; row < csv->rows; row++) {
        const char *cell = data_csv_cell(csv, row, column);
        double value;
        if (data_rules_missing(label->rules, cell))
            continue;
        found->labelled++;
        if (label->classes.count <= DATA_CLASS_LIMIT && !data_words_add(&label->classes, cell, err))
            return false;
        if (!data_form_number(&label->form, csv, cell, &value)) {
            if (!found->text) {
                found->text = cell;
                found->line = data_csv_line(csv, row);
            }
            continue;
        }
        found->numbers++;
        found->codes += is_code(cell);
        found->fractions += !(value == floor(value));
        found->least = fmin(found->least, value);
        found->most = fmax(found->most, value);
    }
    found->distinct = (int)label->classes.count;
    return true;
}

/* The rule of docs/data.md. */
static bool seems_number(const struct look *found)
{
    const bool many = (double)found->distinct > SHARE * (double)found->labelled;

    if (found->numbers < found->labelled || found->codes > 0 || found->distinct < 3)
        return false;
    if (found->distinct > DATA_CLASS_LIMIT)
        return true;
    return found->fractions ? many || found->distinct > 10 : many && found->distinct > FEW;
}

static void say_why(struct data_label *label, const struct look *found)
{
    char form[64];
    const bool more = found->distinct > DATA_CLASS_LIMIT;

    data_form_describe(&label->form, form, sizeof form);
    if (found->text)
        snprintf(label->reason, sizeof label->reason, "\"%.80s\" in line %lld is no number", found->text,
                 (long long)found->line);
    else if (found->codes)
        snprintf(label->reason, sizeof label->reason, "codes with zeros before them");
    else
        snprintf(label->reason, sizeof label->reason, "%s%d different %s in %lld labelled rows%s%s",
                 more ? "more than " : "", more ? DATA_CLASS_LIMIT : found->distinct,
                 found->fractions ? "numbers" : "whole numbers", (long long)found->labelled,
                 form[0] ? ", read as " : "", form);
}

/* What may be meant otherwise is said aloud. */
static bool warn(const struct data_label *label, const struct data_csv *csv, int column, const struct look *found,
                 struct invar_error *err)
{
    const bool counted = (found->least == 0 || found->least == 1) && found->most - found->least + 1 == found->distinct;
    bool mostly = false;

    if (found->codes)
        return true;
    if (found->text && !data_form_spoilt(&mostly, csv, label->rules, column, &label->form, err))
        return false;
    if (label->number)
        invar_log(INVAR_LOG_INFO,
                  "%s: the label \"%s\" is taken for a number: %s; data.label_kind=class makes it classes", csv->path,
                  label->name, label->reason);
    else if (found->distinct > FEW && (mostly || (found->numbers == found->labelled && !counted)))
        invar_log(INVAR_LOG_WARNING,
                  "%s: the label \"%s\" is taken for classes: %s; data.label_kind=number takes it for a number%s",
                  csv->path, label->name, label->reason,
                  mostly ? ", data.missing says what stands for a missing one" : "");
    return true;
}

static bool too_many(const struct data_label *label, const struct data_csv *csv, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_DATA,
                           "%s: data.label: the column \"%s\" has more than %d different values, too many for "
                           "classes; name another column, or data.label_kind=number where they are numbers",
                           csv->path, label->name, DATA_CLASS_LIMIT);
}

/* How the cells read that are no plain numbers. */
static void find_form(struct data_label *label, const struct data_csv *csv, int column)
{
    struct data_form_found found;
    double value;
    bool plain = true;

    for (int64_t row = 0; row < csv->rows && plain; row++) {
        const char *cell = data_csv_cell(csv, row, column);
        plain = data_rules_missing(label->rules, cell) || data_csv_number(csv, cell, &value);
    }
    if (!plain) {
        data_form_find(&found, csv, label->rules, column);
        if (found.texts > 0)
            return;
        label->form = found.form;
    }
    data_marks_say(csv, label->rules, column, &label->form);
}

static bool look_at(struct data_label *label, const struct data_csv *csv, const int *at, struct look *found,
                    struct invar_error *err)
{
    *found = (struct look){.least = INFINITY, .most = -INFINITY};
    label->classes.comma = data_csv_comma(&csv[0]);
    find_form(label, &csv[0], at[0]);
    if (!look(label, &csv[0], at[0], found, err) || (at[1] >= 0 && !look(label, &csv[1], at[1], found, err)))
        return false;
    label->plain = !found->text && found->labelled > 0;
    label->seems = seems_number(found);
    say_why(label, found);
    return true;
}

bool data_label_look(struct data_label *label, const struct data_csv *csv, const int *at, struct invar_error *err)
{
    struct look found;
    return look_at(label, csv, at, &found, err);
}

/* What the options ask for, else what an encoder had. */
static enum invar_label_kind kind_of(const struct data_label *label)
{
    const enum invar_label_kind asked = label->rules->options->label_kind;

    if (asked != INVAR_LABEL_AUTO || !label->schema)
        return asked;
    return label->schema->label_number ? INVAR_LABEL_NUMBER : INVAR_LABEL_CLASS;
}

/* Whether an encoder says all of it: not where it took numbers for what are classes here, or the other way round. */
static bool encoder_knows(const struct data_label *label)
{
    return label->schema && (kind_of(label) == INVAR_LABEL_NUMBER ? label->schema->label_number
                                                                  : label->schema->classes > 0 && !label->own_classes);
}

static bool take_known(struct data_label *label, struct data_source *source, struct invar_error *err)
{
    const struct data_schema *schema = label->schema;

    label->known = true;
    label->number = schema->label_number;
    label->form = schema->label_form;
    if (label->number)
        return true;
    label->classes.comma = schema->comma;
    for (int k = 0; k < schema->classes; k++) {
        int64_t *number = data_words_add(&label->classes, schema->class_names[k], err);
        if (!number)
            return false;
        *number = k;
    }
    return data_source_classes(source, schema->classes, (const char *const *)schema->class_names, err);
}

/* Classes that are likely none: NULL and the like, which data.missing lacks. */
static void tell_empty(const struct data_label *label, const struct data_csv *csv, const char **names, int count)
{
    char list[160] = "";

    for (int k = 0; k < count; k++) {
        const size_t used = strlen(list);
        if (data_csv_empty(names[k]))
            snprintf(list + used, sizeof list - used, "%s\"%s\"", used ? ", " : "", names[k]);
    }
    if (list[0])
        invar_log(INVAR_LOG_WARNING,
                  "%s: the label \"%s\" takes %s for classes; data.missing says what stands for a missing label",
                  csv->path, label->name, list);
}

/* From the file that has the training rows; classes in the order of their values. */
static bool take_found(struct data_label *label, const struct data_csv *csv, int column, struct data_source *source,
                       struct invar_error *err)
{
    const enum invar_label_kind kind = kind_of(label);
    struct look found;

    if (!look_at(label, csv, (int[]){column, -1}, &found, err))
        return false;
    label->number = kind == INVAR_LABEL_NUMBER || (kind == INVAR_LABEL_AUTO && label->seems);
    if (kind == INVAR_LABEL_AUTO && !warn(label, csv, column, &found, err))
        return false;
    if (label->number)
        return true;
    if (found.distinct > DATA_CLASS_LIMIT)
        return too_many(label, csv, err);
    const char **names = data_words_sort(&label->classes, csv, err);
    const bool ok = names && data_source_classes(source, found.distinct, names, err);
    if (ok)
        tell_empty(label, csv, names, found.distinct);
    invar_free(names);
    return ok;
}

bool data_label_find(struct data_label *label, const struct data_csv *csv, int column, struct data_source *source,
                     struct invar_error *err)
{
    const bool ok = encoder_knows(label) ? take_known(label, source, err) : take_found(label, csv, column, source, err);

    if (label->rules->options->label_kind != INVAR_LABEL_AUTO)
        snprintf(label->reason, sizeof label->reason, "data.label_kind says so");
    else if (label->schema)
        snprintf(label->reason, sizeof label->reason, "as the training data had it");
    return ok;
}

static bool read_numbers(const struct data_label *label, const struct data_csv *csv, int column, double *target,
                         struct invar_error *err)
{
    struct data_form form = label->form;

    data_marks_tell(data_marks_say(csv, label->rules, column, &form), csv, label->name);
    for (int64_t row = 0; row < csv->rows; row++) {
        const char *cell = data_csv_cell(csv, row, column);
        if (data_rules_missing(label->rules, cell))
            continue;
        if (!data_form_number(&form, csv, cell, &target[row]))
            return invar_error_set(
                err, INVAR_ERROR_DATA,
                "%s, line %lld: \"%s\" in the label column \"%s\" is no number; correct it, add it to "
                "data.missing, or data.label_kind=class",
                data_csv_file(csv, row), (long long)data_csv_line(csv, row), cell, label->name);
        if (!isfinite(target[row]))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s, line %lld: %s in the label column \"%s\" is too large a number",
                                   data_csv_file(csv, row), (long long)data_csv_line(csv, row), cell, label->name);
    }
    return true;
}

static bool read_classes(const struct data_label *label, const struct data_csv *csv, int column, int64_t *out,
                         struct invar_error *err)
{
    int64_t unknown = 0;

    for (int64_t row = 0; row < csv->rows; row++) {
        const char *cell = data_csv_cell(csv, row, column);
        const int64_t *number = data_words_find(&label->classes, cell);
        if (data_rules_missing(label->rules, cell))
            continue;
        if (number)
            out[row] = *number;
        else if (label->known)
            unknown++;
        else
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s, line %lld: the class \"%s\" is not among those of the training rows",
                                   data_csv_file(csv, row), (long long)data_csv_line(csv, row), cell);
    }
    if (unknown)
        invar_log(INVAR_LOG_WARNING,
                  "%s: %lld rows have a class in column \"%s\" that the training rows had not; they "
                  "count as rows without a label",
                  csv->path, (long long)unknown, label->name);
    return true;
}

bool data_label_read(const struct data_label *label, const struct data_csv *csv, int column, int64_t first,
                     struct data_source *source, struct invar_error *err)
{
    if (column < 0)
        return true;
    if (label->number && !source->target && !data_source_targets(source, err))
        return false;
    return label->number ? read_numbers(label, csv, column, source->target + first, err)
                         : read_classes(label, csv, column, source->label + first, err);
}
