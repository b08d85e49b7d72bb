/* SPDX-License-Identifier: Apache-2.0 */
/* invar data SOURCE: what is in a source and what is wrong with it. */
#include "cli/data.h"
#include "invar/memory.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#define MAX_PROBLEMS 8

struct problems {
    int count;
    char text[MAX_PROBLEMS][INVAR_ERROR_MESSAGE_SIZE];
};

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

/** Decodes every sample of a split, so that unreadable ones are found and counted, and clips measured. */
static bool read_split(struct invar_dataset *dataset, enum invar_split split, struct data_clips *clips,
                       struct invar_error *err)
{
    enum { BATCH = 256 };
    const int64_t count = invar_dataset_info(dataset)->count[split];
    struct invar_loader *loader = NULL;
    struct invar_sample samples[BATCH];
    struct cli_progress progress;
    int64_t *order = NULL;
    bool ok = false;

    cli_progress_start(&progress, split == INVAR_TRAIN ? "reading train" : "reading test", "samples");
    if (!count)
        return true;
    order = invar_alloc((size_t)count, sizeof *order, err);
    if (!order)
        goto done;
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    loader = invar_loader_create(dataset, split, BATCH, err);
    if (!loader || !invar_loader_start(loader, order, count, err))
        goto done;
    for (int64_t read = 0, got = 1; got; read += got) {
        if (!invar_loader_next(loader, samples, &got, err))
            goto done;
        for (int64_t i = 0; i < got && samples[i].kind == INVAR_DATA_AUDIO; i++)
            data_clips_add(clips, invar_dataset_info(dataset), &samples[i]);
        cli_progress_update(&progress, read + got, count);
    }
    ok = true;
done:
    cli_progress_end(&progress);
    invar_loader_free(loader);
    invar_free(order);
    return ok;
}

/** What the labels of a split are that are numbers. */
struct data_numbers {
    int64_t labelled;
    double mean, deviation, least, most;
};

static struct data_numbers measure_numbers(const struct invar_dataset *dataset, enum invar_split split)
{
    const double *targets = invar_dataset_targets(dataset, split);
    const int64_t count = invar_dataset_info(dataset)->count[split];
    struct data_numbers numbers = {.least = INFINITY, .most = -INFINITY};
    double squares = 0;

    for (int64_t i = 0; targets && i < count; i++) {
        if (isnan(targets[i]))
            continue;
        const double step = targets[i] - numbers.mean;
        numbers.mean += step / (double)++numbers.labelled;
        squares += step * (targets[i] - numbers.mean);
        numbers.least = fmin(numbers.least, targets[i]);
        numbers.most = fmax(numbers.most, targets[i]);
    }
    numbers.deviation = numbers.labelled ? sqrt(squares / (double)numbers.labelled) : 0;
    return numbers;
}

static void count_labels(const struct invar_dataset *dataset, enum invar_split split, int64_t *counts)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    const int64_t *labels = invar_dataset_labels(dataset, split);
    for (int64_t i = 0; labels && i < info->count[split]; i++)
        if (labels[i] >= 0 && labels[i] < info->classes)
            counts[2 * labels[i] + split]++;
}

