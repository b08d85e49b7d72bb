/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIEW_OPERATIONS_H
#define VIEW_OPERATIONS_H

/*
 * Every operation of views, one line each, in the order in which they run (objectives.md 6.1, 6.2); each says itself
 * which kinds of data it is of. Of this list are made: their declarations, the table of operations.c, the places of
 * their own options and draws, and the part of the option table that stands in their files.
 */
#define VIEW_OPERATIONS(OPERATION)                                                                                     \
    OPERATION(crop, NAMED)                                                                                             \
    OPERATION(shift, OWN)                                                                                              \
    OPERATION(jitter, NAMED)                                                                                           \
    OPERATION(gain, NAMED)                                                                                             \
    OPERATION(grayscale, NAMED)                                                                                        \
    OPERATION(blur, NAMED)                                                                                             \
    OPERATION(solarise, OWN)                                                                                           \
    OPERATION(intensity, OWN)                                                                                          \
    OPERATION(time, NAMED)                                                                                             \
    OPERATION(background, NAMED)                                                                                       \
    OPERATION(noise, NAMED)                                                                                            \
    OPERATION(loudness, NAMED)                                                                                         \
    OPERATION(spectrogram, NAMED)                                                                                      \
    OPERATION(time_mask, NAMED)                                                                                        \
    OPERATION(frequency_mask, NAMED)                                                                                   \
    OPERATION(copy, NAMED)                                                                                             \
    OPERATION(corrupt, NAMED)                                                                                          \
    OPERATION(standardise, NAMED)                                                                                      \
    OPERATION(blank, NAMED)                                                                                            \
    OPERATION(noise_deviation, OWN)

#endif
