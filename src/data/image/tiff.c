/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TIFF by libtiff: 8 and 16 bits and floats as they are, with all their channels; palettes, fewer bits, YCbCr and
 * CMYK through libtiff's own conversion to RGB; Lab by lab.c, as libtiff does not adapt its white. What it complains of
 * goes into our sentence and nowhere else.
 */
#include "data/image/image.h"

#include "invar/memory.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tiffio.h>

#define BYTE_LIMIT ((size_t)1 << 29) /* of a decoded image, and of one allocation in libtiff */

struct memory {
    const uint8_t *bytes;
    uint64_t size, at;
    char message[256]; /* the first complaint */
    bool torn;         /* pixels are missing though libtiff goes on */
};

struct shape {
    uint32_t width, height;
    uint16_t bits, samples, format, photometric, planar;
    bool alpha; /* the last sample is opacity */
};

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t size)
{
    struct memory *m = handle;
    const uint64_t left = m->at < m->size ? m->size - m->at : 0;
    const uint64_t taken = size < 0 ? 0 : (uint64_t)size < left ? (uint64_t)size : left;

    if (taken)
        memcpy(out, m->bytes + m->at, taken);
    m->at += taken;
    return (tmsize_t)taken;
}

static tmsize_t write_nothing(thandle_t handle, void *data, tmsize_t size)
{
    (void)handle, (void)data, (void)size;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    struct memory *m = handle;
    m->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? m->at + offset : m->size + offset;
    return m->at;
}

static int close_nothing(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle)
{
    return ((const struct memory *)handle)->size;
}

__attribute__((format(printf, 4, 0))) static int keep_error(TIFF *tiff, void *user, const char *module,
                                                            const char *format, va_list list)
{
    struct memory *m = user;
    (void)tiff, (void)module;
    if (!m->message[0])
        vsnprintf(m->message, sizeof m->message, format, list);
    return 1;
}

__attribute__((format(printf, 4, 0))) static int keep_warning(TIFF *tiff, void *user, const char *module,
                                                              const char *format, va_list list)
{
    struct memory *m = user;
    char text[256];
    (void)tiff, (void)module;
    vsnprintf(text, sizeof text, format, list);
    m->torn = m->torn || strstr(text, "remature") || strstr(text, "ine length mismatch");
    return 1;
}

/* What malloc failed at is the machine's, whatever libtiff makes of it, and so is a complaint about memory unless it is
 * that the file asks for too much. errno is 0 since the file was opened. */
static bool refuse(const struct memory *m, const char *name, struct invar_error *err)
{
    const char *why = m->message[0] ? m->message : "it ends before the pixels";
    if (errno == ENOMEM || ((strstr(why, "emory") || strstr(why, "o space")) && !strstr(why, "beyond")))
        return invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is not a whole TIFF image: %s", name, why);
}

static TIFF *open_memory(struct memory *m, const char *name, struct invar_error *err)
{
    errno = 0;
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    TIFF *tiff = NULL;

    if (!options) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "%s: no memory to decode it", name);
        return NULL;
    }
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, BYTE_LIMIT);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, m);
    TIFFOpenOptionsSetWarningHandlerExtR(options, keep_warning, m);
    tiff = TIFFClientOpenExt("image", "rm", m, read_bytes, write_nothing, seek, close_nothing, size_of, NULL, NULL,
                             options);
    TIFFOpenOptionsFree(options);
    if (!tiff)
        refuse(m, name, err);
    return tiff;
}

static void read_shape(TIFF *tiff, struct shape *s)
{
    uint16_t extras = 0, *extra = NULL;

    *s = (struct shape){.planar = PLANARCONFIG_CONTIG};
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &s->width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &s->height);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &s->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &s->samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &s->format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &s->planar);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &s->photometric))
        s->photometric = s->samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB;
    if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extras, &extra) && extras > 0)
        s->alpha = (s->samples == 2 || s->samples == 4) &&
                   (extra[extras - 1] == EXTRASAMPLE_ASSOCALPHA || extra[extras - 1] == EXTRASAMPLE_UNASSALPHA);
}

static bool is_gray(const struct shape *s)
{
    return s->photometric == PHOTOMETRIC_MINISBLACK || s->photometric == PHOTOMETRIC_MINISWHITE;
}

/* Gray, colour, or bands: numbers that say themselves what they mean. */
static bool is_direct(const struct shape *s)
{
    return is_gray(s) || (s->photometric == PHOTOMETRIC_RGB && s->samples >= 3);
}

static bool is_lab(const struct shape *s)
{
    return s->photometric == PHOTOMETRIC_CIELAB && s->samples >= 3 && s->format != SAMPLEFORMAT_IEEEFP &&
           (s->bits == 8 || s->bits == 16);
}

/* Bytes of a number that is read as it is; 0: it is not. */
static size_t unit_of(const struct shape *s)
{
    const bool whole = s->format == SAMPLEFORMAT_UINT || s->format == SAMPLEFORMAT_VOID;

    if (is_lab(s))
        return s->bits / 8;
    if (!is_direct(s))
        return 0;
    if (s->format == SAMPLEFORMAT_IEEEFP)
        return s->bits == 32 ? 4 : 0;
    return !whole ? 0 : s->bits == 8 ? 1 : s->bits == 16 ? 2 : 0;
}

