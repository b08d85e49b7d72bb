/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged tables as data sets, and damaged descriptions of columns: what is accepted has numbers that are finite. */
#include "fuzz.h"

#include "data/table/table.h"
#include "invar/data.h"

#include <math.h>

static const char *const tokens[] = {
    "\"",      "\r\n",      "\n",           ",",       ";",     "1e3",     "-", "nan", "inf",
    "?",       "1,5",       "\xef\xbb\xbf", "y",       "0x1p9", "1e999",   "%", "$",   "\xe2\x82\xac",
    "1,234.5", "\"1,234\"", "2024-02-29",   "T12:00Z", "# ",    "sep=;\n", "_", "(",   NULL,
};
static const char *const json[] = {
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "1e999",
    "-1",
    "\"numeric\"",
    "\"categorical\"",
    "\"constant\"",
    "\"read\"",
    "\"date\"",
    "true",
    NULL,
};

static bool all_finite(const struct invar_dataset_info *info)
{
    const struct invar_table *table = info->table;

    for (int64_t r = 0; r < table->count_train; r++)
        for (int64_t j = 0; j < info->channels; j++)
            if (!isfinite(table->rows[table->item[r] * info->channels + j]))
                return false;
    return true;
}

/* Numbers of rows as labels: finite, or missing. */
static bool no_infinite(const struct invar_dataset *dataset)
{
    const double *targets = invar_dataset_targets(dataset, INVAR_TRAIN);

    for (int64_t r = 0; targets && r < invar_dataset_info(dataset)->count[INVAR_TRAIN]; r++)
        if (isinf(targets[r]))
            return false;
    return true;
}

static bool open_table(const struct fuzz_input *input, const char *path, struct invar_error *err)
{
    struct invar_data_options o;
    struct invar_dataset *dataset;

    invar_options_default(invar_data_option_table, &o);
    snprintf(o.source, sizeof o.source, "csv:%s", path);
    snprintf(o.label, sizeof o.label, "%s", input->size % 2 ? "y" : "");
    snprintf(o.test_rows, sizeof o.test_rows, "%s", input->size % 3 ? "" : "every:4");
    o.csv.categories = input->size % 5 ? 256 : 2;
    o.label_kind = (enum invar_label_kind)(input->size % 4 % 3); /* auto, number, class */
    o.workers = 1;
    dataset = invar_dataset_open(&o, err);
    if (!dataset)
        return false;
    fuzz_check(all_finite(invar_dataset_info(dataset)), "a number of a table is not finite");
    fuzz_check(no_infinite(dataset), "a label of a table is not finite");
    /* the same file under the columns that were found in it */
    struct invar_dataset *again = invar_dataset_open_as(&o, invar_dataset_info(dataset)->table->schema, err);
    fuzz_check(again != NULL, "a table is not what it says it is");
    invar_dataset_close(again);
    invar_dataset_close(dataset);
    return true;
}

static bool read_columns(const struct fuzz_input *input, const char *path, struct invar_error *err)
{
    struct data_schema *schema = data_schema_read((const char *)input->data, err);

    (void)path;
    if (!schema)
        return false;
    fuzz_check(schema->width > 0, "columns without a number");
    data_schema_free(schema);
    return true;
}

static void make_seed(struct fuzz_input *seed, const char *text)
{
    seed->size = strlen(text);
    memcpy(seed->data, text, seed->size);
}

int main(void)
{
    static struct fuzz_input tables[4], columns[2];
    make_seed(&tables[0], "a,b,y\n1,x,0\n2.5,z,1\n-3e1,x,1\n4,w,0\n,z,1\n6,x,0\n7,w,1\n8,z,0\n9,x,1\n");
    make_seed(&tables[1], "a;b;y\r\n1;\"x;1\";u\r\n2;?;v\r\n3;NA;u\r\n4;x;v\r\n5;x;u\r\n6;x;v\r\n7;z;u\r\n8;z;v\r\n");
    make_seed(&tables[2], "1\t2\t3\n4\t5\t6\n7\t8\t9\n10\t11\t12\n13\t14\t15\n16\t17\t18\n");
    make_seed(&tables[3], "# made by hand\na,b,c,y\n\"$1,200\",5%,2024-01-02,0.5\n$7,6.5%,2024-01-03 12:00,1.25\n"
                          "$8,7%,2024-02-29,2\n-$9,8%,2024-03-01T00:00:00Z,3.5\n($3),9%,1999-12-31,?\n");
    make_seed(
        &columns[1],
        "{\"label\":\"y\",\"label_kind\":\"number\",\"label_read\":{\"thousands\":\",\",\"decimal\":\".\",\"unit\":"
        "\"$\"},\"classes\":[],\"columns\":[{\"name\":\"a\",\"kind\":\"numeric\",\"mean\":1.5,\"deviation\":2,"
        "\"missing\":false,\"read\":{\"thousands\":\"'\",\"decimal\":\",\",\"unit\":\"%\"}},{\"name\":\"d\",\"kind\":"
        "\"numeric\",\"mean\":1,\"deviation\":2,\"missing\":true,\"read\":{\"date\":true}}]}");
    make_seed(&columns[0],
              "{\"label\":\"y\",\"classes\":[\"0\",\"1\"],\"columns\":[{\"name\":\"a\",\"kind\":\"numeric\","
              "\"mean\":1.5,\"deviation\":2,\"missing\":true},{\"name\":\"b\",\"kind\":\"categorical\","
              "\"categories\":[\"x\",\"z\"]},{\"name\":\"c\",\"kind\":\"constant\"}]}");
    return fuzz_run("table", tables, 4, tokens, open_table, 100000) |
           fuzz_run("columns", columns, 2, json, read_columns, 100000);
}
