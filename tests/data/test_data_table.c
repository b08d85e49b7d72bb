/* SPDX-License-Identifier: Apache-2.0 */
/* csv:FILE: what columns are taken for, the numbers that rows become, splits, the schema that travels, refusals. */
#include "data/table_tests.h"

#include "invar/memory.h"

static const char *const mixed = "n,colour,age,y\n"
                                 "1,red,10,b\n"
                                 "2,blue,?,a\n"
                                 "3,red,30,b\n"
                                 "6,,20,a\n";

static void test_numbers(void **state)
{
    struct invar_data_options o = table_options(mixed);
    const double s = sqrt(3.5); /* 1 2 3 6: mean 3, squares 4 1 0 9 */
    const double t = sqrt(200.0 / 3);
    int64_t label;

    (void)state;
    set(&o, "label=y");
    struct invar_dataset *d = open_as(&o, NULL);
    const struct invar_dataset_info *info = invar_dataset_info(d);
    assert_int_equal(info->kind, INVAR_DATA_TABLE);
    assert_int_equal(info->rank, 1);
    assert_int_equal(info->count[INVAR_TRAIN], 4);
    assert_int_equal(info->classes, 2);
    assert_string_equal(info->class_names[0], "a");
    assert_true(info->labelled && info->in_memory);
    /* n; colour: blue, red, missing, other; age with its indicator */
    EXPECT_ROW(d, 0, -2 / s, 0, 1, 0, 0, -10 / t, 0);
    EXPECT_ROW(d, 1, -1 / s, 1, 0, 0, 0, 0, 1);
    EXPECT_ROW(d, 3, 3 / s, 0, 0, 1, 0, 0, 0);
    row_of(d, INVAR_TRAIN, 0, &label);
    assert_int_equal(label, 1);
    const struct invar_column *c = info->table->column;
    assert_int_equal(info->table->count, 3);
    assert_string_equal(info->table->label, "y");
    assert_string_equal(c[1].name, "colour");
    assert_int_equal(c[1].first, 1);
    assert_int_equal(c[1].places, 4);
    assert_int_equal(c[2].missing[INVAR_TRAIN], 1);
    assert_near(c[2].mean, 20, 1e-12);
    assert_int_equal(info->table->count_train, 4);
    assert_near(info->table->rows[info->table->item[2] * info->channels + 2], 1, 0);
    const char *const names[] = {"n",   "colour=blue", "colour=red", "colour missing", "colour other",
                                 "age", "age missing"};
    for (int k = 0; k < info->channels; k++) {
        char name[64];
        invar_table_place_name(name, sizeof name, info->table, k);
        assert_string_equal(name, names[k]);
        invar_table_place_name(name, 2, NULL, k);
        assert_int_equal(name[0], '0' + k);
    }
    invar_dataset_close(d);
}

/* Exponents, decimal commas, a byte order mark, CRLF, tabs, gzip and the want of a header. */
static void test_forms(void **state)
{
    struct bytes plain = {0}, packed;
    struct invar_data_options o = table_options("\xef\xbb\xbfx;y\r\n1,5;-2e1\r\n2,5;+2E+1\r\n");
    struct invar_dataset *d = open_as(&o, NULL);

    (void)state;
    EXPECT_ROW(d, 0, -1, -1);
    EXPECT_ROW(d, 1, 1, 1);
    assert_string_equal(invar_dataset_info(d)->table->column[0].name, "x");
    invar_dataset_close(d);

    o = table_options("1\tred\n3\tblue\n");
    d = open_as(&o, NULL);
    EXPECT_ROW(d, 0, -1, 0, 1, 0, 0);
    assert_string_equal(invar_dataset_info(d)->table->column[1].name, "c2");
    invar_dataset_close(d);

    o = table_options("a|b\n1|x\n2|z\n");
    set(&o, "header=no");
    set(&o, "separator=|");
    d = open_as(&o, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TRAIN], 3);
    assert_int_equal(invar_dataset_info(d)->table->column[0].kind, INVAR_COLUMN_CATEGORICAL);
    invar_dataset_close(d);

    bytes_put(&plain, mixed, strlen(mixed));
    packed = bytes_gzip(&plain);
    bytes_done(&plain);
    snprintf(o.source, sizeof o.source, "csv:%s", bytes_write(&packed, folder, "t.csv.gz"));
    set(&o, "header=yes");
    set(&o, "separator=");
    d = open_as(&o, NULL);
    assert_int_equal(invar_dataset_info(d)->channels, 11); /* y too, as two categories and two places more */
    invar_dataset_close(d);
}

