/* SPDX-License-Identifier: Apache-2.0 */
/* Corrupted images that others made: the arrays of CIFAR-10-C, the folders of ImageNet-C. They go through the same
 * classifier and the same plain view as images that are corrupted here, so that what is left of a difference is in the
 * files. */
#include "eval/probe/classified.h"
#include "eval/pass.h"
#include "invar/expert/file.h"
#include "invar/memory.h"
#include "base/threads.h"

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 4096, SEVERITIES = INVAR_CORRUPTION_SEVERITIES };

struct ready {
    const char *folder;
    const struct invar_encoder *encoder;
    const struct invar_dataset_info *own; /* of the data that the classifier was fitted on */
    const struct invar_robustness_options *options;
    struct classified classified;
    int cells_left;
};

/* How many images there will be, as far as it is known: this cell's, in all cells that are left. Cells may have
 * different numbers of images, which are known one after the other. */
static void expect(struct ready *r, int64_t count)
{
    r->classified.total = r->classified.done + count * r->cells_left--;
}

static int64_t limited(const struct ready *r, int64_t count)
{
    return r->options->limit && r->options->limit < count ? r->options->limit : count;
}

/* ---- arrays ---- */

struct arrays {
    struct invar_array labels, images;
    struct invar_view_maker *maker;
    struct invar_sample *samples; /* [RUNNER_BATCH] */
    float *views;
    int64_t view_size;
};

static void arrays_close(struct arrays *a)
{
    invar_array_free(&a->labels);
    invar_array_free(&a->images);
    invar_view_maker_free(a->maker);
    invar_free(a->samples);
    invar_free(a->views);
}

/* Labels of the published files are bytes; files of users may be integers. */
static int64_t label_of(const struct invar_array *labels, int64_t i)
{
    return labels->dtype == INVAR_UINT8 ? ((const uint8_t *)labels->data)[i] : ((const int64_t *)labels->data)[i];
}

/* One label an image, or one an image of the first severity. */
static bool check_labels(const struct invar_array *labels, const char *path, int64_t count, struct invar_error *err)
{
    return (labels->rank == 1 && (labels->dtype == INVAR_INT64 || labels->dtype == INVAR_UINT8) &&
            (labels->shape[0] == count || labels->shape[0] == count / SEVERITIES)) ||
           invar_error_set(
               err, INVAR_ERROR_FORMAT,
               "%s: expected whole numbers, one for each of the %lld images of a corruption or of its first severity",
               path, (long long)count);
}

/* NAME.npy, as images of the channels of the encoder. One corruption at a time: all of them together are some
 * gigabytes. */
static bool read_images(const struct ready *r, struct arrays *a, const char *name, struct invar_error *err)
{
    char path[PATH_SIZE], labels[PATH_SIZE], file[64];
    const struct invar_array *images = &a->images;
    const int64_t *shape = images->shape;

    invar_array_free(&a->images);
    snprintf(file, sizeof file, "%s.npy", name);
    if (!invar_path_join(path, sizeof path, r->folder, file, err) ||
        !invar_path_join(labels, sizeof labels, r->folder, "labels.npy", err) || !invar_npy_read(&a->images, path, err))
        return false;
    /* Sides are checked before they are multiplied: a file may claim any. Three dimensions are gray images, whose last
     * one is missing. */
    if (images->dtype != INVAR_UINT8 || images->rank < 3 || images->rank > 4 || shape[0] < 1 || shape[0] % SEVERITIES ||
        shape[1] < 1 || shape[2] < 1 || shape[1] > 4096 || shape[2] > 4096)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: expected uint8 of the shape [5 N][height][width][3], the severities one after the "
                               "other",
                               path);
    const int64_t channels = images->rank == 4 ? shape[3] : 1, wanted = invar_net_input(r->encoder->net).channels;
    if (channels != wanted)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: has images of %lld channels, the encoder takes %lld; choose corrupted images of "
                               "the kind that it was trained on",
                               path, (long long)channels, (long long)wanted);
    return check_labels(&a->labels, labels, shape[0], err);
}

/* Plain views by the encoder's statistics, as for the data that it was trained on. */
static bool make_views(const struct ready *r, struct arrays *a, struct invar_error *err)
{
    struct invar_dataset_info info = *r->own, out;
    struct invar_view_options views;

    if (a->maker)
        return true;
    info.source = r->folder;
    info.channels = (int)invar_net_input(r->encoder->net).channels;
    invar_options_default(invar_view_option_table, &views);
    if (!runner_views(r->encoder, &info, &out, err))
        return false;
    a->view_size = (int64_t)out.channels * out.height * out.width;
    a->maker = invar_view_maker_create(&views, &out, err);
    a->samples = invar_alloc(RUNNER_BATCH, sizeof *a->samples, err);
    a->views = invar_alloc(RUNNER_BATCH, (size_t)a->view_size * sizeof *a->views, err);
    return a->maker && a->samples && a->views;
}