static bool check_shape(const struct shape *s, const char *name, struct invar_error *err)
{
    static const char *const formats[] = {"unsigned", "unsigned", "signed", "floating", "untyped"};
    const bool converted = s->bits <= 8 && (s->format == SAMPLEFORMAT_UINT || s->format == SAMPLEFORMAT_VOID);

    if (!data_image_check(s->height, s->width, name, err))
        return false;
    if (s->samples < 1 || s->samples > DATA_CHANNEL_LIMIT)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has %d channels, expected 1 to %d", name, s->samples,
                               DATA_CHANNEL_LIMIT);
    if (is_direct(s) && !unit_of(s) && !converted)
        return invar_error_set(
            err, INVAR_ERROR_FORMAT,
            "%s: has %s numbers of %d bits, expected unsigned ones of 8 or 16 bits or floats of 32 in "
            "0 to 1; convert it",
            name, s->format <= SAMPLEFORMAT_VOID ? formats[s->format] : "unknown", s->bits);
    if ((size_t)s->width * s->height * s->samples > BYTE_LIMIT / (unit_of(s) ? unit_of(s) : 1))
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: %u x %u pixels of %d channels take more than %zu bytes, the limit of an image",
                               name, s->width, s->height, s->samples, BYTE_LIMIT);
    return true;
}

/* `count` pixels, or their sample `plane`, from (y, x) on. */
static void place(struct data_image *image, size_t y, size_t x, size_t count, int plane, const uint8_t *from)
{
    const size_t pixel = image->unit * (size_t)image->channels;
    uint8_t *to = image->pixels + (y * (size_t)image->width + x) * pixel;

    if (plane < 0)
        memcpy(to, from, count * pixel);
    else
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * pixel + (size_t)plane * image->unit, from + i * image->unit, image->unit);
}

static bool read_lines(TIFF *tiff, const struct shape *s, bool planes, uint8_t *line, struct data_image *image)
{
    for (uint16_t p = 0; p < (planes ? s->samples : 1); p++)
        for (uint32_t y = 0; y < s->height; y++) {
            if (TIFFReadScanline(tiff, line, y, p) != 1)
                return false;
            place(image, y, 0, s->width, planes ? p : -1, line);
        }
    return true;
}

static bool read_tiles(TIFF *tiff, const struct shape *s, bool planes, uint32_t wide, uint32_t high, uint8_t *tile,
                       struct data_image *image)
{
    const size_t stride = (size_t)wide * image->unit * (planes ? 1 : s->samples);

    for (uint16_t p = 0; p < (planes ? s->samples : 1); p++)
        for (uint32_t top = 0; top < s->height; top += high)
            for (uint32_t left = 0; left < s->width; left += wide) {
                const uint32_t rows = high < s->height - top ? high : s->height - top;
                const uint32_t columns = wide < s->width - left ? wide : s->width - left;
                if (TIFFReadTile(tiff, tile, left, top, 0, p) < 0)
                    return false;
                for (uint32_t y = 0; y < rows; y++)
                    place(image, top + y, left, columns, planes ? p : -1, tile + y * stride);
            }
    return true;
}

/* Numbers as they are. */
static bool read_direct(TIFF *tiff, const struct shape *s, struct memory *m, const char *name, int channels,
                        struct data_image *image, struct invar_error *err)
{
    const bool planes = s->planar == PLANARCONFIG_SEPARATE && s->samples > 1, tiled = TIFFIsTiled(tiff);
    uint32_t wide = s->width, high = 1;
    bool ok = false;

    if (tiled && (!TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &wide) || !TIFFGetField(tiff, TIFFTAG_TILELENGTH, &high)))
        return refuse(m, name, err);
    const uint64_t expected = (uint64_t)wide * high * unit_of(s) * (planes ? 1 : s->samples);
    const uint64_t piece = tiled ? TIFFTileSize64(tiff) : TIFFScanlineSize64(tiff);
    if (wide == 0 || high == 0 || wide > BYTE_LIMIT || high > BYTE_LIMIT / wide || piece != expected ||
        piece > BYTE_LIMIT)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: is no TIFF image: its tiles or lines are of a wrong size",
                               name);
    if (!data_image_shape(image, unit_of(s), (int)s->height, (int)s->width, s->samples, channels, err))
        return false;
    image->alpha = s->alpha;
    uint8_t *buffer = invar_alloc((size_t)piece, 1, err);
    if (!buffer)
        return false;
    ok =
        (tiled ? read_tiles(tiff, s, planes, wide, high, buffer, image) : read_lines(tiff, s, planes, buffer, image)) &&
        !m->torn;
    invar_free(buffer);
    return ok || refuse(m, name, err);
}

