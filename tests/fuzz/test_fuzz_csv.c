/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "data/table/csv.h"

static const char *const tokens[] = {
    "\"", "\"\"", "\r\n", "\r", "\n", ",", "\t", "\xef\xbb\xbf", "file_name", "\"\n\"", " ", "\xff\xfe", NULL,
};

static bool read_table(const struct fuzz_input *input, const char *path, struct invar_error *err)
{
    struct data_csv csv = {0};
    const bool ok = data_csv_read(&csv, path, err);
    size_t characters = 0;
    int64_t line = 0;

    for (int64_t row = 0; ok && row < csv.rows; row++) {
        fuzz_check(data_csv_line(&csv, row) >= line, "rows are out of order");
        line = data_csv_line(&csv, row);
        for (int c = 0; c < csv.columns; c++)
            characters += strlen(data_csv_cell(&csv, row, c));
    }
    fuzz_check(characters <= input->size, "a table is larger than its file");
    fuzz_check(line <= (int64_t)input->size + 1, "a line is beyond the end");
    data_csv_free(&csv);
    return ok;
}

static void make_seed(struct fuzz_input *seed, const char *text)
{
    seed->size = strlen(text);
    memcpy(seed->data, text, seed->size);
}

int main(void)
{
    static struct fuzz_input seeds[3];
    make_seed(&seeds[0], "file_name,session\ncat/1.png,a\ncat/2.png,b\n");
    make_seed(&seeds[1], "\xef\xbb\xbfx,y\r\n\"a, b\",\"say \"\"hi\"\"\"\r\n\r\n\"two\r\nlines\",\r\n");
    make_seed(&seeds[2], "x\r1\r2\r");
    return fuzz_run("csv", seeds, 3, tokens, read_table, 100000);
}
