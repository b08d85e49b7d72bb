/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of text: what is read, with which line numbers, and what is refused. */
#include "folder.h"

#include "data/table/csv.h"

#include <math.h>

TEST_COVERS("source.csv");

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
                   "known are: file_name, session, twice, twice");
    assert_refused(data_csv_column(&csv, "twice", "for the test", &err) >= 0, &err, INVAR_ERROR_DATA,
                   "columns 3 and 4 are both called \"twice\"");
    data_csv_free(&csv);
}

/* A head of a table, what stands below it, and whether it is a header. */
static const struct head {
    const char *text;
    bool header;
} heads[] = {
    {"a,b\n1,2\n3,4\n", true},                                       /* plain */
    {",a,b\n0,1,x\n1,2,y\n2,1,x\n", true},                           /* pandas with its index */
    {"Unnamed: 0,a,b\n0,1,x\n1,2,y\n", true},                        /* that read and written again */
    {",a,b\n17,1,x\n4,2,y\n9,1,x\n", true},                          /* a shuffled part of it */
    {",0,1,2\n0,5.1,3.5,1.4\n1,4.9,3.1,1.3\n2,4.7,3.2,1.2\n", true}, /* pandas without names */
    {"0,1,2\n5.1,3.5,1.4\n4.9,3.1,1.3\n4.7,3.2,1.2\n", true},        /* the same without index */
    {"0,1,2,3,4\n1,0,4,2,2\n3,1,0,2,4\n0,2,4,1,3\n", true},          /* whole numbers below */
    {"0,1,class\n76,172.7,yes\n56,167.5,no\n69,165.9,yes\n", true},  /* numbers and a name */
    {"\"\",\"a\",\"b\"\n\"1\",2,\"x\"\n\"2\",3,\"y\"\n", true},      /* R with row names */
    {"\"a\",\"b\"\n\"1\",2,\"x\"\n\"2\",3,\"y\"\n", true},           /* write.table: one name fewer */
    {"mpg,cyl\nMazda RX4,21,6\nDatsun 710,22.8,4\n", true},          /* its row names are text */
    {"\"a\",\"b\"\n2,\"x\"\n3,\"y\"\n", true},                       /* R without row names */
    {"\xef\xbb\xbf"
     "a;b\r\n1,5;2\r\n3,25;4\r\n",
     true}, /* Excel, semicolons and decimal commas */
    {"\xef\xbb\xbf"
     "1,2\n3,4\n",
     false},                                                                       /* a mark before numbers */
    {"country,1990,1991,1992\nA,1.5,2,2.5\nB,2,2,3\nC,1,1,1.5\n", true},           /* years */
    {"country,1990,1991\nA,1950,2300\nB,1200,1100\nC,3000,3500\n", true},          /* years among the values */
    {"400,402,404,406,408,410,412,414\n3,1,2,5,4,4,4,2\n2,2,2,1,3,0,1,4\n", true}, /* wavelengths */
    {"0.5,1,2,4,8,16,32,64\n3,1,2,5,4,4,4,2\n2,2,2,1,3,0,1,4\n", true},            /* doses */
    {"x,x,y,class\n1,2,0,yes\n3,1,1,no\n", true},                                  /* twice the same */
    {"a,b,b,b\n1,2,3,4\n5,6,7,8\n", true},                                         /* merged cells */
    {"a,,\n1,2,3\n5,6,7\n", true},                                                 /* merged cells, exported */
    {"a,b,\n1,2,\n5,6,\n", true},                                                  /* separators at the end */
    {"a,b\n1,2,\n5,6,\n", true},                                                   /* those of the rows alone */
    {"a,b\n1,2\n", true},                                                          /* one row */
    {"0,1\n5.5,7.5\n", true},                                                      /* one row below numbers */
    {"a,b\nx,y\n", true},                                                          /* one row of text */
    {"a,b\n", true},                                                               /* no row */
    {"len,mass\ncm,kg\n1,2\n3,4\n5,6\n", true},                                    /* a row of units */
    {"len,mass\ncm,kg\n1,2\n", true},                                              /* the same with one row */
    {"a,5,b\n1,2,3\n2,3,4\n3,9,5\n", true},                                        /* one number among names */
    {"id,name\n1,Ann\n2,Bob\n3,Cy\n", true},
    {"name,town\nAnn,Rome\nBob,Oslo\nCy,Bern\n", true}, /* text that never recurs */
    {"word,class\nfoo,a\nbar,b\nbaz,a\nqux,b\n", true},
    {"word,class,\nfoo,a,\nclass,b,\nbaz,a,\nqux,b,\n", true}, /* a name is a value elsewhere */
    {"a,b\n?,NA\n1,?\n2,3\n", true},                           /* missing first */
    {"NA,b\n1,x\n2,y\n", true},                                /* a name that looks missing */
    {"a\tb\n1\t2\n", true},                                    /* tabs */
    {"1e3,b\n5,x\n6,y\n7,x\n8,y\n", true},                     /* a number beyond its column */
    {"date,price\n2024-01-01,5\n2024-01-02,6\n", true},
    {"#,Name,Type\n1,Bulbasaur,Grass\n2,Ivysaur,Grass\n3,Charmander,Fire\n", true}, /* a name is # */
    {"item,price\ni1,\"$1,200\"\ni2,\"$1,300\"\ni1,\"$900\"\n", true},              /* currencies */
    {"share,y\n5%,no\n7%,yes\n9%,no\n", true},                                      /* per cent */
    {"timestamp,value\n2024-01-01 00:00:00,5.5\n2024-01-01 00:01:00,6.5\n", true},
    {",,a,b\n0,0,1.5,2.5\n0,1,1.2,3.5\n1,0,2.5,3.1\n", true},           /* pandas, two levels of index */
    {",open,close\n2024-01-01,5.5,5.25\n2024-01-02,5.25,5.75\n", true}, /* pandas, index of dates */
    {"\"\";\"a\";\"b\"\n\"1\";1,5;2\n\"2\";2,5;3\n", true},             /* R's write.csv2 */
    {"label,1x1,1x2,1x3\n5,0,0,255\n0,0,18,3\n4,0,0,7\n", true},        /* pixels */
    {"gene,s1,s2\nBRCA1,5.5,6.1\nTP53,0.1,3.2\n", true},                /* genes */
    {"Age (years), Fare in $ ,Class\n22, 7.25 ,no\n38, 71.28 ,yes\n", true},
    {"flag,ok\nTrue,FALSE\nFalse,TRUE\nTrue,TRUE\n", true},
    {"a;b;;\r\n1;1,5;;\r\n2;2,5;;\r\n", true},                 /* Excel, empty columns */
    {"\"a\",\"b\"\n\"1.5\",\"2.5\"\n\"3.5\",\"4.5\"\n", true}, /* all in quotes */
    {"x\n1.5\n2.5\n", true},                                   /* one column */
    {"1.5\n2.5\n0.5\n", false},
    {"True,FALSE\nFalse,TRUE\nTrue,TRUE\nFalse,FALSE\n", false},
    {"\"1.5\",\"2.5\"\n\"3.5\",\"4.5\"\n\"0.5\",\"3.5\"\n", false},
    {"1\t0.5\t0.7\n2\t0.1\t0.9\n1\t0.2\t0.3\n", false}, /* the class first, tabs */
    {"2596,51,3,258,0,5\n2590,56,2,212,1,5\n2804,139,9,268,0,2\n2785,155,18,242,1,2\n", false},
    {"5.1,3.5,1.4,setosa\n4.9,3,1.4,setosa\n7,3.2,4.7,versicolor\n6.4,3.2,4.5,versicolor\n", false}, /* iris */
    {"1,2\n3,4\n", false},
    {"1,2,3\n4,5,6\n7,8,9\n", false}, /* every row rises */
    {"5.1,3.5\n4.9,3\n7,3.2\n5,3.1\n", false},
    {"1,,3\n2,5,1\n0,4,9\n", false},                                         /* a value is missing */
    {"39,clerk,?,no\n50,boss,1,yes\n38,clerk,2,no\n53,boss,3,yes\n", false}, /* census */
    {"B,1,1,1,1\nR,1,1,1,2\nL,2,1,1,1\nB,1,1,2,1\n", false},                 /* the class first */
    {"vhigh,2,small,low,unacc\nvhigh,2,small,med,unacc\nlow,3,big,low,acc\nlow,3,big,med,acc\n", false}, /* cars */
    {"p,x,s\ne,x,s\np,b,y\ne,b,y\np,x,y\n", false}, /* mushrooms: letters */
    {"Film 0,Crime|War,1,a\nFilm 1,War|Comedy,2,b\nFilm 2,Drama,3,a\nFilm 3,War|Comedy,1,b\n", false},
};

