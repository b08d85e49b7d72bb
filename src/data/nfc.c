/* SPDX-License-Identifier: Apache-2.0 */
/* One text for what looks alike: names as Unicode's form C, which macOS takes apart and others do not. */
#include "data/list.h"

#include "invar/memory.h"
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>
#include <unistr.h>

static bool is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

static char *copy(const void *text, size_t length, struct invar_error *err)
{
    char *out = invar_alloc(length + 1, 1, err);
    if (out && length)
        memcpy(out, text, length);
    return out;
}

char *data_nfc(const char *text, size_t length, struct invar_error *err)
{
    size_t composed = 0;

    if (is_ascii(text, length) || u8_check((const uint8_t *)text, length)) /* plain, or no UTF-8: bytes as they are */
        return copy(text, length, err);
    uint8_t *form = u8_normalize(UNINORM_NFC, (const uint8_t *)text, length, NULL, &composed);
    if (!form) {
        invar_error_set(err, INVAR_ERROR_MEMORY, "no memory for a name of %zu bytes", length);
        return NULL;
    }
    char *out = copy(form, composed, err);
    free(form);
    return out;
}
