/* SPDX-License-Identifier: Apache-2.0 */
/* Samples that are larger than what the encoder sees, as windows that cover all of them. Without them h of a long clip
 * would be that of its beginning, and a large image would be seen at a smaller scale alone. */
#include "eval/windows.h"
#include "invar/memory.h"

#include <string.h>

/* As many windows as a batch of the encoder has rows. Samples may be of float32, which begin at multiples of 4
 * bytes. */
enum { WINDOWS = 256, ALIGNMENT = 4 };

bool windows_open(struct windows *windows, const struct invar_dataset_info *info, struct invar_error *err)
{
    const bool clips = info->kind == INVAR_DATA_AUDIO;

    *windows = (struct windows){.height = clips ? 1 : info->height,
                                .width = clips ? invar_logmel_span(&info->logmel, info->width) : info->width};
    if (info->kind == INVAR_DATA_TABLE)
        return false;
    /* Half a window, so that what is cut by the rim of one window lies in the middle of the next; of a window of one
     * pixel half would be no step at all. */
    windows->hop[0] = windows->height > 1 ? windows->height / 2 : 1;
    windows->hop[1] = windows->width > 1 ? windows->width / 2 : 1;
    if (clips)
        return true;
    /* Clips need no room, since their windows are lent. */
    windows->bytes = WINDOWS * (size_t)(windows->height * windows->width * info->channels);
    windows->room = invar_alloc(windows->bytes, 1, err);
    return windows->room != NULL;
}

void windows_clear(struct windows *windows)
{
    windows->used = 0;
}

void windows_close(struct windows *windows)
{
    invar_free(windows->room);
    *windows = (struct windows){0};
}

/* The last window ends at the edge, however much it overlaps with the one before it. */
static int64_t along(int64_t size, int64_t window, int64_t hop)
{
    return size <= window ? 1 : 1 + (size - window + hop - 1) / hop;
}

int64_t windows_count(const struct windows *windows, const struct invar_sample *sample)
{
    /* Too small on one side is too small for windows of its own pixels: such a sample is resized like any other, as a
     * whole. */
    if (sample->height < windows->height || sample->width < windows->width)
        return 1;
    return along(sample->height, windows->height, windows->hop[0]) *
           along(sample->width, windows->width, windows->hop[1]);
}

/* Flush with the far end: the mean then covers the whole sample, and its last stretch counts for no less than the
 * first. */
static int64_t start(int64_t number, int64_t size, int64_t window, int64_t hop)
{
    return number * hop < size - window ? number * hop : size - window;
}

/* A clip's window is a stretch of it and is lent; an image's is cut out, since its lines are apart. */
bool windows_cut(struct windows *windows, const struct invar_sample *sample, int64_t number, struct invar_sample *out)
{
    const int64_t columns = along(sample->width, windows->width, windows->hop[1]);
    const int64_t top = start(number / columns, sample->height, windows->height, windows->hop[0]);
    const int64_t left = start(number % columns, sample->width, windows->width, windows->hop[1]);
    const size_t pixel = invar_dtype_size(sample->dtype) * (size_t)sample->channels;
    const size_t line = (size_t)windows->width * pixel, size = line * (size_t)windows->height;
    const uint8_t *from = (const uint8_t *)sample->data + (size_t)(top * sample->width + left) * pixel;

    *out = *sample;
    out->height = (int)windows->height;
    out->width = (int)windows->width;
    out->data = from;
    if (!windows->room) /* clips lie in one piece */
        return true;
    /* The difference, since a sum of sizes from a file could wrap around. */
    if (size > windows->bytes - windows->used)
        return false;
    uint8_t *to = windows->room + windows->used;
    for (int64_t y = 0; y < windows->height; y++)
        memcpy(to + (size_t)y * line, from + (size_t)(y * sample->width) * pixel, line);
    windows->used += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    /* Rounding up may step past the end, and the difference above must not wrap around. */
    windows->used = windows->used < windows->bytes ? windows->used : windows->bytes;
    out->data = to;
    return true;
}