/* Floats must lie in 0 to 1; white is 0 in some files. */
static bool finish(const struct shape *s, const char *name, struct data_image *image, struct invar_error *err)
{
    const size_t count = data_image_bytes(image) / image->unit;
    float *floats = (float *)(void *)image->pixels, lowest = 0, highest = 0;
    bool outside = false;

    for (size_t i = 0; image->unit == 4 && i < count; i++) {
        outside = outside || !(floats[i] >= 0 && floats[i] <= 1);
        lowest = floats[i] < lowest ? floats[i] : lowest;
        highest = floats[i] > highest ? floats[i] : highest;
    }
    if (outside)
        return invar_error_set(
            err, INVAR_ERROR_DATA,
            "%s: has numbers from %g to %g, or NaN, expected floats of 0 to 1; scale them alike in all "
            "files",
            name, (double)lowest, (double)highest);
    if (s->photometric != PHOTOMETRIC_MINISWHITE)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (image->alpha && i % (size_t)image->channels == (size_t)image->channels - 1)
            continue;
        if (image->unit == 4)
            floats[i] = 1 - floats[i];
        else if (image->unit == 2)
            ((uint16_t *)(void *)image->pixels)[i] ^= UINT16_MAX;
        else
            image->pixels[i] ^= UINT8_MAX;
    }
    return true;
}

/* By libtiff's conversion to 8-bit RGB. */
static bool read_converted(TIFF *tiff, const struct shape *s, struct memory *m, const char *name, int channels,
                           struct data_decoder *decoder, struct data_image *image, struct invar_error *err)
{
    const size_t count = (size_t)s->width * s->height;
    const int kept = is_gray(s) ? 1 : 3;
    char why[1024] = "";
    TIFFRGBAImage conversion;

    if (!data_image_shape(&decoder->scratch, 4, (int)s->height, (int)s->width, 1, 1, err) ||
        !data_image_shape(image, 1, (int)s->height, (int)s->width, kept, channels, err))
        return false;
    uint32_t *raster = (uint32_t *)(void *)decoder->scratch.pixels;
    if (!TIFFRGBAImageOK(tiff, why) || !TIFFRGBAImageBegin(&conversion, tiff, 1, why)) {
        snprintf(m->message, sizeof m->message, "%.200s", why);
        return refuse(m, name, err);
    }
    conversion.req_orientation = conversion.orientation; /* it would mirror, but not turn */
    const bool ok = TIFFRGBAImageGet(&conversion, raster, s->width, s->height) == 1 && !m->torn;
    TIFFRGBAImageEnd(&conversion);
    for (size_t i = 0; ok && i < count; i++)
        for (size_t c = 0; c < (size_t)kept; c++)
            image->pixels[i * (size_t)kept + c] = (uint8_t)(raster[i] >> (8 * c));
    return ok || refuse(m, name, err);
}

/* Smaller copies and masks may follow; other pages would be lost. */
static bool check_pages(TIFF *tiff, const char *name, struct invar_error *err)
{
    for (int page = 1; page < 64 && TIFFReadDirectory(tiff); page++) {
        uint32_t kind = 0;
        TIFFGetField(tiff, TIFFTAG_SUBFILETYPE, &kind);
        if (!(kind & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)))
            return invar_error_set(err, INVAR_ERROR_DATA,
                                   "%s: has more than one page, expected one image; split it (tiffsplit does)", name);
    }
    return true;
}

/* Opacity apart. */
static int stored_channels(const struct shape *s)
{
    return is_direct(s) ? (unit_of(s) ? s->samples - s->alpha : 1) : is_lab(s) ? s->samples - s->alpha : 3;
}

int data_tiff_channels(const uint8_t *bytes, size_t size, struct invar_error *err)
{
    struct memory m = {.bytes = bytes, .size = size};
    struct shape s = {0};
    TIFF *tiff = open_memory(&m, "image", err);

    if (!tiff)
        return 0;
    read_shape(tiff, &s);
    TIFFClose(tiff);
    return stored_channels(&s);
}

bool data_tiff_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                      struct data_image *image, struct invar_error *err)
{
    struct memory m = {.bytes = bytes, .size = size};
    struct shape s;
    uint16_t orientation = 1;
    float *white = NULL, x = 0, y = 0;
    TIFF *tiff = open_memory(&m, name, err);

    if (!tiff)
        return false;
    read_shape(tiff, &s);
    TIFFGetField(tiff, TIFFTAG_ORIENTATION, &orientation);
    if (TIFFGetField(tiff, TIFFTAG_WHITEPOINT, &white)) {
        x = white[0];
        y = white[1];
    }
    m.message[0] = '\0';
    bool ok = check_shape(&s, name, err) &&
              (unit_of(&s) ? read_direct(tiff, &s, &m, name, channels, image, err) && finish(&s, name, image, err)
                           : read_converted(tiff, &s, &m, name, channels, decoder, image, err)) &&
              check_pages(tiff, name, err);
    TIFFClose(tiff);
    if (ok && is_lab(&s))
        data_lab_to_srgb(image, x, y);
    image->stored = ok ? stored_channels(&s) : 0;
    if (ok)
        image->orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    return ok;
}
