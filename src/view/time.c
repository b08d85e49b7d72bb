/* SPDX-License-Identifier: Apache-2.0 */

/* Random time crop and time shift: where the window of the view lies in the clip. */

#include "view/view.h"

static void draw(struct invar_view_params *params, const struct invar_view_options *options,
                 const struct invar_sample *sample, int view, struct invar_random *random)
{
    (void)sample, (void)view;
    params->time_place = (float)options->clips.time_crop * invar_random_uniform(random);
    params->time_shift =
        invar_random_range(random, (float)-options->clips.time_shift, (float)options->clips.time_shift);
}

static void apply(const struct view_job *job)
{
    view_window(job, job->sample, job->params->time_place, job->params->time_shift, job->workspace->wave);
}

const struct view_operation view_time = {"time", VIEW_CLIPS, 16, draw, NULL, apply, false};
