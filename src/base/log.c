/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/log.h"
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static invar_log_sink current_sink;
static void *current_user;

void invar_log_set_sink(invar_log_sink sink, void *user)
{
    pthread_mutex_lock(&lock);
    current_sink = sink;
    current_user = user;
    pthread_mutex_unlock(&lock);
}

void invar_log(enum invar_log_level level, const char *format, ...)
{
    char message[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    pthread_mutex_lock(&lock);
    if (current_sink)
        current_sink(current_user, level, message);
    pthread_mutex_unlock(&lock);
}
