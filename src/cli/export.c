/* SPDX-License-Identifier: Apache-2.0 */
/* invar export RUN -o FILE: the encoder of a run for programs that know nothing of invar. */
#include "cli/cli.h"
#include "invar/export.h"
#include "run/apart.h"

static void print_formats(FILE *stream)
{
    fprintf(stream, "formats:\n");
    for (const struct invar_export_format *format = invar_export_formats(); format->name; format++)
        fprintf(stream, "  %-12s %s\n", format->name, format->help);
}

static int run_export(const char *folder, const char *format, const char *path, bool json)
{
    struct invar_error err = {0};
    struct invar_text says = {0};
    struct invar_encoder *encoder =
        run_place_apart(folder, NULL, path, "output", &err) ? invar_run_encoder(folder, &err) : NULL;
    const bool ok = encoder && invar_export(encoder, format, path, &err) && invar_export_describe(encoder, &says, &err);
    struct json_writer w = CLI_JSON;

    if (ok && !json)
        printf("%s: %s, %s\n", path, encoder->kind, says.data);
    if (ok && json) {
        json_open_object(&w, NULL);
        json_text(&w, "file", path);
        json_text(&w, "architecture", encoder->kind);
        json_text(&w, "takes_and_gives", says.data);
        json_close(&w);
    }
    const int status = !ok ? cli_fail(&err) : json ? cli_print_json(&w) : CLI_DONE;
    invar_text_free(&says);
    invar_encoder_free(encoder);
    return status;
}

int invar_cli_export(int argc, char **argv)
{
    bool json = false;
    const char *format = NULL, *output = NULL;
    struct cli_list runs = {0};
    const struct cli_option options[] = {
        {"output", 'o', "FILE", "where it goes", CLI_TEXT, &output, 0, 0},
        {"format", 0, "FORMAT", "one of those below (default: by the ending of -o)", CLI_TEXT, &format, 0, 0},
        CLI_OPTION_JSON(&json),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "export",
        .arguments = "RUN -o FILE [--format FORMAT] [--json]",
        .purpose = "The encoder of a run as a file for programs that know nothing of invar, with all that it needs "
                   "inside. An encoder\nthat is not finite, or has collapsed, is refused.",
        .options = options,
        .positionals = &runs,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "RUN",
        .example = "  invar export runs/quickstart -o encoder.onnx\n  invar export runs/table -o encoder.c\n",
        .more = print_formats,
    };
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    if (!output)
        return cli_wrong_usage(&usage, "-o FILE says where the encoder goes; it is missing");
    return run_export(runs.item[0], format, output, json);
}
