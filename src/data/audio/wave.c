/* SPDX-License-Identifier: Apache-2.0 */
/* One sound file: libsndfile reads it block by block, soxr brings it to the rate. No size in a header is believed. */
#include "data/audio/wave.h"

#include "invar/memory.h"
#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <soxr.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096 /* frames read at a time */
#define MAX_CHANNELS 64
#define MIN_RATE 100
#define MAX_RATE 1000000

/* What libsndfile reads of a file. Of MPEG audio it must not know the end: where no frame says how many there are, it
 * would take that for known which it estimates by the first ones. */
struct span {
    int file, error; /* error: why reading failed */
    int64_t begin, end, at;
    bool open_ended;
};

static sf_count_t span_length(void *user)
{
    const struct span *span = user;
    return span->end - span->begin;
}

static sf_count_t span_seek(sf_count_t offset, int whence, void *user)
{
    struct span *span = user;
    if (whence == SEEK_END && span->open_ended)
        return -1;
    const int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? span->at : span->end - span->begin;
    return offset < -from || offset > INT64_MAX / 2 ? -1 : (span->at = from + offset);
}

static sf_count_t span_read(void *out, sf_count_t count, void *user)
{
    struct span *span = user;
    const int64_t left = span->end - span->begin - span->at;
    const sf_count_t wanted = count < left ? count : left;
    const ssize_t got = wanted > 0 ? pread(span->file, out, (size_t)wanted, span->begin + span->at) : 0;

    if (got < 0)
        span->error = errno;
    span->at += got > 0 ? got : 0;
    return got > 0 ? got : 0;
}

static sf_count_t span_tell(void *user)
{
    const struct span *span = user;
    return span->at;
}

/* The bytes that hold sound. */
static bool span_find(struct span *span, int file, const char *name, struct invar_error *err)
{
    struct data_mpeg mpeg;

    *span = (struct span){.file = file, .end = lseek(file, 0, SEEK_END)};
    if (span->end < 0)
        return data_unreadable(name, errno, err);
    if (!data_mpeg_walk(file, &mpeg))
        return true;
    *span = (struct span){.file = file, .begin = mpeg.begin, .end = mpeg.end, .open_ended = true};
    if (mpeg.changes)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: changes its rate or its number of channels on the way, as MP3 files one behind the "
                               "other may; decode it to one sound, or split it",
                               name);
    return !mpeg.cut || invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is cut short: it ends within a frame", name);
}

static SNDFILE *open_sound(struct span *span, SF_INFO *info)
{
    SF_VIRTUAL_IO io = {span_length, span_seek, span_read, NULL, span_tell};

    *info = (SF_INFO){0};
    errno = 0;
    return sf_open_virtual(&io, SFM_READ, info, span);
}

/* Why there is no sound: the machine, or the file. */
static bool refuse(const char *name, const struct span *span, struct invar_error *err)
{
    const int number = span->error ? span->error : errno;

    if (data_is_system(number))
        return data_unreadable(name, number, err);
    return invar_error_set(err, INVAR_ERROR_FORMAT,
                           "%s: is no sound that can be read, expected WAV, FLAC, OGG, MP3, ...", name);
}

int data_wave_rate(int file, const char *name, struct invar_error *err)
{
    struct span span;
    SF_INFO info;

    if (!span_find(&span, file, name, err))
        return 0;
    SNDFILE *sound = open_sound(&span, &info);
    if (!sound)
        refuse(name, &span, err);
    else
        sf_close(sound);
    return sound && info.samplerate >= MIN_RATE && info.samplerate <= MAX_RATE ? info.samplerate : 0;
}

/* So many samples, or those that come out at the other rate. */
static bool is_too_long(const SF_INFO *info, sf_count_t frames, int rate)
{
    return frames > DATA_CLIP_LIMIT || (double)frames * rate / info->samplerate > (double)DATA_CLIP_LIMIT;
}

static bool check_header(const SF_INFO *info, const char *name, int rate, struct invar_error *err)
{
    if (info->channels < 1 || info->channels > MAX_CHANNELS)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has %d channels, expected 1 to %d", name, info->channels,
                               MAX_CHANNELS);
    if (info->samplerate < MIN_RATE || info->samplerate > MAX_RATE)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has %d samples a second, expected %d to %d", name,
                               info->samplerate, MIN_RATE, MAX_RATE);
    if (info->frames < 1)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: holds no sound, its length is 0", name);
    /* Its own length and the one that comes out; a length that is not known passes and is counted while reading. */
    if (info->frames < SF_COUNT_MAX && is_too_long(info, info->frames, rate))
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has %lld samples at %d Hz; at most %lld are possible",
                               name, (long long)info->frames, info->samplerate, (long long)DATA_CLIP_LIMIT);
    return true;
}

