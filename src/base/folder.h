/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include <stdbool.h>

/** Brings the folder in which path lies to the disk, so that what was made or renamed there is there after a loss of
 * power. Where a folder cannot be synced nothing is lost but that promise. */
void folder_sync_of(const char *path);

/** Whether both paths lead to one file or folder that is there, however they are spelled. */
bool path_is_same(const char *path, const char *other);

#endif
