/* SPDX-License-Identifier: Apache-2.0 */
/* Sounds one behind the other in a file, as `cat` joins them, and MP3, which is nothing but its frames. */
#include "data/sound.h"

/* The bytes of a sound that is written under a name. */
static struct bytes make_sound(const char *name, int format, int rate, int channels, int frames)
{
    struct invar_bytes content = {0};
    struct invar_error err = {0};
    struct bytes out = {0};

    put_sound(name, format & SF_FORMAT_SUBMASK ? format : format | SF_FORMAT_PCM_16, rate, channels, frames, 0.5f);
    assert_ok(invar_file_read(&content, test_path(folder, name), 1 << 20, &err), &err);
    bytes_put(&out, content.data, content.size);
    invar_bytes_free(&content);
    return out;
}

static void put_tag(struct bytes *out)
{
    bytes_put(out, "ID3\4\0\0\0\0\20\0", 10); /* 2048 bytes follow */
    bytes_fill(out, 0xff, 2048);
}

static void takes(const char *name)
{
    struct invar_data_options options = make_options("audio", folder);
    options.test_fraction = 0;
    struct invar_dataset *dataset = make_open(&options);
    if (invar_dataset_info(dataset)->skipped != 0)
        fail_msg("%s: %s", name, invar_dataset_info(dataset)->first_skipped);
    invar_dataset_close(dataset);
}

static void joined_files_are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int format;
        bool tagged, unknown; /* ID3 before it; its length is not said */
    } kinds[] = {
        {"a/bad.flac", SF_FORMAT_FLAC, false, false}, {"a/bad.flac", SF_FORMAT_FLAC, true, false},
        {"a/bad.flac", SF_FORMAT_FLAC, false, true},  {"a/bad.wav", SF_FORMAT_WAV, false, false},
        {"a/bad.wav", SF_FORMAT_WAVEX, false, false}, {"a/bad.wav", SF_FORMAT_NIST, false, false},
        {"a/bad.rf64", SF_FORMAT_RF64, false, false}, {"a/bad.w64", SF_FORMAT_W64, false, false},
        {"a/bad.aiff", SF_FORMAT_AIFF, false, false}, {"a/bad.au", SF_FORMAT_AU, false, false},
        {"a/bad.caf", SF_FORMAT_CAF, false, false},   {"a/bad.voc", SF_FORMAT_VOC, false, false},
        {"a/bad.aif", SF_FORMAT_SVX, false, false},
    };
    put_good();
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct bytes both = {0}, first = make_sound(kinds[k].name, kinds[k].format, 8000, 1, 5001);
        struct bytes second = make_sound(kinds[k].name, kinds[k].format, 8000, 1, 30000);
        if (kinds[k].unknown) /* 4 bits of depth, then 36 of the length */
            first.data[21] &= 0xf0, memset(first.data + 22, 0, 4);
        if (kinds[k].tagged)
            put_tag(&both);
        bytes_put(&both, first.data, first.size);
        test_file(folder, kinds[k].name, both.data, both.size);
        takes(kinds[k].name);
        bytes_put(&both, second.data, second.size);
        test_file(folder, kinds[k].name, both.data, both.size);
        leaves_out("is several files one behind the other");
        assert_int_equal(remove(test_path(folder, kinds[k].name)), 0);
        bytes_done(&first);
        bytes_done(&second);
        bytes_done(&both);
    }
}

/* What stands behind the sound of a file is not another file. */
static void what_follows_a_sound_is_no_other(void **state)
{
    (void)state;
    struct bytes wave = make_sound("a/1.wav", SF_FORMAT_WAV, 8000, 1, 5000);
    struct bytes flac = make_sound("a/2.flac", SF_FORMAT_FLAC, 8000, 1, 30000);
    bytes_put(&wave, "LIST\20\0\0\0INFOISFT\4\0\0\0RIFF", 24);
    bytes_put(&flac, "fLaC, says a text", 17);
    test_file(folder, "a/1.wav", wave.data, wave.size);
    test_file(folder, "a/2.flac", flac.data, flac.size);
    takes("chunks and text behind sounds");
    bytes_done(&wave);
    bytes_done(&flac);
}

/* ---- MP3 ---- */

enum { MP3 = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, RATE = 16000, FRAME = 576 };

