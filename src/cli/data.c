/* SPDX-License-Identifier: Apache-2.0 */
/* invar data SOURCE: what is in a source and what is wrong with it. */
#include "cli/cli.h"
#include "invar/study.h"

#include <string.h>

static void print_sources(FILE *stream)
{
    struct invar_text text = {0};
    fprintf(stream, "sources:\n");
    for (const struct invar_source_name *source = invar_source_names(); source->name; source++)
        fprintf(stream, "  %-22s %s\n", source->name, source->help);
    if (invar_options_describe(invar_data_option_table, 2, &text, NULL))
        fprintf(stream, "\nKEY=VALUE, as in the data section of a recipe:\n%s", text.data);
    invar_text_free(&text);
}

static const char *const column_kinds[] = {[INVAR_COLUMN_NUMERIC] = "numeric",
                                           [INVAR_COLUMN_CATEGORICAL] = "categorical",
                                           [INVAR_COLUMN_CONSTANT] = "left out"};

static void print_columns(const struct invar_table *table, int width)
{
    printf("columns    %d, as %d numbers a row\n  %-24s %-12s %10s %8s %8s\n", table->count, width, "", "",
           "missing:", "train", "test");
    for (int c = 0; c < table->count; c++) {
        const struct invar_column *column = &table->column[c];
        printf("  %-24s %-12s %10s %8lld %8lld", human_name(column->name), column_kinds[column->kind], "",
               (long long)column->missing[INVAR_TRAIN], (long long)column->missing[INVAR_TEST]);
        if (column->kind == INVAR_COLUMN_NUMERIC)
            printf("   mean %.6g, deviation %.6g%s%s", column->mean, column->deviation,
                   column->read[0] ? "; read as " : "", column->read);
        for (int k = 0; k < column->categories && k < 6; k++)
            printf("%s%s", k ? ", " : "   ", human_name(column->category[k]));
        printf(column->categories > 6 ? ", ... (%d)\n" : "\n", column->categories);
    }
}

static void print_label(const struct invar_survey *survey, const struct invar_dataset_info *info)
{

    if (!info->table->label[0])
        return;
    printf("label      %s: %s", human_name(info->table->label), info->label_number ? "a number" : "classes");
    printf(info->table->label_reason[0] ? " (%s)\n" : "\n", info->table->label_reason);
    for (int split = 0; info->label_number && split < 2; split++) {
        const struct invar_survey_numbers numbers = survey->numbers[split];
        if (numbers.labelled)
            printf("  %-24s %8lld from %.6g to %.6g, mean %.6g, deviation %.6g\n",
                   split == INVAR_TRAIN ? "train" : "test", (long long)numbers.labelled, numbers.least, numbers.most,
                   numbers.mean, numbers.deviation);
    }
}

static void print_shape(const struct invar_dataset_info *info)
{
    printf("shape      %d x %d, %d channel%s%s\n", info->height, info->width, info->channels,
           info->channels == 1 ? "" : "s", info->varying ? " (samples differ in size and are resized)" : "");
    if (info->turned)
        printf("turned     %lld images %s\n", (long long)info->turned,
               info->ignores_orientation ? "are not upright by their EXIF orientation and left so"
                                         : "turned as their EXIF orientation says");
    if (info->converted)
        printf("converted  %lld images are %s\n", (long long)info->converted, info->conversion);
    printf("mean      ");
    for (int channel = 0; channel < info->channels; channel++)
        printf(" %.4f", (double)info->mean[channel]);
    printf("\ndeviation ");
    for (int channel = 0; channel < info->channels; channel++)
        printf(" %.4f", (double)info->deviation[channel]);
    printf("   (training split, values in 0..1)\n");
}

static void print_clips(const struct invar_survey_clips *clips, const struct invar_dataset_info *info)
{
    const struct invar_logmel_options *l = &info->logmel;

    printf("clips      %.0f Hz, %.3g to %.3g s, on average %.3g s\n", l->rate, clips->shortest, clips->longest,
           clips->total / (double)(clips->count ? clips->count : 1));
    printf("shape      %d mels x %d frames: %.3g s of a clip, %g to %g Hz, n_fft %lld, hop %lld\n", info->height,
           info->width, clips->seen, l->f_min, l->f_max, (long long)l->n_fft, (long long)l->hop);
    printf("mean       %.4f\ndeviation  %.4f   (training split, log-mel)\n", (double)info->mean[0],
           (double)info->deviation[0]);
}

