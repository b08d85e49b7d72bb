/* SPDX-License-Identifier: Apache-2.0 */
/* frost: mixed with a cut of a picture of ice on glass, from a folder of the user's or synthetic. */
#include "eval/corruption/corruption.h"

#include "data/image/image.h"
#include "data/list.h"
#include "invar/expert/file.h"
#include <math.h>
#include <string.h>
#include <strings.h>

#define PATH_SIZE 4096
#define SHRINK 5  /* by which pictures are smaller for the 32-pixel table */
#define COVER 1.1 /* how much larger than the image a picture becomes that is too small for it */

struct invar_frost {
    int count;
    bool synthetic;
    struct corruption_picture *picture[2]; /* [count]: shrunk to a fifth, and as they are */
};

/* Of five draws, the second and third are the same picture. */
static const int synthetic_draw[] = {0, 1, 1, 2, 3};

void invar_frost_free(struct invar_frost *frost)
{
    if (!frost)
        return;
    for (int size = 0; size < 2; size++) {
        for (int i = 0; frost->picture[size] && i < frost->count; i++)
            invar_free(frost->picture[size][i].pixels);
        invar_free(frost->picture[size]);
    }
    invar_free(frost);
}

bool invar_frost_synthetic(const struct invar_frost *frost)
{
    return !frost || frost->synthetic;
}

int invar_frost_count(const struct invar_frost *frost)
{
    return frost ? frost->count : CORRUPTION_TEXTURES;
}

/* Both sizes of every picture, as both tables may be asked for. */
static bool make_room(struct invar_frost *frost, int count, struct invar_error *err)
{
    frost->count = count;
    for (int size = 0; size < 2; size++)
        frost->picture[size] = invar_alloc((size_t)count, sizeof(struct corruption_picture), err);
    return frost->picture[0] && frost->picture[1];
}

/* Bilinear sampling at pixel centres of a fifth: it falls on the middle of every five pixels. */
static bool shrink(struct corruption_picture *small, const struct corruption_picture *picture, struct invar_error *err)
{
    small->height = (int)fmax(1, rint(picture->height / (double)SHRINK));
    small->width = (int)fmax(1, rint(picture->width / (double)SHRINK));
    small->pixels = invar_alloc((size_t)small->height * (size_t)small->width, 3, err);
    if (!small->pixels)
        return false;
    for (int y = 0; y < small->height; y++)
        for (int x = 0; x < small->width; x++) {
            /* The bound is for sides that are no multiple of five, whose last fifth has its middle outside. */
            const int from_y = corruption_border_index(CORRUPTION_EDGE, SHRINK * y + SHRINK / 2, picture->height);
            const int from_x = corruption_border_index(CORRUPTION_EDGE, SHRINK * x + SHRINK / 2, picture->width);
            memcpy(small->pixels + 3 * ((ptrdiff_t)y * small->width + x),
                   picture->pixels + 3 * ((ptrdiff_t)from_y * picture->width + from_x), 3);
        }
    return true;
}

/* ---- a folder of pictures ---- */

/* By ending: a folder of a user's may hold notes as well. */
static bool is_picture(const char *path)
{
    const char *ending = strrchr(path, '.');
    return ending &&
           (strcasecmp(ending, ".jpg") == 0 || strcasecmp(ending, ".jpeg") == 0 || strcasecmp(ending, ".png") == 0);
}

/* Three channels and bytes, whatever the file has. */
static bool read_picture(struct corruption_picture *picture, struct data_decoder *decoder, const char *path,
                         struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    struct data_image image = {0};
    bool ok = invar_file_read(&bytes, path, DATA_FILE_LIMIT, err) &&
              data_image_decode(decoder, bytes.data, bytes.size, path, 3, &image, err);

    invar_bytes_free(&bytes);
    if (!ok) {
        data_image_free(&image);
        return false;
    }
    /* Whatever a file has a channel becomes a byte, as the corruption mixes bytes. */
    data_image_narrow(&image);
    *picture = (struct corruption_picture){image.height, image.width, image.pixels};
    return true;
}

/* In the order of names, so that the same folder gives the same frost on every file system. */
static bool read_folder(struct invar_frost *frost, const char *folder, struct invar_error *err)
{
    struct data_list list = {0};
    struct data_decoder decoder = {0};
    char path[PATH_SIZE];
    int count = 0;
    bool ok = (invar_path_exists(folder) ||
               invar_error_set(err, INVAR_ERROR_FILE,
                               "%s: there is no such folder; frost needs one of pictures of ice on glass", folder)) &&
              data_folder_list(&list, folder, err);

    for (size_t i = 0; ok && i < list.count; i++)
        count += !list.entry[i].folder && is_picture(data_list_path(&list, i));
    if (ok && count == 0)
        ok = invar_error_set(err, INVAR_ERROR_DATA,
                             "%s: holds no .jpg, .jpeg or .png file; frost needs one picture of ice on glass at least",
                             folder);
    ok = ok && make_room(frost, count, err);
    for (size_t i = 0, at = 0; ok && i < list.count; i++) {
        if (list.entry[i].folder || !is_picture(data_list_path(&list, i)))
            continue;
        ok = invar_path_join(path, sizeof path, folder, data_list_path(&list, i), err) &&
             read_picture(&frost->picture[1][at], &decoder, path, err) &&
             shrink(&frost->picture[0][at], &frost->picture[1][at], err);
        at++;
    }
    data_decoder_free(&decoder);
    data_list_free(&list);
    return ok;
}

