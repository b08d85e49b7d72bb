/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the network sees: the first samples of the training's first epoch, plain, under the views that the recipe draws,
 * and under those that its adversary perturbs.
 */
#include "invar/memory.h"
#include "invar/expert/random.h"
#include "report/json.h"
#include "run/picture.h"
#include "report/subject.h"
#include "run/recipe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PICTURES = 8, TABLE_ROWS = 3, TABLE_PLACES = 40 };

struct views {
    const struct report_subject *subject;
    int64_t count, size, local_size; /* samples; numbers of a global and of a local view */
    int64_t global, local;
    struct invar_loader *loader;
    struct invar_view_maker *maker;
    struct invar_sample sample[PICTURES];
    float *plain, *drawn;     /* [count][size]; as the maker gives them */
    float *perturbed, *added; /* [perturbed views][count][size] or NULL */
    int64_t perturbed_count;
    struct picture_shades shades, strong; /* of views, of perturbations */
};

static void views_free(struct views *v)
{
    invar_view_maker_free(v->maker);
    invar_loader_free(v->loader);
    invar_free(v->plain);
    invar_free(v->drawn);
    invar_free(v->perturbed);
    invar_free(v->added);
}

/* The order that training has in its first epoch. */
static bool load(struct views *v, struct invar_error *err)
{
    const int64_t all = v->subject->info.count[INVAR_TRAIN];
    const int64_t wanted = v->subject->info.kind == INVAR_DATA_TABLE ? TABLE_ROWS : PICTURES;
    int64_t *order = all > 0 ? invar_alloc((size_t)all, sizeof *order, err) : NULL;
    struct invar_random random =
        invar_random_stream((uint64_t)v->subject->recipe->training.seed, INVAR_RANDOM_ORDER, 0, 0, 0);
    bool ok = false;

    if (all < 1)
        return invar_error_set(err, INVAR_ERROR_DATA, "%s has no training samples, so there are no views to show",
                               v->subject->info.source);
    if (!order)
        return false;
    for (int64_t i = 0; i < all; i++)
        order[i] = i;
    invar_random_shuffle(&random, order, all);
    v->count = all < wanted ? all : wanted;
    v->loader = invar_loader_create(v->subject->dataset, INVAR_TRAIN, v->count, err);
    ok = v->loader && invar_loader_start(v->loader, order, v->count, err) &&
         invar_loader_next(v->loader, v->sample, &v->count, err);
    invar_free(order);
    return ok;
}

static bool draw(struct views *v, struct invar_error *err)
{
    const struct invar_recipe *recipe = v->subject->recipe;
    const struct invar_dataset_info *info = &v->subject->info;
    const size_t count = (size_t)v->count;

    v->global = recipe->views.count;
    v->local = recipe->views.local;
    v->size = report_view_size(info);
    v->local_size = (int64_t)info->channels * recipe->views.local_size * recipe->views.local_size;
    v->plain = invar_alloc(count, (size_t)v->size * sizeof(float), err);
    v->drawn = invar_alloc(count, (size_t)(v->global * v->size + v->local * v->local_size) * sizeof(float), err);
    v->maker = v->plain && v->drawn ? invar_view_maker_create(&recipe->views, info, err) : NULL;
    return v->maker && invar_view_maker_plain(v->maker, v->sample, v->count, v->plain, err) &&
           invar_view_maker_batch(v->maker, v->sample, v->count, (uint64_t)recipe->training.seed, 0, v->drawn, err);
}

/* One perturbed view of all samples, and what was added to it. */
static bool perturb_view(struct views *v, struct invar_perturber *perturber, int64_t view, int64_t place,
                         struct invar_error *err)
{
    const int64_t floats = v->count * v->size;
    const float *clean = v->drawn + view * floats;
    float *perturbed = v->perturbed + place * floats, *added = v->added + place * floats;

    memcpy(perturbed, clean, (size_t)floats * sizeof *perturbed);
    if (!invar_perturber_apply(perturber, (int)view, v->sample, v->count, (uint64_t)v->subject->recipe->training.seed,
                               0, perturbed, err))
        return false;
    for (int64_t i = 0; i < floats; i++)
        added[i] = perturbed[i] - clean[i];
    return true;
}

/* The views that the recipe names. */
static bool perturb(struct views *v, struct invar_error *err)
{
    const struct report_subject *s = v->subject;
    const struct invar_adversary_options *o = &s->recipe->adversary;
    const size_t floats = (size_t)(o->views.count * v->count * v->size);
    struct invar_perturber *perturber = NULL;
    bool ok = false;

    if (!s->encoder)
        return invar_error_set(err, INVAR_ERROR_FILE, "the generator is written when training ends");
    v->perturbed = invar_alloc(floats, sizeof(float), err);
    v->added = invar_alloc(floats, sizeof(float), err);
    perturber = v->perturbed && v->added
                    ? run_perturber_open(s->folder, s->recipe, s->device, s->encoder, &s->info, v->count, err)
                    : NULL;
    ok = perturber != NULL;
    for (int k = 0; ok && k < o->views.count; k++)
        ok = perturb_view(v, perturber, o->views.value[k], k, err);
    if (ok)
        v->perturbed_count = o->views.count;
    invar_perturber_close(perturber);
    return ok;
}

/* ---- one cell: a picture, or the numbers of a row ---- */

