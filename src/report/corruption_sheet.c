/* SPDX-License-Identifier: Apache-2.0 */
/* A sheet of corruptions, to be looked at: a named row each, with the images clean and at every severity. */
#include "invar/expert/corruption.h"
#include "invar/memory.h"
#include "invar/report.h"

#include <string.h>

#define LEAST_SIDE 64 /* of a tile: smaller images are enlarged by a whole factor */
#define LARGEST_SIDE 512
#define GAP 4
#define INK 2 /* pixels a dot of a letter */
#define LETTER_WIDTH 5
#define LETTER_HEIGHT 7
#define LONGEST_NAME 18
#define LABELS (LONGEST_NAME * (LETTER_WIDTH + 1) * INK)
#define HEADING (LETTER_HEIGHT * INK + 2 * GAP)

/* Rows of five dots, the leftmost in bit 4: a to z, then _ and the digits 1 to 5. */
static const uint8_t letters[][LETTER_HEIGHT] = {
    {0, 0, 14, 1, 15, 17, 15},  {16, 16, 22, 25, 17, 17, 30}, {0, 0, 14, 16, 16, 17, 14},
    {1, 1, 13, 19, 17, 17, 15}, {0, 0, 14, 17, 31, 16, 14},   {6, 9, 8, 28, 8, 8, 8},
    {0, 15, 17, 17, 15, 1, 14}, {16, 16, 22, 25, 17, 17, 17}, {4, 0, 12, 4, 4, 4, 14},
    {2, 0, 6, 2, 2, 18, 12},    {16, 16, 18, 20, 24, 20, 18}, {12, 4, 4, 4, 4, 4, 14},
    {0, 0, 26, 21, 21, 17, 17}, {0, 0, 22, 25, 17, 17, 17},   {0, 0, 14, 17, 17, 17, 14},
    {0, 0, 30, 17, 30, 16, 16}, {0, 0, 13, 19, 15, 1, 1},     {0, 0, 22, 25, 16, 16, 16},
    {0, 0, 14, 16, 14, 1, 30},  {8, 8, 28, 8, 8, 9, 6},       {0, 0, 17, 17, 17, 19, 13},
    {0, 0, 17, 17, 17, 10, 4},  {0, 0, 17, 17, 21, 21, 10},   {0, 0, 17, 10, 4, 10, 17},
    {0, 0, 17, 17, 15, 1, 14},  {0, 0, 31, 2, 4, 8, 31},      {0, 0, 0, 0, 0, 0, 31},
    {4, 12, 4, 4, 4, 4, 14},    {14, 17, 1, 2, 4, 8, 31},     {31, 2, 4, 2, 1, 17, 14},
    {2, 6, 10, 18, 31, 2, 2},   {31, 16, 30, 1, 1, 17, 14},
};

struct sheet {
    const struct invar_corruption_sheet *what;
    uint8_t *pixels;
    int height, width, channels;
    int scale, tile_height, tile_width;
};

static void dot(const struct sheet *s, int y, int x, const uint8_t *colour)
{
    memcpy(s->pixels + ((size_t)y * (size_t)s->width + (size_t)x) * (size_t)s->channels, colour, (size_t)s->channels);
}

static void draw_text(const struct sheet *s, const char *text, int top, int left)
{
    static const uint8_t black[3] = {0};

    for (; *text; text++, left += (LETTER_WIDTH + 1) * INK) {
        const uint8_t *rows = letters[*text == '_' ? 26 : *text >= 'a' ? *text - 'a' : 27 + *text - '1'];
        for (int y = 0; y < LETTER_HEIGHT * INK; y++)
            for (int x = 0; x < LETTER_WIDTH * INK; x++)
                if (rows[y / INK] >> (LETTER_WIDTH - 1 - x / INK) & 1)
                    dot(s, top + y, left + x, black);
    }
}

static int row_top(const struct sheet *s, int row)
{
    const int least = LETTER_HEIGHT * INK;
    return HEADING + row * ((s->tile_height > least ? s->tile_height : least) + GAP);
}

static int column_left(const struct sheet *s, int column)
{
    return GAP + LABELS + column * (s->tile_width + GAP);
}

static void draw_tile(const struct sheet *s, const uint8_t *image, int row, int column)
{
    const int width = s->tile_width / s->scale;

    for (int y = 0; y < s->tile_height; y++)
        for (int x = 0; x < s->tile_width; x++)
            dot(s, row_top(s, row) + y, column_left(s, column) + x,
                image + ((size_t)(y / s->scale) * (size_t)width + (size_t)(x / s->scale)) * (size_t)s->channels);
}

static const struct invar_corruption_spec *corruption_of(const struct sheet *s, int row)
{
    return s->what->corruptions ? s->what->corruptions[row] : invar_corruption_at(row);
}

