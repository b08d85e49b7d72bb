/* SPDX-License-Identifier: Apache-2.0 */
#include "report/gif.h"
#include "invar/expert/file.h"
#include "invar/memory.h"

#include <string.h>

enum { COLOURS = 256, CODES = 4096, SLOTS = 16384, BLOCK = 255, LEVELS = 6 };

struct rectangle {
    int x, y, width, height;
};

struct report_gif {
    struct invar_writer *writer;
    int height, width, hundredths, magnify;
    int64_t count;
    uint8_t *rgb, *last; /* [height][width][3], magnified; last: what is shown */
    uint8_t *index;      /* of the colours, of the rectangle that is written */
    /* the codes of LZW: those of a known string and one colour more */
    struct {
        int32_t key; /* string << 8 | colour, -1: free */
        int16_t code;
    } slot[SLOTS];
    uint32_t bits;
    int bit_count, used;
    uint8_t block[BLOCK];
};

static bool put_short(struct report_gif *gif, int value, struct invar_error *err)
{
    return invar_writer_put(gif->writer, (uint8_t[2]){(uint8_t)(value & 255), (uint8_t)(value >> 8)}, 2, err);
}

static bool put(struct report_gif *gif, const void *bytes, size_t size, struct invar_error *err)
{
    return invar_writer_put(gif->writer, bytes, size, err);
}

struct report_gif *report_gif_create(const char *path, int height, int width, int magnify, int hundredths,
                                     struct invar_error *err)
{
    static const uint8_t screen[] = {0x70, 0, 0}, loop[] = "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0";
    struct report_gif *gif = NULL;
    const size_t pixels = (size_t)height * (size_t)magnify * (size_t)width * (size_t)magnify;

    if (height < 1 || width < 1 || magnify < 1 || magnify > 16 || height * magnify > UINT16_MAX ||
        width * magnify > UINT16_MAX)
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: a GIF of %d x %d pixels, each %d wide, cannot be", path, width,
                        height, magnify);
    else
        gif = invar_alloc(1, sizeof *gif, err);
    if (!gif)
        return NULL;
    gif->height = height * magnify;
    gif->width = width * magnify;
    gif->magnify = magnify;
    gif->hundredths = hundredths;
    gif->rgb = invar_alloc(pixels, 3, err);
    gif->last = invar_alloc(pixels, 3, err);
    gif->index = invar_alloc(pixels, 1, err);
    gif->writer = gif->rgb && gif->last && gif->index ? invar_writer_open(path, err) : NULL;
    if (gif->writer && put(gif, "GIF89a", 6, err) && put_short(gif, gif->width, err) &&
        put_short(gif, gif->height, err) && put(gif, screen, sizeof screen, err) && put(gif, loop, sizeof loop, err))
        return gif;
    report_gif_free(gif);
    return NULL;
}

void report_gif_free(struct report_gif *gif)
{
    if (!gif)
        return;
    invar_writer_close(gif->writer);
    invar_free(gif->rgb);
    invar_free(gif->last);
    invar_free(gif->index);
    invar_free(gif);
}

/* ---- colours ---- */

