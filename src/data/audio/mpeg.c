/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of MPEG audio (ISO/IEC 11172-3 and 13818-3, and 2.5). There is no container: how long a file is says the first
 * frame (Xing's or LAME's, of which files one behind the other have several), or nothing but the frames. */
#include "data/audio/wave.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 4, LAYER_1 = 3, LAYER_3 = 1, MPEG_1 = 3 };

struct walk {
    int file;
    int64_t size;
    uint8_t first[HEAD]; /* head of the first frame */
};

static bool read_at(const struct walk *w, int64_t at, void *out, size_t size)
{
    return at + (int64_t)size <= w->size && pread(w->file, out, size, at) == (ssize_t)size;
}

/* Bytes of the frame that a head begins; 0: it is none, or of a rate that is not said ("free format"). */
static int64_t frame_length(const uint8_t *head)
{
    static const int16_t kbit[5][14] = {
        {32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448}, /* MPEG-1, layer I */
        {32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},    /* layer II */
        {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},     /* layer III */
        {32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},    /* MPEG-2, layer I */
        {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},         /* layers II and III */
    };
    static const int hertz[3] = {44100, 48000, 32000};
    const int version = head[1] >> 3 & 3, layer = head[1] >> 1 & 3, bits = head[2] >> 4, rate = head[2] >> 2 & 3;
    const int padding = head[2] >> 1 & 1;

    if (head[0] != 0xff || (head[1] & 0xe0) != 0xe0 || version == 1 || layer == 0 || bits % 15 == 0 || rate == 3)
        return 0;
    const int row = version == MPEG_1 ? LAYER_1 - layer : layer == LAYER_1 ? 3 : 4;
    const int speed = kbit[row][bits - 1] * 1000, samples = hertz[rate] >> (version == MPEG_1 ? 0 : version ? 1 : 2);
    if (layer == LAYER_1)
        return (12 * speed / samples + padding) * 4;
    return (layer == LAYER_3 && version != MPEG_1 ? 72 : 144) * speed / samples + padding;
}

static bool is_mono(const uint8_t *head)
{
    return head[3] >> 6 == 3;
}

/* Of one version, layer and rate, and as many channels. */
static bool is_alike(const uint8_t *head, const uint8_t *other)
{
    return (head[1] & 0x1e) == (other[1] & 0x1e) && (head[2] & 0x0c) == (other[2] & 0x0c) &&
           is_mono(head) == is_mono(other);
}

/* Whether the file ends, or another frame of the kind begins, where a frame ends: bytes may look like a head. */
static bool is_followed(const struct walk *w, int64_t at, const uint8_t *head)
{
    uint8_t next[HEAD];
    const int64_t end = at + frame_length(head);

    return end == w->size || (read_at(w, end, next, HEAD) && frame_length(next) > 0 && is_alike(head, next));
}

/* ID3v1 and v2, APE: bytes of the tag that begins here. */
static int64_t tag_length(const struct walk *w, int64_t at)
{
    uint8_t head[24] = {0};

    if (read_at(w, at, head, 10) && memcmp(head, "ID3", 3) == 0 &&
        ((head[6] | head[7] | head[8] | head[9]) & 0x80) == 0)
        return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + (head[5] & 0x10 ? 10 : 0);
    if (read_at(w, at, head, sizeof head) && memcmp(head, "APETAGEX", 8) == 0) {
        const bool begins = head[23] & 0x20;
        return 32 + (begins ? head[12] | head[13] << 8 | head[14] << 16 | (int64_t)(head[15] & 0x7f) << 24 : 0);
    }
    return memcmp(head, "TAG", 3) == 0 ? 128 : 0;
}

/* What the first frame says of the number of those behind it. -1: it is a frame as others. */
static int64_t stated_frames(const struct walk *w, int64_t at)
{
    const bool first = (w->first[1] >> 3 & 3) == MPEG_1, mono = is_mono(w->first);
    uint8_t head[12];

    if ((w->first[1] >> 1 & 3) != LAYER_3 ||
        !read_at(w,
                 at + HEAD +
                     (first  ? (mono ? 17 : 32)
                      : mono ? 9
                             : 17),
                 head, sizeof head) ||
        (memcmp(head, "Xing", 4) != 0 && memcmp(head, "Info", 4) != 0) || !(head[7] & 1))
        return -1;
    return (int64_t)head[8] << 24 | head[9] << 16 | head[10] << 8 | head[11];
}

static struct walk begin_walk(int file)
{
    struct stat info;

    return (struct walk){.file = file, .size = fstat(file, &info) == 0 ? (int64_t)info.st_size : 0};
}

int64_t data_wave_tags(int file)
{
    const struct walk w = begin_walk(file);
    int64_t at = 0;

    for (int64_t length; at < w.size && (length = tag_length(&w, at)) > 0;)
        at += length;
    return at;
}

bool data_mpeg_walk(int file, struct data_mpeg *out)
{
    struct walk w = begin_walk(file);
    uint8_t head[HEAD];
    bool in_step = true;
    int64_t frames = 0, at = data_wave_tags(file);

    if (!read_at(&w, at, w.first, HEAD) || frame_length(w.first) == 0 || !is_followed(&w, at, w.first))
        return false;
    const int64_t stated = stated_frames(&w, at), second = at + frame_length(w.first);
    *out = (struct data_mpeg){.begin = at, .end = at};
    while (read_at(&w, at, head, HEAD)) {
        const int64_t length = frame_length(head), tag = length ? 0 : tag_length(&w, at);
        const bool alike = length && is_alike(head, w.first);
        if (!(in_step && alike) && !(length && is_followed(&w, at, head))) {
            in_step = false;
            at += tag ? tag : 1;
            continue;
        }
        out->changes = out->changes || !alike;
        out->end = at += length;
        in_step = true;
        frames++;
    }
    const bool counted = stated >= 0 && frames - 1 <= stated + 1;
    out->cut = !counted && out->end > w.size;
    if (stated >= 0 && !counted)
        out->begin = second;
    return true;
}
