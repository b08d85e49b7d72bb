/* SPDX-License-Identifier: Apache-2.0 */
/* What became of an embedding, as text for people. */
#include "report/text.h"

#include <string.h>

/* Of clips the unit is a second, of images a pixel. */
static void say_windows(const struct invar_run *run, int64_t pooled, char *out, size_t size)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    int64_t window, hop;

    out[0] = '\0';
    if (!pooled || !invar_embed_window(info, run->encoder, &window, &hop))
        return;
    if (info->kind == INVAR_DATA_AUDIO)
        snprintf(out, size, "%lld clips are means over windows of %.3g s, %.3g s apart", (long long)pooled,
                 (double)window / info->logmel.rate, (double)hop / info->logmel.rate);
    else
        snprintf(out, size, "%lld images are means over windows of %lld pixels, %lld apart", (long long)pooled,
                 (long long)window, (long long)hop);
}

void report_embedding_print(FILE *out, const struct invar_run *run, const struct invar_embedded *embedded,
                            const char *split, const struct study_places *places, int64_t left_out)
{
    const struct invar_dataset_info *info = invar_dataset_info(run->dataset);
    char windows[160];

    fprintf(out, "%s: %lld samples x %lld features, float32, from %s (%s)\n",
            strcmp(places->output, "-") != 0 ? places->output : "invar: standard output",
            (long long)embedded->features.shape[0], (long long)embedded->features.shape[1], info->source, split);
    if (places->labels)
        fprintf(out, "%s: %lld labels, %s\n", places->labels, (long long)embedded->labels.shape[0],
                info->label_number ? "float64" : "int64");
    if (places->rows[0])
        fprintf(out, "%s: which row is which sample\n", places->rows);
    if (left_out && places->left_out[0])
        fprintf(out, "%s: %lld samples that cannot be read and are left out, and why\n", places->left_out,
                (long long)left_out);
    else if (left_out)
        fprintf(out, "invar: %lld samples cannot be read and are left out\n", (long long)left_out);
    if (info->converted)
        fprintf(out, "%lld images are %s\n", (long long)info->converted, info->conversion);
    say_windows(run, embedded->pooled, windows, sizeof windows);
    if (windows[0])
        fprintf(out, "%s\n", windows);
    if (run->bfloat16)
        fprintf(out, "computed in bfloat16\n");
}
