/* SPDX-License-Identifier: Apache-2.0 */
/* is_json: exit status 0 when standard input is one JSON object and nothing else. */
#include <cjson/cJSON.h>
#include <stdio.h>

int main(void)
{
    static char text[1 << 22];
    const char *end = NULL;
    size_t size = fread(text, 1, sizeof text - 1, stdin);
    cJSON *root = cJSON_ParseWithLengthOpts(text, size + 1, &end, 1);
    int good = cJSON_IsObject(root);
    cJSON_Delete(root);
    return good ? 0 : 1;
}