/* Numbers listed as categories, in the order of their values; columns that say nothing; what is left out. */
static void test_kinds(void **state)
{
    struct invar_data_options o = table_options("code,same,none,id,v,seldom\n"
                                                "10,5,?,a1,1,x\n9,5,?,a2,2,?\n10,5,?,a3,4,x\n");
    struct invar_dataset *d;

    (void)state;
    set(&o, "categorical=co*");
    set(&o, "ignore=id");
    d = open_as(&o, NULL);
    const struct invar_column *c = invar_dataset_info(d)->table->column;
    assert_int_equal(invar_dataset_info(d)->table->count, 5);
    assert_int_equal(c[0].kind, INVAR_COLUMN_CATEGORICAL);
    assert_string_equal(c[0].category[0], "9");
    assert_int_equal(c[1].kind, INVAR_COLUMN_CONSTANT);
    assert_int_equal(c[2].kind, INVAR_COLUMN_CONSTANT);
    assert_int_equal(c[3].kind, INVAR_COLUMN_NUMERIC);
    assert_int_equal(c[4].kind, INVAR_COLUMN_CATEGORICAL); /* one category, and rows without */
    assert_int_equal(invar_dataset_info(d)->channels, 4 + 1 + 3);
    invar_dataset_close(d);

    set(&o, "ignore=");
    set(&o, "categories=2");
    d = open_as(&o, NULL);
    EXPECT_ROW(d, 2, 0, 1, 0, 0, /* id: a3 shares */ 0, 0, 0, 1, 5 / sqrt(14), 1, 0, 0);
    invar_dataset_close(d);
}

static void test_splits(void **state)
{
    char path[512];
    struct invar_data_options o = table_options("x,y\n1,a\n2,b\n3,a\n4,b\n5,a\n16,b\n");
    struct invar_dataset *d;

    (void)state;
    set(&o, "label=y");
    set(&o, "test_rows=last:1");
    d = open_as(&o, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TEST], 1);
    assert_near(invar_dataset_info(d)->table->column[0].mean, 3, 1e-12); /* without the test row */
    assert_near(row_of(d, INVAR_TEST, 0, NULL)[0], 13 / sqrt(2), 1e-6);
    invar_dataset_close(d);
    set(&o, "test_rows=every:3");
    d = open_as(&o, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TEST], 2);
    assert_int_equal(invar_dataset_labels(d, INVAR_TEST)[0], 0);
    invar_dataset_close(d);
    set(&o, "test_rows=");
    set(&o, "test_fraction=0.34");
    d = open_as(&o, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TEST], 2);
    assert_int_equal(invar_dataset_labels(d, INVAR_TEST)[0] + invar_dataset_labels(d, INVAR_TEST)[1], 1);
    invar_dataset_close(d);

    /* columns of the second file in another order */
    snprintf(path, sizeof path, "%s", test_file(folder, "test.csv", "y,x\nb,6\n?,7\n", 12));
    snprintf(o.test, sizeof o.test, "%s", path);
    d = open_as(&o, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TRAIN], 6);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TEST], 2);
    assert_int_equal(invar_dataset_labels(d, INVAR_TEST)[0], 1);
    assert_int_equal(invar_dataset_labels(d, INVAR_TEST)[1], -1);
    assert_false(invar_dataset_info(d)->labelled);
    invar_dataset_close(d);
    set(&o, "test_rows=last:1");
    refused(&o, NULL, INVAR_ERROR_USAGE, "data.test and data.test_rows");
    set(&o, "test_rows=last:9");
    set(&o, "test=");
    refused(&o, NULL, INVAR_ERROR_USAGE, "data.test_rows: \"last:9\", expected last:N or every:K");
}