static uint32_t colour_at(const uint8_t *rgb)
{
    return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

/* One of 6 values a channel. */
static uint32_t round_colour(uint32_t colour)
{
    uint32_t out = 0;

    for (int shift = 0; shift < 24; shift += 8)
        out |= (((colour >> shift & 255) * (LEVELS - 1) + 127) / 255 * 51) << shift;
    return out;
}

/* Adds a colour to a sorted table; its place, or -1 where there is no room. */
static int find_colour(uint32_t table[COLOURS], int *count, uint32_t colour, bool add)
{
    int low = 0, high = *count;

    while (low < high) {
        const int middle = (low + high) / 2;
        if (table[middle] < colour)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < *count && table[low] == colour)
        return low;
    if (!add || *count == COLOURS)
        return -1;
    memmove(table + low + 1, table + low, (size_t)(*count - low) * sizeof *table);
    table[low] = colour;
    *count += 1;
    return low;
}

static const uint8_t *pixel(const struct report_gif *gif, const struct rectangle *r, int i)
{
    return gif->rgb + 3 * ((size_t)(r->y + i / r->width) * (size_t)gif->width + (size_t)(r->x + i % r->width));
}

/* The colours of the rectangle and the index of each of its pixels. */
static int count_colours(struct report_gif *gif, const struct rectangle *r, uint32_t table[COLOURS])
{
    const int pixels = r->width * r->height;
    int count = 0;
    bool rounded = false;

    for (int i = 0; i < pixels; i++) {
        const uint32_t colour = colour_at(pixel(gif, r, i));
        if (find_colour(table, &count, rounded ? round_colour(colour) : colour, true) < 0) {
            rounded = true;
            count = 0;
            i = -1;
        }
    }
    for (int i = 0; i < pixels; i++) {
        const uint32_t colour = colour_at(pixel(gif, r, i));
        gif->index[i] = (uint8_t)find_colour(table, &count, rounded ? round_colour(colour) : colour, false);
    }
    return count;
}

/* ---- LZW ---- */

static bool flush(struct report_gif *gif, struct invar_error *err)
{
    const uint8_t size = (uint8_t)gif->used;

    gif->used = 0;
    return !size || (put(gif, &size, 1, err) && put(gif, gif->block, size, err));
}

static bool put_code(struct report_gif *gif, int code, int width, struct invar_error *err)
{
    bool ok = true;

    gif->bits |= (uint32_t)code << gif->bit_count;
    for (gif->bit_count += width; ok && gif->bit_count >= 8; gif->bit_count -= 8) {
        gif->block[gif->used++] = (uint8_t)gif->bits;
        gif->bits >>= 8;
        if (gif->used == BLOCK)
            ok = flush(gif, err);
    }
    return ok;
}

static void forget(struct report_gif *gif)
{
    for (int i = 0; i < SLOTS; i++)
        gif->slot[i].key = -1;
}

/* Where the code of a string and one colour more is, or belongs. */
static int find_slot(const struct report_gif *gif, int32_t key)
{
    uint32_t at = (uint32_t)key * 2654435761u >> 18;

    while (gif->slot[at].key >= 0 && gif->slot[at].key != key)
        at = (at + 1) % SLOTS;
    return (int)at;
}

static bool compress(struct report_gif *gif, int pixels, int depth, struct invar_error *err)
{
    const int clear = 1 << depth;
    int next = clear + 2, width = depth + 1, string = gif->index[0];
    bool ok = put(gif, &(uint8_t){(uint8_t)depth}, 1, err) && put_code(gif, clear, width, err);

    forget(gif);
    for (int i = 1; ok && i < pixels; i++) {
        const int32_t key = string << 8 | gif->index[i];
        const int at = find_slot(gif, key);
        if (gif->slot[at].key == key) {
            string = gif->slot[at].code;
            continue;
        }
        ok = put_code(gif, string, width, err);
        string = gif->index[i];
        if (next < CODES) {
            gif->slot[at].key = key;
            gif->slot[at].code = (int16_t)next;
            width += next++ == 1 << width;
        } else {
            ok = ok && put_code(gif, clear, width, err);
            forget(gif);
            next = clear + 2;
            width = depth + 1;
        }
    }
    ok = ok && put_code(gif, string, width, err);
    /* whoever reads has one code more by now */
    width += next == 1 << width && width < 12;
    ok = ok && put_code(gif, clear + 1, width, err) && put_code(gif, 0, 7, err);
    gif->bits = 0;
    gif->bit_count = 0;
    return ok && flush(gif, err) && put(gif, "", 1, err);
}

/* ---- pictures ---- */

static void magnify(struct report_gif *gif, const uint8_t *rgb)
{
    for (int y = 0; y < gif->height; y++)
        for (int x = 0; x < gif->width; x++)
            memcpy(gif->rgb + 3 * ((size_t)y * (size_t)gif->width + (size_t)x),
                   rgb + 3 * ((size_t)(y / gif->magnify) * (size_t)(gif->width / gif->magnify) +
                              (size_t)(x / gif->magnify)),
                   3);
}

/* What is not as it is shown; one pixel where nothing changed. */
static struct rectangle changed(const struct report_gif *gif)
{
    int top = gif->height, bottom = 0, left = gif->width, right = 0;

    if (gif->count == 0)
        return (struct rectangle){0, 0, gif->width, gif->height};
    for (int y = 0; y < gif->height; y++)
        for (int x = 0; x < gif->width; x++) {
            const size_t at = 3 * ((size_t)y * (size_t)gif->width + (size_t)x);
            if (memcmp(gif->rgb + at, gif->last + at, 3) == 0)
                continue;
            top = y < top ? y : top;
            bottom = y;
            left = x < left ? x : left;
            right = x > right ? x : right;
        }
    if (top == gif->height)
        return (struct rectangle){0, 0, 1, 1};
    return (struct rectangle){left, top, right - left + 1, bottom - top + 1};
}

static bool put_table(struct report_gif *gif, const uint32_t *table, int count, int depth, struct invar_error *err)
{
    uint8_t bytes[3 * COLOURS] = {0};

    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3; c++)
            bytes[3 * i + c] = (uint8_t)(table[i] >> (16 - 8 * c));
    return put(gif, bytes, 3 * ((size_t)1 << depth), err);
}

bool report_gif_add(struct report_gif *gif, const uint8_t *rgb, struct invar_error *err)
{
    uint32_t table[COLOURS];
    int depth = 2;

    magnify(gif, rgb);
    const struct rectangle r = changed(gif);
    const int count = count_colours(gif, &r, table);
    while (1 << depth < count)
        depth++;
    const bool ok = put(gif, (uint8_t[]){0x21, 0xf9, 4, 1 << 2}, 4, err) && put_short(gif, gif->hundredths, err) &&
                    put(gif, (uint8_t[]){0, 0, 0x2c}, 3, err) && put_short(gif, r.x, err) && put_short(gif, r.y, err) &&
                    put_short(gif, r.width, err) && put_short(gif, r.height, err) &&
                    put(gif, &(uint8_t){(uint8_t)(0x80 | (depth - 1))}, 1, err) &&
                    put_table(gif, table, count, depth, err) && compress(gif, r.width * r.height, depth, err);
    memcpy(gif->last, gif->rgb, 3 * (size_t)gif->height * (size_t)gif->width);
    gif->count++;
    return ok;
}

bool report_gif_finish(struct report_gif *gif, struct invar_error *err)
{
    if (!gif->count)
        return invar_error_set(err, INVAR_ERROR_DATA, "a GIF needs a picture, and none was added");
    return put(gif, ";", 1, err) && invar_writer_commit(gif->writer, err);
}
