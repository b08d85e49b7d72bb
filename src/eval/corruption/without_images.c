/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for jpeg_compression where INVAR_IMAGES is off. The corruption keeps its name and its place in the list:
 * the place is part of the key of the random numbers of those behind it, and a name that is not known would read as a
 * slip of the pen. */
#include "eval/corruption/corruption.h"

void corruption_jpeg_free(struct invar_corruption_scratch *scratch)
{
    (void)scratch;
}

static bool refuse(struct corruption_work *work, struct invar_error *err)
{
    (void)work;
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "jpeg_compression: this invar was built without JPEG: build it with -DINVAR_IMAGES=ON, or "
                           "name the corruptions that are to be measured");
}

const struct corruption_kind corruption_jpeg_compression = {
    .apply = refuse,
    .whole = 1 << 0,
    .setting = {{{80}, {65}, {58}, {50}, {40}}, {{25}, {18}, {15}, {10}, {7}}},
};
