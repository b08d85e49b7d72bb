/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes of sound a file says that it has, and how many there are: libsndfile takes what is there for all. */
#include "data/audio/wave.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNKNOWN_32 0x7ff00000u /* writers into pipes leave a length of 2 GiB or more */
#define HEAD_LIMIT 24

/* Formats of chunks: an id, a length, the content. */
static const struct container {
    const char *magic, *form, *sound; /* form: at byte 8; "": any */
    int first;                        /* where chunks begin */
    int id, width;                    /* bytes of an id and of a length */
    bool big;                         /* endian */
    uint8_t align, counted;           /* of the next chunk; bytes of the head that the length counts */
} containers[] = {
    {"RIFF", "WAVE", "data", 12, 4, 4, false, 2, 0}, {"RIFX", "WAVE", "data", 12, 4, 4, true, 2, 0},
    {"RF64", "WAVE", "data", 12, 4, 4, false, 2, 0}, {"BW64", "WAVE", "data", 12, 4, 4, false, 2, 0},
    {"FORM", "AIFF", "SSND", 12, 4, 4, true, 2, 0},  {"FORM", "AIFC", "SSND", 12, 4, 4, true, 2, 0},
    {"FORM", "8SVX", "BODY", 12, 4, 4, true, 2, 0},  {"FORM", "16SV", "BODY", 12, 4, 4, true, 2, 0},
    {"caff", "", "data", 8, 4, 8, true, 1, 0},       {"riff", "", "data", 40, 16, 8, false, 8, 24},
};

struct stated {
    int64_t begin, length; /* of the sound, or of one block of it; length -1: the file does not say */
    bool zero_is_unset;    /* a writer that was stopped leaves 0, which libsndfile believes */
};

static bool read_at(int file, int64_t at, void *out, size_t size)
{
    return at >= 0 && pread(file, out, size, at) == (ssize_t)size;
}

static uint64_t number(const uint8_t *bytes, int width, bool big)
{
    uint64_t value = 0;

    for (int i = 0; i < width; i++)
        value = value << 8 | bytes[big ? i : width - 1 - i];
    return value;
}

/* The chunk of the sound. RF64 has its length in a chunk before it, where 32 bits are too few. */
static bool find_chunk(int file, const struct container *c, struct stated *out)
{
    uint8_t head[HEAD_LIMIT], wide[16];
    int64_t longer = -1;
    const int64_t size = c->id + c->width;

    for (int64_t at = c->first; read_at(file, at, head, (size_t)size);) {
        const uint64_t length = number(head + c->id, c->width, c->big);
        const uint64_t content = length - c->counted;
        out->begin = at + size;
        if (memcmp(head, c->sound, 4) == 0) {
            const bool unknown = c->width == 4 ? length >= UNKNOWN_32 : length > INT64_MAX / 2;
            out->length = !unknown ? (int64_t)content : longer;
            out->zero_is_unset = c->magic[0] == 'R';
            return true;
        }
        if (length < c->counted || content > INT64_MAX / 2)
            return false;
        if (memcmp(head, "ds64", 4) == 0 && read_at(file, out->begin, wide, sizeof wide)) {
            const uint64_t said = number(wide + 8, 8, false);
            longer = said > 0 && said < INT64_MAX / 2 ? (int64_t)said : -1;
        }
        at = out->begin + (int64_t)((content + c->align - 1) / c->align * c->align);
    }
    return false;
}

static bool find_au(int file, struct stated *out)
{
    uint8_t head[12];

    if (!read_at(file, 0, head, sizeof head) || (memcmp(head, ".snd", 4) != 0 && memcmp(head, "dns.", 4) != 0))
        return false;
    const bool big = head[0] == '.';
    const uint64_t length = number(head + 8, 4, big);
    *out = (struct stated){(int64_t)number(head + 4, 4, big), length < UNKNOWN_32 ? (int64_t)length : -1, false};
    return true;
}

/* VOC: blocks of a kind, a length of 3 bytes and their content. libsndfile reads the first of sound. */
static bool find_voc(int file, struct stated *out)
{
    uint8_t head[22], block[4];

    if (!read_at(file, 0, head, sizeof head) || memcmp(head, "Creative Voice File\x1a", 20) != 0)
        return false;
    for (int64_t at = (int64_t)number(head + 20, 2, false); read_at(file, at, block, sizeof block) && block[0] != 0;) {
        *out = (struct stated){at + 4, (int64_t)number(block + 1, 3, false), false};
        if (block[0] == 1 || block[0] == 9)
            return true;
        at = out->begin + out->length;
    }
    return false;
}

/* The number behind a name of a NIST header, "sample_count -i 12000", of a text too, "-s1 1". -1: none. */
static int64_t nist_number(const char *head, const char *name)
{
    const char *found = strstr(head, name), *value = found ? strchr(found + strlen(name), ' ') : NULL;

    return value ? strtoll(value, NULL, 10) : -1;
}

