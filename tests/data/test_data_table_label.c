/* SPDX-License-Identifier: Apache-2.0 */
/* csv:FILE: the label, classes or a number, and other columns as labels and conditions. */
#include "data/table_tests.h"

#include "invar/memory.h"

/* A label column of too many values is refused before anything is made of it. */
static void test_label_limit(void **state)
{
    struct invar_data_options o;
    char *text = malloc(40000), *at = text;

    (void)state;
    at += sprintf(at, "x,y\n");
    for (int i = 0; i < 1100; i++)
        at += sprintf(at, "%d,%d\n", i, i);
    o = table_options(text);
    set(&o, "label=y");
    set(&o, "label_kind=class");
    refused(&o, NULL, INVAR_ERROR_DATA, "more than 1000 different values");
    free(text);
}

/* A table of so many rows, whose label is printed by format from a number below distinct. */
static struct invar_data_options labels_of(int rows, int distinct, const char *format, double step)
{
    static char text[65536];
    char *at = text + sprintf(text, "x,y\n");

    for (int i = 0; i < rows; i++) {
        at += sprintf(at, "%d,", i % 7);
        at += format ? sprintf(at, format, step * (i * 7 % distinct)) : 0;
        at += sprintf(at, "\n");
    }
    struct invar_data_options o = table_options(text);
    set(&o, "label=y");
    return o;
}

/* What a label column is taken for: rows, different values, their form and step, and what was told to be so. */
static void test_label_kind(void **state)
{
    static const struct {
        int rows, distinct;
        const char *format, *option;
        double step;
        bool number;
    } cases[] = {
        {400, 400, "%.0f", "label_kind=auto", 1, true},    {400, 400, "%.2f", "label_kind=auto", 0.37, true},
        {12, 12, "%g", "label_kind=auto", 0.5, true},      {400, 11, "%g", "label_kind=auto", 0.5, true},
        {400, 2, "%g", "label_kind=auto", 0.5, false},     {400, 10, "%g", "label_kind=auto", 1, false},
        {400, 10, "%.1f", "label_kind=auto", 1, false},    {600, 51, "%.0f", "label_kind=auto", 1, false},
        {400, 51, "%.0f", "label_kind=auto", 1, true},     {1500, 1200, "%.0f", "label_kind=auto", 1, true},
        {400, 400, "%04.0f", "label_kind=auto", 1, false}, {400, 400, "c%.0f", "label_kind=auto", 1, false},
        {400, 400, "%.0f", "label_kind=class", 1, false},  {400, 10, "%.0f", "label_kind=number", 1, true},
        {400, 2, "%.0f", "label_kind=number", 1, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_data_options o = labels_of(cases[i].rows, cases[i].distinct, cases[i].format, cases[i].step);
        set(&o, cases[i].option);
        struct invar_dataset *d = open_as(&o, NULL);
        const struct invar_dataset_info *info = invar_dataset_info(d);
        if (info->label_number != cases[i].number)
            fail_msg("case %zu: %d values of %d rows: %s", i, cases[i].distinct, cases[i].rows,
                     info->table->label_reason);
        assert_int_equal(info->classes, cases[i].number ? 0 : cases[i].distinct);
        assert_true(info->labelled);
        assert_true((invar_dataset_targets(d, INVAR_TRAIN) != NULL) == cases[i].number);
        assert_true(info->table->label_reason[0] != '\0');
        invar_dataset_close(d);
    }
}

/* Targets are those of the rows, in both splits and after rows are held out; the encoder's schema knows of them. */
static void test_targets(void **state)
{
    struct invar_data_options o = table_options("x,g,y\n1,a,0.5\n2,b,?\n3,a,-1e3\n4,b,2.25\n5,a,\n6,b,7\n");
    struct invar_error err = {0};

    (void)state;
    set(&o, "label=y");
    set(&o, "test_rows=every:3");
    struct invar_dataset *d = open_as(&o, NULL), *other;
    const struct invar_dataset_info *info = invar_dataset_info(d);
    const double *train = invar_dataset_targets(d, INVAR_TRAIN), *test = invar_dataset_targets(d, INVAR_TEST);
    assert_true(info->label_number && !info->labelled);
    assert_near(train[0], 0.5, 0);
    assert_true(isnan(train[1]) && isnan(train[3]));
    assert_near(train[2], 2.25, 0);
    assert_near(test[0], -1000, 0);
    assert_near(test[1], 7, 0);
    assert_int_equal(invar_dataset_labels(d, INVAR_TRAIN)[0], -1);
    char *columns = invar_strdup(info->table->schema, NULL);
    assert_ok(invar_dataset_hold_out(d, "g=a", "--hold-out", &err), &err);
    assert_near(invar_dataset_targets(d, INVAR_TRAIN)[1], 2.25, 0);
    assert_near(invar_dataset_targets(d, INVAR_TEST)[1], -1000, 0);
    assert_ok(invar_dataset_relabel(d, "g", "--label", &err), &err);
    assert_true(!invar_dataset_targets(d, INVAR_TRAIN) && !info->label_number && info->classes == 2);
    invar_dataset_close(d);

    set(&o, "test_rows=");
    set(&o, "test_fraction=0.5"); /* of the four rows with a number and of the two without */
    d = open_as(&o, NULL);
    int labelled = 0;
    for (int64_t i = 0; i < invar_dataset_info(d)->count[INVAR_TEST]; i++)
        labelled += !isnan(invar_dataset_targets(d, INVAR_TEST)[i]);
    assert_int_equal(labelled, 2);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TEST], 3);
    invar_dataset_close(d);

    o = table_options("g,y,x\na,4,1\nb,4,2\n");
    set(&o, "label=y");
    other = open_as(&o, columns);
    assert_near(invar_dataset_targets(other, INVAR_TRAIN)[1], 4, 0);
    invar_dataset_close(other);
    o = table_options("g,y,x\na,4,1\nb,high,2\n");
    set(&o, "label=y");
    refused(&o, columns, INVAR_ERROR_DATA, "line 3: \"high\" in the label column \"y\" is no number");
    set(&o, "label_kind=number");
    refused(&o, NULL, INVAR_ERROR_DATA, "line 3: \"high\" in the label column \"y\" is no number");
    o = table_options("g,y,x\na,4,1\nb,1e999,2\n");
    set(&o, "label=y");
    set(&o, "label_kind=number");
    refused(&o, NULL, INVAR_ERROR_DATA, "line 3: 1e999 in the label column \"y\" is too large");
    invar_free(columns);
}

