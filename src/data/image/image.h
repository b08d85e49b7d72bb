/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H

#include "invar/error.h"
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/** Larger images are refused before any memory is taken: a few bytes of header must not cost gigabytes. */
#define DATA_SIDE_LIMIT 16384
#define DATA_PIXEL_LIMIT ((int64_t)1 << 26)
#define DATA_CHANNEL_LIMIT 16
/** Largest file of one image, in bytes. */
#define DATA_FILE_LIMIT ((size_t)1 << 28)

/** A decoded sample: an image [height][width][channels], or float32 of other kinds. Zero-initialise, free with
 * data_image_free. */
struct data_image {
    int height, width, channels;
    size_t unit;     /**< bytes of one number: 1 uint8, 2 uint16, 4 float32 */
    bool alpha;      /**< the last channel is opacity */
    int orientation; /**< what the file says of it, as EXIF has it: 1 upright .. 8 */
    bool filled;     /**< its opacity is full since its file has none */
    int stored;      /**< channels of its file, opacity apart; 0: not known */
    uint8_t *pixels; /**< the numbers, whatever their type */
    size_t capacity;
};
/** Sets shape and type and makes room for it and for `spare` channels when that is more; the content is undefined. */
bool data_image_shape(struct data_image *image, size_t unit, int height, int width, int channels, int spare,
                      struct invar_error *err);
/** The same for float32 [width] in image->pixels: a waveform, or (as channels) a vector. */
bool data_image_floats(struct data_image *image, int width, int channels, struct invar_error *err);
/** Bytes that it holds. */
size_t data_image_bytes(const struct data_image *image);
/** In place: 1 to 3 channels replicates, 3 to 1 is the ITU-R 601 luma; needs the room of the wider. Other numbers are
 * refused with a sentence. */
bool data_image_convert(struct data_image *image, int channels, const char *name, struct invar_error *err);
/** 16 bits or floats to 8 bits, rounded. */
void data_image_narrow(struct data_image *image);
void data_image_free(struct data_image *image);

/** Whether an error number says something of the machine and not of the file: nothing may be left out because of it. */
static inline bool data_is_system(int number)
{
    return number == EMFILE || number == ENFILE || number == EIO || number == ENOMEM;
}
/** "path: cannot be read: ..." with the code that fits the error number. */
bool data_unreadable(const char *path, int number, struct invar_error *err);
/** Whether a failure to decode ends everything, where others are that of one file. */
static inline bool data_ends(const struct invar_error *err)
{
    return err->code == INVAR_ERROR_MEMORY || err->code == INVAR_ERROR_SYSTEM;
}

/** What one thread needs to decode: a TurboJPEG handle, file content, colour scratch. */
struct data_decoder {
    void *jpeg;
    uint8_t *file; /**< content of the file being decoded */
    size_t file_capacity;
    struct data_image scratch;
    bool turn;  /**< whether images are turned as their orientation says */
    bool bands; /**< channels are those that most files have: no opacity is added where a file has fewer */
};
/** A zeroed decoder is ready for use. */
void data_decoder_free(struct data_decoder *decoder);
/** TurboJPEG's handle; NULL is accepted. */
void data_jpeg_free(void *jpeg);
/** Room for size bytes in decoder->file. */
bool data_decoder_reserve(struct data_decoder *decoder, size_t size, struct invar_error *err);

/** Channels that decoding would give by the header alone; 0: it says none, and why in err. */
int data_image_channels(struct data_decoder *decoder, const uint8_t *bytes, size_t size, struct invar_error *err);
int data_tiff_channels(const uint8_t *bytes, size_t size, struct invar_error *err);
int data_png_channels(const uint8_t *bytes, size_t size);
int data_jpeg_channels(struct data_decoder *decoder, const uint8_t *bytes, size_t size);
/** Decodes JPEG, PNG, TIFF or WebP, told apart by content, to so many channels: 0 those of the file without opacity, 1
 * or 3 converted, 2 or 4 with opacity, others as the file has them. name is for messages. */
bool data_image_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                       struct data_image *image, struct invar_error *err);
/** The formats; bytes start with the format's signature. What they give has one, three or all of the file's channels,
 * with opacity where channels asks for it, and room for what is asked. */
bool data_jpeg_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                      struct data_image *image, struct invar_error *err);
bool data_tiff_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                      struct data_image *image, struct invar_error *err);
bool data_webp_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                      struct data_image *image, struct invar_error *err);
bool data_png_decode(struct data_decoder *decoder, const uint8_t *bytes, size_t size, const char *name, int channels,
                     struct data_image *image, struct invar_error *err);
/** The orientation, 1 to 8, of EXIF data without their header "Exif": 1 where they say none or are damaged. Fails for
 * memory alone. */
bool data_exif_orientation(const uint8_t *tiff, size_t size, const char *name, int *orientation,
                           struct invar_error *err);
/** Turns an image as an orientation says; spare is overwritten and takes its memory. */
bool data_image_turn(struct data_image *image, struct data_image *spare, int orientation, struct invar_error *err);
/** L*a*b* of 8 or 16 bits, a and b signed, in the first three channels to sRGB of 8 bits. x, y: its white; D50 where
 * they are none. */
void data_lab_to_srgb(struct data_image *image, float x, float y);
/** Checks sides and area of a header against the limits. */
bool data_image_check(int64_t height, int64_t width, const char *name, struct invar_error *err);

#endif
