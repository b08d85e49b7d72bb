/* SPDX-License-Identifier: Apache-2.0 */
/* invar loss TERM: a term on given embeddings, with its gradient. Names are those of the golden cases. */
#include "cli/cli.h"
#include "objective/gradients.h"

static void print_terms(FILE *stream)
{
    fprintf(stream, "terms, their inputs and KEY=VALUE options:\n");
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++) {
        struct invar_text text = {0};
        fprintf(stream, "  %-10s %s\n", (*term)->name, (*term)->help);
        if (invar_options_describe((*term)->options, 4, &text, NULL))
            fprintf(stream, "%s", text.data ? text.data : ""); /* NULL: a term without options */
        invar_text_free(&text);
    }
    fprintf(stream, "inputs are N x d matrices, one row a sample: z1 z2 .. embeddings (h = f), q1 q2 .. online and\n"
                    "t1 t2 .. target outputs (fewer than q: the last views have no target), h1 h2 .. representations;\n"
                    "groups, labels: int64 ids [N]; partner, share: int64 rows [N] and float64 [N], what view 1 was\n"
                    "mixed with and its own part\n");
}

static int print_value(const struct invar_term_value *value, bool json)
{
    if (json) {
        struct json_writer w = CLI_JSON;
        json_open_object(&w, NULL);
        json_number(&w, "loss", value->loss);
        for (int i = 0; i < value->count; i++)
            json_number(&w, value->part[i].name, value->part[i].value);
        json_close(&w);
        return cli_print_json(&w);
    }
    printf("%-14s %.17g\n", "loss", value->loss);
    for (int i = 0; i < value->count; i++)
        printf("%-14s %.17g\n", value->part[i].name, value->part[i].value);
    return CLI_DONE;
}

int invar_cli_loss(int argc, char **argv)
{
    struct cli_list terms = {0}, inputs = {0}, assignments = {0};
    const char *folder = NULL;
    bool json = false, wide = false;
    int64_t threads = 0;
    const struct cli_option options[] = {
        {"in", 0, "NAME=FILE", "an input, .npy of float32 or float64; once for each", CLI_LIST, &inputs, 0, 0},
        {"grad", 0, "DIR", "write grad_NAME.npy for every input that has a gradient", CLI_TEXT, &folder, 0, 0},
        {"float64", 0, NULL, "compute in float64 (default: float32, as in training)", CLI_FLAG, &wide, 0, 0},
        CLI_OPTION_JSON(&json),
        CLI_OPTION_THREADS(&threads),
        CLI_OPTION_END,
    };
    const struct cli_usage usage = {
        .verb = "loss",
        .arguments = "TERM --in NAME=FILE.npy .. [KEY=VALUE ..] [--grad DIR]",
        .purpose = "A term of an objective on given embeddings, with its parts and its gradient.",
        .options = options,
        .positionals = &terms,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "TERM",
        .assignments = &assignments,
        .example = "  invar loss relic --in z1=z1.npy --in z2=z2.npy tau=0.1 alpha=1 --grad gradients\n",
        .more = print_terms,
    };
    struct invar_loss_result result = {0};
    struct invar_error err = {0};
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    const struct invar_loss_request request = {.term = terms.item[0],
                                               .inputs = inputs.item,
                                               .input_count = inputs.count,
                                               .settings = assignments.item,
                                               .setting_count = assignments.count,
                                               .float64 = wide,
                                               .gradients = folder != NULL,
                                               .threads = threads};
    if (invar_loss(&request, &result, &err) && (!folder || objective_gradients_write(&request, &result, folder, &err)))
        status = print_value(&result.value, json);
    else
        status = cli_fail(&err);
    invar_loss_result_free(&result);
    return status;
}
