/* SPDX-License-Identifier: Apache-2.0 */
/* Sounds one behind the other in a file, as `cat` joins them, of which libsndfile reads the first. */
#include "data/audio/wave.h"

#include <ogg/ogg.h>
#include <string.h>
#include <unistd.h>

enum { HEAD = 16, BLOCK = 1 << 14 };

static bool read_at(int file, int64_t at, void *out, size_t size)
{
    return at >= 0 && pread(file, out, size, at) == (ssize_t)size;
}

/* What the pages of an Ogg file say. A decoder passes over those whose checksum is another, and over what is none. */
struct pages {
    bool chained, cut;
    int64_t damaged; /* byte at which no whole page is, and others follow or one was; -1: nowhere */
    int64_t missing; /* byte of a page whose number is not the next one; -1: none */
};

/* The stream that began first; others may lie beside it. */
struct stream {
    int number;
    long pages;
    bool ended;
};

static bool is_page(int file, int64_t at)
{
    char magic[4];

    return read_at(file, at, magic, sizeof magic) && memcmp(magic, "OggS", sizeof magic) == 0;
}

/* The next bytes of the file; false at its end, or with err where memory is short. */
static bool feed(ogg_sync_state *sync, int file, int64_t *from, const char *name, struct invar_error *err)
{
    char *room = ogg_sync_buffer(sync, BLOCK);
    const ssize_t got = room ? pread(file, room, BLOCK, *from) : 0;

    if (!room)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: there is no memory for a page of Ogg", name);
    *from += got > 0 ? got : 0;
    return got > 0 && ogg_sync_wrote(sync, got) == 0;
}

/* False where pages of the stream are missing before this one. */
static bool follows(struct stream *stream, const ogg_page *page)
{
    if (stream->pages == 0)
        stream->number = ogg_page_serialno(page);
    if (ogg_page_serialno(page) != stream->number)
        return true;
    stream->ended = stream->ended || ogg_page_eos(page);
    return ogg_page_pageno(page) == stream->pages++;
}

/* A stream that begins when others went on is behind them (streams side by side all begin before any goes on). */
static bool read_pages(int file, const char *name, struct pages *out, struct invar_error *err)
{
    struct invar_error none = {0}, *why = err ? err : &none;
    ogg_sync_state sync;
    ogg_page page;
    struct stream first = {0};
    int64_t at = 0, from = 0, lost = -1;
    bool goes_on = false;

    *out = (struct pages){.damaged = -1, .missing = -1};
    if (!is_page(file, 0))
        return true;
    ogg_sync_init(&sync);
    while (!out->chained && out->damaged < 0 && out->missing < 0) {
        const long length = ogg_sync_pageseek(&sync, &page);
        if (length == 0 && !feed(&sync, file, &from, name, why))
            break;
        if (length < 0 && lost < 0)
            lost = at;
        if (length > 0) {
            out->damaged = lost;
            out->chained = ogg_page_bos(&page) && goes_on;
            goes_on = goes_on || !ogg_page_bos(&page);
            if (!out->chained && !follows(&first, &page))
                out->missing = at;
        }
        at += length < 0 ? -length : length;
    }
    ogg_sync_clear(&sync);
    out->cut = !out->chained && (!first.ended || (lost < 0 && is_page(file, at)));
    if (lost >= 0 && is_page(file, lost))
        out->damaged = lost;
    return why->code == INVAR_OK;
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

bool data_wave_single(int file, int64_t behind, const char *name, struct invar_error *err)
{
    uint8_t head[4];
    const int64_t first = data_wave_tags(file);
    const bool flac = read_at(file, first, head, sizeof head) && memcmp(head, "fLaC", sizeof head) == 0;
    struct pages ogg;

    if (!read_pages(file, name, &ogg, err))
        return false;
    if (ogg.damaged >= 0)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: is damaged: at byte %lld is no page of Ogg that has the checksum which it says",
                               name, (long long)ogg.damaged);
    if (ogg.missing >= 0)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is damaged: pages of Ogg are missing before byte %lld",
                               name, (long long)ogg.missing);
    if (ogg.cut)
        return invar_error_set(
            err, INVAR_ERROR_FORMAT,
            "%s: is cut short: it ends within a page of Ogg, or before the one that says it is the last", name);
    if (!ogg.chained && !(flac && repeats(file, first, first + 1)) && !(behind > 0 && repeats(file, 0, behind)))
        return true;
    return invar_error_set(err, INVAR_ERROR_FORMAT,
                           "%s: is several %s one behind the other, of which only the first would be read; decode it "
                           "to one sound, or split it",
                           name, ogg.chained ? "Ogg streams" : "files");
}