static void add_problem(struct problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add_problem(struct problems *problems, const char *format, ...)
{
    va_list list;
    if (problems->count >= MAX_PROBLEMS)
        return;
    va_start(list, format);
    vsnprintf(problems->text[problems->count++], INVAR_ERROR_MESSAGE_SIZE, format, list);
    va_end(list);
}

static void find_number_problems(const struct invar_dataset *dataset, struct problems *out)
{
    for (int split = 0; split < 2; split++) {
        const struct data_numbers numbers = measure_numbers(dataset, (enum invar_split)split);
        const char *name = split == INVAR_TRAIN ? "training" : "test";
        if (invar_dataset_info(dataset)->count[split] && !numbers.labelled)
            add_problem(out, "no %s sample has a label", name);
        else if (numbers.labelled > 1 && !(numbers.least < numbers.most))
            add_problem(out, "all %s samples with a label have the same number, %g: there is nothing to predict", name,
                        numbers.least);
    }
}

static void find_column_problems(const struct invar_table *table, struct problems *out)
{
    char names[200] = "";
    int unique = 0;

    for (int c = 0; c < table->count; c++) {
        const size_t used = strlen(names);
        if (!table->column[c].unique)
            continue;
        if (unique++ < 6 && used + strlen(table->column[c].name) + 2 < sizeof names)
            snprintf(names + used, sizeof names - used, "%s%s", used ? "," : "", table->column[c].name);
    }
    if (unique)
        add_problem(out,
                    "%d column%s %s another text in nearly every row, which teaches nothing: ignore=%s leaves %s out",
                    unique, unique > 1 ? "s" : "", unique > 1 ? "have" : "has", names, unique > 1 ? "them" : "it");
}

/* 16 bits of which few are used, say: what views add to values is measured by the whole range. */
static void find_narrow_range(const struct invar_dataset_info *info, struct problems *out)
{
    float widest = 0;

    for (int c = 0; c < info->channels && c < 16; c++)
        widest = fmaxf(widest, info->deviation[c]);
    if (info->kind == INVAR_DATA_IMAGE && widest < 0.004f)
        add_problem(
            out,
            "values vary by %.2g of 0 to 1 alone, less than views change them: spread them over the range of their "
            "type, alike in all files, or train with views.jitter=0 views.gain=0 views.offset=0",
            (double)widest);
}

static void find_problems(const struct invar_dataset *dataset, const int64_t *counts, const struct data_clips *clips,
                          struct problems *out)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    int empty[2] = {0, 0};
    out->count = 0;
    if (info->skipped)
        add_problem(out, "%lld unreadable samples are left out, the first is %s", (long long)info->skipped,
                    info->first_skipped ? info->first_skipped : "not known");
    if (info->closed_folders)
        add_problem(out, "%lld folders cannot be listed and are left out, the first is %s",
                    (long long)info->closed_folders, cli_name(info->first_closed));
    find_narrow_range(info, out);
    if (clips->silent)
        add_problem(out, "%lld clips are silent: they train, but say nothing", (long long)clips->silent);
    if (!info->count[INVAR_TEST])
        add_problem(out, "there is no test split: set test_fraction to have one drawn");
    if (info->table)
        find_column_problems(info->table, out);
    if (info->label_number)
        find_number_problems(dataset, out);
    if (!info->labelled && !info->classes && !info->label_number && info->table)
        add_problem(out, "there are no labels: it trains, but cannot be probed; label=COLUMN names their column");
    else if (!info->labelled)
        add_problem(out, info->classes || info->label_number
                             ? "some samples have no label: they train, but are not probed"
                             : "there are no labels: it trains, but cannot be probed");
    for (int class = 0; class < info->classes; class ++)
        for (int split = 0; split < 2; split++)
            empty[split] += info->count[split] && !counts[2 * class + split];
    if (empty[0])
        add_problem(out, "%d of %d classes have no training sample", empty[0], info->classes);
    if (empty[1])
        add_problem(out, "%d of %d classes have no test sample", empty[1], info->classes);
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
        printf("  %-24s %-12s %10s %8lld %8lld", cli_name(column->name), column_kinds[column->kind], "",
               (long long)column->missing[INVAR_TRAIN], (long long)column->missing[INVAR_TEST]);
        if (column->kind == INVAR_COLUMN_NUMERIC)
            printf("   mean %.6g, deviation %.6g%s%s", column->mean, column->deviation,
                   column->read[0] ? "; read as " : "", column->read);
        for (int k = 0; k < column->categories && k < 6; k++)
            printf("%s%s", k ? ", " : "   ", cli_name(column->category[k]));
        printf(column->categories > 6 ? ", ... (%d)\n" : "\n", column->categories);
    }
}

static void print_label(const struct invar_dataset *dataset)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);

    if (!info->table->label[0])
        return;
    printf("label      %s: %s", cli_name(info->table->label), info->label_number ? "a number" : "classes");
    printf(info->table->label_reason[0] ? " (%s)\n" : "\n", info->table->label_reason);
    for (int split = 0; info->label_number && split < 2; split++) {
        const struct data_numbers numbers = measure_numbers(dataset, (enum invar_split)split);
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
    printf("mean      ");
    for (int channel = 0; channel < info->channels; channel++)
        printf(" %.4f", (double)info->mean[channel]);
    printf("\ndeviation ");
    for (int channel = 0; channel < info->channels; channel++)
        printf(" %.4f", (double)info->deviation[channel]);
    printf("   (training split, values in 0..1)\n");
}

