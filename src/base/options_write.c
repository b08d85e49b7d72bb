/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of options as text: values as YAML that reads back the same, and the table as documentation. */
#include "base/options.h"
#include "base/points.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_SIZE 32
#define COMMENT_COLUMN 36

/* The fewest digits that read back equal, without an exponent where people would write none. */
static void format_real(char out[NUMBER_SIZE], double value)
{
    NUMBERS_HAVE_POINTS();
    int digits = 1;
    do
        snprintf(out, NUMBER_SIZE, "%.*g", digits, value);
    while (strtod(out, NULL) != value && ++digits <= 17);
    if (fabs(value) >= 1 && fabs(value) < 1e15 && strchr(out, 'e'))
        snprintf(out, NUMBER_SIZE, "%.0f", value);
}

static void format_range(char *out, size_t size, const struct invar_option *option)
{
    char low[NUMBER_SIZE], high[NUMBER_SIZE];
    bool has_low = option->minimum > -1e300, has_high = option->maximum < 1e300;
    format_real(low, option->minimum);
    format_real(high, option->maximum);
    if ((option->minimum == 0 && option->maximum == 0) || (!has_low && !has_high))
        *out = '\0';
    else if (has_low && has_high)
        snprintf(out, size, " from %s to %s", low, high);
    else
        snprintf(out, size, has_low ? " of at least %s" : " of at most %s", has_low ? low : high);
}

static void format_choices(char *out, size_t size, const char *choices)
{
    int length = 0;
    const char *choice;
    size_t used = (size_t)snprintf(out, size, "one of");
    for (int i = 0; (choice = option_choice(choices, i, &length)) && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s %.*s", i ? "," : "", length, choice);
}

void option_expected(char out[OPTION_EXPECTED_SIZE], const struct invar_option *option)
{
    char range[2 * NUMBER_SIZE + 16];
    format_range(range, sizeof range, option);
    switch (option->kind) {
    case INVAR_OPTION_INT:
        snprintf(out, OPTION_EXPECTED_SIZE, "an integer%s", range);
        break;
    case INVAR_OPTION_REAL:
        snprintf(out, OPTION_EXPECTED_SIZE, "a number%s%s%s", range, option->choices ? " or " : "",
                 option->choices ? (const char *)option->choices : "");
        break;
    case INVAR_OPTION_BOOL:
        snprintf(out, OPTION_EXPECTED_SIZE, "true or false");
        break;
    case INVAR_OPTION_TEXT:
        snprintf(out, OPTION_EXPECTED_SIZE, "text of at most %d bytes", INVAR_TEXT_SIZE - 1);
        break;
    case INVAR_OPTION_CHOICE:
        format_choices(out, OPTION_EXPECTED_SIZE, option->choices);
        break;
    case INVAR_OPTION_INT_LIST:
        snprintf(out, OPTION_EXPECTED_SIZE, "at most %d integers%s", INVAR_LIST_SIZE, range);
        break;
    case INVAR_OPTION_REAL_LIST:
        snprintf(out, OPTION_EXPECTED_SIZE, "at most %d numbers%s", INVAR_LIST_SIZE, range);
        break;
    case INVAR_OPTION_RENAMED:
    case INVAR_OPTION_PART:
        *out = '\0';
        break;
    }
}

/* Words that YAML readers take for something else than text. */
static bool is_reserved(const char *text, size_t length)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == length && strncasecmp(text, words[i], length) == 0)
            return true;
    return false;
}

static bool is_plain(const char *text, size_t length)
{
    if (length == 0 || !(isalpha((unsigned char)*text) || *text == '/' || *text == '_') || is_reserved(text, length))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_-./", text[i]))
            return false;
    return true;
}

/* The code point at text, of which length bytes remain, and the bytes it takes; 0 bytes where it is not UTF-8. */
static size_t decode(const char *text, size_t length, uint32_t *code)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t size = bytes[0] < 0x80   ? 1
                  : bytes[0] < 0xc2 ? 0
                  : bytes[0] < 0xe0 ? 2
                  : bytes[0] < 0xf0 ? 3
                  : bytes[0] < 0xf5 ? 4
                                    : 0;
    if (size == 0 || size > length)
        return 0;
    *code = size == 1 ? bytes[0] : bytes[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (bytes[i] & 0x3fu);
    }
    return size;
}

/* What YAML forbids in a document, or folds as a line break. */
static bool needs_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 || code == 0xfeff ||
           code == 0xfffe || code == 0xffff;
}