/* The same columns mean the same in a new file: other order, no label, new categories, missing values. */
static void test_schema(void **state)
{
    struct invar_data_options o = table_options(mixed);
    struct invar_dataset *d, *again;
    char *columns;
    float first[7];

    (void)state;
    set(&o, "label=y");
    d = open_as(&o, NULL);
    columns = invar_strdup(invar_dataset_info(d)->table->schema, NULL);
    memcpy(first, row_of(d, INVAR_TRAIN, 0, NULL), sizeof first);
    again = open_as(&o, columns);
    assert_memory_equal(first, row_of(again, INVAR_TRAIN, 0, NULL), sizeof first);
    assert_string_equal(columns, invar_dataset_info(again)->table->schema);
    invar_dataset_close(again);
    invar_dataset_close(d);

    o = table_options("age,colour,n\n?,red,?\n30,green,1\n");
    set(&o, "label=y");
    d = open_as(&o, columns);
    EXPECT_ROW(d, 0, 0, 0, 1, 0, 0, 0, 1);
    EXPECT_ROW(d, 1, -2 / sqrt(3.5), 0, 0, 0, 1, 10 / sqrt(200.0 / 3), 0);
    assert_int_equal(invar_dataset_info(d)->classes, 0);
    invar_dataset_close(d);

    o = table_options("Age,colour,n,y,size\n1,red,2,a,3\n");
    refused(&o, columns, INVAR_ERROR_DATA, "it lacks \"age\"; it also has \"Age\", \"size\"");
    o = table_options("age,colour,n\nold,red,2\n");
    refused(&o, columns, INVAR_ERROR_DATA, "line 2: \"old\" in column \"age\", which is one of numbers");
    refused(&o, "{}", INVAR_ERROR_FORMAT, "invar.columns");
    invar_free(columns);
}

static void test_refused(void **state)
{
    struct invar_data_options o;

    (void)state;
#define REFUSE(text, assignment, code, says)                                                                           \
    do {                                                                                                               \
        o = table_options(text);                                                                                       \
        set(&o, assignment);                                                                                           \
        refused(&o, NULL, code, says);                                                                                 \
    } while (0)
    REFUSE("x,klass\n1,a\n2,b\n", "label=class", INVAR_ERROR_DATA, "did you mean \"klass\"?");
    REFUSE("x,y\n1,a\n2\n", "label=y", INVAR_ERROR_FORMAT, "line 3: 1 cells");
    REFUSE("", "label=y", INVAR_ERROR_FORMAT, "is empty");
    REFUSE("x,y\n", "label=y", INVAR_ERROR_DATA, "has a header and no rows");
    REFUSE("x,y\n1,a\n1,b\n", "label=y", INVAR_ERROR_DATA, "no column to learn from");
    REFUSE("x,y\n1,a\nk,b\n", "numeric=x", INVAR_ERROR_DATA, "line 3: \"k\" in column \"x\" is no number");
    REFUSE("x,y\n1,a\n2,b\n", "ignore=z*", INVAR_ERROR_DATA, "no column \"z*\", which data.ignore names");
    REFUSE("x,y\n1,a\n1e999,b\n", "label=y", INVAR_ERROR_DATA, "line 3: 1e999 in column \"x\" is too large");
    REFUSE("x,x\n1,2\n2,3\n", "header=yes", INVAR_ERROR_DATA, "both called \"x\"");
    REFUSE("x,y\n1,\xe4\n2,b\n", "label=y", INVAR_ERROR_FORMAT, "is not UTF-8");
    REFUSE("x,y\n1,a\n2,b\n", "separator=ab", INVAR_ERROR_USAGE, "data.separator");
    REFUSE("x,y\n1e300,a\n-1e300,b\n", "label=y", INVAR_ERROR_DATA, "too large to be standardised");
}