static bool find_nist(int file, struct stated *out)
{
    char head[1025] = "";

    if (!read_at(file, 0, head, 1024) || memcmp(head, "NIST_1A\n", 8) != 0)
        return false;
    const int64_t samples = nist_number(head, "sample_count "), bytes = nist_number(head, "sample_n_bytes ");
    const int64_t channels = nist_number(head, "channel_count ");
    const bool plain = !strstr(head, "embedded-shorten") && !strstr(head, "embedded-shortpack");
    const bool said = plain && samples > 0 && samples < INT32_MAX && bytes > 0 && bytes <= 8;
    out->begin = strtoll(head + 8, NULL, 10);
    out->length = said ? samples * bytes * (channels > 0 && channels <= 256 ? channels : 1) : -1;
    return out->begin > 0;
}

/* Of Atari's AVR and Akai's MPC 2000: a head of one size with the number of frames in it. */
static bool find_counted(int file, struct stated *out)
{
    uint8_t head[42];

    if (!read_at(file, 0, head, sizeof head))
        return false;
    if (memcmp(head, "2BIT", 4) == 0)
        *out = (struct stated){128, (int64_t)number(head + 26, 4, true) * (head[15] / 8) * (head[12] ? 2 : 1), false};
    else if (head[0] == 1 && head[1] == 4)
        *out = (struct stated){42, (int64_t)number(head + 30, 4, false) * 2 * (1 + head[21]), false};
    return out->begin > 0;
}

/* MATLAB 4: two arrays, of the rate and of the sound: a kind, rows, columns, a flag and the length of the name in 20
 * bytes, the name, the numbers. The tens of the kind say how wide these are. */
static bool find_mat4(int file, struct stated *out)
{
    static const uint8_t widths[] = {8, 4, 4, 2, 2, 1};
    uint8_t head[31];

    if (!read_at(file, 0, head, sizeof head) || memcmp(head + 20, "samplerate", 11) != 0)
        return false;
    const bool big = head[4] == 0; /* one row */
    *out = (struct stated){0, 0, false};
    for (int array = 0; array < 2; array++) {
        const int64_t at = out->begin + out->length;
        if (!read_at(file, at, head, 20))
            return false;
        const uint64_t kind = number(head, 4, big) / 10 % 10, rows = number(head + 4, 4, big);
        if (kind >= sizeof widths || rows > UINT16_MAX)
            return false;
        out->begin = at + 20 + (int64_t)number(head + 16, 4, big);
        out->length = (int64_t)(rows * number(head + 8, 4, big) * widths[kind]);
    }
    return true;
}

/* The element at `at`, a kind, a length and the content, which ends at a multiple of 8, or 4 bytes with both before.
 * False: there is none. */
static bool read_element(int file, int64_t at, bool big, struct stated *out, int64_t *next)
{
    uint8_t head[8];

    if (!read_at(file, at, head, sizeof head))
        return false;
    const bool small = number(head, 4, big) > UINT16_MAX;
    *out = (struct stated){at + 8, small ? 0 : (int64_t)number(head + 4, 4, big), false};
    *next = out->begin + (out->length + 7) / 8 * 8;
    return true;
}

/* MATLAB 5: an array of the rate, then that of the sound, whose fourth element it is. */
static bool find_mat5(int file, struct stated *out)
{
    uint8_t head[128];
    int64_t at = 128;

    if (!read_at(file, 0, head, sizeof head) || memcmp(head, "MATLAB 5.0", 10) != 0)
        return false;
    const bool big = head[126] == 'M';
    if (!read_element(file, at, big, out, &at) || !read_element(file, at, big, out, &at))
        return false;
    at = out->begin;
    for (int element = 0; element < 4; element++)
        if (!read_element(file, at, big, out, &at))
            return false;
    return true;
}

static bool find(int file, struct stated *out)
{
    uint8_t head[12];

    if (!read_at(file, 0, head, sizeof head))
        return false;
    for (size_t i = 0; i < sizeof containers / sizeof *containers; i++)
        if (memcmp(head, containers[i].magic, 4) == 0 &&
            strncmp((const char *)head + 8, containers[i].form, strlen(containers[i].form)) == 0)
            return find_chunk(file, &containers[i], out);
    return find_au(file, out) || find_voc(file, out) || find_nist(file, out) || find_counted(file, out) ||
           find_mat4(file, out) || find_mat5(file, out);
}

bool data_wave_whole(int file, const char *name, struct invar_error *err)
{
    struct stated sound = {0, -1, false};
    struct stat info;

    if (fstat(file, &info) != 0)
        return data_unreadable(name, errno, err);
    if (!find(file, &sound) || sound.length < 0)
        return data_wave_single(file, 0, name, err);
    const int64_t there = (int64_t)info.st_size > sound.begin ? (int64_t)info.st_size - sound.begin : 0;
    if (sound.length == 0 && there > 0 && sound.zero_is_unset)
        return invar_error_set(
            err, INVAR_ERROR_FORMAT,
            "%s: its header was never completed: it says 0 bytes of sound where %lld follow; copy it "
            "with a program that ignores the length, such as `sox --ignore-length`",
            name, (long long)there);
    if (sound.length > there)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: is cut short: its header says %lld bytes of sound and %lld are there", name,
                               (long long)sound.length, (long long)there);
    return data_wave_single(file, sound.begin + sound.length, name, err);
}