static void print_text(const struct invar_dataset *dataset, const int64_t *counts, const struct data_clips *clips,
                       const struct problems *problems)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);

    printf("source     %s\n", info->source);
    printf("samples    %lld train, %lld test%s\n", (long long)info->count[0], (long long)info->count[1],
           info->in_memory ? ", held in memory" : "");
    if (info->other_files)
        printf("left out   %lld files by their ending: %s\n", (long long)info->other_files,
               cli_name(info->other_endings));
    if (info->table) {
        print_columns(info->table, info->channels);
        print_label(dataset);
    } else if (info->kind == INVAR_DATA_AUDIO)
        data_clips_print(clips, info);
    else {
        print_shape(info);
    }
    if (info->classes)
        printf("classes    %d\n  %-24s %8s %8s\n", info->classes, "", "train", "test");
    for (int class = 0; class < info->classes; class ++)
        printf("  %-24s %8lld %8lld\n", info->class_names ? cli_name(info->class_names[class]) : "",
               (long long)(counts[2 * class]), (long long)(counts[2 * class + 1]));
    if (info->groups)
        printf("groups     %lld, of %lld (%s) to %lld (%s) training samples\n", (long long)info->groups,
               (long long)info->smallest_group.samples, cli_name(info->smallest_group.name),
               (long long)info->largest_group.samples, cli_name(info->largest_group.name));
    if (!problems->count)
        printf("problems   none\n");
    for (int i = 0; i < problems->count; i++)
        printf("problem    %s\n", problems->text[i]);
}

static void add_group(cJSON *groups, const char *key, const char *name, int64_t samples)
{
    cJSON *group = cJSON_AddObjectToObject(groups, key);
    cJSON_AddStringToObject(group, "name", name);
    cJSON_AddNumberToObject(group, "train", (double)samples);
}

static void add_groups(cJSON *root, const struct invar_dataset_info *info)
{
    cJSON *groups = cJSON_AddObjectToObject(root, "groups");
    cJSON_AddNumberToObject(groups, "count", (double)info->groups);
    add_group(groups, "smallest", info->smallest_group.name, info->smallest_group.samples);
    add_group(groups, "largest", info->largest_group.name, info->largest_group.samples);
}

static void add_columns(cJSON *root, const struct invar_table *table)
{
    cJSON *columns = cJSON_AddArrayToObject(root, "columns");
    for (int c = 0; c < table->count; c++) {
        const struct invar_column *column = &table->column[c];
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToArray(columns, entry);
        cJSON_AddStringToObject(entry, "name", column->name);
        cJSON_AddStringToObject(entry, "kind", column_kinds[column->kind]);
        cJSON_AddNumberToObject(entry, "first", column->first);
        cJSON_AddNumberToObject(entry, "places", column->places);
        if (column->kind == INVAR_COLUMN_NUMERIC) {
            cJSON_AddNumberToObject(entry, "mean", column->mean);
            cJSON_AddNumberToObject(entry, "deviation", column->deviation);
            cJSON_AddStringToObject(entry, "read", column->read);
        }
        if (column->kind == INVAR_COLUMN_CATEGORICAL)
            cJSON_AddItemToObject(entry, "categories",
                                  cJSON_CreateStringArray((const char *const *)column->category, column->categories));
        cJSON *missing = cJSON_AddObjectToObject(entry, "missing");
        cJSON_AddNumberToObject(missing, "train", (double)column->missing[INVAR_TRAIN]);
        cJSON_AddNumberToObject(missing, "test", (double)column->missing[INVAR_TEST]);
        cJSON *unseen = cJSON_AddObjectToObject(entry, "unseen");
        cJSON_AddNumberToObject(unseen, "train", (double)column->unseen[INVAR_TRAIN]);
        cJSON_AddNumberToObject(unseen, "test", (double)column->unseen[INVAR_TEST]);
    }
    cJSON_AddStringToObject(root, "label", table->label);
}