/* Room for `more` floats behind the `have` that are kept. */
static bool make_room(struct data_image *image, size_t have, size_t more, struct invar_error *err)
{
    struct data_image larger = {0};
    size_t needed = (have + more) * sizeof(float);

    if (needed <= image->capacity)
        return true;
    if (!data_image_floats(&larger, (int)(2 * (have + more)), 1, err))
        return false;
    if (have)
        memcpy(larger.pixels, image->pixels, have * sizeof(float));
    data_image_free(image);
    *image = larger;
    return true;
}

static void mix(const float *block, sf_count_t frames, int channels, float *out)
{
    for (sf_count_t i = 0; i < frames; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++)
            sum += block[i * channels + c];
        out[i] = sum / (float)channels;
    }
}

/* All of it, mixed to one channel, into `wave`; *frames are what there were, few enough to be brought to the rate. */
static bool read_all(SNDFILE *sound, const struct span *span, const SF_INFO *info, const char *name, int rate,
                     struct data_decoder *decoder, struct data_image *wave, size_t *frames, struct invar_error *err)
{
    sf_count_t got = 1;

    *frames = 0;
    if (!data_decoder_reserve(decoder, (size_t)info->channels * BLOCK * sizeof(float), err))
        return false;
    while (got > 0) {
        float *block = (float *)(void *)decoder->file;
        got = sf_readf_float(sound, block, BLOCK);
        if (got <= 0)
            break;
        if (is_too_long(info, (sf_count_t)*frames + got, rate))
            return invar_error_set(err, INVAR_ERROR_FORMAT,
                                   "%s: has more than %lld samples at %d Hz or, brought to %d Hz, more than %lld, the "
                                   "limit of a clip",
                                   name, (long long)*frames, info->samplerate, rate, (long long)DATA_CLIP_LIMIT);
        if (!make_room(wave, *frames, (size_t)got, err))
            return false;
        mix(block, got, info->channels, (float *)(void *)wave->pixels + *frames);
        *frames += (size_t)got;
    }
    if (span->error)
        return data_unreadable(name, span->error, err);
    if (*frames == 0)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: holds no sound that can be read", name);
    if (info->frames < SF_COUNT_MAX && *frames < (size_t)info->frames)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is cut short: %zu of its %lld samples can be read", name,
                               *frames, (long long)info->frames);
    if (span->open_ended && info->frames == SF_COUNT_MAX && sf_error(sound) != SF_ERR_NO_ERROR)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: is damaged: what follows its first %zu samples cannot be read", name, *frames);
    return true;
}

static bool check_values(const struct data_image *wave, size_t frames, const char *name, struct invar_error *err)
{
    const float *values = (const float *)(const void *)wave->pixels;
    for (size_t i = 0; i < frames; i++)
        if (!(fabsf(values[i]) <= 1e6f))
            return invar_error_set(err, INVAR_ERROR_FORMAT,
                                   "%s: sample %zu is NaN, Inf or beyond a million; a waveform lies in -1 to 1", name,
                                   i);
    return true;
}

/* wave[frames] at its rate to image at the other. */
static bool resample(const struct data_image *wave, size_t frames, int from, int to, const char *name,
                     struct data_image *image, struct invar_error *err)
{
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    const soxr_runtime_spec_t one_thread = soxr_runtime_spec(1);
    size_t room = (size_t)ceil((double)frames * to / from) + 1, got = 0;
    size_t wanted = (size_t)llround((double)frames * to / from);

    wanted = wanted ? wanted : 1;
    if (!data_image_floats(image, (int)room, 1, err))
        return false;
    memset(image->pixels, 0, room * sizeof(float));
    soxr_error_t failed =
        soxr_oneshot(from, to, 1, wave->pixels, frames, NULL, image->pixels, room, &got, NULL, &quality, &one_thread);
    if (failed)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: cannot be brought from %d to %d Hz: %s", name, from, to,
                               failed);
    image->width = (int)wanted; /* what soxr leaves at the end is silence */
    return true;
}

bool data_wave_decode(int file, const char *name, int rate, struct data_decoder *decoder, struct data_image *image,
                      struct invar_error *err)
{
    struct span span;
    SF_INFO info;
    size_t frames;
    bool ok = false;

    if (!data_wave_whole(file, name, err) || !span_find(&span, file, name, err))
        return false;
    SNDFILE *sound = open_sound(&span, &info);
    if (!sound)
        return refuse(name, &span, err);
    struct data_image *wave = info.samplerate == rate ? image : &decoder->scratch;
    if (!check_header(&info, name, rate, err) ||
        !read_all(sound, &span, &info, name, rate, decoder, wave, &frames, err) ||
        !check_values(wave, frames, name, err))
        goto done;
    if (wave == image)
        ok = data_image_floats(image, (int)frames, 1, err);
    else
        ok = resample(wave, frames, info.samplerate, rate, name, image, err);
done:
    sf_close(sound);
    return ok;
}
