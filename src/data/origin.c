/* SPDX-License-Identifier: Apache-2.0 */
/* Where samples come from, and which were left out. */
#include "data/dataset.h"

#include "invar/memory.h"
#include <string.h>

static struct invar_origin origin_of(const struct invar_dataset *dataset, int64_t item)
{
    const struct data_source *source = &dataset->source;
    struct invar_origin origin = {.item = item};

    if (source->line) {
        origin.path = data_part_of(source->part, source->parts, item);
        origin.line = source->line[item];
    } else if (source->name) {
        origin.path = source->name(source, item);
    }
    return origin;
}

struct invar_origin invar_dataset_origin(const struct invar_dataset *dataset, enum invar_split split, int64_t index)
{
    return origin_of(dataset, dataset->items[split][index]);
}

bool data_left_out_add(struct invar_dataset *dataset, int64_t item, const char *why, struct invar_error *err)
{
    struct invar_dataset_info *info = &dataset->info;

    void *room = dataset->left_out;
    const bool grown =
        invar_grow(&room, (int)info->skipped, &dataset->left_out_capacity, sizeof *dataset->left_out, err);
    dataset->left_out = room;
    char *copy = grown ? invar_strdup(why, err) : NULL;
    if (!copy)
        return false;
    dataset->left_out[info->skipped++] = (struct data_left_out){item, copy};
    info->first_skipped = dataset->left_out[0].why;
    return true;
}

void data_left_out_free(struct invar_dataset *dataset)
{
    for (int64_t i = 0; dataset->left_out && i < dataset->info.skipped; i++)
        invar_free(dataset->left_out[i].why);
    invar_free(dataset->left_out);
}

bool invar_dataset_left_out(const struct invar_dataset *dataset, int64_t number, struct invar_left_out *out)
{
    if (number < 0 || number >= dataset->info.skipped)
        return false;
    const struct data_left_out *one = &dataset->left_out[number];
    *out = (struct invar_left_out){(enum invar_split)dataset->source.split[one->item], origin_of(dataset, one->item),
                                   one->why};
    return true;
}
