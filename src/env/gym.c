/* SPDX-License-Identifier: Apache-2.0 */
/* gym:ID, an environment of Gymnasium, which a child process plays (worker.py). What it shows is made into observations
 * here. Nothing that the child says is trusted: sizes are checked, and it can only write into the memory it shares. */
#include "base/json_table.h"
#include "env/child.h"
#include "env/env.h"
#include "env/preprocess.h"
#include "env/worker.h"

#include <math.h>
#include <stdlib.h>

enum { PROTOCOL = 1, MOST_ACTIONS = 4096, MOST_SIDE = 16384 };
static const int64_t most_bytes = 1 << 28;

#define GRAYS(CHOICE) CHOICE(GRAY_AUTO, "auto") CHOICE(GRAY_YES, "yes") CHOICE(GRAY_NO, "no")
enum gray { GRAYS(INVAR_CHOICE_CONSTANT) };

struct gym_options {
    char python[INVAR_TEXT_SIZE];
    int64_t skip, stack, size, noops, limit;
    enum gray gray;
    double sticky, timeout;
    bool full_actions;
};

#define FIELD(name) offsetof(struct gym_options, name)
const struct invar_option env_gym_options[] = {
    {"python", INVAR_OPTION_TEXT, FIELD(python), "", 0, 0, NULL,
     "program that runs Gymnasium; empty: what INVAR_PYTHON names, or python3"},
    {"skip", INVAR_OPTION_INT, FIELD(skip), "0", 0, 64, NULL,
     "frames that an action lasts; Atari shows the brighter of the last two; 0: 4 of Atari, else 1"},
    {"stack", INVAR_OPTION_INT, FIELD(stack), "0", 0, 64, NULL,
     "newest frames that an observation is made of; 0: 4 of Atari, else 1"},
    {"size", INVAR_OPTION_INT, FIELD(size), "0", 0, 1024, NULL,
     "side of images in pixels, by means over areas; 0: 84 of Atari, else as they are"},
    {"gray", INVAR_OPTION_CHOICE, FIELD(gray), "auto", 0, 0, INVAR_CHOICES(GRAYS),
     "one channel in place of three; auto: of Atari"},
    {"sticky", INVAR_OPTION_REAL, FIELD(sticky), "0", 0, 1, NULL,
     "chance that a frame of the game has the action of the frame before"},
    {"full_actions", INVAR_OPTION_BOOL, FIELD(full_actions), "false", 0, 0, NULL,
     "Atari: all 18 actions in place of those that the game has"},
    {"noops", INVAR_OPTION_INT, FIELD(noops), "0", 0, 1000, NULL,
     "Atari: an episode begins with 1 to so many frames of no action, drawn; 0: with none"},
    {"limit", INVAR_OPTION_INT, FIELD(limit), "0", 0, 1e9, NULL,
     "frames after which an episode is truncated; 0: as the environment has it, of Atari 108000"},
    {"timeout", INVAR_OPTION_REAL, FIELD(timeout), "60", 0.1, 86400, NULL,
     "seconds without an answer after which the environment is given up"},
    {0}};
static const char *const indifferent[] = {"python", "timeout", NULL};
static const char *const grays[] = {GRAYS(INVAR_CHOICE_NAME)};

/* ---- the protocol: worker.py has the same ---- */

enum { HELLO = 1, MAP, RESET, STEP, SAVE, RESTORE, PICTURE };
enum { TERMINATED = 1, TRUNCATED = 2 };

struct command {
    uint32_t what;
    int32_t argument;
    uint64_t value;
};

struct answer {
    uint32_t failed, flags;
    int32_t lives, frames;
    double reward;
    uint64_t size; /* of what follows: a text where it failed */
};

/* What the child says of the environment. */
struct about {
    int64_t protocol, lives, limit, skip;
    const char *version, *dtype, *note;
    struct json_list shape, picture, names; /* numbers, numbers, texts */
    int saves, pool, atari;
};