/* The pictures of the benchmark are no part of this project: these are made, and results say that they were. */
static bool synthesise(struct invar_frost *frost, struct invar_error *err)
{
    frost->synthetic = true;
    if (!make_room(frost, CORRUPTION_TEXTURES, err))
        return false;
    for (int i = 0; i < frost->count; i++)
        if (!corruption_frost_texture(&frost->picture[1][i], i, err) ||
            !shrink(&frost->picture[0][i], &frost->picture[1][i], err))
            return false;
    return true;
}

struct invar_frost *invar_frost_create(const char *folder, struct invar_error *err)
{
    struct invar_frost *frost = invar_alloc(1, sizeof *frost, err);

    if (!frost)
        return NULL;
    if (folder ? !read_folder(frost, folder, err) : !synthesise(frost, err)) {
        invar_frost_free(frost);
        return NULL;
    }
    return frost;
}

/* ---- the corruption ---- */

/* A picture seen at a size that the image has room to move in. */
struct pane {
    const struct corruption_picture *picture;
    double scale; /* 1: as it is */
    int height, width;
};

/* As it is where there is room to move; else a little larger than the image. */
static struct pane fit(const struct corruption_picture *picture, const struct corruption_work *work)
{
    struct pane pane = {picture, 1, picture->height, picture->width};

    /* Larger by one pixel at least, since the place is drawn from the difference of the sides. */
    if (pane.height > work->height && pane.width > work->width)
        return pane;
    /* By the side that lacks most, so that both fit and the picture keeps its proportions. */
    pane.scale = COVER * fmax((double)work->height / picture->height, (double)work->width / picture->width);
    pane.height = (int)fmax(work->height + 1, rint(picture->height * pane.scale));
    pane.width = (int)fmax(work->width + 1, rint(picture->width * pane.scale));
    return pane;
}

static float between(float a, float b, float part)
{
    return a + part * (b - a);
}

/* One pixel of the pane. Bilinear, at the centres of pixels. */
static void look(const struct pane *pane, int y, int x, float rgb[3])
{
    const struct corruption_picture *p = pane->picture;
    const double at_y = (y + 0.5) / pane->scale - 0.5, at_x = (x + 0.5) / pane->scale - 0.5;
    const double top = floor(at_y), left = floor(at_x);
    const uint8_t *corner[2][2];

    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            corner[i][j] =
                p->pixels +
                3 * ((ptrdiff_t)corruption_border_index(CORRUPTION_EDGE, (int64_t)top + i, p->height) * p->width +
                     corruption_border_index(CORRUPTION_EDGE, (int64_t)left + j, p->width));
    for (int c = 0; c < 3; c++)
        rgb[c] = between(between(corner[0][0][c], corner[0][1][c], (float)(at_x - left)),
                         between(corner[1][0][c], corner[1][1][c], (float)(at_x - left)), (float)(at_y - top));
}

/* out = a cut of a picture, 0..255. Two draws for the place come after the one for the picture, whatever the picture
 * is. */
static void cut(struct corruption_work *work, const struct invar_frost *frost, float *out)
{
    const uint32_t draws = frost->synthetic ? sizeof synthetic_draw / sizeof *synthetic_draw : (uint32_t)frost->count;
    const uint32_t drawn = invar_random_below(&work->random, draws);
    const uint32_t number = frost->synthetic ? (uint32_t)synthetic_draw[drawn] : drawn;
    /* The table's own size of the picture: ice is as coarse to an image of 32 pixels as to one of 224. */
    const struct pane pane = fit(&frost->picture[work->table][number], work);
    const int top = (int)invar_random_below(&work->random, (uint32_t)(pane.height - work->height));
    const int left = (int)invar_random_below(&work->random, (uint32_t)(pane.width - work->width));

    for (int y = 0; y < work->height; y++)
        for (int x = 0; x < work->width; x++, out += 3) {
            if (pane.scale != 1) {
                look(&pane, top + y, left + x, out);
                continue;
            }
            const uint8_t *from = pane.picture->pixels + 3 * ((ptrdiff_t)(top + y) * pane.width + left + x);
            for (int c = 0; c < 3; c++)
                out[c] = from[c];
        }
}

/* Pictures are made at first use, a worker each, unless the caller has brought some for all. */
static bool frost_apply(struct corruption_work *work, struct invar_error *err)
{
    const float kept = (float)work->setting[0], added = (float)work->setting[1];
    struct invar_frost **own = &work->scratch->frost;
    float *ice = corruption_floats(work, work->values, err);

    /* One that is made here is kept for all images of the worker: to make a texture takes far longer than to corrupt an
     * image. */
    if (!ice || (!work->frost && !*own && !(*own = invar_frost_create(NULL, err))))
        return false;
    cut(work, work->frost ? work->frost : *own, ice);
    for (size_t i = 0; i < work->values; i++)
        /* The two shares need not sum to 1: frost adds light, and what is too much is cut off by corruption_bytes. */
        ice[i] = (kept * work->in[i] + added * ice[i]) * (1.0f / 255.0f);
    corruption_bytes(work->out, ice, work->values);
    return true;
}

const struct corruption_kind corruption_frost = {
    .apply = frost_apply, /* a, b */
    .setting = {{{1, 0.2}, {1, 0.3}, {0.9, 0.4}, {0.85, 0.4}, {0.75, 0.45}},
                {{1, 0.4}, {0.8, 0.6}, {0.7, 0.7}, {0.65, 0.7}, {0.6, 0.75}}},
};
