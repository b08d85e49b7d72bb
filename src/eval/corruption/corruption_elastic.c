/* SPDX-License-Identifier: Apache-2.0 */
/* elastic_transform: a random affine map, then a smooth random displacement. */
#include "eval/corruption/corruption.h"

#include <math.h>

#define ELASTIC_REACH 3 /* deviations of the blur on either side */
#define LEAST_AREA 1e-6 /* what a map that flattens the image is taken to keep of it */

enum { ALPHA, SIGMA, JITTER };

/* x' = a x + b y + c and y' = d x + e y + f */
struct affine {
    double a, b, c, d, e, f;
};

/* The points are a right angle at (x0, y1), 2q long on either side, so that the map is found directly. The original
 * solves for the map from three points; of a right angle the solution can be written down. */
static struct affine draw_affine(struct corruption_work *work, double jitter)
{
    const int least = work->height < work->width ? work->height : work->width, q = least / 3;
    /* Whole numbers, as the original's centre is. */
    const double x = work->width / 2, y = work->height / 2;
    const double point[3][2] = {{x + q, y + q}, {x + q, y - q}, {x - q, y - q}};
    double moved[3][2];

    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 2; k++)
            moved[i][k] = point[i][k] + (double)invar_random_range(&work->random, (float)-jitter, (float)jitter);
    const struct affine linear = {
        .a = (moved[1][0] - moved[2][0]) / (2 * q),
        .b = (moved[0][0] - moved[1][0]) / (2 * q),
        .d = (moved[1][1] - moved[2][1]) / (2 * q),
        .e = (moved[0][1] - moved[1][1]) / (2 * q),
    };
    struct affine map = linear;
    map.c = moved[1][0] - map.a * point[1][0] - map.b * point[1][1];
    map.f = moved[1][1] - map.d * point[1][0] - map.e * point[1][1];
    return map;
}

/* Pixels are looked up in the source, so the way back is what is needed. A map that nearly flattens the image has no
 * way back, and gets one that is merely steep. */
static struct affine inverse(const struct affine *m)
{
    double area = m->a * m->e - m->b * m->d;
    if (fabs(area) < LEAST_AREA)
        area = area < 0 ? -LEAST_AREA : LEAST_AREA;
    struct affine back = {.a = m->e / area, .b = -m->b / area, .d = -m->d / area, .e = m->a / area};
    back.c = -(back.a * m->c + back.b * m->f);
    back.f = -(back.d * m->c + back.e * m->f);
    return back;
}

/* The border mirrors, as in the original, so that no black comes in. */
static void move(float *out, const struct corruption_field *x, const struct affine *from)
{
    for (int row = 0; row < x->height; row++)
        for (int column = 0; column < x->width; column++, out += 3)
            corruption_sample(x, from->d * column + from->e * row + from->f, from->a * column + from->b * row + from->c,
                              CORRUPTION_MIRROR, out);
}

/* Uniform noise, made smooth: neighbouring pixels move together. */
static bool draw_displacement(struct corruption_work *work, struct corruption_field *field, struct invar_error *err)
{
    float *v = corruption_floats(work, work->pixels, err);

    if (!v)
        return false;
    for (size_t i = 0; i < work->pixels; i++)
        v[i] = invar_random_range(&work->random, -1, 1);
    *field = corruption_field_of(work, v, 1);
    return corruption_gaussian(work, field, work->setting[SIGMA], ELASTIC_REACH, CORRUPTION_SYMMETRIC, err);
}

/* The two steps sample one after the other, as in the original, which blurs a little twice. */
static bool elastic_transform(struct corruption_work *work, struct invar_error *err)
{
    const double alpha = work->setting[ALPHA];
    const struct affine forward = draw_affine(work, work->setting[JITTER]), from = inverse(&forward);
    struct corruption_field x = corruption_field_of(work, corruption_values(work, err), 3), dx, dy;
    float *moved = x.v ? corruption_floats(work, work->values, err) : NULL;

    if (!moved)
        return false;
    move(moved, &x, &from);
    /* At the first severity of the small table there is no displacement, and no random number is drawn for one. */
    if (alpha > 0) {
        if (!draw_displacement(work, &dx, err) || !draw_displacement(work, &dy, err))
            return false;
        float *out = x.v;
        x.v = moved;
        moved = out;
        for (int row = 0, i = 0; row < work->height; row++)
            for (int column = 0; column < work->width; column++, i++, out += 3)
                corruption_sample(&x, row + alpha * (double)dy.v[i], column + alpha * (double)dx.v[i],
                                  CORRUPTION_SYMMETRIC, out);
    }
    corruption_bytes(work->out, moved, work->values);
    return true;
}

const struct corruption_kind corruption_elastic_transform = {
    .apply = elastic_transform, /* alpha, sigma, jitter */
    .least_side = 3,            /* below, the three points of the affine map are one */
    .setting = {{{0, 0, 2.56}, {1.6, 6.4, 2.24}, {2.56, 1.92, 1.92}, {3.2, 1.28, 1.6}, {3.2, 0.96, 0.96}},
                {{488, 170.8, 24.4}, {488, 19.52, 48.8}, {12.2, 2.44, 4.88}, {17.08, 2.44, 4.88}, {29.28, 2.44, 4.88}}},
};
