/* SPDX-License-Identifier: Apache-2.0 */
/* How many samples the probes of runs are of, where some have no label. */
#include "report/compare_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "80 of 8000 training and 20 of 2000 test samples of csv:my.csv have a label", of the first result that leaves some
 * out; test samples are those of the other data where it was measured on such. "" where none does; NULL with err. */
static const char *describe(struct comparison *c, const struct invar_probe_results *probe, struct invar_error *err)
{
    for (int64_t i = 0; probe && i < probe->count; i++) {
        const struct invar_probed *p = &probe->item[i];
        const double *none = p->unlabelled;
        long long train, test;
        if (isnan(none[0]) || !p->data || !p->data_identity ||
            sscanf(p->data_identity, "train=%lld test=%lld", &train, &test) != 2)
            continue;
        if (!p->test)
            return comparison_text_of(c, err, "%.0f of %lld training and %.0f of %lld test samples of %s have a label",
                                      (double)train - none[0], train, (double)test - none[1], test, p->data);
        const long long labelled = p->test->samples + p->test->dropped;
        return comparison_text_of(
            c, err, "%.0f of %lld training samples of %s and %lld of %.0f test samples of %s have a label",
            (double)train - none[0], train, p->data, labelled, (double)labelled + none[1], p->test->source);
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