/* The numbers that three cells in quotes are read as, or that they stay text. */
static void test_cell_forms(void **state)
{
    static const struct {
        char separator;
        const char *cells[3];
        bool number;
        double values[3];
    } cases[] = {
        {',', {"1,234", "999", "12,345,678.5"}, true, {1234, 999, 12345678.5}},
        {',', {"1 234", "-5", "1 000 000"}, true, {1234, -5, 1e6}},
        {',',
         {"1\xc2\xa0"
          "234",
          "\xe2\x88\x92"
          "5",
          "7"},
         true,
         {1234, -5, 7}},
        {',', {"1_234", "10", "20"}, true, {1234, 10, 20}},
        {',', {"1'234.5", "10", "20"}, true, {1234.5, 10, 20}},
        {',', {"1.234,5", "10", "20,25"}, true, {1234.5, 10, 20.25}},
        {',', {"1,5", "2,25", "3"}, true, {1.5, 2.25, 3}},
        {';', {"1.234,5", "10", "20,25"}, true, {1234.5, 10, 20.25}},
        {';', {"1,234.5", "10", "20.25"}, true, {1234.5, 10, 20.25}},
        {',', {"12.5%", "-3 %", "100%"}, true, {12.5, -3, 100}},
        {',', {"$5", "-$1,200.50", "($3)"}, true, {5, -1200.5, -3}},
        {',', {"$-5", "$ 7", "8"}, true, {-5, 7, 8}},
        {',', {"5 \xe2\x82\xac", "7,50 \xe2\x82\xac", "1.000 \xe2\x82\xac"}, true, {5, 7.5, 1000}},
        {',', {"EUR 5", "EUR 1,000", "6 EUR"}, true, {5, 1000, 6}},
        {',', {"1970-01-02", "1969-12-31", "2024-02-29"}, true, {1, -1, 19782}},
        {',', {"1970-01-01T12:00:00Z", "1970-01-02 06:00", "1970-01-01T01:00:00+01:00"}, true, {0.5, 1.25, 0}},
        {',', {"1970/01/02", "1970-01-03 00:00:43.2", "1970-01-01"}, true, {1, 2.0005, 0}},
        {',', {"5%", "6", "7%"}, false, {0}}, /* which of them is a hundredth? */
        {',', {"$5", "EUR 6", "7"}, false, {0}},
        {',', {"2023-02-29", "2023-03-01", "2023-03-02"}, false, {0}},
        {',', {"2023-13-01", "2023-03-01", "2023-03-02"}, false, {0}},
        {',', {"001,234", "1,234", "5"}, false, {0}},
        {',', {"1,23,456", "1", "2"}, false, {0}},
        {',', {"192.168.0.1", "10.0.0.1", "1"}, false, {0}},
        {',', {"$", "%", "5"}, false, {0}},
        {',', {"5 kg", "6 kg", "7 kg"}, false, {0}},
        {',', {"12-34", "13-34", "14-34"}, false, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        const char s = cases[i].separator;
        const char *const *cell = cases[i].cells;
        snprintf(text, sizeof text, "v%cx\n\"%s\"%c1\n\"%s\"%c2\n\"%s\"%c4\n", s, cell[0], s, cell[1], s, cell[2], s);
        struct invar_data_options o = table_options(text);
        struct invar_dataset *d = open_as(&o, NULL), *again;
        const struct invar_column *c = invar_dataset_info(d)->table->column;
        if ((c->kind == INVAR_COLUMN_NUMERIC) != cases[i].number)
            fail_msg("%s, %s, %s are %s", cell[0], cell[1], cell[2], cases[i].number ? "text" : "numbers");
        assert_int_equal(c->read[0] != '\0', cases[i].number);
        again = open_as(&o, invar_dataset_info(d)->table->schema);
        for (int k = 0; k < 3 && cases[i].number; k++) {
            float first = row_of(d, INVAR_TRAIN, k, NULL)[0];
            assert_near((double)first * c->deviation + c->mean, cases[i].values[k],
                        1e-6 * (1 + fabs(c->mean) + c->deviation));
            assert_near(row_of(again, INVAR_TRAIN, k, NULL)[0], first, 0);
        }
        assert_string_equal(invar_dataset_info(d)->table->schema, invar_dataset_info(again)->table->schema);
        invar_dataset_close(again);
        invar_dataset_close(d);
    }
}

/* An encoder reads the cells of a column as it did in training, plain ones too, and refuses what it cannot. */
static void test_form_travels(void **state)
{
    struct invar_data_options o = table_options(
        "p,r,d,y\n\"1,000\",5%,2024-01-01,$4.5\n\"3,000\",7%,2024-01-03,\"$1,005\"\n2000,6%,2024-01-02,$7\n");
    struct invar_dataset *d, *other;

    (void)state;
    set(&o, "label=y");
    set(&o, "label_kind=number");
    d = open_as(&o, NULL);
    assert_near(invar_dataset_targets(d, INVAR_TRAIN)[1], 1005, 0);
    char *columns = invar_strdup(invar_dataset_info(d)->table->schema, NULL);
    invar_dataset_close(d);
    o = table_options("p,r,d,y\n3000,6%,2024-01-02 12:00,12\n\"2,000\",7%,2024-01-02,$3\n");
    set(&o, "label=y");
    other = open_as(&o, columns);
    EXPECT_ROW(other, 0, sqrt(1.5), 0, 0.5 * sqrt(1.5));
    EXPECT_ROW(other, 1, 0, sqrt(1.5), 0);
    assert_near(invar_dataset_targets(other, INVAR_TRAIN)[0], 12, 0);
    assert_string_equal(invar_dataset_info(other)->table->column[0].read, "numbers such as 1,234.5");
    invar_dataset_close(other);
    o = table_options("p,r,d\n3000,6,2024-01-02\n");
    refused(&o, columns, INVAR_ERROR_DATA, "\"6\" in column \"r\", which is one of numbers such as 1,234.5%");
    o = table_options("p,r,d\n3000,6%,yesterday\n");
    refused(&o, columns, INVAR_ERROR_DATA, "\"yesterday\" in column \"d\", which is one of dates");
    invar_free(columns);
}

/* A text that is another in nearly every row only tells rows apart. */
static void test_unique(void **state)
{
    char text[4096], *at = text + sprintf(text, "id,colour,x\n");

    (void)state;
    for (int i = 0; i < 40; i++)
        at += sprintf(at, "n%d,c%d,%d\n", i, i % 30, i % 5);
    struct invar_data_options o = table_options(text);
    struct invar_dataset *d = open_as(&o, NULL);
    assert_true(invar_dataset_info(d)->table->column[0].unique);
    assert_false(invar_dataset_info(d)->table->column[1].unique);
    invar_dataset_close(d);
}

/* A gzipped table of a header and many rows, one after the other. */
static void repeat_rows(struct invar_data_options *o, const char *header, const char *row, const char *other, int rows)
{
    const size_t first = strlen(header), each = strlen(row);
    struct bytes plain = {0}, packed;

    memcpy(bytes_grow(&plain, first + (size_t)rows * each), header, first);
    for (int i = 0; i < rows; i++)
        memcpy(plain.data + first + (size_t)i * each, i % 2 ? row : other, each);
    packed = bytes_gzip(&plain);
    bytes_done(&plain);
    assert_true(packed.size < 10000);
    snprintf(o->source, sizeof o->source, "csv:%s", bytes_write(&packed, folder, "t.csv.gz"));
}

/* What a table takes to read is held to data.memory_limit, whatever its size on disk. */
static void test_memory(void **state)
{
    enum { ROWS = 60000 };
    struct invar_data_options o = table_options("x,y\n1,2\n");

    (void)state;
    repeat_rows(&o, "a,b,c,d\n", "1,2,3,4\n", "2,3,4,5\n", ROWS);
    set(&o, "memory_limit=1");
    refused(&o, NULL, INVAR_ERROR_DATA, "take 2 MiB to read, more than data.memory_limit=1 MiB");
    set(&o, "memory=yes");
    struct invar_dataset *d = open_as(&o, NULL);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TRAIN], ROWS);
    invar_dataset_close(d);
    repeat_rows(&o, "a,b\n", "1234567890,1234567890\n", "0234567890,1234567890\n", ROWS);
    set(&o, "memory=auto");
    refused(&o, NULL, INVAR_ERROR_FORMAT, "half of data.memory_limit; raise it");
}

