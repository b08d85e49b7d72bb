/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of a table in C: what the columns mean, and the function that makes the numbers of a row of them. */
#include "export/source.h"
#include "invar/memory.h"

static bool say_integers(struct source *s, const char *name, const int *values, int count)
{
    bool ok = source_say(s, "static const int %s[%d] = {", name, count);

    for (int i = 0; ok && i < count; i++)
        ok = source_say(s, "%s%d", i ? ", " : "", values[i]);
    return ok && source_say(s, "};\n");
}

static const char encode_numbers[] = "    for (int k = 0; k < %d; k++) {\n"
                                     "        const int missing = numbers[k] != numbers[k];\n"
                                     "        row[number_at[k]] = missing ? 0 : (float)((numbers[k] - mean[k]) / "
                                     "deviation[k]);\n"
                                     "        if (missing && indicator_at[k] >= 0)\n"
                                     "            row[indicator_at[k]] = 1;\n"
                                     "    }\n";

static bool say_numbers(struct source *s)
{
    const size_t count = (size_t)s->input.numbers;
    double *real = invar_alloc(count, 2 * sizeof *real, s->err);
    int *at = invar_alloc(count, 2 * sizeof *at, s->err);

    for (size_t k = 0; real && at && k < count; k++) {
        const struct invar_column *column = export_input_column(&s->input, INVAR_COLUMN_NUMERIC, (int)k);
        real[k] = column->mean;
        real[count + k] = column->deviation;
        at[k] = column->first;
        at[count + k] = column->indicator ? column->first + 1 : -1;
    }
    const bool ok = real && at && source_doubles(s, "mean", real, (int)count) &&
                    source_doubles(s, "deviation", real + count, (int)count) &&
                    say_integers(s, "number_at", at, (int)count) &&
                    say_integers(s, "indicator_at", at + count, (int)count);
    invar_free(real);
    invar_free(at);
    return ok;
}

static const char encode_categories[] =
    "    for (int k = 0; k < %d; k++) {\n"
    "        const int count = first_text[k + 1] - first_text[k];\n"
    "        const char *text = categories[k] ? categories[k] : \"\";\n"
    "        int place = 0;\n"
    "        while (place < count && strcmp(text, texts[first_text[k] + place]) != 0)\n"
    "            place++;\n"
    "        if (place == count && *text)\n"
    "            place++; /* a category that training did not see */\n"
    "        row[category_at[k] + place] = 1;\n"
    "    }\n";

static bool say_categories(struct source *s)
{
    const int count = s->input.categories;
    int *at = invar_alloc((size_t)count, sizeof *at, s->err);
    int *first = invar_alloc((size_t)count + 1, sizeof *first, s->err);
    bool ok = at && first && source_say(s, "static const char *const texts[] = {");

    for (int k = 0; ok && k < count; k++) {
        const struct invar_column *column = export_input_column(&s->input, INVAR_COLUMN_CATEGORICAL, k);
        at[k] = column->first;
        first[k + 1] = first[k] + column->categories;
        for (int i = 0; ok && i < column->categories; i++)
            ok = source_say(s, "\n    ") && source_text(s, column->category[i]) && source_say(s, ",");
    }
    ok = ok && source_say(s, "\n};\n") && say_integers(s, "first_text", first, count + 1) &&
         say_integers(s, "category_at", at, count);
    invar_free(at);
    invar_free(first);
    return ok;
}

bool source_table(struct source *s)
{
    const struct export_input *input = &s->input;
    bool ok = (!input->numbers || say_numbers(s)) && (!input->categories || say_categories(s));

    ok =
        ok && source_say(s, "\nstatic void encode(%s%s%s, float *row)\n{\n",
                         input->numbers ? "const double *numbers" : "", input->numbers && input->categories ? ", " : "",
                         input->categories ? "const char *const *categories" : "");
    ok = ok && source_say(s, "    for (int i = 0; i < %d; i++)\n        row[i] = 0;\n", input->schema->width);
    if (input->numbers)
        ok = ok && source_say(s, encode_numbers, input->numbers);
    if (input->categories)
        ok = ok && source_say(s, encode_categories, input->categories);
    return ok && source_say(s, "}\n");
}
