/* SPDX-License-Identifier: Apache-2.0 */
/* Options of clips alone. */
#include "data/source.h"

#define CLIPS(name) offsetof(struct invar_clip_options, name)
const struct invar_option data_clip_options[] = {
    {"pattern", INVAR_OPTION_TEXT, CLIPS(pattern), "", 0, 0, NULL,
     "clips: fields in the names of files without their ending, such as {digit}_{speaker}_{index}"},
    {"rate", INVAR_OPTION_INT, CLIPS(rate), "0", 0, 1000000, NULL,
     "clips: samples a second that all are brought to; 0: the rate of the first clip"},
    {"n_fft", INVAR_OPTION_INT, CLIPS(n_fft), "0", 0, 1048576, NULL,
     "clips: samples of a frame of the spectrogram, even; 0: the power of two nearest to 32 ms"},
    {"hop", INVAR_OPTION_INT, CLIPS(hop), "0", 0, 1048576, NULL, "clips: samples between frames; 0: 10 ms"},
    {"mels", INVAR_OPTION_INT, CLIPS(mels), "40", 1, 4096, NULL,
     "clips: bands of the spectrogram, the height of the input"},
    {"frames", INVAR_OPTION_INT, CLIPS(frames), "64", 1, 16384, NULL,
     "clips: frames that the encoder sees, the width of the input; shorter clips end in silence, longer ones are "
     "cropped"},
    {"f_min", INVAR_OPTION_REAL, CLIPS(f_min), "0", 0, 500000, NULL, "clips: lowest frequency in Hz"},
    {"f_max", INVAR_OPTION_REAL, CLIPS(f_max), "0", 0, 500000, NULL,
     "clips: highest frequency in Hz; 0: half the rate"},
    {0},
};