/* Numbers that are equal are one category, codes with zeros before them are not; what training never saw is counted. */
static void test_unseen(void **state)
{
    struct invar_data_options o = table_options("grade,zip,y\n1,01,1\n2,1,2\n1.0,01,1.0\n2,1,2\n");
    struct invar_dataset *d, *known;
    const struct invar_column *column;

    (void)state;
    set(&o, "categorical=grade, zip");
    set(&o, "label=y");
    d = open_as(&o, NULL);
    column = invar_dataset_info(d)->table->column;
    assert_int_equal(invar_dataset_info(d)->classes, 2);
    assert_int_equal(column[0].categories, 2);
    assert_int_equal(column[1].categories, 2);
    assert_int_equal(column[0].unseen[INVAR_TRAIN], 0);

    o = table_options("grade,zip,y\n1.00,01,1\n2e0,1,2\n3,001,1\nred,?,2.0\n");
    set(&o, "label=y");
    known = open_as(&o, invar_dataset_info(d)->table->schema);
    column = invar_dataset_info(known)->table->column;
    assert_int_equal(column[0].unseen[INVAR_TRAIN], 2);
    assert_int_equal(column[1].unseen[INVAR_TRAIN], 1);
    assert_int_equal(column[1].missing[INVAR_TRAIN], 1);
    assert_int_equal(invar_dataset_info(known)->classes, 2);
    invar_dataset_close(known);
    invar_dataset_close(d);
}

