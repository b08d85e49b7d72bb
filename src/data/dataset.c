/* SPDX-License-Identifier: Apache-2.0 */
/* A dataset: a source, split, in memory where it fits, with its statistics. */
#include "data/dataset.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <math.h>
#include <omp.h>
#include <string.h>

#define WARNINGS 10 /* bad items named in the log; after that they are only counted */

bool data_dataset_decode(const struct invar_dataset *dataset, int64_t item, struct data_decoder *decoder,
                         struct data_image *image, struct invar_error *err)
{
    const struct data_source *source = &dataset->source;
    if (!data_source_decode(source, item, dataset->channels, decoder, image, err))
        return false;
    if (source->kind != INVAR_DATA_IMAGE || dataset->options.size ||
        (image->height == dataset->height && image->width == dataset->width))
        return true;
    return invar_error_set(
        err, INVAR_ERROR_DATA,
        "%s: %d x %d pixels where the first image, %s, has %d x %d; set data.size to resize them all",
        source->name(source, item), image->width, image->height, source->name(source, dataset->reference),
        dataset->width, dataset->height);
}

int64_t data_dataset_bad_allowed(const struct invar_dataset *dataset, enum invar_split split)
{
    return (int64_t)(dataset->options.bad_limit * (double)dataset->total[split]);
}

bool data_dataset_note_bad(struct invar_dataset *dataset, int64_t item, const char *why, struct invar_error *err)
{
    if (dataset->bad[item])
        return true;
    if (!data_left_out_add(dataset, item, why, err))
        return false;
    dataset->bad[item] = true;
    dataset->bad_count[dataset->source.split[item]]++;
    if (dataset->info.skipped <= WARNINGS)
        invar_log(INVAR_LOG_WARNING, "skipped: %s%s", why,
                  dataset->info.skipped == WARNINGS ? " (further ones are counted only)" : "");
    return true;
}

bool data_dataset_check_bad(const struct invar_dataset *dataset, struct invar_error *err)
{
    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++)
        if (dataset->bad_count[split] > data_dataset_bad_allowed(dataset, (enum invar_split)split))
            return invar_error_set(
                err, INVAR_ERROR_DATA,
                "%s: %lld of the %lld %s %ss cannot be used, more than data.bad_limit=%g allows; the first: %s",
                dataset->options.source, (long long)dataset->bad_count[split], (long long)dataset->total[split],
                split == INVAR_TRAIN ? "training" : "test", data_source_noun(&dataset->source),
                dataset->options.bad_limit, dataset->info.first_skipped);
    return true;
}

bool data_dataset_bad(struct invar_dataset *dataset, int64_t item, const char *why, struct invar_error *err)
{
    return data_dataset_note_bad(dataset, item, why, err) && data_dataset_check_bad(dataset, err);
}

uint8_t data_dataset_notes(const struct invar_dataset *dataset, const struct data_image *image)
{
    const bool colour = dataset->channels == 3 || dataset->channels == 4;
    const bool gray = dataset->channels == 1 || dataset->channels == 2;
    const bool converted = (image->stored == 1 && colour) || (image->stored == 3 && gray);
    return (uint8_t)((image->orientation > 1 ? DATA_TURNED : 0) | (converted || image->filled ? DATA_CONVERTED : 0));
}

void data_dataset_note(struct invar_dataset *dataset, int64_t item, const struct data_image *image)
{
    const int fresh = data_dataset_notes(dataset, image) & ~dataset->noted[item];

    dataset->info.turned += (fresh & DATA_TURNED) != 0;
    dataset->info.converted += (fresh & DATA_CONVERTED) != 0;
    dataset->noted[item] |= (uint8_t)fresh;
}

/* Room for labels that are numbers, where it is not there yet. */
static bool make_targets(struct invar_dataset *dataset, struct invar_error *err)
{
    for (int split = INVAR_TRAIN; split <= INVAR_TEST && dataset->source.target; split++) {
        const size_t room = (size_t)dataset->total[split] + 1;
        if (!dataset->targets[split] && !(dataset->targets[split] = invar_alloc(room, sizeof(double), err)))
            return false;
    }
    return true;
}

static void take_labels(struct invar_dataset *dataset)
{
    const struct data_source *source = &dataset->source;
    struct invar_dataset_info *info = &dataset->info;

    info->label_number = source->target != NULL;
    info->labelled = source->classes > 0 || source->target;
    info->classes = source->classes;
    info->class_names = (const char *const *)source->class_names;
    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++)
        for (int64_t n = 0; n < info->count[split]; n++) {
            int64_t label = source->label[dataset->items[split][n]];
            dataset->labels[split][n] = label;
            if (source->target)
                dataset->targets[split][n] = source->target[dataset->items[split][n]];
            info->labelled = info->labelled && (source->target ? !isnan(dataset->targets[split][n]) : label >= 0);
        }
}

