/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of text: what is read, with which line numbers, and what is refused. */
#include "folder.h"

#include "data/csv.h"

static const char *write_text(const char *name, const char *text)
{
    return test_file(folder, name, text, strlen(text));
}

/* rows and cells as "a|b;c|d;" */
static void expect(const char *name, const char *text, const char *cells)
{
    struct invar_error err = {0};
    struct data_csv csv = {0};
    char got[512] = "";

    assert_ok(data_csv_read(&csv, write_text(name, text), &err), &err);
    for (int64_t row = 0; row < csv.rows; row++)
        for (int c = 0; c < csv.columns; c++) {
            strcat(got, data_csv_cell(&csv, row, c));
            strcat(got, c + 1 < csv.columns ? "|" : ";");
        }
    assert_string_equal(got, cells);
    data_csv_free(&csv);
}

static void test_forms(void **state)
{
    (void)state;
    expect("a.csv", "x,y\n1,2\n3,4\n", "1|2;3|4;");
    expect("a.csv", "x,y\n1,2\n3,4", "1|2;3|4;");
    expect("a.csv", "x,y\r\n1,2\r\n\r\n3,4\r\n", "1|2;3|4;");
    expect("a.csv", "x,y\r1,2\r3,4", "1|2;3|4;");
    expect("a.csv", "\xef\xbb\xbfx,y\n1,2\n", "1|2;");
    expect("a.csv", "x,y\n\"a, b\",\"say \"\"hi\"\"\"\n\"two\nlines\",\n", "a, b|say \"hi\";two\nlines|;");
    expect("a.csv", "x,y\n 1 , 2\t\n,\n", "1|2;|;");
    expect("a.csv", "x\n\n  \n1\n", "1;");
    expect("a.csv", "x,y\n", "");
    expect("a.tsv", "x\ty\n1,5\t\"2\t3\"\n", "1,5|2\t3;");
    expect("a.TSV", "x\ty\n\t2\n", "|2;");
    expect("a.csv", "\xc3\xbc,y\n\xc3\xa4,2\n", "\xc3\xa4|2;");
}

/* A row begins where its first cell does, however many lines stand before and in it. */
static void test_lines(void **state)
{
    struct invar_error err = {0};
    struct data_csv csv = {0};

    (void)state;
    assert_ok(data_csv_read(&csv, write_text("a.csv", "x,y\r\n\r\n1,\"a\r\n\r\nb\"\r\n2,c\r\n"), &err), &err);
    assert_int_equal(csv.rows, 2);
    assert_int_equal(data_csv_line(&csv, 0), 3);
    assert_int_equal(data_csv_line(&csv, 1), 6);
    data_csv_free(&csv);
}

static void refuse_bytes(const char *text, size_t size, const char *says)
{
    struct invar_error err = {0};
    struct data_csv csv = {0};

    assert_refused(data_csv_read(&csv, test_file(folder, "bad.csv", text, size), &err), &err, INVAR_ERROR_FORMAT, says);
    data_csv_free(&csv);
}

static void test_refused(void **state)
{
    struct invar_error err = {0};
    struct data_csv csv = {0};

    (void)state;
#define REFUSE(text, says) refuse_bytes(text, sizeof(text) - 1, says)
    REFUSE("", "bad.csv: is empty");
    REFUSE("\n\n", "bad.csv: is empty");
    REFUSE("x,y\n1,2\n\n3\n4,5\n", "bad.csv, line 4: 1 cells where the header has 2");
    REFUSE("x,y\n1,2\n3,4,5\n", "bad.csv, line 3: 3 cells where the header has 2");
    REFUSE("x,y\n1,2\n3,\"4\n5,6\n", "bad.csv, line 3: a quote");
    REFUSE("x,y\n1,a\"b\n", "bad.csv, line 2: a quote");
    REFUSE("x,y\n1,\"a\"b\n", "bad.csv, line 2: a quote");
    REFUSE("x,y\n1,\0\n", "bad.csv, line 2: holds a NUL byte");
    REFUSE("\xff\xfex\0,\0", "UTF-16");
#undef REFUSE
    assert_refused(data_csv_read(&csv, test_path(folder, "nowhere.csv"), &err), &err, INVAR_ERROR_FILE, "nowhere.csv");
    assert_refused(data_csv_read(&csv, folder, &err), &err, INVAR_ERROR_FILE, "is a folder");
}

static void test_columns(void **state)
{
    struct invar_error err = {0};
    struct data_csv csv = {0};

    (void)state;
    assert_ok(data_csv_read(&csv, write_text("a.csv", "file_name,session,twice,twice\na,b,c,d\n"), &err), &err);
    assert_int_equal(data_csv_column(&csv, "session", "for the test", &err), 1);
    assert_refused(data_csv_column(&csv, "sesion", "for the test", &err) >= 0, &err, INVAR_ERROR_DATA,
                   "there is no column \"sesion\", for the test; did you mean \"session\"?");
    assert_refused(data_csv_column(&csv, "patient", "for the test", &err) >= 0, &err, INVAR_ERROR_DATA,
                   "its columns are file_name, session, twice, twice");
    assert_refused(data_csv_column(&csv, "twice", "for the test", &err) >= 0, &err, INVAR_ERROR_DATA,
                   "columns 3 and 4 are both called \"twice\"");
    data_csv_free(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