static void print_text(const struct invar_survey *survey, const struct invar_dataset_info *info)
{

    printf("source     %s\n", info->source);
    printf("samples    %lld train, %lld test%s\n", (long long)info->count[0], (long long)info->count[1],
           info->in_memory ? ", held in memory" : "");
    if (info->other_files)
        printf("left out   %lld files by their ending: %s\n", (long long)info->other_files,
               human_name(info->other_endings));
    if (info->table) {
        print_columns(info->table, info->channels);
        print_label(survey, info);
    } else if (info->kind == INVAR_DATA_AUDIO)
        print_clips(&survey->clips, info);
    else {
        print_shape(info);
    }
    if (info->classes)
        printf("classes    %d\n  %-24s %8s %8s\n", info->classes, "", "train", "test");
    for (int class = 0; class < info->classes; class ++)
        printf("  %-24s %8lld %8lld\n", info->class_names ? human_name(info->class_names[class]) : "",
               (long long)(survey->counts[2 * class]), (long long)(survey->counts[2 * class + 1]));
    if (info->groups)
        printf("groups     %lld, of %lld (%s) to %lld (%s) training samples\n", (long long)info->groups,
               (long long)info->smallest_group.samples, human_name(info->smallest_group.name),
               (long long)info->largest_group.samples, human_name(info->largest_group.name));
    if (!survey->problem_count)
        printf("problems   none\n");
    for (int i = 0; i < survey->problem_count; i++)
        printf("problem    %s\n", survey->problem[i]);
}

static int report(struct invar_dataset *dataset, bool json, struct invar_error *err)
{
    struct cli_progress progress = {0};
    const struct invar_watch watch = {cli_told, &progress};
    struct invar_survey *survey = invar_survey_data(dataset, &watch, err);
    struct invar_results *results = survey && json ? invar_survey_results(survey, dataset, err) : NULL;
    int status = CLI_DONE;

    cli_progress_end(&progress);
    if (!survey || (json && !results))
        status = cli_fail(err);
    else if (json)
        status = cli_print_results(results);
    else
        print_text(survey, invar_dataset_info(dataset));
    invar_results_free(results);
    invar_survey_free(survey);
    return status;
}

int invar_cli_data(int argc, char **argv)
{
    bool json = false;
    struct cli_list sources = {0}, assignments = {0};
    const struct cli_option options[] = {CLI_OPTION_JSON(&json), CLI_OPTION_END};
    const struct cli_usage usage = {
        .verb = "data",
        .arguments = "SOURCE [KEY=VALUE ...] [--json]",
        .purpose =
            "What is in a source: samples, shapes, classes with counts, statistics, problems. Every sample is read.",
        .options = options,
        .positionals = &sources,
        .positional_minimum = 1,
        .positional_maximum = 1,
        .positional_name = "SOURCE",
        .assignments = &assignments,
        .example = "  invar data fashion-mnist\n  invar data images:photos test_fraction=0.2 size=64 --json\n"
                   "  invar data csv:my.csv label=class\n"
                   "  invar data audio:clips pattern={digit}_{speaker}_{index} label=digit test=index=0..4\n",
        .more = print_sources,
    };
    struct invar_error err = {0};
    struct invar_data_options data;
    struct invar_dataset *dataset = NULL;
    int status;

    if (!cli_parse(&usage, argc, argv, &status))
        return status;
    invar_options_default(invar_data_option_table, &data);
    data.bad_limit = 1; /* what training would stop at is what this verb is to find and count */
    for (int i = 0; i < assignments.count; i++)
        if (!invar_options_set(invar_data_option_table, &data, assignments.item[i], &err))
            return cli_fail(&err);
    if (strlen(sources.item[0]) >= sizeof data.source)
        return cli_wrong_usage(&usage, "SOURCE is longer than %zu characters", sizeof data.source - 1);
    strcpy(data.source, sources.item[0]);

    dataset = invar_dataset_open(&data, &err);
    status = dataset ? report(dataset, json, &err) : cli_fail(&err);
    invar_dataset_close(dataset);
    return status;
}