/* A batch of images by their numbers in the array, as views, with their labels. */
static bool take_views(struct arrays *a, const int64_t *index, int64_t count, int64_t *labels, struct invar_error *err)
{
    const int64_t *shape = a->images.shape, channels = a->images.rank == 4 ? shape[3] : 1;
    const int64_t size = shape[1] * shape[2] * channels;

    for (int64_t i = 0; i < count; i++) {
        /* Where there are labels of the first severity alone they serve all five: the images are the same in the same
         * order. */
        labels[i] = label_of(&a->labels, index[i] % a->labels.shape[0]);
        a->samples[i] = (struct invar_sample){.kind = INVAR_DATA_IMAGE,
                                              .dtype = INVAR_UINT8,
                                              .height = (int)shape[1],
                                              .width = (int)shape[2],
                                              .channels = (int)channels,
                                              .data = (const uint8_t *)a->images.data + index[i] * size,
                                              .index = index[i],
                                              .label = labels[i],
                                              .group = -1};
    }
    return invar_view_maker_plain(a->maker, a->samples, count, a->views, err);
}

/* Severities lie one behind the other in an array. */
static bool array_cell(struct ready *r, struct arrays *a, struct invar_robustness_cell *cell, struct invar_error *err)
{
    const int64_t each = a->images.shape[0] / SEVERITIES, start = (cell->severity - 1) * each;
    const int64_t wanted = limited(r, each);
    int64_t index[RUNNER_BATCH], labels[RUNNER_BATCH];

    expect(r, wanted);
    for (int64_t first = 0; first < wanted; first += RUNNER_BATCH) {
        const int64_t got = wanted - first < RUNNER_BATCH ? wanted - first : RUNNER_BATCH;
        for (int64_t i = 0; i < got; i++)
            index[i] = start + classified_spread(first + i, wanted, each);
        if (!take_views(a, index, got, labels, err) ||
            !classified_run(&r->classified, a->views, got, labels, index, cell, err))
            return false;
    }
    return true;
}

static bool run_arrays(struct ready *r, struct invar_robustness_cell *cells, int count, const char *labels,
                       struct invar_error *err)
{
    const struct invar_corruption_spec *present = NULL;
    struct arrays arrays = {0};
    bool ok = invar_npy_read(&arrays.labels, labels, err) && make_views(r, &arrays, err);

    for (int i = 0; ok && i < count; i++) {
        /* Cells come corruption by corruption, and each file is read once for all severities of it. */
        if (cells[i].corruption != present)
            ok = read_images(r, &arrays, cells[i].corruption->name, err);
        present = cells[i].corruption;
        ok = ok && array_cell(r, &arrays, &cells[i], err);
    }
    arrays_close(&arrays);
    return ok;
}

/* ---- folders ---- */

/* All of FOLDER/NAME/SEVERITY, at the size and with the channels of the encoder. Through the source of image folders,
 * so that decoding and resizing are those of training. */
static struct invar_dataset *open_cell(const struct ready *r, const struct invar_robustness_cell *cell,
                                       struct invar_error *err)
{
    const struct invar_shape input = invar_net_input(r->encoder->net);
    struct invar_data_options options;
    int length;

    invar_options_default(invar_data_option_table, &options);
    length = snprintf(options.source, sizeof options.source, "images:%s/%s/%d", r->folder, cell->corruption->name,
                      cell->severity);
    if (length < 0 || (size_t)length >= sizeof options.source) {
        invar_error_set(err, INVAR_ERROR_USAGE, "the name of the folder %s is too long", r->folder);
        return NULL;
    }
    /* At the encoder's own size, with its channels: the plain view then resizes nothing more. */
    options.size = input.height;
    options.channels = input.channels;
    /* All images are for measuring here: none is split off. */
    options.test_fraction = 0;
    options.memory = INVAR_DATA_MEMORY_NO; /* each image is seen once */
    options.mean.count = options.deviation.count = (int)input.channels;
    for (int c = 0; c < (int)input.channels; c++) {
        /* Given and not measured: statistics of corrupted images would undo some of the corruption. */
        options.mean.value[c] = (double)r->encoder->mean[c];
        options.deviation.value[c] = (double)r->encoder->deviation[c];
    }
    return invar_dataset_open(&options, err);
}