static void test_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct invar_error err = {0};
        struct data_csv csv = {0};
        assert_ok(data_csv_read_as(&csv, write_text("h.csv", heads[i].text), 0, INVAR_TABLE_HEADER_AUTO, &err), &err);
        const int64_t line = csv.rows > 0 ? data_csv_line(&csv, 0) : 2;
        if ((line == 2) != heads[i].header)
            fail_msg("%s: %s", heads[i].header ? "a header is taken for data" : "data are taken for a header",
                     heads[i].text);
        for (int c = 0; c < csv.columns; c++)
            assert_true(data_csv_cell(&csv, -1, c)[0] != '\0');
        data_csv_free(&csv);
    }
}

/* The names of columns, "a|b", and whether the first numbers the rows. */
static void expect_names(const char *text, const char *names, bool row_names)
{
    struct invar_error err = {0};
    struct data_csv csv = {0};
    char got[128] = "";

    assert_ok(data_csv_read_as(&csv, write_text("n.csv", text), 0, INVAR_TABLE_HEADER_AUTO, &err), &err);
    for (int c = 0; c < csv.columns; c++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", c ? "|" : "", data_csv_cell(&csv, -1, c));
    assert_string_equal(got, names);
    assert_int_equal(csv.row_names, row_names);
    data_csv_free(&csv);
}

/* Comments before the header, and the separator that spreadsheets are told. */
static void test_preamble(void **state)
{
    (void)state;
    expect_names("# made on Monday, by hand\na,b\n1,2\n3,4\n", "a|b", false);
    expect_names("# one\n#\n\n## two\na,b\n1,2\n3,4\n", "a|b", false);
    expect_names("# a,b\n1.0e+00,2.5e+00\n3.1e+00,1.5e+00\n", "a|b", false); /* numpy.savetxt */
    expect_names("##fileformat=VCFv4.2\n#CHROM\tPOS\tREF\n1\t10177\tA\n2\t10352\tT\n", "CHROM|POS|REF", false);
    expect_names("#,Name,Type\n1,Bulbasaur,Grass\n2,Ivysaur,Grass\n3,Charmander,Fire\n", "#|Name|Type", false);
    expect_names("# \"a\", \"b c\"\n1,2\n3,4\n1,3\n", "a|b c", false);
    expect_names("# three,words,here\n1,2\n3,4\n1,3\n", "c1|c2", false);
    expect_names("sep=;\na;b\n1,5;2\n2,5;3\n", "a|b", false);
    expect_names("\xef\xbb\xbf\"sep=,\"\r\na,b\r\n1;5,2\r\n2;5,3\r\n", "a|b", false);
    expect_names("sep=\t\n# note\na\tb\n1\t2\n", "a|b", false);
    expect_names("sep=|\na|b,c\n1|2\n", "a|b,c", false);
}

/* Lines are counted from the first of the file. */
static void test_preamble_lines(void **state)
{
    struct invar_error err = {0};
    struct data_csv csv = {0};

    (void)state;
    assert_refused(
        data_csv_read_as(&csv, write_text("p.csv", "sep=,\n# x\na,b\n1,2\n3\n"), 0, INVAR_TABLE_HEADER_AUTO, &err),
        &err, INVAR_ERROR_FORMAT, "line 5: 1 cells");
    data_csv_free(&csv);
    assert_refused(data_csv_read_as(&csv, write_text("p.csv", "# x\n# y\n"), 0, INVAR_TABLE_HEADER_AUTO, &err), &err,
                   INVAR_ERROR_FORMAT, "is empty");
    data_csv_free(&csv);
    assert_ok(data_csv_read_as(&csv, write_text("p.csv", "# x,y\n1,2\n3,4\n"), 0, INVAR_TABLE_HEADER_NO, &err), &err);
    assert_int_equal(csv.rows, 2);
    assert_int_equal(data_csv_line(&csv, 0), 2);
    assert_string_equal(data_csv_cell(&csv, -1, 0), "c1");
    data_csv_free(&csv);
}

static void test_unnamed(void **state)
{
    (void)state;
    expect_names(",a,b\n0,1,x\n1,2,y\n", "c1|a|b", true);
    expect_names("a,b\n1,2,x\n2,3,y\n", "c1|a|b", true);
    expect_names("a,b\nMazda,2,x\nDatsun,3,y\n", "c1|a|b", true);
    expect_names("a,b\n1,2,\n2,3,\n", "a|b|c3", false);
    expect_names(",a,b\n0.5,1,x\n1.5,2,y\n", "c1|a|b", false);
    expect_names(",a,b\n1,1,x\n1,2,y\n", "c1|a|b", false);
    expect_names("a,,b\n1,1,x\n1,2,y\n", "a|c2|b", false);
}

/* Every bit is that of strtod, in whatever form. */
static void test_numbers(void **state)
{
    const struct data_csv comma = {.separator = ','}, other = {.separator = ';'};
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        double got, wanted;
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        const int digits = (int)(seed % 20), scale = (int)(seed / 32 % 25);
        const double number = (double)(int64_t)seed / pow(10, scale);
        if (i % 3)
            snprintf(text, sizeof text, "%.*f", digits % 12, fmod(number, 1e12));
        else
            snprintf(text, sizeof text, i % 2 ? "%.*e" : "%.*g", digits, number);
        wanted = strtod(text, NULL);
        assert_true(data_csv_number(&comma, text, &got));
        assert_memory_equal(&got, &wanted, sizeof got);
        if (strchr(text, '.'))
            *strchr(text, '.') = ',';
        assert_true(data_csv_number(&other, text, &got));
        assert_memory_equal(&got, &wanted, sizeof got);
    }
    static const char *const texts[] = {"",     "-",   "+",   ".",  "1.2.3", "e5", "1e",
                                        "0x10", "inf", "nan", "1 ", " 1",    "1-", "--1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double got;
        assert_false(data_csv_number(&comma, texts[i], &got));
    }
    static const char *const numbers[] = {
        "-0", "+5", ".5", "5.", "0.1", "900000000000000", "9007199254740993", "0.000000000000001", "00012.50", "-.25"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double got, wanted = strtod(numbers[i], NULL);
        assert_true(data_csv_number(&comma, numbers[i], &got));
        assert_memory_equal(&got, &wanted, sizeof got);
    }
}

