/* SPDX-License-Identifier: Apache-2.0 */
/* Which way up a photo is: the orientation of EXIF data, read by libexif, and turning by it. */
#include "data/image/image.h"

#include "invar/memory.h"
#include <libexif/exif-data.h>
#include <string.h>

#define HEADER "Exif\0\0"
#define HEADER_SIZE 6
#define EXIF_LIMIT ((size_t)1 << 20) /* more is taken for none */

static void note_memory(ExifLog *log, ExifLogCode code, const char *domain, const char *format, va_list list,
                        void *short_of)
{
    (void)log, (void)domain, (void)format, (void)list;
    if (code == EXIF_LOG_CODE_NO_MEMORY)
        *(bool *)short_of = true;
}

/* The tag of the main picture; a value that EXIF does not know is none. */
static int orientation_of(ExifData *exif)
{
    const ExifEntry *entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);

    if (!entry || entry->format != EXIF_FORMAT_SHORT || entry->components != 1 || !entry->data || entry->size < 2)
        return 1;
    const int value = exif_get_short(entry->data, exif_data_get_byte_order(exif));
    return value >= 1 && value <= 8 ? value : 1;
}

bool data_exif_orientation(const uint8_t *tiff, size_t size, const char *name, int *orientation,
                           struct invar_error *err)
{
    bool short_of = false;
    ExifLog *log = NULL;
    ExifData *exif = NULL;
    uint8_t *whole = NULL;

    *orientation = 1;
    if (size == 0 || size > EXIF_LIMIT)
        return true;
    whole = invar_alloc(HEADER_SIZE + size, 1, err);
    if (!whole)
        return false;
    memcpy(whole, HEADER, HEADER_SIZE);
    memcpy(whole + HEADER_SIZE, tiff, size);
    log = exif_log_new();
    exif = log ? exif_data_new() : NULL;
    if (exif) {
        exif_log_set_func(log, note_memory, &short_of);
        exif_data_log(exif, log);
        exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
        exif_data_load_data(exif, whole, (unsigned)(HEADER_SIZE + size));
        *orientation = orientation_of(exif);
    }
    short_of = short_of || !exif;
    if (exif)
        exif_data_unref(exif);
    if (log)
        exif_log_unref(log);
    invar_free(whole);
    return !short_of || invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to read its orientation", name);
}

/* Pixel of the file that is at (y, x) of the picture as it is meant to be seen; from EXIF 2.3, 4.6.4. */
static size_t stored(const struct data_image *image, int orientation, size_t y, size_t x)
{
    const size_t last_row = (size_t)image->height - 1, last_column = (size_t)image->width - 1;
    const size_t row = orientation >= 5 ? x : y, column = orientation >= 5 ? y : x;
    const bool up = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const bool back = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;

    return (up ? last_row - row : row) * (last_column + 1) + (back ? last_column - column : column);
}

bool data_image_turn(struct data_image *image, struct data_image *spare, int orientation, struct invar_error *err)
{
    const bool across = orientation >= 5;
    const size_t pixel = image->unit * (size_t)image->channels;

    if (orientation <= 1)
        return true;
    if (!data_image_shape(spare, image->unit, across ? image->width : image->height,
                          across ? image->height : image->width, image->channels, 0, err))
        return false;
    for (size_t y = 0; y < (size_t)spare->height; y++)
        for (size_t x = 0; x < (size_t)spare->width; x++)
            memcpy(spare->pixels + (y * (size_t)spare->width + x) * pixel,
                   image->pixels + stored(image, orientation, y, x) * pixel, pixel);
    spare->alpha = image->alpha;
    spare->orientation = orientation;
    const struct data_image before = *image;
    *image = *spare;
    *spare = before;
    return true;
}
