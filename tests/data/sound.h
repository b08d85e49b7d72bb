/* SPDX-License-Identifier: Apache-2.0 */
/* Files of sound, and a folder of clips in which one is none. */
#ifndef INVAR_TESTS_DATA_SOUND_H
#define INVAR_TESTS_DATA_SOUND_H

#include "data/make.h"
#include "folder.h"

#include <sndfile.h>

/* A sine of 440 Hz and 0.5 in channel 0, silence in the others. */
static inline void put_sound(const char *name, int format, int rate, int channels, int frames, float level)
{
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    float *wave = calloc((size_t)(frames * channels) + 1, sizeof *wave);
    char path[1024];

    assert_non_null(wave);
    bytes_write(&(struct bytes){0}, folder, name); /* makes folders */
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (int i = 0; i < frames; i++)
        wave[i * channels] = level * (float)sin(2 * M_PI * 440 * i / rate);
    SNDFILE *sound = sf_open(path, SFM_WRITE, &info);
    assert_non_null(sound);
    assert_int_equal(sf_writef_float(sound, wave, frames), frames);
    assert_int_equal(sf_close(sound), 0);
    free(wave);
}

static inline void put_wav(const char *name, int frames)
{
    put_sound(name, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, frames, 0.5f);
}

/* One bad file among good ones: left out with this sentence, in memory and decoded ahead. */
static inline void leaves_out(const char *text)
{
    for (int memory = 1; memory <= 2; memory++) { /* yes, no */
        struct invar_data_options options = make_options("audio", folder);
        options.test_fraction = 0;
        options.bad_limit = 0.5;
        options.memory = (enum invar_data_memory)memory;
        struct invar_dataset *dataset = make_open(&options);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        assert_int_equal(info->skipped, 1);
        if (!strstr(info->first_skipped, text))
            fail_msg("\"%s\", expected \"%s\"", info->first_skipped, text);
        assert_int_equal(info->count[INVAR_TRAIN], memory == 1 ? 3 : 4);
        assert_true(isfinite(info->mean[0]) && info->deviation[0] > 0);
        invar_dataset_close(dataset);
    }
    struct invar_data_options options = make_options("audio", folder);
    make_refused(&options, INVAR_ERROR_DATA, text);
}

static inline void put_good(void)
{
    put_wav("a/1.wav", 3000);
    put_wav("a/2.wav", 9000);
    put_wav("a/3.wav", 10);
}

#endif
