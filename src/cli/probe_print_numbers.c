/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of labels that are numbers, as text for people. */
#include "cli/probe.h"

static void print_number(const cJSON *result, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(result, name);

    if (cJSON_IsNumber(value))
        printf(" %11.5g", value->valuedouble);
    else
        printf(" %11s", "none");
}

static void print_draws(const cJSON *result)
{
    const cJSON *draws = cJSON_GetObjectItemCaseSensitive(result, "r2_by_draw");
    const cJSON *interval = cJSON_GetObjectItemCaseSensitive(result, "interval");

    if (draws)
        printf("  mean of %d draws of %.0f labels", cJSON_GetArraySize(draws),
               cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(result, "train_count")));
    if (interval)
        printf(", 95 %% interval of R2 %.4f to %.4f", cJSON_GetArrayItem(interval, 0)->valuedouble,
               cJSON_GetArrayItem(interval, 1)->valuedouble);
}

void probe_print_numbers(const cJSON *results)
{
    static const char *const names[] = {"r2", "mae", "spearman"};
    const cJSON *result, *item;
    char seconds[32];

    printf("%-20s %11s %11s %11s %6s\n", "", "R2", "MAE", "Spearman", "dim");
    cJSON_ArrayForEach(result, results)
    {
        const cJSON *alpha = cJSON_GetObjectItemCaseSensitive(result, "alpha");
        const cJSON *held_out = cJSON_GetObjectItemCaseSensitive(result, "held_out_r2");
        printf("%-20s", result->string);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            print_number(result, names[i]);
        printf(" %6.0f", cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(result, "dimensions")));
        if (alpha)
            printf("  alpha %g", alpha->valuedouble);
        if (held_out)
            printf(" (held out R2 %.4f)", held_out->valuedouble);
        print_draws(result);
        cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(result, "r2_by_k"))
            printf("  k %s: R2 %.4f", item->string, item->valuedouble);
        printf("  %s\n", cli_duration(cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(result, "seconds")),
                                      seconds, sizeof seconds));
    }
    cJSON_ArrayForEach(result, results) if ((item = cJSON_GetObjectItemCaseSensitive(result, "spearman_absent")))
        printf("%s: no Spearman: %s\n", result->string, item->valuestring);
}