static bool write_quoted(const char *text, size_t length, struct invar_text *out, struct invar_error *err)
{
    bool ok = invar_text_printf(out, err, "\"");
    for (size_t i = 0, size; ok && i < length; i += size) {
        uint32_t code = 0;
        size = decode(text + i, length - i, &code);
        if (size == 0)
            return invar_error_set(err, INVAR_ERROR_USAGE, "the text '%.80s' cannot be written; it is not UTF-8", text);
        if (code == '"' || code == '\\')
            ok = invar_text_printf(out, err, "\\%c", (char)code);
        else if (needs_escape(code))
            ok = invar_text_printf(out, err, code < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code);
        else
            ok = invar_text_printf(out, err, "%.*s", (int)size, text + i);
    }
    return ok && invar_text_printf(out, err, "\"");
}

static bool write_text(const char *text, size_t length, struct invar_text *out, struct invar_error *err)
{
    if (!is_plain(text, length))
        return write_quoted(text, length, out, err);
    return invar_text_printf(out, err, "%.*s", (int)length, text);
}

static bool write_choice(const struct invar_option *option, int value, struct invar_text *out, struct invar_error *err)
{
    int length = 0;
    const char *choice = value >= 0 ? option_choice(option->choices, value, &length) : NULL;
    if (!choice)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: has no choice number %d", option->name, value);
    return write_text(choice, (size_t)length, out, err);
}

static bool write_real(const struct invar_option *option, double value, struct invar_text *out, struct invar_error *err)
{
    char number[NUMBER_SIZE];
    if (option->choices && value == 0)
        return invar_text_printf(out, err, "%s", (const char *)option->choices);
    if (!isfinite(value))
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: is not a finite number", option->name);
    format_real(number, value);
    return invar_text_printf(out, err, "%s", number);
}

static bool write_int_list(const struct invar_int_list *list, struct invar_text *out, struct invar_error *err)
{
    bool ok = invar_text_printf(out, err, "[");
    for (int i = 0; ok && i < list->count; i++)
        ok = invar_text_printf(out, err, "%s%lld", i ? ", " : "", (long long)list->value[i]);
    return ok && invar_text_printf(out, err, "]");
}

static bool write_real_list(const struct invar_option *option, const struct invar_real_list *list,
                            struct invar_text *out, struct invar_error *err)
{
    bool ok = invar_text_printf(out, err, "[");
    for (int i = 0; ok && i < list->count; i++)
        ok = invar_text_printf(out, err, "%s", i ? ", " : "") && write_real(option, list->value[i], out, err);
    return ok && invar_text_printf(out, err, "]");
}

static bool write_value(const struct invar_option *option, const void *field, struct invar_text *out,
                        struct invar_error *err)
{
    switch (option->kind) {
    case INVAR_OPTION_INT:
        return invar_text_printf(out, err, "%lld", (long long)*(const int64_t *)field);
    case INVAR_OPTION_REAL:
        return write_real(option, *(const double *)field, out, err);
    case INVAR_OPTION_BOOL:
        return invar_text_printf(out, err, "%s", *(const bool *)field ? "true" : "false");
    case INVAR_OPTION_TEXT:
        return write_text(field, strlen(field), out, err);
    case INVAR_OPTION_CHOICE:
        return write_choice(option, *(const int *)field, out, err);
    case INVAR_OPTION_INT_LIST:
        return write_int_list(field, out, err);
    case INVAR_OPTION_REAL_LIST:
        return write_real_list(option, field, out, err);
    case INVAR_OPTION_RENAMED:
    case INVAR_OPTION_PART:
        break;
    }
    return false;
}

bool invar_options_write(const struct invar_option *table, const void *object, int indent, struct invar_text *out,
                         struct invar_error *err)
{
    for (; table->name; table++)
        if (table->kind == INVAR_OPTION_PART
                ? !invar_options_write(table->choices, (const char *)object + table->offset, indent, out, err)
                : table->kind != INVAR_OPTION_RENAMED &&
                      (!invar_text_printf(out, err, "%*s%s: ", indent, "", table->name) ||
                       !write_value(table, (const char *)object + table->offset, out, err) ||
                       !invar_text_printf(out, err, "\n")))
            return false;
    return true;
}

bool invar_options_describe(const struct invar_option *table, int indent, struct invar_text *out,
                            struct invar_error *err)
{
    char expected[OPTION_EXPECTED_SIZE];
    for (; table->name; table++) {
        if (table->kind == INVAR_OPTION_PART && !invar_options_describe(table->choices, indent, out, err))
            return false;
        if (table->kind == INVAR_OPTION_PART || table->kind == INVAR_OPTION_RENAMED)
            continue;
        int width = COMMENT_COLUMN - indent - (int)strlen(table->name) - 2;
        option_expected(expected, table);
        if (!invar_text_printf(out, err, "%*s%s: %-*s # %s; %s\n", indent, "", table->name, width > 0 ? width : 0,
                               table->initial, expected, table->help))
            return false;
    }
    return true;
}
