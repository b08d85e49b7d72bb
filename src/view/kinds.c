/* SPDX-License-Identifier: Apache-2.0 */

/* What kinds of data there are views of: one line each. */

#include "view/view.h"

const struct view_kind *view_kind_of(enum invar_data_kind kind)
{
    static const struct view_kind *const kinds[] = {
        [INVAR_DATA_IMAGE] = &view_kind_image,
        [INVAR_DATA_TABLE] = &view_kind_table,
        [INVAR_DATA_AUDIO] = &view_kind_audio,
    };
    return kinds[kind];
}
