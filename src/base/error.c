/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/error.h"
#include <stdarg.h>
#include <stdio.h>

bool invar_error_set(struct invar_error *err, enum invar_error_code code, const char *format, ...)
{
    if (!err || err->code != INVAR_OK)
        return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    err->code = code;
    return false;
}

void invar_error_clear(struct invar_error *err)
{
    if (!err)
        return;
    err->code = INVAR_OK;
    err->message[0] = '\0';
}
