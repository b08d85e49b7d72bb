/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_WAVE_H
#define DATA_WAVE_H

#include "data/image/image.h"

/** Longest clip in samples at the rate that it comes out at: what a header says must not cost gigabytes. */
#define DATA_CLIP_LIMIT ((int64_t)1 << 27)

/** Whether a file holds the sound that its header says (stated.c): WAV, RF64, W64, AIFF, 8SVX, CAF, AU, VOC, NIST, AVR,
 * MPC 2000 and MATLAB. What counts is the length of the sound: that of the whole, which writers get wrong without harm,
 * is not asked. True of other files, and of lengths that writers into pipes leave open; false of what data_wave_single
 * refuses. */
bool data_wave_whole(int file, const char *name, struct invar_error *err);
/** False of files one behind the other (joined.c), of which libsndfile reads the first: Ogg, FLAC, and what has its own
 * head again behind the end of its sound (0: which is not known); and of Ogg that lacks pages, between others or its
 * last, or has others than their checksums say. */
bool data_wave_single(int file, int64_t behind, const char *name, struct invar_error *err);
/** Bytes of ID3 and APE tags that a file begins with. */
int64_t data_wave_tags(int file);

/** MPEG audio, as its frames are. */
struct data_mpeg {
    int64_t begin, end; /**< bytes to decode; begin is the second frame where the first says less than is there */
    bool changes, cut;  /**< rate or channels; in its last frame, where no head says how many there are */
};
/** False: the file is none, or its frames do not say how long they are. */
bool data_mpeg_walk(int file, struct data_mpeg *out);
/** Rate of a sound file; 0 when it is none, with the reason in err. The descriptor stays open. */
int data_wave_rate(int file, const char *name, struct invar_error *err);
/**
 * Decodes a sound file (WAV, FLAC, OGG; any width, any number of channels) to one channel, the mean of its own, at
 * `rate` samples a second. Refused with a sentence that has the name: foreign, without sound, cut short, too long, with
 * values that are not finite. Reentrant with one decoder a thread.
 */
bool data_wave_decode(int file, const char *name, int rate, struct data_decoder *decoder, struct data_image *image,
                      struct invar_error *err);

#endif
