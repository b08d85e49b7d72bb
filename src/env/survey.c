/* SPDX-License-Identifier: Apache-2.0 */
/* What playing at random gives, and how fast an environment is. */
#include "env/survey.h"
#include "env/env.h"

#include <math.h>

static const double least_seconds = 0.3;  /* so that a rate is one, of fast environments too */
static const int64_t most_steps = 100000; /* of an episode that no limit is known of */

/* So far, and whom to tell. */
struct play {
    const struct invar_watch *watch;
    int64_t episodes, asked, steps, frames; /* asked: how many are wanted */
    double told;                            /* when it was told last */
    int64_t at, next;                       /* steps: then, and when to tell again */
};

/* After every step, or some of those that take no longer than telling does. */
static bool tell(struct play *play, struct invar_error *err)
{
    const struct invar_progress progress = {.what = "random play",
                                            .unit = "episodes",
                                            .done = play->episodes < play->asked ? play->episodes : play->asked,
                                            .total = play->asked};
    const double now = invar_seconds();

    play->next = play->steps + (now - play->told < 1e-5 * (double)(play->steps - play->at) ? 128 : 1);
    play->at = play->steps;
    play->told = now;
    return invar_watch_tell(play->watch, &progress, err);
}

/* One episode; its return. */
static bool play(struct invar_env *env, uint64_t seed, struct play *play, double *returned, struct invar_error *err)
{
    const uint64_t episode = (uint64_t)play->episodes;
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_ENVIRONMENT, 0, episode, 255);
    struct invar_env_step step = {0};
    const struct invar_env_info *info = invar_env_info(env);
    const uint32_t actions = (uint32_t)info->actions;
    const int64_t last = play->steps + most_steps;

    *returned = 0;
    if (!invar_env_reset(env, seed, 0, episode, &step, err))
        return false;
    while (!step.terminated && !step.truncated) {
        if (!invar_env_step(env, (int)invar_random_below(&random, actions), &step, err))
            return false;
        *returned += step.reward;
        play->frames += step.frames;
        play->steps++;
        if (info->limit == 0 && play->steps >= last)
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: an episode has no end after %lld steps at random, and no limit is known of: "
                                   "set env.limit=N",
                                   info->id, (long long)most_steps);
        if (play->steps >= play->next && !tell(play, err))
            return false;
    }
    play->episodes++;
    return tell(play, err);
}

bool invar_env_survey(struct invar_env *env, uint64_t seed, int64_t episodes, const struct invar_watch *watch,
                      struct invar_env_survey *out, struct invar_error *err)
{
    const double begun = invar_seconds();
    struct play all = {.watch = watch, .asked = episodes};
    double first = 0, sum = 0, squares = 0; /* from the first return on, so that large ones do not cancel */

    *out = (struct invar_env_survey){.episodes = episodes, .least = INFINITY, .most = -INFINITY};
    for (int64_t i = 0; i < episodes || invar_seconds() - begun < least_seconds; i++) {
        double returned;
        if (!play(env, seed, &all, &returned, err))
            return false;
        if (i >= episodes)
            continue;
        first = i == 0 ? returned : first;
        sum += returned - first;
        squares += (returned - first) * (returned - first);
        out->least = fmin(out->least, returned);
        out->most = fmax(out->most, returned);
        out->length = (double)all.steps / (double)episodes;
    }
    const double n = (double)episodes, seconds = invar_seconds() - begun;
    out->mean = first + sum / n;
    out->deviation = episodes > 1 ? sqrt(fmax(squares - sum * sum / n, 0) / (n - 1)) : NAN;
    out->steps_per_s = (double)all.steps / seconds;
    out->frames_per_s = (double)all.frames / seconds;
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
