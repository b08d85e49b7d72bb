/* SPDX-License-Identifier: Apache-2.0 */
/* Names of classes, columns, files and runs are other people's: what is printed shows their control characters, as
 * \u001b, and sends none to the terminal, which would obey them. JSON stays the same JSON. */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

/* Of UTF-8: the first byte of a character whose next is awaited, and how many are. */
struct guard {
    unsigned char first;
    int awaited;
};

static FILE *raw; /* standard output as it was */

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
}

/* A character of two bytes is U+0080 to U+009F, which terminals obey as well, where it begins with 0xc2. */
static bool put_safely(FILE *stream, struct guard *guard, unsigned char c)
{
    const bool follows = guard->awaited > 0 && c >= 0x80 && c < 0xc0;
    if (guard->awaited > 0 && guard->first == 0xc2) {
        guard->awaited = 0;
        if (follows)
            return c < 0xa0 ? fprintf(stream, "\\u%04x", c) > 0 : putc(0xc2, stream) != EOF && putc(c, stream) != EOF;
        if (putc(0xc2, stream) == EOF)
            return false;
    }
    if (follows) {
        guard->awaited--;
        return putc(c, stream) != EOF;
    }
    guard->first = c;
    guard->awaited = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    if (c == 0xc2)
        return true;
    if (is_control(c) || (c >= 0x80 && c < 0xa0))
        return fprintf(stream, "\\u%04x", c) > 0;
    return putc(c, stream) != EOF;
}

void cli_put_safely(FILE *stream, const char *text)
{
    struct guard guard = {0};
    for (; *text; text++)
        put_safely(stream, &guard, (unsigned char)*text);
}

/* 0 is failure here */
static ssize_t on_write(void *cookie, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!put_safely(raw, cookie, (unsigned char)data[i]))
            return 0;
    return fflush(raw) ? 0 : (ssize_t)size;
}

void cli_guard_output(void)
{
    static struct guard guard;
    const cookie_io_functions_t functions = {.write = on_write};
    FILE *guarded = fopencookie(&guard, "w", functions);
    if (!guarded)
        return;
    if (isatty(STDOUT_FILENO))
        setvbuf(guarded, NULL, _IOLBF, 0);
    raw = stdout;
    stdout = guarded;
}

FILE *cli_raw_output(void)
{
    fflush(stdout);
    return raw ? raw : stdout;
}