/* What is not known to be bad, in the order of the source. */
static bool number_samples(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct data_source *source = &dataset->source;
    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++) {
        size_t room = (size_t)dataset->total[split] + 1;
        dataset->items[split] = invar_alloc(room, sizeof *dataset->items[split], err);
        dataset->labels[split] = invar_alloc(room, sizeof *dataset->labels[split], err);
        if (!dataset->items[split] || !dataset->labels[split])
            return false;
        if (dataset->refinement.count > 0 &&
            !(dataset->groups[split] = invar_alloc(room, sizeof *dataset->groups[split], err)))
            return false;
    }
    if (!make_targets(dataset, err))
        return false;
    for (int64_t i = 0; i < source->count; i++) {
        int split = source->split[i];
        if (dataset->bad[i])
            continue;
        int64_t n = dataset->info.count[split]++;
        dataset->items[split][n] = i;
        if (dataset->groups[split])
            dataset->groups[split][n] = dataset->refinement.of[i];
    }
    take_labels(dataset);
    if (dataset->info.count[INVAR_TRAIN] == 0)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: no training %s is left", dataset->options.source,
                               data_source_noun(source));
    return true;
}

/* Where draws from a column find the training rows. */
static void point_rows(struct invar_dataset *dataset)
{
    dataset->source.table.item = dataset->items[INVAR_TRAIN];
    dataset->source.table.count_train = dataset->info.count[INVAR_TRAIN];
}

/* The groups of the training split as it is now: split, and without what is unreadable. */
static bool measure_groups(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct data_groups *refinement = &dataset->refinement;
    struct invar_dataset_info *info = &dataset->info;

    if (refinement->count == 0)
        return true;
    int64_t *sizes = invar_alloc((size_t)refinement->count, sizeof *sizes, err);
    if (!sizes)
        return false;
    for (int64_t i = 0; i < info->count[INVAR_TRAIN]; i++)
        sizes[dataset->groups[INVAR_TRAIN][i]]++;
    for (int64_t g = 0; g < refinement->count; g++) {
        if (sizes[g] == 0)
            continue;
        const char *name = data_groups_name(refinement, g);
        if (info->groups == 0 || sizes[g] < info->smallest_group.samples) {
            info->smallest_group.name = name;
            info->smallest_group.samples = sizes[g];
        }
        if (info->groups == 0 || sizes[g] > info->largest_group.samples) {
            info->largest_group.name = name;
            info->largest_group.samples = sizes[g];
        }
        info->groups++;
    }
    invar_free(sizes);
    return info->groups > 1 || data_groups_constant(info->largest_group.name, &dataset->options, err);
}

/* What was left open in the constants of the spectrogram follows from the rate. */
static bool describe_clips(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct invar_data_options *o = &dataset->options;
    struct invar_dataset_info *info = &dataset->info;
    double rate = dataset->source.rate;

    info->logmel = (struct invar_logmel_options){
        .rate = rate,
        .n_fft = o->clips.n_fft ? o->clips.n_fft : (int64_t)exp2(round(log2(0.032 * rate))),
        .hop = o->clips.hop ? o->clips.hop : (int64_t)fmax(1, round(0.01 * rate)),
        .mels = o->clips.mels,
        .f_min = o->clips.f_min,
        .f_max = o->clips.f_max > 0 ? o->clips.f_max : rate / 2,
    };
    info->height = (int)o->clips.mels;
    info->width = (int)o->clips.frames;
    info->channels = 1;
    struct invar_logmel *logmel = invar_logmel_create(&info->logmel, err);
    if (!logmel)
        return false;
    if (invar_logmel_empty(logmel))
        invar_log(INVAR_LOG_WARNING,
                  "%s: %lld of the %lld bands of the spectrogram lie between two frequencies of the transform and say "
                  "nothing: raise data.n_fft or lower data.mels",
                  o->source, (long long)invar_logmel_empty(logmel), (long long)o->clips.mels);
    invar_logmel_free(logmel);
    return true;
}