static bool put_picture(struct json_writer *w, const struct picture_shades *shades, const float *x, int height,
                        int width, struct invar_error *err)
{
    uint8_t *pixels = invar_alloc((size_t)height * (size_t)width, (size_t)shades->channels, err);
    char *uri = NULL;

    if (pixels) {
        picture_draw(shades, x, height, width, pixels, height, width, width);
        uri = picture_uri(pixels, height, width, shades->channels, err);
    }
    if (uri)
        json_text(w, NULL, uri);
    const bool ok = uri;
    invar_free(uri);
    invar_free(pixels);
    return ok;
}

static bool put_cell(const struct views *v, struct json_writer *w, const struct picture_shades *shades, const float *x,
                     bool local, struct invar_error *err)
{
    const struct invar_dataset_info *info = &v->subject->info;
    const int side = (int)v->subject->recipe->views.local_size;

    if (info->kind != INVAR_DATA_TABLE)
        return put_picture(w, shades, x, local ? side : info->height, local ? side : info->width, err);
    json_floats(w, NULL, x, v->size < TABLE_PLACES ? v->size : TABLE_PLACES, 1);
    return true;
}

static int perturbed_place(const struct views *v, int64_t view)
{
    const struct invar_int_list *which = &v->subject->recipe->adversary.views;

    for (int k = 0; k < v->perturbed_count; k++)
        if (which->value[k] == view)
            return k;
    return -1;
}

static void put_columns(const struct views *v, struct json_writer *w)
{
    char text[64];

    json_open_array(w, "columns");
    json_text(w, NULL, "plain");
    for (int64_t k = 0; k < v->global + v->local; k++) {
        snprintf(text, sizeof text, k < v->global ? "view %lld" : "local view %lld",
                 (long long)(k < v->global ? k + 1 : k - v->global + 1));
        json_text(w, NULL, text);
        if (perturbed_place(v, k) >= 0) {
            json_text(w, NULL, "added to it");
            json_text(w, NULL, "perturbed");
        }
    }
    json_close(w);
}

static bool put_cells(const struct views *v, int64_t i, struct json_writer *w, struct invar_error *err)
{
    const int64_t floats = v->count * v->size;

    if (!put_cell(v, w, &v->shades, v->plain + i * v->size, false, err))
        return false;
    for (int64_t k = 0; k < v->global; k++) {
        const int place = perturbed_place(v, k);
        if (!put_cell(v, w, &v->shades, v->drawn + k * floats + i * v->size, false, err))
            return false;
        if (place >= 0 && (!put_cell(v, w, &v->strong, v->added + place * floats + i * v->size, false, err) ||
                           !put_cell(v, w, &v->shades, v->perturbed + place * floats + i * v->size, false, err)))
            return false;
    }
    for (int64_t k = 0; k < v->local; k++)
        if (!put_cell(v, w, &v->shades, v->drawn + v->global * floats + (k * v->count + i) * v->local_size, true, err))
            return false;
    return true;
}

/* Gray is 0, and the largest change is black or white. */
static double choose_shades(struct views *v)
{
    double largest = 0;

    v->shades = picture_shades_of(&v->subject->info, v->plain, v->count * v->size);
    v->strong = v->shades;
    for (int64_t i = 0; i < v->perturbed_count * v->count * v->size; i++)
        largest = fmax(largest, fabs((double)v->added[i]));
    for (int c = 0; c < 3; c++) {
        v->strong.gain[c] = largest > 0 ? 0.5 / largest : 0;
        v->strong.offset[c] = 0.5;
    }
    return largest;
}

static bool put_rows(const struct views *v, struct json_writer *w, struct invar_error *err)
{
    bool ok = true;

    json_open_array(w, "rows");
    for (int64_t i = 0; ok && i < v->count; i++) {
        json_open_object(w, NULL);
        json_number(w, "index", (double)v->sample[i].index);
        json_number(w, "label", (double)v->sample[i].label);
        json_open_array(w, "cells");
        ok = put_cells(v, i, w, err);
        json_close(w);
        json_close(w);
    }
    json_close(w);
    return ok;
}

static void put_places(const struct views *v, struct json_writer *w)
{
    char name[128];

    json_open_array(w, "places");
    for (int64_t k = 0; k < v->size && k < TABLE_PLACES; k++) {
        invar_table_place_name(name, sizeof name, v->subject->info.table, k);
        json_text(w, NULL, name);
    }
    json_close(w);
    json_number(w, "all_places", (double)v->size);
}

static char *describe(struct views *v, const char *note, struct invar_error *err)
{
    const struct invar_dataset_info *info = &v->subject->info;
    const double largest = choose_shades(v);
    struct json_writer w = {0};

    json_open_object(&w, NULL);
    put_columns(v, &w);
    const bool ok = put_rows(v, &w, err);
    json_text(&w, "kind", invar_data_kind_name(info->kind));
    json_number(&w, "width", info->width);
    json_number(&w, "height", info->height);
    report_put_classes(info, &w);
    if (v->perturbed_count)
        json_number(&w, "largest_change", largest);
    if (note[0])
        json_text(&w, "note", note);
    if (info->kind == INVAR_DATA_TABLE)
        put_places(v, &w);
    json_close(&w);
    if (ok)
        return json_take(&w, err);
    json_writer_free(&w);
    return NULL;
}

char *report_views(const struct report_subject *subject, struct invar_error *err)
{
    struct views v = {.subject = subject};
    struct invar_error own = {0};
    char *out = NULL;

    if (load(&v, err) && draw(&v, err)) {
        /* The views can be shown without what an adversary that is not there yet would add. */
        if (strcmp(subject->recipe->adversary.kind, "none") != 0)
            perturb(&v, &own);
        out = describe(&v, own.message, err);
    }
    views_free(&v);
    return out;
}