/* Class by name, since folders are numbered by their order, which differs where one is missing. */
static bool match(const struct ready *r, const struct invar_dataset *dataset, int *map, struct invar_error *err)
{
    const struct invar_dataset_info *info = invar_dataset_info(dataset);

    invar_classes_match(r->own, info, map);
    for (int c = 0; c < info->classes; c++)
        if (map[c] < 0)
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s: its class \"%s\" is none of the training data, whose classes are %s, ..; "
                                   "choose corrupted images of the same classes",
                                   info->source, info->class_names[c],
                                   r->own->class_names ? r->own->class_names[0] : "0");
    return true;
}

/* Own samples move to the front: views, labels by the classes of the training data, numbers. */
static int64_t gather(struct pass *pass, int64_t got, const int *map, int64_t *labels, int64_t *index)
{
    int64_t count = 0;

    for (int64_t i = 0; i < got; i++) {
        if (!pass_is_own(pass, i))
            continue;
        memmove(pass->views + count * pass->view_size, pass->views + i * pass->view_size,
                (size_t)pass->view_size * sizeof *pass->views);
        index[count] = pass->samples[i].index;
        labels[count++] = pass->samples[i].label < 0 ? -1 : map[pass->samples[i].label];
    }
    return count;
}

/* Unreadable images are left out of both counts. */
static bool pass_cell(struct ready *r, struct invar_dataset *dataset, const int *map,
                      struct invar_robustness_cell *cell, struct invar_error *err)
{
    const int64_t images = invar_dataset_info(dataset)->count[INVAR_TRAIN], wanted = limited(r, images);
    struct invar_dataset_info info;
    struct pass pass = {0};
    int64_t got = 1, labels[PASS_BATCH], index[PASS_BATCH];
    int64_t *order = invar_alloc((size_t)wanted, sizeof *order, err);
    const struct pass_options options = {.split = INVAR_TRAIN, .order = order, .count = wanted};
    bool ok = order != NULL;

    for (int64_t i = 0; ok && i < wanted; i++)
        order[i] = classified_spread(i, wanted, images);
    ok = ok && runner_views(r->encoder, invar_dataset_info(dataset), &info, err) &&
         pass_open(&pass, dataset, &options, &info, err);
    expect(r, wanted);
    while (ok && got) {
        ok = pass_next(&pass, &got, err);
        if (!ok || !got)
            break;
        const int64_t count = gather(&pass, got, map, labels, index);
        pass.done += got;
        /* A batch may hold nothing but images that cannot be read. */
        ok = count == 0 || classified_run(&r->classified, pass.views, count, labels, index, cell, err);
    }
    pass_close(&pass);
    invar_free(order);
    return ok;
}

static bool folder_cell(struct ready *r, struct invar_robustness_cell *cell, struct invar_error *err)
{
    struct invar_dataset *dataset = open_cell(r, cell, err);
    const int classes = dataset ? invar_dataset_info(dataset)->classes : 0;
    int *map = dataset ? invar_alloc((size_t)classes + 1, sizeof *map, err) : NULL;
    const bool ok = map && match(r, dataset, map, err) && pass_cell(r, dataset, map, cell, err);

    invar_free(map);
    invar_dataset_close(dataset);
    return ok;
}

/* labels.npy tells the two forms apart. */
bool invar_robustness_ready(struct invar_device *device, const struct invar_encoder *encoder,
                            const struct invar_dataset_info *info, const char *folder,
                            const struct invar_classifier *classifier, const struct invar_robustness_options *options,
                            struct invar_robustness_cell *cells, int count, struct invar_error *err)
{
    THREADS_FOR(invar_device_threads(device));
    struct ready r = {.folder = folder, .encoder = encoder, .own = info, .options = options, .cells_left = count};
    char labels[PATH_SIZE];
    bool ok = false;

    if (!invar_path_exists(folder))
        return invar_error_set(err, INVAR_ERROR_FILE,
                               "%s: there is no such folder; give that of CIFAR-10-C (NAME.npy, labels.npy) or "
                               "ImageNet-C (NAME/SEVERITY/CLASS)",
                               folder);
    for (int i = 0; i < count; i++)
        cells[i].count = cells[i].wrong = 0;
    if (!invar_path_join(labels, sizeof labels, folder, "labels.npy", err) ||
        !classified_open(&r.classified, device, encoder, classifier, options, 0, err))
        goto done;
    /* A total is known cell by cell alone, hence 0 above: folders are counted when they are opened. */
    if (invar_path_exists(labels)) {
        ok = run_arrays(&r, cells, count, labels, err);
    } else {
        ok = true;
        for (int i = 0; ok && i < count; i++)
            ok = folder_cell(&r, &cells[i], err);
    }
done:
    classified_close(&r.classified);
    return ok;
}
