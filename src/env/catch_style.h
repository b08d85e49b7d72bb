/* SPDX-License-Identifier: Apache-2.0 */
/* How the game `catch` looks, which says nothing about how it goes. */
#ifndef INVAR_SRC_ENV_CATCH_STYLE_H
#define INVAR_SRC_ENV_CATCH_STYLE_H

#include "invar/options.h"

enum { CATCH_SIDE = 24, CATCH_PIXELS = CATCH_SIDE * CATCH_SIDE, CATCH_DISTRACTORS = 8 };

#define CATCH_SETS(CHOICE) CHOICE(CATCH_PLAIN, "plain") CHOICE(CATCH_TRAIN, "train") CHOICE(CATCH_TEST, "test")
enum catch_set { CATCH_SETS(INVAR_CHOICE_CONSTANT) };

/** What a style may change. */
struct catch_styles {
    enum catch_set style;
    int64_t count;
    bool backgrounds, brightness, colours;
    int64_t distractors;
};

struct catch_distractor {
    int x, y, width, height; /**< pixels */
    int dx, dy;              /**< pixels a step */
    float colour[3];
};

/** One style. The background is darker than 1/2, ball and paddle are brighter, distractors lie between them. */
struct catch_style {
    uint8_t background[CATCH_PIXELS][3];
    uint8_t ball[3], paddle[3];
    int distractors;
    struct catch_distractor distractor[CATCH_DISTRACTORS];
};

/** Style number `number` of the set: always the same. Those of `test` have backgrounds, brightness, hues and shapes of
 * distractors that none of `train` has. */
void catch_style_make(struct catch_style *style, const struct catch_styles *styles, int64_t number);
/** The picture after so many steps, without ball and paddle. */
void catch_style_draw(const struct catch_style *style, int64_t step, uint8_t rgb[CATCH_PIXELS][3]);

#endif