/* Other columns than the label as labels and as conditions; the training rows for draws move along. */
static void test_fields(void **state)
{
    struct invar_data_options o =
        table_options("n,colour,age,who,y\n1,red,10,u,b\n2,blue,?,v,a\n3,red,30,u,b\n6,,20,w,a\n");
    struct invar_error err = {0};
    int64_t label;

    (void)state;
    set(&o, "label=y");
    set(&o, "ignore=who");
    struct invar_dataset *d = open_as(&o, NULL);
    const struct invar_dataset_info *info = invar_dataset_info(d);
    assert_ok(invar_dataset_relabel(d, "who", "--label", &err), &err);
    assert_int_equal(info->classes, 3);
    assert_string_equal(info->class_names[2], "w");
    row_of(d, INVAR_TRAIN, 3, &label);
    assert_int_equal(label, 2);
    assert_ok(invar_dataset_relabel(d, "y", "--label", &err), &err);
    assert_ok(invar_dataset_hold_out(d, "colour=red", "--hold-out", &err), &err);
    assert_int_equal(info->count[INVAR_TRAIN], 2);
    assert_int_equal(info->count[INVAR_TEST], 2);
    assert_int_equal(info->table->count_train, 2);
    assert_int_equal(info->table->item[1], 3);
    row_of(d, INVAR_TEST, 1, &label);
    assert_int_equal(label, 1);
    assert_refused(invar_dataset_relabel(d, "age", "--label", &err), &err, INVAR_ERROR_USAGE, "colour, who, y");
    assert_refused(invar_dataset_hold_out(d, "colour=rod", "--hold-out", &err), &err, INVAR_ERROR_USAGE, "red");
    invar_dataset_close(d);
}

/* A column that is left out as a number to predict, whatever the number of its values. */
static void test_number_field(void **state)
{
    struct invar_data_options o = labels_of(1500, 1200, "%.1f", 0.5);
    struct invar_error err = {0};

    (void)state;
    set(&o, "label=");
    set(&o, "ignore=y");
    set(&o, "test_rows=last:100");
    struct invar_dataset *d = open_as(&o, NULL);
    const struct invar_dataset_info *info = invar_dataset_info(d);
    assert_true(!invar_dataset_targets(d, INVAR_TRAIN));
    assert_ok(invar_dataset_relabel(d, "y", "--label", &err), &err);
    assert_true(info->label_number && info->labelled && info->classes == 0);
    assert_near(invar_dataset_targets(d, INVAR_TRAIN)[1], 3.5, 0);
    assert_near(invar_dataset_targets(d, INVAR_TEST)[0], 0.5 * (1400 * 7 % 1200), 0);
    assert_refused(invar_dataset_hold_out(d, "y=3.5", "--hold-out", &err), &err, INVAR_ERROR_USAGE,
                   "too many different numbers");
    invar_dataset_close(d);
    set(&o, "label_kind=class");
    d = open_as(&o, NULL);
    assert_refused(invar_dataset_relabel(d, "y", "--label", &err), &err, INVAR_ERROR_DATA, "too many different values");
    invar_dataset_close(d);
}

/* 1,5 and 1,50 are one category where commas do not separate, and 1.5 of another file is it too; 1.0 names what is 1.
 */
static void test_equal_numbers(void **state)
{
    struct invar_data_options o = table_options("grade;y;x\n1,5;1,0;1\n2;2;4\n1,50;1;2\n2,0;2,00;3\n");
    struct invar_error err = {0};

    (void)state;
    set(&o, "categorical=grade");
    set(&o, "label=y");
    struct invar_dataset *d = open_as(&o, NULL), *other;
    assert_int_equal(invar_dataset_info(d)->classes, 2);
    assert_int_equal(invar_dataset_info(d)->table->column[0].categories, 2);
    o = table_options("grade,y,x\n1.5,1.00,1\n2.00,2,4\n");
    set(&o, "label=y");
    other = open_as(&o, invar_dataset_info(d)->table->schema);
    assert_int_equal(invar_dataset_info(other)->table->column[0].unseen[INVAR_TRAIN], 0);
    assert_int_equal(invar_dataset_labels(other, INVAR_TRAIN)[0], 0);
    assert_int_equal(invar_dataset_labels(other, INVAR_TRAIN)[1], 1);
    invar_dataset_close(other);
    assert_ok(invar_dataset_hold_out(d, "grade=2.0", "--hold-out", &err), &err);
    assert_int_equal(invar_dataset_info(d)->count[INVAR_TEST], 2);
    invar_dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_label_limit), cmocka_unit_test(test_fields),       cmocka_unit_test(test_label_kind),
        cmocka_unit_test(test_targets),     cmocka_unit_test(test_number_field), cmocka_unit_test(test_equal_numbers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