#define ABOUT(kind, member) JSON_ROW(struct about, kind, member)
JSON_TABLE(about_table, struct about, ABOUT(COUNT, protocol), ABOUT(COUNT, lives), ABOUT(COUNT, limit),
           ABOUT(COUNT, skip), ABOUT(TEXT, version), ABOUT(TEXT, dtype), ABOUT(TEXT, note), ABOUT(NUMBERS, shape),
           ABOUT(NUMBERS, picture), ABOUT(TEXTS, names), ABOUT(FLAG, saves), ABOUT(FLAG, pool), ABOUT(FLAG, atari));

struct gym {
    struct env_core core; /* first */
    char who[256];        /* "gym:ALE/Pong-v5" */
    struct gym_options options;
    struct env_child *child;
    struct json_room room; /* what `about` holds */
    struct about about;
    struct env_preprocess *preprocess; /* of images of bytes */
    struct env_picture screen;         /* one row and channel where they are vectors */
    struct invar_random random;        /* of the episode: which frames repeat an action */
    size_t raw;                        /* bytes of a frame as the child has it */
    uint8_t *shared;                   /* [2 * raw + picture] */
};

/* Sends a command and what follows it, takes the answer; a failure is the child's sentence. */
static bool ask(struct gym *gym, struct command command, const void *data, struct answer *answer,
                struct invar_error *err)
{
    char text[1024] = "";
    const size_t size = data ? (size_t)command.value : 0;

    if (!env_child_send(gym->child, &command, sizeof command, err) ||
        (size > 0 && !env_child_send(gym->child, data, size, err)) ||
        !env_child_receive(gym->child, answer, sizeof *answer, err))
        return false;
    if (answer->size > (uint64_t)most_bytes || answer->failed > 1 || (answer->failed && answer->size >= sizeof text) ||
        (answer->size > 0 && !answer->failed && command.what != HELLO && command.what != SAVE))
        return invar_error_set(err, INVAR_ERROR_DATA, "%s: its process broke the protocol; is env.python a Python?",
                               gym->who);
    if (!answer->failed)
        return true;
    return env_child_receive(gym->child, text, answer->size, err) &&
           invar_error_set(err, command.what == HELLO ? INVAR_ERROR_USAGE : INVAR_ERROR_DATA, "%s: %s", gym->who, text);
}

/* ---- the beginning ---- */

static bool lies(const struct gym *gym, const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_DATA, "%s: its process says of the environment what cannot be: %s",
                           gym->who, what);
}

static char *request(const struct gym *gym, const char *argument, struct invar_error *err)
{
    const struct gym_options *options = &gym->options;
    struct json_writer w = {0};
    struct invar_text text = {0};

    json_open_object(&w, NULL);
    json_number(&w, "protocol", PROTOCOL);
    json_text(&w, "id", argument);
    json_number(&w, "skip", (double)options->skip);
    json_text(&w, "gray", grays[options->gray]);
    json_bool(&w, "full_actions", options->full_actions);
    json_number(&w, "limit", (double)options->limit);
    json_close(&w);
    return json_finish(&w, gym->who, &text, err) ? text.data : NULL;
}

/* The greeting: what the child can do, into gym->about. */
static bool greet(struct gym *gym, const char *argument, struct invar_error *err)
{
    struct answer answer;
    cJSON *said = NULL;
    char *asked = request(gym, argument, err), *text = NULL;
    bool ok = asked && ask(gym, (struct command){HELLO, 0, strlen(asked)}, asked, &answer, err);

    text = ok ? invar_alloc(answer.size + 1, 1, err) : NULL;
    ok = text && env_child_receive(gym->child, text, answer.size, err);
    said = ok ? json_parse(text, answer.size, MOST_ACTIONS + 1000, gym->who, "", err) : NULL;
    if (said) {
        json_table_clear(&about_table, &gym->about);
        json_table_read(&about_table, &gym->about, said, &gym->room);
    }
    ok = said && json_room_whole(&gym->room, gym->who, err);
    cJSON_Delete(said);
    free(asked);
    invar_free(text);
    return ok;
}

