/* SPDX-License-Identifier: Apache-2.0 */
/* Sounds one behind the other in a file, as `cat` joins them, of which libsndfile reads the first. */
#include "data/audio/wave.h"

#include <string.h>
#include <unistd.h>

enum { HEAD = 16, BLOCK = 1 << 14 };

static bool read_at(int file, int64_t at, void *out, size_t size)
{
    return at >= 0 && pread(file, out, size, at) == (ssize_t)size;
}

/* The heads of Ogg's pages: 4 bytes "OggS", the kind at 5, the number of segments at 26 and their lengths. A stream
 * that begins when others went on is behind them (streams side by side all begin before any goes on). */
static void read_pages(int file, int64_t size, bool *chained, bool *cut)
{
    uint8_t head[27], segments[255];
    bool goes_on = false;
    int64_t at = 0;

    *chained = false;
    while (!*chained && read_at(file, at, head, sizeof head) && memcmp(head, "OggS", 4) == 0) {
        const bool begins = head[5] & 2;
        *chained = begins && goes_on;
        goes_on = goes_on || !begins;
        at += (int64_t)sizeof head;
        const int count = read_at(file, at, segments, head[26]) ? head[26] : 0;
        at += head[26];
        for (int i = 0; i < count; i++)
            at += segments[i];
    }
    *cut = at > size;
}

/* What the heads of all files of a kind have in common: so many bytes, but those from begin to end, which are lengths
 * or say whether more of a head follows. */
static const struct likeness {
    const char *magic;
    int begin, end, size;
} likenesses[] = {
    {"RIFF", 4, 8, 12}, {"RIFX", 4, 8, 12},  {"RF64", 4, 8, 12},  {"BW64", 4, 8, 12}, {"FORM", 4, 8, 12},
    {"fLaC", 4, 5, 8},  {".snd", 4, 12, 16}, {"dns.", 4, 12, 16}, {"", 0, 0, HEAD},
};

/* Whether the head of a file comes again. */
static bool repeats(int file, int64_t first, int64_t from)
{
    const struct likeness *kind = likenesses;
    uint8_t head[HEAD], block[BLOCK];

    if (!read_at(file, first, head, HEAD))
        return false;
    while (strncmp(kind->magic, (const char *)head, strlen(kind->magic)) != 0)
        kind++;
    const size_t rest = (size_t)(kind->size - kind->end);
    for (ssize_t got; (got = pread(file, block, BLOCK, from)) >= kind->size; from += got - kind->size + 1)
        for (const uint8_t *at = block, *last = block + got - kind->size;
             at <= last && (at = memchr(at, head[0], (size_t)(last - at) + 1)) != NULL; at++)
            if (memcmp(at, head, (size_t)kind->begin) == 0 && memcmp(at + kind->end, head + kind->end, rest) == 0)
                return true;
    return false;
}

bool data_wave_single(int file, int64_t size, int64_t behind, const char *name, struct invar_error *err)
{
    uint8_t head[4];
    const int64_t first = data_wave_tags(file);
    const bool flac = read_at(file, first, head, sizeof head) && memcmp(head, "fLaC", sizeof head) == 0;
    bool chained, cut;

    read_pages(file, size, &chained, &cut);
    if (cut)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is cut short: it ends within a page of Ogg", name);
    if (!chained && !(flac && repeats(file, first, first + 1)) && !(behind > 0 && repeats(file, 0, behind)))
        return true;
    return invar_error_set(err, INVAR_ERROR_FORMAT,
                           "%s: is several %s one behind the other, of which only the first would be read; decode it "
                           "to one sound, or split it",
                           name, chained ? "Ogg streams" : "files");
}
