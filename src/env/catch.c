/* SPDX-License-Identifier: Apache-2.0 */
/* catch: a ball falls straight down, the paddle below it goes left, stays or goes right; after eleven steps the ball is
 * caught (+1) or not (-1). The paddle can always reach it. */
#include "env/catch_style.h"
#include "env/env.h"

#include <stdlib.h>

enum { COLUMNS = 12, ROWS = 12, CELL = CATCH_SIDE / COLUMNS };

struct catch_options {
    struct catch_styles styles;
    bool gray;
};

#define STYLE(field) (offsetof(struct catch_options, styles) + offsetof(struct catch_styles, field))
const struct invar_option env_catch_options[] = {
    {"gray", INVAR_OPTION_BOOL, offsetof(struct catch_options, gray), "false", 0, 0, NULL,
     "one channel in place of three"},
    {"style", INVAR_OPTION_CHOICE, STYLE(style), "plain", 0, 0, INVAR_CHOICES(CATCH_SETS),
     "how it looks: white on black, or a style that every episode draws from those for training or those for testing"},
    {"styles", INVAR_OPTION_INT, STYLE(count), "8", 1, 1024, NULL, "number of styles that are drawn from"},
    {"backgrounds", INVAR_OPTION_BOOL, STYLE(backgrounds), "true", 0, 0, NULL, "styles differ in the background"},
    {"brightness", INVAR_OPTION_BOOL, STYLE(brightness), "true", 0, 0, NULL, "styles differ in brightness"},
    {"colours", INVAR_OPTION_BOOL, STYLE(colours), "true", 0, 0, NULL, "styles differ in colours"},
    {"distractors", INVAR_OPTION_INT, STYLE(distractors), "2", 0, CATCH_DISTRACTORS, NULL,
     "moving things that mean nothing"},
    {0}};

/* Cells; all that a saved state is. */
struct position {
    int32_t ball, paddle, row, style;
};

struct catch
{
    struct env_core core; /* first */
    struct position at;
    bool gray;
    int32_t count;
    struct catch_style *styles; /* [count] */
};

static const char *const actions[] = {"left", "stay", "right"};

static bool create(struct env_core *core, const char *argument, const void *opaque, struct invar_error *err)
{
    struct catch *game = (struct catch *)core;
    const struct catch_options *options = opaque;
    const int channels = options->gray ? 1 : 3;
    struct invar_env_info *info = &core->info;

    (void)argument;
    game->gray = options->gray;
    game->count = options->styles.style == CATCH_PLAIN ? 1 : (int32_t)options->styles.count;
    game->styles = invar_alloc((size_t)game->count, sizeof *game->styles, err);
    for (int32_t i = 0; game->styles && i < game->count; i++)
        catch_style_make(&game->styles[i], &options->styles, i);
    info->version = "catch 1";
    info->dtype = INVAR_UINT8;
    info->rank = 3;
    info->shape[0] = channels;
    info->shape[1] = info->shape[2] = info->height = info->width = CATCH_SIDE;
    info->frame_size = channels * CATCH_PIXELS;
    info->actions = 3;
    info->names = actions;
    info->limit = ROWS - 1;
    info->saves = true;
    info->least = -1;
    info->most = 1;
    return game->styles != NULL;
}

static void destroy(struct env_core *core)
{
    invar_free(((struct catch *)core)->styles);
}

static void fill(uint8_t rgb[CATCH_PIXELS][3], int column, int row, int columns, const uint8_t colour[3])
{
    for (int y = row * CELL; y < (row + 1) * CELL; y++)
        for (int x = column * CELL; x < (column + columns) * CELL; x++)
            memcpy(rgb[y * CATCH_SIDE + x], colour, 3);
}

static void draw(const struct catch *game, uint8_t rgb[CATCH_PIXELS][3])
{
    const struct catch_style *style = &game->styles[game->at.style];

    catch_style_draw(style, game->at.row, rgb);
    fill(rgb, game->at.paddle - 1, ROWS - 1, 3, style->paddle);
    fill(rgb, game->at.ball, game->at.row, 1, style->ball);
}

/* The frame, one plane a channel. */
static bool show(struct catch *game)
{
    uint8_t rgb[CATCH_PIXELS][3], *out = game->core.frame;

    draw(game, rgb);
    for (int i = 0; i < CATCH_PIXELS; i++)
        if (game->gray) {
            out[i] = (uint8_t)((77 * rgb[i][0] + 151 * rgb[i][1] + 28 * rgb[i][2] + 128) >> 8);
        } else {
            out[i] = rgb[i][0];
            out[CATCH_PIXELS + i] = rgb[i][1];
            out[2 * CATCH_PIXELS + i] = rgb[i][2];
        }
    return true;
}

static bool reset(struct env_core *core, uint64_t seed, uint32_t copy, uint64_t episode, struct invar_error *err)
{
    struct catch *game = (struct catch *)core;
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_ENVIRONMENT, copy, episode, 0);

    (void)err;
    game->at = (struct position){.ball = (int32_t)invar_random_below(&random, COLUMNS),
                                 .paddle = 1 + (int32_t)invar_random_below(&random, COLUMNS - 2),
                                 .style = (int32_t)invar_random_below(&random, (uint32_t)game->count)};
    return show(game);
}

static bool step(struct env_core *core, int action, struct invar_error *err)
{
    struct catch *game = (struct catch *)core;
    const int32_t to = game->at.paddle + action - 1;

    (void)err;
    game->at.paddle = to < 1 ? 1 : to > COLUMNS - 2 ? COLUMNS - 2 : to;
    game->at.row++;
    if (game->at.row == ROWS - 1) {
        core->step.terminated = true;
        core->step.reward = abs(game->at.ball - game->at.paddle) <= 1 ? 1 : -1;
    }
    return show(game);
}

static bool save(struct env_core *core, struct invar_bytes *out, struct invar_error *err)
{
    return env_save_struct(&((struct catch *)core)->at, sizeof(struct position), out, err);
}

static bool restore(struct env_core *core, const void *data, size_t size, struct invar_error *err)
{
    struct catch *game = (struct catch *)core;
    struct position at;

    if (!env_restore_struct(&at, sizeof at, data, size, err))
        return false;
    if (at.ball < 0 || at.ball >= COLUMNS || at.paddle < 1 || at.paddle > COLUMNS - 2 || at.row < 0 || at.row >= ROWS ||
        at.style < 0 || at.style >= game->count)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "catch: the saved state has a ball outside of the board");
    game->at = at;
    return true;
}

static bool picture(struct env_core *core, uint8_t *rgb, struct invar_error *err)
{
    uint8_t drawn[CATCH_PIXELS][3];

    (void)err;
    draw((struct catch *)core, drawn);
    memcpy(rgb, drawn, sizeof drawn);
    return true;
}

const struct env_class env_catch = {.options = env_catch_options,
                                    .options_size = sizeof(struct catch_options),
                                    .size = sizeof(struct catch),
                                    .create = create,
                                    .destroy = destroy,
                                    .reset = reset,
                                    .step = step,
                                    .save = save,
                                    .restore = restore,
                                    .picture = picture};