/* The shape of a frame as the child has it: 1 to 3 sides, which become height, width and channels. */
static bool take_shape(struct gym *gym, struct invar_error *err)
{
    const double *side = gym->about.shape.item;
    const int64_t rank = gym->about.shape.count;
    double bytes = strcmp(gym->about.dtype, "uint8") == 0 ? 1 : sizeof(float);
    int at[3] = {1, 1, 1};

    if (rank < 1 || rank > 3 || (bytes > 1 && strcmp(gym->about.dtype, "float32") != 0))
        return lies(gym, "observations of a type or rank that there is not", err);
    for (int64_t i = 0; i < rank; i++) {
        if (!(side[i] >= 1 && side[i] <= (rank == 1 ? 1e7 : MOST_SIDE)) || side[i] != floor(side[i]))
            return lies(gym, "an observation without a size", err);
        bytes *= side[i];
        at[i] = (int)side[i];
    }
    if (bytes > (double)most_bytes)
        return lies(gym, "observations of more than 256 MiB", err);
    gym->raw = (size_t)bytes;
    gym->screen = (struct env_picture){.height = at[0], .width = at[1], .channels = at[2]};
    return true;
}

static bool check_about(struct gym *gym, struct invar_error *err)
{
    const struct about *about = &gym->about;
    const double *picture = about->picture.item;

    if (about->protocol != PROTOCOL || !about->version || !about->dtype || !about->names.item)
        return lies(gym, "another protocol, or not all of it", err);
    if (about->names.count < 1 || about->names.count > MOST_ACTIONS)
        return lies(gym, "a number of actions below 1 or above 4096", err);
    if (about->lives < 0 || about->lives > 1000 || about->limit < 0 || about->skip < 1 || about->skip > 64)
        return lies(gym, "lives, limit or skip out of range", err);
    if (about->picture.count != 2 || !(picture[0] >= 0 && picture[0] <= MOST_SIDE) ||
        !(picture[1] >= 0 && picture[1] <= MOST_SIDE) || picture[0] * picture[1] > (double)most_bytes)
        return lies(gym, "a picture without a size", err);
    return take_shape(gym, err);
}

/* What observations are, of images of bytes: another size, gray. */
static bool prepare_images(struct gym *gym, struct invar_error *err)
{
    const struct gym_options *options = &gym->options;
    struct env_picture *screen = &gym->screen;
    struct invar_env_info *info = &gym->core.info;
    const int size = options->size ? (int)options->size : gym->about.atari == 1 ? 84 : 0;

    screen->gray = screen->channels == 3 && options->gray == GRAY_YES;
    screen->to_height = size ? size : screen->height;
    screen->to_width = size ? size : screen->width;
    info->dtype = INVAR_UINT8;
    info->rank = 3;
    info->shape[0] = env_preprocess_planes(screen) * info->stack;
    info->shape[1] = screen->to_height;
    info->shape[2] = screen->to_width;
    info->frame_size = (int64_t)env_preprocess_planes(screen) * screen->to_height * screen->to_width;
    gym->preprocess = env_preprocess_create(screen, err);
    return gym->preprocess != NULL;
}

/* Of numbers, which are handed on as they are, images of them one plane a channel. */
static bool prepare_numbers(struct gym *gym, struct invar_error *err)
{
    const struct gym_options *options = &gym->options;
    struct invar_env_info *info = &gym->core.info;
    const int64_t rank = gym->about.shape.count;

    if (options->size || options->gray == GRAY_YES)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: env.size and env.gray are of images of bytes, and its observations are %s",
                               gym->who, rank == 1 ? "vectors" : "images of float32");
    info->dtype = INVAR_FLOAT32;
    info->rank = rank == 1 ? 1 : 3;
    info->shape[0] = (rank == 1 ? gym->screen.height : gym->screen.channels) * info->stack;
    info->shape[1] = gym->screen.height;
    info->shape[2] = gym->screen.width;
    info->frame_size = (int64_t)gym->raw;
    return true;
}