/* Where the second frame begins: the first holds no sound but the number of the others. */
static size_t second_frame(const struct bytes *mp3)
{
    size_t at = 4;

    while (at + 4 < mp3->size && (memcmp(mp3->data + at, mp3->data, 2) != 0 || mp3->data[at + 3] != mp3->data[3]))
        at++;
    return at;
}

/* Samples of the only clip, and how loud its last thousand are (a sine of 0.5 is 0.35). */
static void expect_clip(const struct bytes *mp3, int samples, int more, double loud)
{
    struct invar_sample sample;
    double sum = 0;

    test_file(folder, "m/clip.mp3", mp3->data, mp3->size);
    struct invar_data_options options = make_options("audio", test_path(folder, "m"));
    options.clips.rate = RATE;
    options.test_fraction = 0;
    struct invar_dataset *dataset = make_open(&options);
    struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, &sample, 1);
    const float *clip = sample.data;
    if (!(sample.width >= samples && sample.width <= samples + more))
        fail_msg("%d samples, expected %d to %d", sample.width, samples, samples + more);
    for (int i = sample.width - 1000 - more; i < sample.width - more; i++)
        sum += (double)clip[i] * (double)clip[i];
    assert_near(sqrt(sum / 1000), loud, 0.1);
    invar_loader_free(loader);
    invar_dataset_close(dataset);
}

/* Two files that say how many frames they have: between them, and at the ends, stand what encoders add. */
static void joined_mp3_is_read_whole(void **state)
{
    (void)state;
    for (int tags = 0; tags < 2; tags++) {
        struct bytes both = make_sound("m/clip.mp3", MP3, RATE, 1, 20000);
        struct bytes second = make_sound("m/clip.mp3", MP3, RATE, 1, 12000);
        expect_clip(&both, 20000, 0, 0.35);
        if (tags) {
            bytes_put(&both, "TAG", 3);
            bytes_fill(&both, 0, 125);
            put_tag(&both);
        }
        bytes_put(&both, second.data, second.size);
        expect_clip(&both, 32000, 8 * FRAME, 0.35);
        bytes_done(&both);
        bytes_done(&second);
    }
}

/* Frames alone, of several bit rates, behind a picture of an album: their number is counted and not estimated. */
static void mp3_may_say_no_length(void **state)
{
    (void)state;
    for (int tags = 0; tags < 2; tags++) {
        struct bytes out = {0}, whole = make_sound("m/clip.mp3", MP3, RATE, 1, 20000);
        const size_t second = second_frame(&whole);
        if (tags)
            put_tag(&out);
        bytes_put(&out, whole.data + second, whole.size - second);
        expect_clip(&out, 20000, 3 * FRAME, 0.35);
        bytes_put(&out, whole.data + second, whole.size - second);
        expect_clip(&out, 40000, 6 * FRAME, 0.35);
        bytes_done(&whole);
        bytes_done(&out);
    }
}

static void mp3_that_changes_or_ends_early_is_left_out(void **state)
{
    (void)state;
    static const struct {
        int rate, channels;
    } others[] = {{22050, 1}, {RATE, 2}};
    put_good();
    for (int i = 0; i < 4; i++) {
        struct bytes both = {0}, first = make_sound("a/bad.mp3", MP3, RATE, 1, 20000);
        struct bytes other = make_sound("a/bad.mp3", MP3, others[i / 2].rate, others[i / 2].channels, 12000);
        const size_t begin = i % 2 ? second_frame(&first) : 0;
        bytes_put(&both, first.data + begin, first.size - begin);
        bytes_put(&both, other.data, other.size);
        test_file(folder, "a/bad.mp3", both.data, both.size);
        leaves_out("changes its rate or its number of channels");
        bytes_done(&both);
        bytes_done(&first);
        bytes_done(&other);
    }
    struct bytes mp3 = make_sound("a/bad.mp3", MP3, RATE, 1, 20000);
    const size_t second = second_frame(&mp3);
    test_file(folder, "a/bad.mp3", mp3.data, mp3.size * 3 / 5);
    leaves_out("a/bad.mp3: is cut short");
    test_file(folder, "a/bad.mp3", mp3.data + second, mp3.size - second - 7);
    leaves_out("a/bad.mp3: is cut short");
    bytes_done(&mp3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(joined_files_are_left_out),
        TEST(what_follows_a_sound_is_no_other),
        TEST(joined_mp3_is_read_whole),
        TEST(mp3_may_say_no_length),
        TEST(mp3_that_changes_or_ends_early_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