/* Text that looks like a number beyond all bounds is text; in a column of numbers it is refused. */
static void test_overflow(void **state)
{
    struct invar_data_options o = table_options("hex,x\n5e4638,1\nf3a09c,2\n5e4638,3\n");
    struct invar_dataset *d = open_as(&o, NULL);

    (void)state;
    assert_int_equal(invar_dataset_info(d)->table->column[0].kind, INVAR_COLUMN_CATEGORICAL);
    invar_dataset_close(d);
    o = table_options("hex,x\n5e4638,1\n3,2\n");
    refused(&o, NULL, INVAR_ERROR_DATA, "5e4638 in column \"hex\" is too large a number");
}

/* Row numbers without a name are left out, whether the file that is read later has them or not. */
static void test_row_numbers(void **state)
{
    struct invar_data_options o = table_options(",a,b\n7,1,x\n3,2,y\n5,4,x\n");
    struct invar_dataset *d = open_as(&o, NULL), *other;

    (void)state;
    assert_int_equal(invar_dataset_info(d)->table->count, 2);
    o = table_options("a,b\n1,x\n2,y\n");
    other = open_as(&o, invar_dataset_info(d)->table->schema);
    invar_dataset_close(other);
    o = table_options("a,b\nAnn,1,x\nBob,2,y\n");
    other = open_as(&o, invar_dataset_info(d)->table->schema);
    invar_dataset_close(other);
    invar_dataset_close(d);
    set(&o, "numeric=c1");
    refused(&o, NULL, INVAR_ERROR_DATA, "\"Ann\" in column \"c1\" is no number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_cell_forms), cmocka_unit_test(test_form_travels),
        cmocka_unit_test(test_unique),      cmocka_unit_test(test_numbers),    cmocka_unit_test(test_forms),
        cmocka_unit_test(test_kinds),       cmocka_unit_test(test_splits),     cmocka_unit_test(test_schema),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_unseen),     cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_row_numbers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
