/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of memory. */
#include "base/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t proc_bytes(const char *path, const char *key)
{
    const size_t length = strlen(key);
    char line[256];
    long long kib = 0;
    FILE *file = fopen(path, "re");

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            kib = strtoll(line + length + 1, NULL, 10);
            break;
        }
    if (file)
        fclose(file);
    return kib * 1024;
}