static bool share(struct gym *gym, struct invar_error *err)
{
    struct invar_env_info *info = &gym->core.info;
    struct answer answer;
    const size_t size = 2 * gym->raw + 3 * (size_t)info->height * (size_t)info->width;

    gym->shared = env_child_share(gym->child, size, err);
    return gym->shared && ask(gym, (struct command){MAP, 0, size}, NULL, &answer, err);
}

static bool create(struct env_core *core, const char *argument, const void *opaque, struct invar_error *err)
{
    struct gym *gym = (struct gym *)core;
    struct invar_env_info *info = &core->info;
    const char *named = getenv("INVAR_PYTHON");

    gym->options = *(const struct gym_options *)opaque;
    const char *python = gym->options.python[0] ? gym->options.python : named && *named ? named : "python3";
    snprintf(gym->who, sizeof gym->who, "gym:%s", argument);
    gym->child = env_child_start(python, env_worker_text, env_worker_size, gym->who, gym->options.timeout, err);
    if (!gym->child || !greet(gym, argument, err) || !check_about(gym, err))
        return false;
    const struct about *about = &gym->about;
    const double *picture = about->picture.item;
    if (about->atari != 1 && (gym->options.noops || gym->options.full_actions))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: is no Atari game, which alone has env.noops and env.full_actions: leave these out",
                               gym->who);
    info->version = about->version;
    info->note = about->note && about->note[0] ? about->note : NULL;
    info->stack = gym->options.stack ? (int)gym->options.stack : about->atari == 1 ? 4 : 1;
    info->actions = (int)about->names.count;
    info->names = (const char *const *)about->names.item;
    info->lives = (int)about->lives;
    info->skip = (int)about->skip;
    info->limit = (about->limit + about->skip - 1) / about->skip;
    info->saves = about->saves == 1;
    info->score = about->atari == 1 ? invar_env_score_find(gym->who) : NULL;
    info->memory = env_child_memory(gym->child);
    info->height = (int)picture[0];
    info->width = (int)picture[1];
    const bool images = strcmp(about->dtype, "uint8") == 0 && about->shape.count > 1;
    return (images ? prepare_images(gym, err) : prepare_numbers(gym, err)) && share(gym, err);
}

static void destroy(struct env_core *core)
{
    struct gym *gym = (struct gym *)core;

    env_child_end(gym->child);
    env_preprocess_free(gym->preprocess);
    json_room_free(&gym->room);
}

/* ---- episodes ---- */

/* The frame from what the child showed. */
static bool show(struct gym *gym, struct invar_error *err)
{
    const float *from = (const float *)(const void *)gym->shared;
    float *to = (float *)(void *)gym->core.frame;
    const size_t channels = (size_t)gym->screen.channels, pixels = gym->raw / sizeof(float) / channels;

    if (gym->preprocess) {
        if (gym->about.pool == 1)
            env_screen_most(gym->shared, gym->shared + gym->raw, gym->raw);
        env_preprocess_apply(gym->preprocess, gym->shared, gym->core.frame);
        return true;
    }
    bool finite = true;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++) {
            to[c * pixels + i] = from[i * channels + c];
            finite &= isfinite(to[c * pixels + i]) != 0;
        }
    return finite || invar_error_set(err, INVAR_ERROR_NUMERIC,
                                     "%s: gave an observation with a number that is not finite", gym->who);
}

/* A reset or a step, and what it led to. */
static bool go(struct gym *gym, struct command command, struct invar_error *err)
{
    struct invar_env_step *step = &gym->core.step;
    struct answer answer;

    if (!ask(gym, command, NULL, &answer, err))
        return false;
    if (answer.flags > (TERMINATED | TRUNCATED) || answer.lives < 0 || answer.frames < 0 || answer.frames > 64)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "%s: its process broke the protocol: a step with %d lives and %d "
                               "frames",
                               gym->who, (int)answer.lives, (int)answer.frames);
    step->reward = answer.reward;
    step->terminated = answer.flags & TERMINATED;
    step->truncated = !step->terminated && answer.flags & TRUNCATED;
    step->lives = answer.lives;
    step->frames = answer.frames;
    return show(gym, err);
}