static bool describe(struct invar_dataset *dataset, struct invar_error *err)
{
    struct invar_dataset_info *info = &dataset->info;
    int size = dataset->source.kind == INVAR_DATA_IMAGE ? (int)dataset->options.size : 0;
    info->source = dataset->options.source;
    info->kind = dataset->source.kind;
    data_beside_describe(&dataset->source.beside, info);
    info->ignores_orientation = dataset->options.orientation == INVAR_ORIENTATION_IGNORE;
    info->rank = info->kind == INVAR_DATA_TABLE ? 1 : 3;
    info->height = size ? size : dataset->height;
    info->width = size ? size : dataset->width;
    info->channels = dataset->channels;
    info->conversion = info->channels == 4   ? "gray, seen as colour, or without opacity, which is full then"
                       : info->channels == 2 ? "colour, seen in gray, or without opacity, which is full then"
                       : info->channels < 3  ? "colour, seen in gray"
                                             : "gray, seen as colour";
    info->classes = dataset->source.classes;
    info->class_names = (const char *const *)dataset->source.class_names;
    info->table = dataset->source.table.count ? &dataset->source.table : NULL;
    return info->kind != INVAR_DATA_AUDIO || describe_clips(dataset, err);
}

static bool check_options(const struct invar_data_options *options, struct invar_error *err)
{
    if (!invar_options_check(invar_data_option_table, options, "data", err))
        return false;
    if (options->metadata[0] && !options->group[0])
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "data.metadata is \"%s\", but data.group is not set: name the column that it is for",
                               options->metadata);
    return true;
}

static struct invar_dataset *create(const struct invar_data_options *options, struct invar_error *err)
{
    struct invar_dataset *dataset = check_options(options, err) ? invar_alloc(1, sizeof *dataset, err) : NULL;
    if (!dataset)
        return NULL;
    dataset->options = *options;
    dataset->workers = options->workers ? (int)options->workers : omp_get_max_threads();
    return dataset;
}

/* Mean and deviation as given, or those of the training split. */
static bool standardisation(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct invar_real_list *mean = &dataset->options.mean, *deviation = &dataset->options.deviation;
    if (dataset->source.kind == INVAR_DATA_TABLE) { /* the source has standardised, each column by its own statistics */
        dataset->info.deviation[0] = 1;
        return true;
    }
    if (mean->count == 0 && deviation->count == 0)
        return data_statistics(dataset, err);
    if (mean->count != dataset->channels || deviation->count != dataset->channels)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "data.mean has %d numbers and data.deviation %d, expected %d in each, one for a channel "
                               "of %s, or none in either",
                               mean->count, deviation->count, dataset->channels, dataset->options.source);
    for (int c = 0; c < dataset->channels && dataset->source.kind == INVAR_DATA_IMAGE; c++)
        if (!(mean->value[c] >= 0 && mean->value[c] <= 1 && deviation->value[c] <= 1))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "data.mean=%g and data.deviation=%g are not of values in 0 to 1, which those of "
                                   "images are: divide them by 255 if they are of bytes",
                                   mean->value[c], deviation->value[c]);
    for (int c = 0; c < dataset->channels; c++) {
        dataset->info.mean[c] = (float)mean->value[c];
        dataset->info.deviation[c] = (float)deviation->value[c];
    }
    return true;
}

/* Groups, splits, counts, and the first good image. */
static bool examine(struct invar_dataset *dataset, struct invar_error *err)
{
    const struct invar_data_options *options = &dataset->options;
    if (options->group[0] && !data_groups_read(&dataset->refinement, &dataset->source, options, err))
        return false;
    if (!dataset->source.has_test &&
        !data_source_split(&dataset->source, options->test_fraction, (uint64_t)options->split_seed, err))
        return false;
    for (int64_t i = 0; i < dataset->source.count; i++)
        dataset->total[dataset->source.split[i]]++;
    dataset->bad = invar_alloc((size_t)dataset->source.count, sizeof *dataset->bad, err);
    dataset->noted = invar_alloc((size_t)dataset->source.count, sizeof *dataset->noted, err);
    if (!dataset->bad || !dataset->noted || !data_find_reference(dataset, err))
        return false;
    return describe(dataset, err);
}

static void compare_samples(const struct invar_dataset *dataset)
{
    long long wanted = dataset->options.samples, count = dataset->info.count[INVAR_TRAIN];
    if (wanted && wanted != count)
        invar_log(INVAR_LOG_WARNING, "%s: has %lld training samples, data.samples says %lld", dataset->options.source,
                  count, wanted);
}

struct invar_dataset *invar_dataset_open(const struct invar_data_options *options, struct invar_error *err)
{
    return invar_dataset_open_as(options, NULL, err);
}

