/* SPDX-License-Identifier: Apache-2.0 */
/* What playing at random gives, and how fast an environment is. */
#include "env/survey.h"
#include "env/env.h"

#include <math.h>

static const double least_seconds = 0.3; /* so that a rate is one, of fast environments too */

/* One episode; its return, its steps and frames. */
static bool play(struct invar_env *env, uint64_t seed, uint64_t episode, double *returned, int64_t *steps,
                 int64_t *frames, struct invar_error *err)
{
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_ENVIRONMENT, 0, episode, 255);
    struct invar_env_step step = {0};
    const uint32_t actions = (uint32_t)invar_env_info(env)->actions;

    *returned = 0;
    if (!invar_env_reset(env, seed, 0, episode, &step, err))
        return false;
    while (!step.terminated && !step.truncated) {
        if (!invar_env_step(env, (int)invar_random_below(&random, actions), &step, err))
            return false;
        *returned += step.reward;
        *frames += step.frames;
        *steps += 1;
    }
    return true;
}

static bool tell(const struct invar_watch *watch, int64_t done, int64_t total, struct invar_error *err)
{
    const struct invar_progress progress = {.what = "random play", .unit = "episodes", .done = done, .total = total};

    return invar_watch_tell(watch, &progress, err);
}

bool invar_env_survey(struct invar_env *env, uint64_t seed, int64_t episodes, const struct invar_watch *watch,
                      struct invar_env_survey *out, struct invar_error *err)
{
    const double begun = invar_seconds();
    double sum = 0, squares = 0;
    int64_t steps = 0, frames = 0;

    *out = (struct invar_env_survey){.episodes = episodes, .least = INFINITY, .most = -INFINITY};
    for (int64_t i = 0; i < episodes || invar_seconds() - begun < least_seconds; i++) {
        double returned;
        if (!play(env, seed, (uint64_t)i, &returned, &steps, &frames, err) ||
            !tell(watch, i + 1 < episodes ? i + 1 : episodes, episodes, err))
            return false;
        if (i >= episodes)
            continue;
        sum += returned;
        squares += returned * returned;
        out->least = fmin(out->least, returned);
        out->most = fmax(out->most, returned);
        out->length = (double)steps / (double)episodes;
    }
    const double n = (double)episodes, seconds = invar_seconds() - begun;
    out->mean = sum / n;
    out->deviation = episodes > 1 ? sqrt(fmax(squares - sum * sum / n, 0) / (n - 1)) : NAN;
    out->steps_per_s = (double)steps / seconds;
    out->frames_per_s = (double)frames / seconds;
    return true;
}

static void write_survey(struct json_writer *w, const struct invar_env_survey *survey)
{
    json_open_object(w, "random");
    json_number(w, "episodes", (double)survey->episodes);
    json_number(w, "mean", survey->mean);
    json_number(w, "deviation", survey->deviation);
    json_number(w, "least", survey->least);
    json_number(w, "most", survey->most);
    json_number(w, "steps", survey->length);
    json_close(w);
    json_number(w, "steps_per_s", survey->steps_per_s);
    json_number(w, "frames_per_s", survey->frames_per_s);
}

void env_survey_put(const struct invar_env_info *info, const struct invar_env_survey *survey, struct json_writer *w)
{
    const struct invar_env_score *score = info->score;

    json_text(w, "id", info->id);
    json_text(w, "version", info->version);
    json_open_array(w, "shape");
    for (int i = 0; i < info->rank; i++)
        json_number(w, NULL, (double)info->shape[i]);
    json_close(w);
    json_text(w, "dtype", invar_dtype_name(info->dtype));
    if (info->note)
        json_text(w, "note", info->note);
    json_number(w, "stack", info->stack);
    json_texts(w, "actions", info->names, info->actions);
    json_number(w, "lives", info->lives);
    json_number(w, "skip", info->skip);
    json_number(w, "limit", (double)info->limit);
    json_bool(w, "saves", info->saves);
    write_survey(w, survey);
    if (score) {
        json_number(w, "published_random", score->random);
        json_number(w, "published_human", score->human);
    }
}
