/* SPDX-License-Identifier: Apache-2.0 */
/* CIE L*a*b* as TIFF stores it to sRGB. Its white, D50 unless the file says another, becomes sRGB's, D65, by Bradford's
 * adaptation: without it neutral gray takes on a colour. */
#include "data/image/image.h"

#include <math.h>
#include <string.h>

struct matrix {
    double m[3][3];
};

static const struct matrix cones = {{{0.8951, 0.2664, -0.1614}, {-0.7502, 1.7135, 0.0367}, {0.0389, -0.0685, 1.0296}}};
static const struct matrix from_cones = {
    {{0.9869929, -0.1470543, 0.1599627}, {0.4323053, 0.5183603, 0.0492912}, {-0.0085287, 0.0400428, 0.9684867}}};
/* XYZ under D65 to linear sRGB */
static const struct matrix to_rgb = {
    {{3.2404542, -1.5371385, -0.4985314}, {-0.9692660, 1.8760108, 0.0415560}, {0.0556434, -0.2040259, 1.0572252}}};
static const double d50[3] = {0.96422, 1, 0.82521}, d65[3] = {0.95047, 1, 1.08883};

static void apply(const struct matrix *m, const double v[3], double out[3])
{
    for (int i = 0; i < 3; i++)
        out[i] = m->m[i][0] * v[0] + m->m[i][1] * v[1] + m->m[i][2] * v[2];
}

/* Column by column: X, Y and Z as parts of the white to linear sRGB. */
static void find_matrix(const double white[3], struct matrix *out)
{
    double from[3], to[3];

    apply(&cones, white, from);
    apply(&cones, d65, to);
    for (int c = 0; c < 3; c++) {
        double v[3] = {0}, cone[3], adapted[3], rgb[3];
        v[c] = white[c];
        apply(&cones, v, cone);
        for (int i = 0; i < 3; i++)
            cone[i] *= to[i] / from[i];
        apply(&from_cones, cone, adapted);
        apply(&to_rgb, adapted, rgb);
        for (int i = 0; i < 3; i++)
            out->m[i][c] = rgb[i];
    }
}

static double from_f(double f)
{
    return f > 6.0 / 29 ? f * f * f : 3 * (6.0 / 29) * (6.0 / 29) * (f - 4.0 / 29);
}

static double gamma_of(double linear)
{
    const double inside = linear > 0 ? linear < 1 ? linear : 1 : 0;
    return inside <= 0.0031308 ? 12.92 * inside : 1.055 * pow(inside, 1 / 2.4) - 0.055;
}

static void to_srgb(const struct matrix *m, double lightness, double a, double b, double rgb[3])
{
    const double y = (lightness + 16) / 116;
    const double parts[3] = {from_f(y + a / 500), from_f(y), from_f(y - b / 200)};

    apply(m, parts, rgb);
    for (int i = 0; i < 3; i++)
        rgb[i] = gamma_of(rgb[i]);
}

void data_lab_to_srgb(struct data_image *image, float x, float y)
{
    const size_t count = (size_t)image->height * (size_t)image->width, pixel = (size_t)image->channels;
    const bool given = x > 0.05f && y > 0.05f && x + y < 0.95f;
    const double white[3] = {(double)x / (double)y, 1, (1 - (double)x - (double)y) / (double)y};
    struct matrix m;
    double rgb[3];

    find_matrix(given ? white : d50, &m);
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = image->pixels + i * pixel * image->unit;
        uint16_t *q = (uint16_t *)(void *)p;
        if (image->unit == 1)
            to_srgb(&m, p[0] * 100.0 / 255, (int8_t)p[1], (int8_t)p[2], rgb);
        else
            to_srgb(&m, q[0] * 100.0 / 65535, (int16_t)q[1] / 256.0, (int16_t)q[2] / 256.0, rgb);
        for (int c = 0; c < 3; c++)
            if (image->unit == 1)
                p[c] = (uint8_t)lrint(255 * rgb[c]);
            else
                q[c] = (uint16_t)lrint(65535 * rgb[c]);
    }
    data_image_narrow(image);
}
