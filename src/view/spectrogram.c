/* SPDX-License-Identifier: Apache-2.0 */

/* The waveform becomes a log-mel spectrogram [mels][frames]. */

#include "view/view.h"

static void apply(const struct view_job *job)
{
    const struct invar_view_workspace *space = job->workspace;
    invar_logmel_apply(space->logmel, space->wave, space->span, 1, job->output->width, job->image);
}

const struct view_operation view_spectrogram = {"spectrogram", VIEW_CLIPS, 0, NULL, NULL, apply, false};
