/* SPDX-License-Identifier: Apache-2.0 */
/* How many samples the probes of runs are of, where some have no label. */
#include "report/compare_parts.h"

#include <stdio.h>
#include <string.h>

/* "80 of 8000 training and 20 of 2000 test samples of csv:my.csv have a label", of the first result that leaves some
 * out; "" where none does; NULL with err. */
static const char *describe(struct comparison *c, const cJSON *probe, struct invar_error *err)
{
    const cJSON *result;

    cJSON_ArrayForEach(result, probe)
    {
        const cJSON *without = cJSON_GetObjectItemCaseSensitive(result, "unlabelled");
        const char *data = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "data"));
        const char *identity = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "data_identity"));
        const double left[2] = {cJSON_GetNumberValue(cJSON_GetArrayItem(without, 0)),
                                cJSON_GetNumberValue(cJSON_GetArrayItem(without, 1))};
        long long train, test;
        if (without && data && identity && sscanf(identity, "train=%lld test=%lld", &train, &test) == 2)
            return comparison_text_of(c, err, "%.0f of %lld training and %.0f of %lld test samples of %s have a label",
                                      (double)train - left[0], train, (double)test - left[1], test, data);
    }
    return "";
}

bool comparison_labels(struct comparison *c, struct invar_error *err)
{
    const char **text = comparison_take(c, c->run_count + 1, sizeof *text, err);

    for (int r = 0; text && r < c->run_count; r++) {
        int k = 0;
        text[r] = describe(c, c->run[r]->probe, err);
        if (!text[r])
            return false;
        while (k < r && strcmp(text[k], text[r]) != 0)
            k++;
        if (*text[r] && k == r && !comparison_note(c, err, "%s, and probes are of those", text[r]))
            return false;
    }
    return text != NULL;
}
