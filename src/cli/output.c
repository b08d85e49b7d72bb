/* SPDX-License-Identifier: Apache-2.0 */
/* Results, failures and interruption as a terminal wants them. */
#include "cli/cli.h"
#include "invar/run.h"

#include <time.h>

volatile sig_atomic_t cli_stop;

int cli_fail(const struct invar_error *err)
{
    cli_message("%s", err->message);
    switch (err->code) {
    case INVAR_ERROR_USAGE:
        return CLI_USAGE;
    case INVAR_ERROR_INTERRUPTED:
        return CLI_INTERRUPTED;
    default:
        return CLI_FAILED;
    }
}

int cli_print_json(struct json_writer *w)
{
    struct invar_error err = {0};
    const bool ok = json_written(w, "the JSON text", &err);

    if (ok)
        puts(w->text.data);
    else
        cli_fail(&err);
    json_writer_free(w);
    return ok ? CLI_DONE : CLI_FAILED;
}

int cli_print_results(struct invar_results *results)
{
    struct invar_error err = {0};
    struct invar_text text = {0};
    const bool ok = invar_results_write(results, &text, &err);

    if (ok)
        fputs(text.data, stdout);
    else
        cli_fail(&err);
    invar_text_free(&text);
    return ok ? CLI_DONE : CLI_FAILED;
}

/* A second signal meets the default action, so a run that hangs can still be ended; one that follows the
 * first at once is the same request, for timeout(1) signals the command and then its process group. Only
 * async-signal-safe calls. */
static void on_signal(int number)
{
    static volatile sig_atomic_t first_s;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!cli_stop) {
        first_s = (sig_atomic_t)now.tv_sec;
        cli_stop = 1;
    } else if ((sig_atomic_t)now.tv_sec - first_s > 1) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

/* What asks a run to end: it stops at the step at hand, with a checkpoint. A terminal that closes is no other wish. */
static const int requests[] = {SIGINT, SIGTERM, SIGHUP};
enum { REQUESTS = sizeof requests / sizeof requests[0] };
static bool caught[REQUESTS];

void cli_release_interrupt(void)
{
    if (cli_stop)
        return;
    for (int i = 0; i < REQUESTS; i++)
        if (caught[i])
            signal(requests[i], SIG_DFL);
}

/* nohup and shells without job control start commands with signals ignored; that stays so. */
void cli_catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < REQUESTS; i++)
        if (sigaction(requests[i], NULL, &before) == 0 && (requests[i] != SIGHUP || before.sa_handler != SIG_IGN))
            caught[i] = sigaction(requests[i], &action, NULL) == 0;
}

int cli_print_training(const char *folder, const char *recipe, int64_t steps, double seconds,
                       const struct invar_record *last, bool json)
{
    char text[32];

    if (json) {
        struct json_writer w = CLI_JSON;
        json_open_object(&w, NULL);
        json_text(&w, "run", folder);
        json_text(&w, "recipe", recipe);
        json_number(&w, "steps", (double)steps);
        json_number(&w, "seconds", seconds);
        json_open_object(&w, "metrics");
        for (int i = 0; i < last->count; i++)
            json_number(&w, last->metric[i].name, last->metric[i].value);
        json_close(&w);
        json_close(&w);
        return cli_print_json(&w);
    }
    printf("%s: %lld steps in %s\n", folder, (long long)steps, human_duration(seconds, text, sizeof text));
    for (int i = 0; i < last->count; i++)
        printf("  %-24s %.6g\n", last->metric[i].name, last->metric[i].value);
    return CLI_DONE;
}
