/* SPDX-License-Identifier: Apache-2.0 */
/* Progress and log lines on standard error; the two share a terminal without tearing each other. */
#include "cli/cli.h"
#include "invar/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 24
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
    va_list list;
    va_start(list, format);
    flockfile(stderr);
    erase_bar();
    fputs("invar: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(list);
}

static void on_log(void *user, enum invar_log_level level, const char *message)
{
    (void)user;
    if (level == INVAR_LOG_DEBUG && !getenv("INVAR_DEBUG"))
        return;
    cli_message("%s%s", level == INVAR_LOG_WARNING ? "warning: " : "", message);
}

void cli_log_start(void)
{
    invar_log_set_sink(on_log, NULL);
}

void cli_progress_start(struct cli_progress *progress, const char *what, const char *unit)
{
    memset(progress, 0, sizeof *progress);
    progress->what = what;
    progress->unit = unit;
    progress->started = progress->shown = cli_seconds();
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
             rate < 10 ? 2 : 0, rate, progress->unit, cli_duration(remaining, left, sizeof left),
             progress->note[0] ? "  " : "", progress->note);
}

static void draw_bar(const struct cli_progress *progress, const char *text)
{
    char bar[BAR_WIDTH + 1];
    int64_t total = progress->total > 0 ? progress->total : 1;
    int filled = (int)(BAR_WIDTH * progress->done / total);
    for (int i = 0; i < BAR_WIDTH; ++i)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r\033[K%s [%s] %s", progress->what, bar, text);
    fflush(stderr);
    bar_on_screen = true;
}

void cli_progress_update(struct cli_progress *progress, int64_t done, int64_t total)
{
    char text[320];
    bool terminal = isatty(STDERR_FILENO);
    double now = cli_seconds();

    progress->done = done;
    progress->total = total;
    if (now - progress->shown < (terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL))
        return;
    progress->shown = now;
    describe(progress, now, text, sizeof text);
    flockfile(stderr);
    if (terminal)
        draw_bar(progress, text);
    else
        fprintf(stderr, "%s: %s\n", progress->what, text);
    funlockfile(stderr);
}

void cli_progress_callback(void *user, int64_t done, int64_t total)
{
    cli_progress_update(user, done, total);
}

void cli_progress_end(struct cli_progress *progress)
{
    (void)progress;
    flockfile(stderr);
    erase_bar();
    fflush(stderr);
    funlockfile(stderr);
}