/* like: what is set of a source before it is opened. */
static struct invar_dataset *open_dataset(const struct invar_data_options *options, const struct data_source *like,
                                          struct invar_error *err)
{
    struct invar_dataset *dataset = create(options, err);
    if (dataset) {
        dataset->source.columns = like->columns;
        dataset->source.raw = like->raw;
        dataset->source.own_classes = like->own_classes;
    }
    if (dataset && data_source_open(&dataset->source, options, err) && examine(dataset, err) &&
        data_hold(dataset, err) && number_samples(dataset, err) && measure_groups(dataset, err) &&
        standardisation(dataset, err) && data_dataset_check_bad(dataset, err) && data_identity(dataset, err)) {
        compare_samples(dataset);
        point_rows(dataset);
        return dataset;
    }
    invar_dataset_close(dataset);
    return NULL;
}

struct invar_dataset *invar_dataset_open_as(const struct invar_data_options *options, const char *columns,
                                            struct invar_error *err)
{
    return open_dataset(options, &(struct data_source){.columns = columns}, err);
}

struct invar_dataset *data_dataset_open_test(const struct invar_dataset *own, const struct invar_data_options *options,
                                             const char *columns, struct invar_error *err)
{
    const struct data_source like = {.columns = columns, .own_classes = true};
    struct invar_data_options asked = *options;

    asked.label_kind = own->options.label_kind;
    struct invar_dataset *dataset = open_dataset(&asked, &like, err);
    if (dataset) /* another field that becomes the label is what it became there */
        dataset->options.label_kind = own->info.label_number ? INVAR_LABEL_NUMBER : INVAR_LABEL_CLASS;
    return dataset;
}

struct invar_dataset *invar_dataset_open_features(const struct invar_data_options *options, struct invar_error *err)
{
    if (strncmp(options->source, "npy:", 4) != 0) {
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: features come from npy:FILE", options->source);
        return NULL;
    }
    return open_dataset(options, &(struct data_source){.raw = true}, err);
}

/* What the options say of a source that is not there. */
static bool assume(struct invar_dataset *dataset, const struct invar_error *why, struct invar_error *err)
{
    const struct invar_data_options *options = &dataset->options;
    bool is_audio = dataset->source.kind == INVAR_DATA_AUDIO;
    if (why->code != INVAR_ERROR_FILE)
        return invar_error_set(err, why->code, "%s", why->message);
    if (is_audio && options->samples && options->clips.rate) {
        dataset->channels = 1;
    } else if (is_audio) {
        return invar_error_set(err, why->code, "%s (planning needs no data where data.samples and data.rate are set)",
                               why->message);
    } else if (!options->samples || !options->size || !options->channels) {
        return invar_error_set(err, why->code,
                               "%s (planning needs no data where data.samples, data.size and "
                               "data.channels are set)",
                               why->message);
    } else {
        dataset->channels = (int)options->channels;
    }
    invar_log(INVAR_LOG_WARNING, "%s; planned for data.samples=%lld", why->message, (long long)options->samples);
    enum invar_data_kind kind = dataset->source.kind;
    data_source_close(&dataset->source);
    dataset->source.kind = kind;
    dataset->source.rate = (int)options->clips.rate;
    dataset->info.count[INVAR_TRAIN] = options->samples;
    dataset->info.assumed = true;
    return describe(dataset, err);
}

struct invar_dataset *invar_dataset_survey(const struct invar_data_options *options, struct invar_error *err)
{
    struct invar_dataset *dataset = create(options, err);
    struct invar_error why = {0};
    bool ok = dataset != NULL;

    if (ok && !data_source_open(&dataset->source, options, &why))
        ok = assume(dataset, &why, err);
    else if (ok && (ok = examine(dataset, err) && number_samples(dataset, err) && measure_groups(dataset, err)))
        compare_samples(dataset);
    for (int c = 0; ok && c < 16; c++)
        dataset->info.deviation[c] = 1;
    if (ok)
        return dataset;
    invar_dataset_close(dataset);
    return NULL;
}

void invar_dataset_close(struct invar_dataset *dataset)
{
    if (!dataset)
        return;
    data_hold_free(dataset);
    data_source_close(&dataset->source);
    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++) {
        invar_free(dataset->items[split]);
        invar_free(dataset->labels[split]);
        invar_free(dataset->targets[split]);
        invar_free(dataset->groups[split]);
    }
    data_left_out_free(dataset);
    data_groups_free(&dataset->refinement);
    invar_text_free(&dataset->identity);
    invar_free(dataset->bad);
    invar_free(dataset->noted);
    invar_free(dataset);
}

