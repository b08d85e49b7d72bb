/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged WAV, FLAC, OGG, MP3 and MATLAB files. */
#include "fuzz/fuzz_data.h"

#include <sndfile.h>

/* libsndfile 1.2.0 loses 5784 bytes of libvorbis with every OGG file that it refuses; LeakSanitizer asks for this name.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:vorbis_info_init\n";
}

static struct bytes make_sound(const char *folder, int format)
{
    SF_INFO info = {.samplerate = 8000, .channels = 2, .format = format};
    short wave[2 * 300];
    char path[1024];
    struct invar_error err = {0};
    struct invar_bytes file = {0};
    struct bytes out = {0};

    snprintf(path, sizeof path, "%s/whole", folder);
    for (int i = 0; i < 600; i++)
        wave[i] = (short)(i * 97 % 20011);
    SNDFILE *sound = sf_open(path, SFM_WRITE, &info);
    assert_non_null(sound);
    assert_int_equal(sf_writef_short(sound, wave, 300), 300);
    assert_int_equal(sf_close(sound), 0);
    assert_ok(invar_file_read(&file, path, 1 << 20, &err), &err);
    bytes_put(&out, file.data, file.size);
    invar_bytes_free(&file);
    return out;
}

static void damaged(const char *name, int format)
{
    char *folder = test_folder_create();
    fuzz_part(folder, name, make_sound(folder, format), "audio", folder);
    test_folder_remove(folder);
}

static void damaged_wav(void **state)
{
    (void)state;
    damaged("a/1.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16);
}

/* Floating-point samples may be NaN and Inf. */
static void damaged_float(void **state)
{
    (void)state;
    damaged("a/1.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT);
}

static void damaged_flac(void **state)
{
    (void)state;
    damaged("a/1.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
}

static void damaged_ogg(void **state)
{
    (void)state;
    damaged("a/1.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS);
}

static void damaged_mp3(void **state)
{
    (void)state;
    damaged("a/1.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III);
}

/* Its arrays are found by lengths of others. */
static void damaged_mat(void **state)
{
    (void)state;
    damaged("a/4.snd", SF_FORMAT_MAT4 | SF_FORMAT_PCM_16);
    damaged("a/5.snd", SF_FORMAT_MAT5 | SF_FORMAT_PCM_16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_wav),  cmocka_unit_test(damaged_float),
                                       cmocka_unit_test(damaged_flac), cmocka_unit_test(damaged_ogg),
                                       cmocka_unit_test(damaged_mp3),  cmocka_unit_test(damaged_mat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
