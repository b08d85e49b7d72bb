/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_IDX_H
#define DATA_IDX_H

#include "data/source.h"

/**
 * Reads the idx files of a folder: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,
 * t10k-labels-idx1-ubyte, each with or without .gz. With names ([classes]) labels must be below classes and all four
 * files are needed; otherwise only the first is, and the training labels say how many classes there are. advice ends
 * the message about a missing file.
 */
bool data_idx_read(struct data_source *source, const char *folder, const char *const *names, int classes,
                   const char *advice, const struct invar_data_options *options, struct invar_error *err);

#endif