static bool reset(struct env_core *core, uint64_t seed, uint32_t copy, uint64_t episode, struct invar_error *err)
{
    struct gym *gym = (struct gym *)core;
    const int64_t noops = gym->options.noops;

    gym->random = invar_random_stream(seed, INVAR_RANDOM_ENVIRONMENT, copy, episode, 0);
    const uint32_t own = invar_random_bits(&gym->random) >> 1;
    const int32_t drawn = noops ? 1 + (int32_t)invar_random_below(&gym->random, (uint32_t)noops) : 0;

    return go(gym, (struct command){RESET, drawn, own}, err);
}

/* Frames that repeat an action are drawn here: ALE's own would not go on after a restore, as its states lack the action
 * before. */
static bool step(struct env_core *core, int action, struct invar_error *err)
{
    struct gym *gym = (struct gym *)core;
    uint64_t repeats = 0;

    for (int64_t t = 0; gym->options.sticky > 0 && t < gym->about.skip; t++)
        repeats |= (uint64_t)((double)invar_random_uniform(&gym->random) < gym->options.sticky) << t;
    return go(gym, (struct command){STEP, action, repeats}, err);
}

/* ---- states: draws, the two screens, which the end of an episode may show once more, and what the child gives ---- */

static size_t own_size(const struct gym *gym)
{
    return sizeof gym->random + (gym->about.pool == 1 ? 2 * gym->raw : 0);
}

static bool save(struct env_core *core, struct invar_bytes *out, struct invar_error *err)
{
    struct gym *gym = (struct gym *)core;
    const size_t own = own_size(gym);
    struct answer answer;

    if (!ask(gym, (struct command){SAVE, 0, 0}, NULL, &answer, err))
        return false;
    out->data = invar_alloc(own + answer.size + 1, 1, err);
    if (!out->data)
        return false;
    out->size = own + answer.size;
    memcpy(out->data, &gym->random, sizeof gym->random);
    memcpy(out->data + sizeof gym->random, gym->shared, own - sizeof gym->random);
    if (env_child_receive(gym->child, out->data + own, answer.size, err))
        return true;
    invar_bytes_free(out);
    return false;
}

static bool restore(struct env_core *core, const void *data, size_t size, struct invar_error *err)
{
    struct gym *gym = (struct gym *)core;
    const size_t own = own_size(gym);
    struct answer answer;

    if (size <= own)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: the saved state is too short", gym->who);
    if (!ask(gym, (struct command){RESTORE, 0, size - own}, (const uint8_t *)data + own, &answer, err))
        return false;
    memcpy(&gym->random, data, sizeof gym->random);
    memcpy(gym->shared, (const uint8_t *)data + sizeof gym->random, own - sizeof gym->random);
    return true;
}

static bool picture(struct env_core *core, uint8_t *rgb, struct invar_error *err)
{
    struct gym *gym = (struct gym *)core;
    struct answer answer;

    if (!ask(gym, (struct command){PICTURE, core->info.height, 0}, NULL, &answer, err))
        return false;
    memcpy(rgb, gym->shared + 2 * gym->raw, 3 * (size_t)core->info.height * (size_t)core->info.width);
    return true;
}

const struct env_class env_gym = {.options = env_gym_options,
                                  .options_size = sizeof(struct gym_options),
                                  .size = sizeof(struct gym),
                                  .create = create,
                                  .destroy = destroy,
                                  .reset = reset,
                                  .step = step,
                                  .save = save,
                                  .restore = restore,
                                  .picture = picture,
                                  .indifferent = indifferent};
