/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows. */
#include "invar/memory.h"
#include "invar/options.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool invar_text_printf(struct invar_text *text, struct invar_error *err, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    bool ok = length >= 0;
    size_t wanted = text->size + (ok ? (size_t)length : 0) + 1;
    if (ok && wanted > text->capacity) {
        size_t capacity = wanted < 128 ? 256 : wanted * 2;
        char *data = invar_alloc(capacity, 1, err);
        ok = data != NULL;
        if (ok) {
            if (text->size)
                memcpy(data, text->data, text->size);
            invar_free(text->data);
            text->data = data;
            text->capacity = capacity;
        }
    }
    if (ok) {
        vsnprintf(text->data + text->size, text->capacity - text->size, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
    return ok || invar_error_set(err, INVAR_ERROR_MEMORY, "text could not be formatted");
}

void invar_text_free(struct invar_text *text)
{
    invar_free(text->data);
    *text = (struct invar_text){0};
}
