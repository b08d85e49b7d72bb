/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for the files of clips where INVAR_AUDIO is off. */
#include "data/source.h"

bool data_audio_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                     struct invar_error *err)
{
    (void)source, (void)path;
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: this invar was built without WAV, FLAC and OGG: build it with -DINVAR_AUDIO=ON",
                           options->source);
}