static void add_label(cJSON *root, const struct invar_dataset *dataset)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    const char *const names[2] = {"train", "test"};

    cJSON_AddStringToObject(root, "label_kind", info->label_number ? "number" : "class");
    cJSON_AddStringToObject(root, "label_reason", info->table->label_reason);
    if (!info->label_number)
        return;
    cJSON *object = cJSON_AddObjectToObject(root, "label_numbers");
    for (int split = 0; split < 2; split++) {
        const struct data_numbers numbers = measure_numbers(dataset, (enum invar_split)split);
        cJSON *entry = cJSON_AddObjectToObject(object, names[split]);
        cJSON_AddNumberToObject(entry, "count", (double)numbers.labelled);
        if (!numbers.labelled)
            continue;
        cJSON_AddNumberToObject(entry, "least", numbers.least);
        cJSON_AddNumberToObject(entry, "most", numbers.most);
        cJSON_AddNumberToObject(entry, "mean", numbers.mean);
        cJSON_AddNumberToObject(entry, "deviation", numbers.deviation);
    }
}

static int print_json(const struct invar_dataset *dataset, const int64_t *counts, const struct data_clips *clips,
                      const struct problems *problems)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "source", info->source);
    cJSON *samples = cJSON_AddObjectToObject(root, "samples");
    cJSON_AddNumberToObject(samples, "train", (double)info->count[0]);
    cJSON_AddNumberToObject(samples, "test", (double)info->count[1]);
    cJSON *shape = cJSON_AddObjectToObject(root, "shape");
    cJSON_AddNumberToObject(shape, "height", info->height);
    cJSON_AddNumberToObject(shape, "width", info->width);
    cJSON_AddNumberToObject(shape, "channels", info->channels);
    cJSON_AddBoolToObject(shape, "varying", info->varying);
    cJSON_AddBoolToObject(root, "labelled", info->labelled);
    cJSON_AddBoolToObject(root, "in_memory", info->in_memory);
    cJSON *classes = cJSON_AddArrayToObject(root, "classes");
    for (int class = 0; class < info->classes; class ++) {
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddStringToObject(entry, "name", info->class_names ? cli_name(info->class_names[class]) : "");
        cJSON_AddNumberToObject(entry, "train", (double)counts[2 * class]);
        cJSON_AddNumberToObject(entry, "test", (double)counts[2 * class + 1]);
        cJSON_AddItemToArray(classes, entry);
    }
    if (info->groups)
        add_groups(root, info);
    if (info->kind == INVAR_DATA_AUDIO)
        data_clips_json(clips, info, root);
    if (info->table) {
        add_columns(root, info->table);
        if (info->table->label[0])
            add_label(root, dataset);
    } else {
        cJSON_AddItemToObject(root, "mean", cJSON_CreateFloatArray(info->mean, info->channels));
        cJSON_AddItemToObject(root, "deviation", cJSON_CreateFloatArray(info->deviation, info->channels));
    }
    cJSON_AddNumberToObject(root, "skipped", (double)info->skipped);
    if (info->kind != INVAR_DATA_TABLE) {
        cJSON *others = cJSON_AddObjectToObject(root, "other_files");
        cJSON_AddNumberToObject(others, "count", (double)info->other_files);
        cJSON_AddStringToObject(others, "endings", info->other_endings);
        cJSON_AddNumberToObject(root, "closed_folders", (double)info->closed_folders);
    }
    if (info->kind == INVAR_DATA_IMAGE)
        cJSON_AddNumberToObject(root, "turned", (double)info->turned);
    cJSON *list = cJSON_AddArrayToObject(root, "problems");
    for (int i = 0; i < problems->count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(problems->text[i]));
    return cli_print_json(root);
}

static int report(struct invar_dataset *dataset, const struct data_clips *clips, bool json, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    struct problems problems;
    int64_t *counts = invar_alloc((size_t)info->classes + 1, 2 * sizeof *counts, err);
    int status = CLI_DONE;

    if (!counts)
        return cli_fail(err);
    count_labels(dataset, INVAR_TRAIN, counts);
    count_labels(dataset, INVAR_TEST, counts);
    find_problems(dataset, counts, clips, &problems);
    if (json)
        status = print_json(dataset, counts, clips, &problems);
    else
        print_text(dataset, counts, clips, &problems);
    invar_free(counts);
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
    struct data_clips clips = {0};
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
    const struct invar_dataset_info *info = dataset ? invar_dataset_info(dataset) : NULL;
    if (!info || ((!info->in_memory || info->kind == INVAR_DATA_AUDIO) &&
                  (!read_split(dataset, INVAR_TRAIN, &clips, &err) || !read_split(dataset, INVAR_TEST, &clips, &err))))
        status = cli_fail(&err);
    else
        status = report(dataset, &clips, json, &err);
    invar_dataset_close(dataset);
    return status;
}