void invar_dataset_set_plain(struct invar_dataset *dataset, const struct invar_plain_view *plain)
{
    dataset->info.plain = *plain;
}

const struct invar_dataset_info *invar_dataset_info(const struct invar_dataset *dataset)
{
    return &dataset->info;
}

const int64_t *invar_dataset_labels(const struct invar_dataset *dataset, enum invar_split split)
{
    return dataset->labels[split];
}

const double *invar_dataset_targets(const struct invar_dataset *dataset, enum invar_split split)
{
    return dataset->info.label_number ? dataset->targets[split] : NULL;
}

const int64_t *invar_dataset_groups(const struct invar_dataset *dataset, enum invar_split split)
{
    return dataset->groups[split];
}

/* A label that is part of the input says how much of it is kept, not what was learnt. */
static void warn_of_feature(const struct invar_dataset *dataset, const char *field, const char *key)
{
    const struct invar_table *table = &dataset->source.table;

    for (int c = 0; c < table->count; c++)
        if (strcmp(table->column[c].name, field) == 0 && table->column[c].places > 0)
            invar_log(
                INVAR_LOG_WARNING,
                "%s: the column \"%s\" is part of what the encoder sees, so its labels can be read from the input; "
                "pretraining with data.ignore=%s leaves it out",
                key, field, field);
}

bool invar_dataset_relabel(struct invar_dataset *dataset, const char *field, const char *key, struct invar_error *err)
{
    if (!data_source_relabel(&dataset->source, field, dataset->options.label_kind, key, err) ||
        !make_targets(dataset, err))
        return false;
    warn_of_feature(dataset, field, key);
    take_labels(dataset);
    return true;
}

/* Training samples that do not meet it, then all that do, each in the order of the source. */
static bool hold_out(struct invar_dataset *dataset, const struct data_condition *condition, struct invar_error *err)
{
    struct data_source *source = &dataset->source;
    bool any = false;

    for (int64_t i = 0; i < source->count; i++)
        any = any || (!dataset->bad[i] && source->split[i] == INVAR_TRAIN && !data_condition_meets(condition, i));
    if (!any)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: without these no training %s is left",
                               dataset->options.source, data_source_noun(source));
    for (int split = INVAR_TRAIN; split <= INVAR_TEST; split++) {
        invar_free(dataset->items[split]);
        invar_free(dataset->labels[split]);
        invar_free(dataset->targets[split]);
        invar_free(dataset->groups[split]);
        dataset->targets[split] = NULL;
        dataset->items[split] = dataset->labels[split] = dataset->groups[split] = NULL;
        dataset->info.count[split] = dataset->total[split] = dataset->bad_count[split] = 0;
    }
    for (int64_t i = 0; i < source->count; i++) {
        bool meets = data_condition_meets(condition, i);
        bool used = !dataset->bad[i] && (meets || source->split[i] == INVAR_TRAIN);
        source->split[i] = meets ? INVAR_TEST : INVAR_TRAIN;
        dataset->bad[i] = !used;
        dataset->total[source->split[i]] += used;
    }
    if (!number_samples(dataset, err))
        return false;
    point_rows(dataset);
    return true;
}

bool invar_dataset_hold_out(struct invar_dataset *dataset, const char *condition, const char *key,
                            struct invar_error *err)
{
    struct data_condition read;

    if (!data_condition_read(&read, &dataset->source.fields, condition, key, err))
        return false;
    bool ok = hold_out(dataset, &read, err);
    data_condition_free(&read);
    return ok;
}

struct invar_sample data_dataset_describe(const struct invar_dataset *dataset, struct data_shape shape,
                                          const uint8_t *data)
{
    static const enum invar_dtype types[] = {[1] = INVAR_UINT8, [2] = INVAR_UINT16, [4] = INVAR_FLOAT32};
    return (struct invar_sample){
        .kind = dataset->source.kind,
        .dtype = types[shape.unit],
        .height = shape.height,
        .width = shape.width,
        .channels = dataset->channels,
        .data = data,
        .label = -1,
        .group = -1,
    };
}

void data_dataset_sample(const struct invar_dataset *dataset, enum invar_split split, int64_t index,
                         struct invar_sample *sample)
{
    int64_t item = dataset->items[split][index];
    *sample = data_dataset_describe(dataset, data_dataset_shape(dataset, item), dataset->pixels[item]);
    sample->index = index;
    sample->label = dataset->labels[split][index];
    if (dataset->groups[split])
        sample->group = dataset->groups[split][index];
}
