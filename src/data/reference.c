/* SPDX-License-Identifier: Apache-2.0 */
/* What all samples are compared with: the channels that most images have, and size and type of the first that can be
 * decoded. */
#include "data/dataset.h"

#include "invar/log.h"

#define HEADERS 1000 /* images asked for their channels */

/* What most of the images asked have; gray and colour count together and are 3 where any is colour. 0: not known. */
static int choose_channels(const struct invar_dataset *dataset, const long long *have, long long asked)
{
    const long long plain = have[1] + have[3];
    int most = 0;

    for (int n = 2; n <= DATA_CHANNEL_LIMIT; n++)
        if (n != 3 && have[n] > (most ? have[most] : 0))
            most = n;
    if (most && have[most] > plain) {
        if (plain || have[most] < asked)
            invar_log(
                INVAR_LOG_WARNING,
                "%s: of %lld images asked %lld have %d channels: so does data.channels, others count as unreadable",
                dataset->options.source, asked, have[most], most);
        return most;
    }
    if (have[1] && have[3])
        invar_log(INVAR_LOG_WARNING,
                  "%s: of %lld images asked %lld are colour and %lld gray: data.channels is 3, gray gets three equal "
                  "channels",
                  dataset->options.source, asked, have[3], have[1]);
    return have[3] ? 3 : most ? 1 : 0;
}

/* The channels of all, by the headers of all images or of HEADERS of them at equal distances. */
static bool find_channels(struct invar_dataset *dataset, struct data_decoder *decoder, int *wanted,
                          struct invar_error *err)
{
    const struct data_source *source = &dataset->source;
    const int64_t asked = source->count < HEADERS ? source->count : HEADERS;
    long long have[DATA_CHANNEL_LIMIT + 1] = {0};

    *wanted = source->kind == INVAR_DATA_IMAGE ? (int)dataset->options.channels : 0;
    if (*wanted || source->kind != INVAR_DATA_IMAGE || !source->channels_of)
        return true;
    for (int64_t i = 0; i < asked; i++) {
        struct invar_error why = {0};
        const int channels = source->channels_of(source, source->count * i / asked, decoder, &why);
        if (data_ends(&why))
            return invar_error_set(err, why.code, "%s", why.message);
        have[channels >= 0 && channels <= DATA_CHANNEL_LIMIT ? channels : 0]++;
    }
    *wanted = choose_channels(dataset, have, asked);
    return true;
}

bool data_find_reference(struct invar_dataset *dataset, struct invar_error *err)
{
    struct data_decoder decoder = {0};
    struct data_image image = {0};
    int wanted;
    bool found = false, ok = find_channels(dataset, &decoder, &wanted, err);

    for (int64_t i = 0; ok && !found && i < dataset->source.count; i++) {
        struct invar_error why = {0};
        found = data_source_decode(&dataset->source, i, wanted, &decoder, &image, &why);
        if (!found && data_ends(&why))
            ok = invar_error_set(err, why.code, "%s", why.message);
        else if (!found)
            ok = data_dataset_note_bad(dataset, i, why.message, err);
        dataset->reference = i;
    }
    if (ok && !found)
        ok = invar_error_set(err, INVAR_ERROR_DATA, "%s: no %s can be read; the first: %s", dataset->options.source,
                             data_source_noun(&dataset->source), dataset->info.first_skipped);
    dataset->height = image.height;
    dataset->width = image.width;
    dataset->channels = image.channels;
    dataset->unit = (uint8_t)image.unit;
    data_decoder_free(&decoder);
    data_image_free(&image);
    return ok;
}