static int rows_of(const struct sheet *s)
{
    return s->what->corruptions ? s->what->corruption_count : invar_corruption_count();
}

static int severity_of(const struct sheet *s, int i)
{
    return s->what->severities ? s->what->severities[i] : i + 1;
}

static int severities_of(const struct sheet *s)
{
    return s->what->severities ? s->what->severity_count : INVAR_CORRUPTION_SEVERITIES;
}

/* The column of an image: clean, and its severities behind it. */
static int first_column(const struct sheet *s, int image)
{
    return image * (1 + severities_of(s));
}

static void draw_headings(const struct sheet *s)
{
    for (int image = 0; image < s->what->image_count; image++) {
        draw_text(s, "clean", GAP, column_left(s, first_column(s, image)));
        for (int i = 0; i < severities_of(s); i++)
            draw_text(s, (const char[]){(char)('0' + severity_of(s, i)), '\0'}, GAP,
                      column_left(s, first_column(s, image) + 1 + i));
    }
    for (int row = 0; row < rows_of(s); row++)
        draw_text(s, corruption_of(s, row)->name,
                  (row_top(s, row) + row_top(s, row + 1) - GAP - LETTER_HEIGHT * INK) / 2, GAP);
}

static bool sheet_create(struct sheet *s, const char *path, struct invar_error *err)
{
    const struct invar_corruption_image *image = &s->what->images[0];

    if (s->what->image_count < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: there is no image for a sheet of corruptions", path);
    if (image->height < 1 || image->width < 1 || image->height > LARGEST_SIDE || image->width > LARGEST_SIDE ||
        (image->channels != 1 && image->channels != 3))
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: a sheet of corruptions needs images of 1 to %d pixels a side and 1 or 3 channels, "
                               "not %lld x %lld of %lld",
                               path, LARGEST_SIDE, (long long)image->width, (long long)image->height,
                               (long long)image->channels);
    const int least = (int)(image->height < image->width ? image->height : image->width);
    const int most = (int)(image->height < image->width ? image->width : image->height);
    s->scale = (LEAST_SIDE + least - 1) / least;
    if (s->scale > 1 && s->scale * most > LARGEST_SIDE)
        s->scale = LARGEST_SIDE / most;
    s->channels = (int)image->channels;
    s->tile_height = (int)image->height * s->scale;
    s->tile_width = (int)image->width * s->scale;
    s->height = row_top(s, rows_of(s));
    s->width = column_left(s, first_column(s, s->what->image_count));
    const size_t bytes = (size_t)s->height * (size_t)s->width * (size_t)s->channels;
    s->pixels = invar_alloc(bytes, 1, err);
    if (!s->pixels)
        return false;
    memset(s->pixels, 255, bytes);
    return true;
}

/* A corruption that is not defined for so small an image leaves its tiles blank. */
static bool draw_image(const struct sheet *s, int row, int number, const struct invar_corruption_options *options,
                       uint8_t *out, struct invar_corruption_scratch *scratch, struct invar_error *err)
{
    const struct invar_corruption_image *image = &s->what->images[number];
    struct invar_corruption_options how = *options;

    draw_tile(s, image->pixels, row, first_column(s, number));
    for (int i = 0; i < severities_of(s); i++) {
        struct invar_error refused = {0};
        how.severity = severity_of(s, i);
        if (invar_corrupt(corruption_of(s, row), &how, image, s->what->index[number], out, scratch, &refused))
            draw_tile(s, out, row, first_column(s, number) + 1 + i);
        else if (refused.code != INVAR_ERROR_DATA)
            return invar_error_set(err, refused.code, "%s", refused.message);
    }
    return true;
}

bool invar_corruption_sheet_write(const char *path, const struct invar_corruption_sheet *what,
                                  const struct invar_corruption_options *options, struct invar_error *err)
{
    struct sheet sheet = {.what = what};
    struct invar_corruption_scratch *scratch = NULL;
    uint8_t *out = NULL;
    bool ok = sheet_create(&sheet, path, err);

    if (ok) {
        const struct invar_corruption_image *image = &what->images[0];
        out = invar_alloc((size_t)(image->height * image->width * image->channels), 1, err);
        scratch = invar_corruption_scratch_create(err);
        ok = out && scratch;
    }
    if (ok)
        draw_headings(&sheet);
    for (int row = 0; ok && row < rows_of(&sheet); row++)
        for (int i = 0; ok && i < what->image_count; i++)
            ok = draw_image(&sheet, row, i, options, out, scratch, err);
    ok = ok && invar_picture_write(path, sheet.pixels, sheet.height, sheet.width, sheet.channels, err);
    invar_corruption_scratch_free(scratch);
    invar_free(out);
    invar_free(sheet.pixels);
    return ok;
}
