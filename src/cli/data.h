/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_CLI_DATA_H
#define INVAR_CLI_DATA_H

#include "cli/cli.h"
#include "invar/data.h"

/** What `invar data` finds in clips while it reads them. Zeroed to begin. */
struct data_clips {
    int64_t count, silent;
    double shortest, longest, total; /**< seconds */
};
void data_clips_add(struct data_clips *clips, const struct invar_dataset_info *info, const struct invar_sample *clip);
void data_clips_print(const struct data_clips *clips, const struct invar_dataset_info *info);
void data_clips_json(const struct data_clips *clips, const struct invar_dataset_info *info, cJSON *root);

#endif
