/* SPDX-License-Identifier: Apache-2.0 */
/* Progress and log lines on standard error; the two share a terminal without tearing each other. */
#include "cli/cli.h"
#include "invar/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_WIDTH 24
#define USUAL_COLUMNS 80
#define MESSAGE_SIZE 8192
#define TERMINAL_INTERVAL 0.1
#define PLAIN_INTERVAL 10.0

static bool bar_on_screen;

static void erase_bar(void)
{
    if (bar_on_screen)
        fputs("\r\033[K", stderr);
    bar_on_screen = false;
}

void cli_message(const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list list;
    va_start(list, format);
    const int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (length >= (int)sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    flockfile(stderr);
    erase_bar();
    fputs("invar: ", stderr);
    cli_put_safely(stderr, text);
    fputc('\n', stderr);
    funlockfile(stderr);
}

static void on_log(void *user, enum invar_log_level level, const char *message)
{
    (void)user;
    if (level == INVAR_LOG_DEBUG && !getenv("INVAR_DEBUG"))
        return;
    cli_message("%s%s", level == INVAR_LOG_WARNING ? "warning: " : "", message);
}

/* By lines: one that is written in parts is torn where several processes, or what started them, share the stream. */
void cli_log_start(void)
{
    static char line[2 * MESSAGE_SIZE];

    setvbuf(stderr, line, _IOLBF, sizeof line);
    invar_log_set_sink(on_log, NULL);
}

void cli_progress_start(struct cli_progress *progress, const char *what, const char *unit)
{
    memset(progress, 0, sizeof *progress);
    progress->what = what;
    progress->unit = unit;
    progress->started = progress->shown = invar_seconds();
    progress->rate = progress->remaining = -1;
}

static void describe(const struct cli_progress *progress, double now, char *out, size_t size)
{
    char left[32];
    double elapsed = now - progress->started;
    double rate = progress->rate >= 0 ? progress->rate : elapsed > 0 ? (double)progress->done / elapsed : 0;
    double remaining = progress->remaining;
    if (!(remaining >= 0))
        remaining =
            progress->done > 0 ? elapsed * (double)(progress->total - progress->done) / (double)progress->done : -1;
    snprintf(out, size, "%lld/%lld  %.*f %s/s  %s left%s%s", (long long)progress->done, (long long)progress->total,
             rate < 10 ? 2 : 0, rate, progress->unit, human_duration(remaining, left, sizeof left),
             progress->note[0] ? "  " : "", progress->note);
}

/* Columns of a terminal on which a line can be drawn anew; 0: there is none, or one that cannot. */
static int terminal_columns(void)
{
    const char *kind = getenv("TERM");
    struct winsize size;
    if (!isatty(STDERR_FILENO) || !kind || !*kind || strcmp(kind, "dumb") == 0)
        return 0;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : USUAL_COLUMNS;
}

/* Cut to so many columns: a line that is broken by the terminal cannot be drawn anew. */
static void cut_line(char *line, int columns)
{
    for (; *line; line++)
        if (((unsigned char)*line & 0xc0) != 0x80 && columns-- == 0) {
            *line = 0;
            return;
        }
}

static void draw_bar(const struct cli_progress *progress, const char *text, int columns)
{
    char bar[BAR_WIDTH + 1], line[512];
    int64_t total = progress->total > 0 ? progress->total : 1;
    int filled = (int)(BAR_WIDTH * progress->done / total);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    snprintf(line, sizeof line, "%s [%s] %s", progress->what, bar, text);
    cut_line(line, columns - 1);
    fputs("\r\033[K", stderr);
    cli_put_safely(stderr, line);
    fflush(stderr);
    bar_on_screen = true;
}

void cli_progress_update(struct cli_progress *progress, int64_t done, int64_t total)
{
    char text[320];
    const int columns = terminal_columns();
    double now = invar_seconds();

    progress->done = done;
    progress->total = total;
    if (now - progress->shown < (columns ? TERMINAL_INTERVAL : PLAIN_INTERVAL))
        return;
    progress->shown = now;
    describe(progress, now, text, sizeof text);
    flockfile(stderr);
    if (columns) {
        draw_bar(progress, text, columns);
    } else {
        fprintf(stderr, "%s: ", progress->what);
        cli_put_safely(stderr, text);
        fputc('\n', stderr);
    }
    funlockfile(stderr);
}

bool cli_told(void *user, const struct invar_progress *told)
{
    struct cli_progress *progress = user;

    if (!progress->what || strcmp(progress->what, told->what) != 0) {
        if (progress->what)
            cli_progress_end(progress);
        cli_progress_start(progress, told->what, told->unit);
    }
    snprintf(progress->note, sizeof progress->note, "%s", told->note ? told->note : "");
    cli_progress_update(progress, told->done, told->total);
    if (told->done == told->total) {
        cli_progress_end(progress);
        *progress = (struct cli_progress){0};
    }
    return !cli_stop;
}

void cli_progress_end(struct cli_progress *progress)
{
    (void)progress;
    flockfile(stderr);
    erase_bar();
    fflush(stderr);
    funlockfile(stderr);
}
