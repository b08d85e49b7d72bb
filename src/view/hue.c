/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Hue shift through HSV without a branch. With v the largest channel, d = v - smallest and h the hue in sixths of a
 * turn, every channel of the result is v - d * clamp(min(k, 4 - k), 0, 1) with k = (h + 5, 3, 1) mod 6.
 */

#include "view/view.h"

VIEW_INLINE float channel(float value, float spread, float hue, float offset)
{
    const float sum = hue + offset, wrapped = sum - 6.0f;
    const float k = sum >= 6.0f ? wrapped : sum;
    const float back = 4.0f - k;
    return value - spread * view_clamp(k < back ? k : back);
}

VIEW_CLONES static void turn(float *restrict red, float *restrict green, float *restrict blue, size_t pixels,
                             float shift)
{
    for (size_t i = 0; i < pixels; i++) {
        const float r = red[i], g = green[i], b = blue[i];
        const float rg_high = r > g ? r : g, rg_low = r > g ? g : r;
        const float value = rg_high > b ? rg_high : b, low = rg_low < b ? rg_low : b;
        const float spread = value - low;
        const float scale = 1.0f / (spread > 0.0f ? spread : 1.0f);
        const float at_red = (g - b) * scale, at_green = 2.0f + (b - r) * scale, at_blue = 4.0f + (r - g) * scale;
        const float not_red = g == value ? at_green : at_blue;
        const float turned = (r == value ? at_red : not_red) + shift; /* from -1 - 3 to 5 + 3 */
        const float up = turned + 6.0f, down = turned - 6.0f;
        const float raised = turned < 0.0f ? up : turned;
        const float hue = turned >= 6.0f ? down : raised;
        red[i] = channel(value, spread, hue, 5.0f);
        green[i] = channel(value, spread, hue, 3.0f);
        blue[i] = channel(value, spread, hue, 1.0f);
    }
}

void view_hue(float *image, size_t pixels, float shift)
{
    turn(image, image + pixels, image + 2 * pixels, pixels, 6.0f * shift);
}
