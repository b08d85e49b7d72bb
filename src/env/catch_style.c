/* SPDX-License-Identifier: Apache-2.0 */
#include "env/catch_style.h"
#include "invar/expert/random.h"

#include <math.h>
#include <string.h>

static const float pi = 3.14159265f;

/* A hue in 0..1 at a brightness, not quite saturated; without colours it is gray. */
static void colour(float hue, float value, bool coloured, float out[3])
{
    for (int c = 0; c < 3; c++) {
        const float wave = 0.5f + 0.5f * cosf(2 * pi * (hue - (float)c / 3));
        out[c] = coloured ? value * (0.4f + 0.6f * wave) : value;
    }
}

/* Training styles have the hues of one half of the circle, those for testing the other. */
static float draw_hue(struct invar_random *random, bool test)
{
    return invar_random_range(random, 0, 0.5f) + (test ? 0.5f : 0);
}

static float draw_brightness(struct invar_random *random, bool test)
{
    const float train = invar_random_range(random, 0.7f, 1), other = invar_random_range(random, 0.45f, 0.7f);
    return test ? other : train;
}

/* How much of the second colour a pixel has. Four patterns are for training, four for testing. */
struct pattern {
    int kind;
    float period, phase;
    float patch[CATCH_PIXELS];
};

static float mix(const struct pattern *pattern, int x, int y)
{
    const float wave = 2 * pi / pattern->period, half = (float)(CATCH_SIDE - 1) / 2;
    const float dx = (float)x - half, dy = (float)y - half;

    switch (pattern->kind) {
    case 0:
        return 0;
    case 1:
        return (float)y / (CATCH_SIDE - 1);
    case 2:
        return 0.5f + 0.5f * sinf(wave * (float)y + pattern->phase);
    case 3:
        return pattern->patch[(y / 6) * CATCH_SIDE + x / 6];
    case 4:
        return (float)((x / 4 + y / 4) % 2);
    case 5:
        return 0.5f + 0.5f * sinf(wave * sqrtf(dx * dx + dy * dy) + pattern->phase);
    case 6:
        return 0.5f + 0.5f * sinf(wave * (float)(x + y) + pattern->phase);
    default:
        return pattern->patch[y * CATCH_SIDE + x];
    }
}

static void draw_pattern(struct pattern *pattern, struct invar_random *random, bool test)
{
    pattern->kind = (int)invar_random_below(random, 4) + (test ? 4 : 0);
    pattern->period = invar_random_range(random, 5, 12);
    pattern->phase = invar_random_range(random, 0, 2 * pi);
    for (int i = 0; i < CATCH_PIXELS; i++)
        pattern->patch[i] = invar_random_uniform(random);
}

static uint8_t to_byte(float value)
{
    return (uint8_t)(255 * fminf(fmaxf(value, 0), 1) + 0.5f);
}

static void make_background(struct catch_style *style, const struct catch_styles *styles, struct invar_random *random,
                            float brightness)
{
    const bool test = styles->style == CATCH_TEST;
    float first[3] = {0}, second[3] = {0};
    struct pattern pattern;

    draw_pattern(&pattern, random, test);
    colour(draw_hue(random, test), invar_random_range(random, 0.05f, 0.2f), styles->colours, first);
    colour(draw_hue(random, test), invar_random_range(random, 0.25f, 0.45f), styles->colours, second);
    for (int i = 0; styles->backgrounds && i < CATCH_PIXELS; i++) {
        const float share = mix(&pattern, i % CATCH_SIDE, i / CATCH_SIDE);
        for (int c = 0; c < 3; c++)
            style->background[i][c] = to_byte(brightness * (first[c] + share * (second[c] - first[c])));
    }
}

/* Training has squares that move to the side, testing has bars that move down or up. */
static void make_distractors(struct catch_style *style, const struct catch_styles *styles, struct invar_random *random,
                             float brightness)
{
    const bool test = styles->style == CATCH_TEST;

    style->distractors = (int)styles->distractors;
    for (int k = 0; k < CATCH_DISTRACTORS; k++) {
        struct catch_distractor *d = &style->distractor[k];
        const int side = 2 + (int)invar_random_below(random, 3), way = invar_random_below(random, 2) ? 1 : -1;
        *d = (struct catch_distractor){.x = (int)invar_random_below(random, CATCH_SIDE),
                                       .y = (int)invar_random_below(random, CATCH_SIDE),
                                       .width = test ? 1 : side,
                                       .height = test ? 3 + side : side,
                                       .dx = test ? 0 : way,
                                       .dy = test ? way : 0};
        colour(draw_hue(random, test), 0.55f * brightness, styles->colours, d->colour);
    }
}

void catch_style_make(struct catch_style *style, const struct catch_styles *styles, int64_t number)
{
    const bool test = styles->style == CATCH_TEST;
    struct invar_random random =
        invar_random_stream(0, INVAR_RANDOM_STYLE, (uint64_t)styles->style, (uint64_t)number, 0);
    float ball[3] = {1, 1, 1}, paddle[3] = {1, 1, 1};

    memset(style, 0, sizeof *style);
    if (styles->style != CATCH_PLAIN) {
        const float drawn = draw_brightness(&random, test), brightness = styles->brightness ? drawn : 1;
        colour(draw_hue(&random, test), 1, styles->colours, ball);
        colour(draw_hue(&random, test), 0.9f, styles->colours, paddle);
        for (int c = 0; c < 3; c++) {
            ball[c] *= brightness;
            paddle[c] *= brightness;
        }
        make_background(style, styles, &random, brightness);
        make_distractors(style, styles, &random, brightness);
    }
    for (int c = 0; c < 3; c++) {
        style->ball[c] = to_byte(ball[c]);
        style->paddle[c] = to_byte(paddle[c]);
    }
}

static int around(int64_t at)
{
    return (int)((at % CATCH_SIDE + CATCH_SIDE) % CATCH_SIDE);
}

void catch_style_draw(const struct catch_style *style, int64_t step, uint8_t rgb[CATCH_PIXELS][3])
{
    memcpy(rgb, style->background, sizeof style->background);
    for (int k = 0; k < style->distractors; k++) {
        const struct catch_distractor *d = &style->distractor[k];
        for (int i = 0; i < d->width * d->height; i++) {
            const int x = around(d->x + d->dx * step + i % d->width), y = around(d->y + d->dy * step + i / d->width);
            for (int c = 0; c < 3; c++)
                rgb[y * CATCH_SIDE + x][c] = to_byte(d->colour[c]);
        }
    }
}
