/* SPDX-License-Identifier: Apache-2.0 */
/* Clips of sound: formats, rates, labels and splits of file names, and files that are none. */
#include "data/fields.h"
#include "data/pattern.h"
#include "data/sound.h"
#include "invar/expert/logmel.h"

TEST_COVERS("source.audio");

/* The only clip of a folder, decoded at a rate. */
static struct invar_dataset *open_one(int64_t rate)
{
    struct invar_data_options options = make_options("audio", folder);
    options.clips.rate = rate;
    options.test_fraction = 0;
    return make_open(&options);
}

static void decodes_every_format(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int format, rate, channels;
        double tolerance;
    } cases[] = {
        {"a/16.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 1e-3},
        {"a/24.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 8000, 1, 1e-5},
        {"a/float.WAV", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, 1e-3},
        {"a/u8.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, 8000, 1, 1e-2},
        {"a/stereo.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 44100, 2, 1e-3},
        {"a/192.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_24, 192000, 1, 1e-3},
        {"a/low.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 4000, 1, 1e-3},
        {"a/1.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 22050, 2, 1e-3},
        {"a/1.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 16000, 1, 5e-2},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        put_sound(cases[c].name, cases[c].format, cases[c].rate, cases[c].channels, cases[c].rate / 2, 0.5f);
        struct invar_dataset *dataset = open_one(8000);
        const struct invar_dataset_info *info = invar_dataset_info(dataset);
        struct invar_sample sample;
        assert_true(info->kind == INVAR_DATA_AUDIO && info->rank == 3 && info->channels == 1);
        assert_true(info->height == 40 && info->width == 64);
        assert_true(info->logmel.n_fft == 256 && info->logmel.hop == 80 && info->logmel.f_max == 4000);
        struct invar_loader *loader = make_load(dataset, INVAR_TRAIN, &sample, 1);
        assert_true(sample.kind == INVAR_DATA_AUDIO && sample.dtype == INVAR_FLOAT32 && sample.height == 1);
        assert_true(abs(sample.width - 4000) <= 1);
        for (int i = 400; i < 3600; i++) {
            double expected = 0.5 / cases[c].channels * sin(2 * M_PI * 440 * i / 8000);
            if (!(fabs((double)((const float *)sample.data)[i] - expected) <= cases[c].tolerance))
                fail_msg("%s: sample %d is %g, expected %g", cases[c].name, i, (double)((const float *)sample.data)[i],
                         expected);
        }
        invar_loader_free(loader);
        invar_dataset_close(dataset);
        assert_int_equal(remove(test_path(folder, cases[c].name)), 0);
    }
}

static void the_first_clip_gives_the_rate(void **state)
{
    (void)state;
    put_sound("a/1.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, 9000, 0.5f);
    put_wav("a/2.wav", 900);
    struct invar_dataset *dataset = open_one(0);
    assert_near(invar_dataset_info(dataset)->logmel.rate, 16000, 0);
    assert_int_equal(invar_dataset_info(dataset)->logmel.n_fft, 512);
    assert_int_equal(invar_dataset_info(dataset)->logmel.hop, 160);
    invar_dataset_close(dataset);
}

/* The middle of the file's bytes goes. */
static void cut(const char *name, size_t kept)
{
    const char *path = test_path(folder, name);
    struct invar_error err = {0};
    struct invar_bytes bytes = {0};
    assert_ok(invar_file_read(&bytes, path, 1 << 20, &err), &err);
    assert_true(kept < bytes.size);
    test_file(folder, name, bytes.data, kept);
    invar_bytes_free(&bytes);
}

static void leaves_out_what_is_no_sound(void **state)
{
    (void)state;
    put_good();
    test_file(folder, "a/bad.wav", "not a sound at all, but a text", 30);
    leaves_out("a/bad.wav: is no sound");
    test_file(folder, "a/bad.wav", "", 0);
    leaves_out("a/bad.wav: is no sound");
    put_wav("a/bad.wav", 0);
    leaves_out("a/bad.wav: holds no sound");
    put_wav("a/bad.wav", 5000);
    cut("a/bad.wav", 3000);
    leaves_out("a/bad.wav: is cut short");
    cut("a/bad.wav", 20);
    leaves_out("a/bad.wav: is ");
    put_sound("a/bad.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 1, 500, NAN);
    leaves_out("a/bad.wav: sample 0 is NaN");
    put_sound("a/bad.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 8000, 1, 500, (float)INFINITY);
    leaves_out("a/bad.wav: sample ");
    assert_int_equal(remove(test_path(folder, "a/bad.wav")), 0);
    put_sound("a/bad.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 8000, 1, 20000, 0.5f);
    cut("a/bad.flac", 9000);
    leaves_out("a/bad.flac: is cut short");
    assert_int_equal(remove(test_path(folder, "a/bad.flac")), 0);
    put_sound("a/bad.ogg", SF_FORMAT_OGG | SF_FORMAT_OPUS, 8000, 1, 60000, 0.5f);
    cut("a/bad.ogg", 20000);
    leaves_out("a/bad.ogg: is cut short");
}

/* Whatever holds the sound: libsndfile takes what is left for all of it. */
static void every_container_may_be_cut_short(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int format;
    } kinds[] = {
        {"a/bad.wav", SF_FORMAT_WAV},
        {"a/bad.wav", SF_FORMAT_WAVEX},
        {"a/bad.wav", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM},
        {"a/bad.wav", SF_FORMAT_WAV | SF_FORMAT_GSM610},
        {"a/bad.wav", SF_FORMAT_WAV | SF_ENDIAN_BIG},
        {"a/bad.wav", SF_FORMAT_NIST},
        {"a/bad.wav", SF_FORMAT_NIST | SF_FORMAT_ULAW},
        {"a/bad.rf64", SF_FORMAT_RF64},
        {"a/bad.w64", SF_FORMAT_W64},
        {"a/bad.w64", SF_FORMAT_W64 | SF_FORMAT_ULAW},
        {"a/bad.aiff", SF_FORMAT_AIFF},
        {"a/bad.aifc", SF_FORMAT_AIFF | SF_FORMAT_FLOAT},
        {"a/bad.au", SF_FORMAT_AU},
        {"a/bad.au", SF_FORMAT_AU | SF_ENDIAN_LITTLE},
        {"a/bad.aif", SF_FORMAT_SVX},
        {"a/bad.aif", SF_FORMAT_SVX | SF_FORMAT_PCM_S8},
        {"a/bad.voc", SF_FORMAT_VOC},
        {"a/bad.voc", SF_FORMAT_VOC | SF_FORMAT_ULAW},
        {"a/bad.caf", SF_FORMAT_CAF},
        {"a/bad.caf", SF_FORMAT_CAF | SF_FORMAT_ALAC_16},
        {"a/bad.snd", SF_FORMAT_AVR},
        {"a/bad.snd", SF_FORMAT_MPC2K},
        {"a/bad.snd", SF_FORMAT_MAT4},
        {"a/bad.snd", SF_FORMAT_MAT4 | SF_FORMAT_FLOAT | SF_ENDIAN_BIG},
        {"a/bad.snd", SF_FORMAT_MAT5},
        {"a/bad.snd", SF_FORMAT_MAT5 | SF_FORMAT_DOUBLE | SF_ENDIAN_BIG},
    };
    put_good();
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const int format = kinds[k].format & SF_FORMAT_SUBMASK ? kinds[k].format : kinds[k].format | SF_FORMAT_PCM_16;
        struct invar_bytes whole = {0};
        struct invar_error err = {0};
        put_sound(kinds[k].name, format, 8000, 1, 5000, 0.5f);
        assert_ok(invar_file_read(&whole, test_path(folder, kinds[k].name), 1 << 20, &err), &err);
        struct invar_data_options options = make_options("audio", folder);
        options.test_fraction = 0;
        struct invar_dataset *dataset = make_open(&options);
        if (invar_dataset_info(dataset)->skipped != 0)
            fail_msg("whole: %s", invar_dataset_info(dataset)->first_skipped);
        invar_dataset_close(dataset);
        for (size_t part = 1; part < 4; part++) {
            test_file(folder, kinds[k].name, whole.data, whole.size * (part + 1) / 5);
            leaves_out("is cut short");
        }
        invar_bytes_free(&whole);
        assert_int_equal(remove(test_path(folder, kinds[k].name)), 0);
    }
}

/* Whole streams one behind the other, as recorders of broadcasts leave them: only the first would be read. */
static void chained_ogg_is_left_out(void **state)
{
    (void)state;
    static const int codecs[] = {SF_FORMAT_VORBIS, SF_FORMAT_OPUS};
    for (int c = 0; c < 2; c++) {
        struct invar_bytes part = {0};
        struct invar_error err = {0};
        struct bytes both = {0};
        put_good();
        put_sound("a/bad.ogg", SF_FORMAT_OGG | codecs[c], 8000, 1, 5000, 0.5f);
        assert_ok(invar_file_read(&part, test_path(folder, "a/bad.ogg"), 1 << 20, &err), &err);
        struct invar_data_options options = make_options("audio", folder);
        options.test_fraction = 0;
        struct invar_dataset *whole = make_open(&options);
        assert_int_equal(invar_dataset_info(whole)->skipped, 0);
        invar_dataset_close(whole);
        bytes_put(&both, part.data, part.size);
        bytes_put(&both, part.data, part.size);
        test_file(folder, "a/bad.ogg", both.data, both.size);
        leaves_out("a/bad.ogg: is several Ogg streams one behind the other");
        bytes_done(&both);
        invar_bytes_free(&part);
    }
}

/* Decoders pass over a page that is not what its checksum says, and what they give lacks its sound. */
static void damaged_ogg_is_left_out(void **state)
{
    (void)state;
    static const int codecs[] = {SF_FORMAT_VORBIS, SF_FORMAT_OPUS};
    static const double places[] = {0.5, 0.999}; /* of the last page too */
    for (int c = 0; c < 4; c++) {
        struct invar_bytes whole = {0};
        struct invar_error err = {0};
        put_good();
        put_sound("a/bad.ogg", SF_FORMAT_OGG | codecs[c % 2], 8000, 1, 160000, 0.5f);
        assert_ok(invar_file_read(&whole, test_path(folder, "a/bad.ogg"), 1 << 24, &err), &err);
        ((unsigned char *)whole.data)[(size_t)((double)whole.size * places[c / 2])] ^= 0x10;
        test_file(folder, "a/bad.ogg", whole.data, whole.size);
        leaves_out("is no page of Ogg that has the checksum which it says");
        invar_bytes_free(&whole);
    }
}

/* Where the page of Ogg that begins there ends: a head of 27 bytes, lengths by the byte, what they add up to. */
static size_t page_end(const unsigned char *data, size_t at)
{
    size_t end = at + 27 + data[at + 26];
    for (int k = 0; k < data[at + 26]; k++)
        end += data[at + 27 + (size_t)k];
    return end;
}

/* Every page that is left is whole, and a decoder reads on as if nothing were missing. */
static void ogg_that_lacks_pages_is_left_out(void **state)
{
    (void)state;
    static const int codecs[] = {SF_FORMAT_VORBIS, SF_FORMAT_OPUS};
    for (int c = 0; c < 4; c++) {
        struct invar_bytes whole = {0};
        struct invar_error err = {0};
        struct bytes left = {0};
        size_t begin = 0, end = 0;
        put_good();
        put_sound("a/bad.ogg", SF_FORMAT_OGG | codecs[c % 2], 8000, 1, 160000, 0.5f);
        assert_ok(invar_file_read(&whole, test_path(folder, "a/bad.ogg"), 1 << 24, &err), &err);
        while (end < whole.size / 2) {
            begin = end;
            end = page_end(whole.data, begin);
        }
        assert_true(begin > 0 && end < whole.size);
        bytes_put(&left, whole.data, begin);
        if (c < 2)
            bytes_put(&left, whole.data + end, whole.size - end);
        test_file(folder, "a/bad.ogg", left.data, left.size);
        leaves_out(c < 2 ? "a/bad.ogg: is damaged: pages of Ogg are missing before byte" : "a/bad.ogg: is cut short");
        bytes_done(&left);
        invar_bytes_free(&whole);
    }
}

/* A tag behind the pages, and none of Ogg, harms nothing. */
static void ogg_with_a_tag_behind_is_read(void **state)
{
    (void)state;
    struct invar_bytes part = {0};
    struct invar_error err = {0};
    struct bytes both = {0};
    const char tag[128] = "TAGOggs and others";
    put_good();
    put_sound("a/tagged.ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 8000, 1, 5000, 0.5f);
    assert_ok(invar_file_read(&part, test_path(folder, "a/tagged.ogg"), 1 << 20, &err), &err);
    bytes_put(&both, part.data, part.size);
    bytes_put(&both, tag, sizeof tag);
    test_file(folder, "a/tagged.ogg", both.data, both.size);
    struct invar_data_options options = make_options("audio", folder);
    options.test_fraction = 0;
    struct invar_dataset *whole = make_open(&options);
    assert_int_equal(invar_dataset_info(whole)->skipped, 0);
    invar_dataset_close(whole);
    bytes_done(&both);
    invar_bytes_free(&part);
}

/* Changes 4 bytes of a file to a little-endian number. */
static void put_size(const char *name, long at, uint32_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    const uint8_t bytes[4] = {(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(size >> 24)};
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, 4, file), 4);
    assert_int_equal(fclose(file), 0);
}

/* Sizes of the whole (byte 4) and of the sound (byte 40), of 8000 bytes, as writers leave them. */
static void sizes_that_writers_leave(void **state)
{
    (void)state;
    static const struct {
        uint32_t whole, sound;
        const char *refused;
    } cases[] = {
        {8036, 8000, NULL},             /* whole */
        {8044, 8000, NULL},             /* the file's own size */
        {13036, 8000, NULL},            /* too large, the sound's right */
        {0, 8000, NULL},                /* never filled in */
        {UINT32_MAX, UINT32_MAX, NULL}, /* ffmpeg into a pipe */
        {0x7ffff024, 0x7ffff000, NULL}, /* sox */
        {0x80000024, 0x80000000, NULL}, /* arecord */
        {8036, 8002, "is cut short: its header says 8002 bytes of sound and 8000 are there"},
        {16036, 16000, "is cut short: its header says 16000 bytes of sound and 8000 are there"},
        {8036, 0, "its header was never completed"},
        {36, 0, "its header was never completed"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        put_good();
        put_wav("a/bad.wav", 4000);
        put_size("a/bad.wav", 4, cases[c].whole);
        put_size("a/bad.wav", 40, cases[c].sound);
        if (cases[c].refused) {
            leaves_out(cases[c].refused);
            continue;
        }
        struct invar_data_options options = make_options("audio", folder);
        options.test_fraction = 0;
        struct invar_dataset *dataset = make_open(&options);
        if (invar_dataset_info(dataset)->skipped != 0)
            fail_msg("case %zu: %s", c, invar_dataset_info(dataset)->first_skipped);
        invar_dataset_close(dataset);
    }
}

/* A FLAC of unknown length passes the header; what it comes to at another rate is counted while it is read. */
static void unknown_lengths_are_counted(void **state)
{
    (void)state;
    const int frames = 1000000;
    put_sound("long/a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 100, 1, frames, 0);
    char path[1024];
    uint8_t length[5];
    snprintf(path, sizeof path, "%s/long/a.flac", folder);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 21, SEEK_SET), 0); /* 4 bits of depth, then 36 of the length */
    assert_int_equal(fread(length, 1, 5, file), 5);
    length[0] &= 0xf0;
    memset(length + 1, 0, 4);
    assert_int_equal(fseek(file, 21, SEEK_SET), 0);
    assert_int_equal(fwrite(length, 1, 5, file), 5);
    assert_int_equal(fclose(file), 0);

    snprintf(path, sizeof path, "%s/long", folder);
    struct invar_data_options options = make_options("audio", path);
    struct invar_error err = {0};
    options.clips.rate = 1000000;
    options.test_fraction = 0;
    assert_null(invar_dataset_open(&options, &err));
    assert_non_null(strstr(err.message, "the limit of a clip"));
}

/* The ending says that it is a sound, the content which. */
static void every_kind_of_sound(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int format;
    } kinds[] = {{"a.aiff", SF_FORMAT_AIFF},
                 {"b.AU", SF_FORMAT_AU},
                 {"c.caf", SF_FORMAT_CAF},
                 {"d.w64", SF_FORMAT_W64},
                 {"e.flac", SF_FORMAT_WAV},
                 {"f.wave", SF_FORMAT_FLAC},
                 {"g.opus", SF_FORMAT_OGG | SF_FORMAT_OPUS},
                 {"h.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III},
                 {"i.oga", SF_FORMAT_OGG | SF_FORMAT_VORBIS}};
    char name[64];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(name, sizeof name, "kinds/%s", kinds[i].name);
        put_sound(name, kinds[i].format & SF_FORMAT_SUBMASK ? kinds[i].format : kinds[i].format | SF_FORMAT_PCM_16,
                  8000, 1, 4000, 0);
    }
    struct invar_data_options options = make_options("audio", test_path(folder, "kinds"));
    options.test_fraction = 0;
    struct invar_dataset *dataset = make_open(&options);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], sizeof kinds / sizeof *kinds);
    assert_int_equal(invar_dataset_info(dataset)->skipped, 0);
    invar_dataset_close(dataset);
}

static void silence_is_a_clip(void **state)
{
    (void)state;
    put_sound("a/1.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 8000, 1, 5000, 0.0f);
    struct invar_dataset *dataset = open_one(0);
    assert_int_equal(invar_dataset_info(dataset)->count[INVAR_TRAIN], 1);
    assert_near(invar_dataset_info(dataset)->mean[0], log(1e-6), 1e-5);
    assert_near(invar_dataset_info(dataset)->deviation[0], 1, 0);
    invar_dataset_close(dataset);
}

static void put_digits(void)
{
    static const char *const speakers[] = {"ann", "bob", "cid"};
    for (int digit = 0; digit < 2; digit++)
        for (int s = 0; s < 3; s++)
            for (int i = 0; i < 4; i++) {
                char name[64];
                snprintf(name, sizeof name, "%d_%s_%d.wav", digit, speakers[s], i);
                put_wav(name, 100 + i);
            }
}

static struct invar_data_options digits(const char *label, const char *test)
{
    struct invar_data_options options = make_options("audio", folder);
    strcpy(options.clips.pattern, "{digit}_{speaker}_{index}");
    strcpy(options.label, label);
    strcpy(options.test, test);
    return options;
}

static void names_give_labels_and_splits(void **state)
{
    (void)state;
    struct invar_error err = {0};
    put_digits();
    struct invar_data_options options = digits("digit", "index=0..1,3");
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_true(info->count[INVAR_TRAIN] == 6 && info->count[INVAR_TEST] == 18);
    assert_true(info->classes == 2 && info->labelled);
    assert_string_equal(info->class_names[1], "1");
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TRAIN)[5], 1);

    assert_ok(invar_dataset_relabel(dataset, "speaker", "--label", &err), &err);
    assert_int_equal(info->classes, 3);
    assert_string_equal(info->class_names[2], "cid");
    assert_int_equal(invar_dataset_labels(dataset, INVAR_TRAIN)[1], 1);
    assert_refused(invar_dataset_relabel(dataset, "speeker", "--label", &err), &err, INVAR_ERROR_USAGE,
                   "--label: there is no field \"speeker\"; did you mean \"speaker\"?");

    assert_ok(invar_dataset_relabel(dataset, "digit", "--label", &err), &err);
    assert_ok(invar_dataset_hold_out(dataset, "speaker=bob", "--hold-out", &err), &err);
    assert_true(info->count[INVAR_TRAIN] == 4 && info->count[INVAR_TEST] == 8);
    struct invar_sample samples[8];
    struct invar_loader *loader = make_load(dataset, INVAR_TEST, samples, 8);
    for (int i = 0; i < 8; i++) /* 0_bob_0 .. 0_bob_3, 1_bob_0 .. */
        assert_true(samples[i].width == 100 + i % 4 && samples[i].label == i / 4);
    invar_loader_free(loader);
    assert_refused(invar_dataset_hold_out(dataset, "speaker=eve", "--hold-out", &err), &err, INVAR_ERROR_USAGE,
                   "--hold-out: no sample has speaker \"eve\"");
    invar_dataset_close(dataset);
}

static void refuses_bad_naming(void **state)
{
    (void)state;
    put_digits();
    struct invar_data_options options = digits("digit", "index=7..9");
    make_refused(&options, INVAR_ERROR_USAGE, "data.test: no sample has index \"7..9\"");
    options = digits("digit", "index");
    make_refused(&options, INVAR_ERROR_USAGE, "data.test: \"index\" is no condition");
    options = digits("digit", "speaker=ana");
    make_refused(&options, INVAR_ERROR_USAGE, "did you mean \"ann\"?");
    options = digits("digt", "");
    make_refused(&options, INVAR_ERROR_USAGE, "data.label: there is no field \"digt\"");
    options = digits("digit", "");
    strcpy(options.clips.pattern, "{digit}-{speaker}");
    make_refused(&options, INVAR_ERROR_DATA, "0_ann_0.wav: its name does not fit data.pattern");
    options.clips.pattern[0] = '\0';
    make_refused(&options, INVAR_ERROR_USAGE, "data.label: \"digit\" is not known");
    static const char *const wrong[] = {"digit", "{digit", "{a}{b}", "{a}_{a}", "{}", "a}{b"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        strcpy(options.clips.pattern, wrong[i]);
        make_refused(&options, INVAR_ERROR_USAGE, "data.pattern: ");
    }
}

static void folders_are_classes_and_splits(void **state)
{
    (void)state;
    put_wav("train/yes/1.wav", 100);
    put_wav("train/no/1.wav", 100);
    put_wav("test/no/7.wav", 100);
    struct invar_data_options options = make_options("audio", folder);
    struct invar_dataset *dataset = make_open(&options);
    const struct invar_dataset_info *info = invar_dataset_info(dataset);
    assert_true(info->count[0] == 2 && info->count[1] == 1 && info->classes == 2);
    assert_string_equal(info->class_names[0], "no");
    invar_dataset_close(dataset);
    strcpy(options.clips.pattern, "{n}");
    strcpy(options.test, "n=7");
    make_refused(&options, INVAR_ERROR_USAGE, "data.test");
}

static void refuses_constants_that_do_not_fit(void **state)
{
    (void)state;
    put_wav("a/1.wav", 1000);
    struct invar_data_options options = make_options("audio", folder);
    options.test_fraction = 0;
    options.clips.n_fft = 255;
    make_refused(&options, INVAR_ERROR_USAGE, "n_fft: 255, expected an even number");
    options.clips.n_fft = 64;
    make_refused(&options, INVAR_ERROR_USAGE, "mels: 40, expected 1 to n_fft / 2 + 1");
    options.clips.n_fft = 0;
    options.clips.f_max = 4001;
    make_refused(&options, INVAR_ERROR_USAGE, "f_min and f_max");
    options = make_options("audio", "/nowhere/at/all");
    make_refused(&options, INVAR_ERROR_FILE, "/nowhere/at/all");
}

/* Threads, and sets decoded ahead, must not matter. */
/* Of log power, which is not in 0 to 1. */
static void statistics_may_be_given(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_data_options options = make_options("audio", folder);
    put_wav("a.wav", 4000);
    assert_ok(invar_options_set(invar_data_option_table, &options, "mean=[-7.5]", &err), &err);
    assert_ok(invar_options_set(invar_data_option_table, &options, "deviation=[4.25]", &err), &err);
    struct invar_dataset *dataset = make_open(&options);
    assert_true(invar_dataset_info(dataset)->mean[0] == -7.5f && invar_dataset_info(dataset)->deviation[0] == 4.25f);
    invar_dataset_close(dataset);
}

static void statistics_do_not_depend_on_threads(void **state)
{
    (void)state;
    put_digits();
    float mean[4], deviation[4];
    for (int i = 0; i < 4; i++) {
        struct invar_data_options options = digits("", "");
        options.workers = 1 + i % 2 * 2;
        options.memory = i / 2 ? 2 : 1;
        struct invar_dataset *dataset = make_open(&options);
        mean[i] = invar_dataset_info(dataset)->mean[0];
        deviation[i] = invar_dataset_info(dataset)->deviation[0];
        invar_dataset_close(dataset);
        assert_true(mean[i] == mean[0] && deviation[i] == deviation[0] && deviation[i] > 0.1f);
    }
}

static void windows_end_in_silence(void **state)
{
    (void)state;
    const float clip[] = {1, 2, 3};
    float out[5];
    invar_logmel_window(clip, 3, -1, 5, out);
    assert_memory_equal(out, ((float[]){0, 1, 2, 3, 0}), sizeof out);
    invar_logmel_window(clip, 3, 1, 1, out);
    assert_true(out[0] == 2.0f);
    invar_logmel_window(clip, 3, 3, 2, out);
    assert_true(out[0] == 0.0f && out[1] == 0.0f);
    invar_logmel_window(clip, 3, -5, 5, out);
    assert_memory_equal(out, ((float[]){0, 0, 0, 0, 0}), sizeof out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(decodes_every_format),
        TEST(the_first_clip_gives_the_rate),
        TEST(leaves_out_what_is_no_sound),
        TEST(silence_is_a_clip),
        TEST(names_give_labels_and_splits),
        TEST(refuses_bad_naming),
        TEST(folders_are_classes_and_splits),
        TEST(refuses_constants_that_do_not_fit),
        TEST(statistics_may_be_given),
        TEST(statistics_do_not_depend_on_threads),
        TEST(windows_end_in_silence),
        TEST(every_container_may_be_cut_short),
        TEST(chained_ogg_is_left_out),
        TEST(damaged_ogg_is_left_out),
        TEST(ogg_that_lacks_pages_is_left_out),
        TEST(ogg_with_a_tag_behind_is_read),
        TEST(sizes_that_writers_leave),
        TEST(unknown_lengths_are_counted),
        TEST(every_kind_of_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