static void expect_separator(const char *text, char separator)
{
    assert_int_equal(data_csv_find_separator(text, strlen(text)), separator);
}

static void test_separators(void **state)
{
    (void)state;
    expect_separator("a,b\n1,2\n", ',');
    expect_separator("a\n1\n", ',');
    expect_separator("a;b\n1,5;2,5\n3,5;1,5\n", ';');
    expect_separator("1,5;2,5;3,5\n3,5;1,5;2,5\n", ';');
    expect_separator("a\tb, c\n1\t2, 3\n", '\t');
    expect_separator("a|b\n1|2\n", '|');
    expect_separator("F,A|B,1\nG,B|C,2\nH,A|B|C,3\nI,A,4\n", ',');
    expect_separator("time;zone,x\n10:00;UTC,0\n10:01;UTC,7\n", ',');
    expect_separator("\"a;b\",c\n\"d;e\",f\n", ',');
    expect_separator("a,b\n\"x\n;y\",1\n\"z;\",2\n", ',');
    expect_separator("mpg;cyl\nMazda;1,5;2\nDatsun;2,5;3\n", ';');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_preamble), cmocka_unit_test(test_preamble_lines),
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_lines),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_columns),    cmocka_unit_test(test_heads),    cmocka_unit_test(test_unnamed),
        cmocka_unit_test(test_separators),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
