/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as it is written, beside cJSON's; and structs that come back from it as they went. */
#include "test.h"

#include "base/json_table.h"

static void write_all(struct json_writer *w)
{
    static const double numbers[] = {0.1, -1e300, 1.0 / 3, 123456789012.0, NAN, 5e-324, 2147483648.0, 1e15, 0.07};

    json_open_object(w, NULL);
    json_numbers(w, "numbers", numbers, 9);
    json_text(w, "text", "a\"b\\c\n\t\x01 \xc3\xa9/</script>");
    json_text(w,
              "a name that is longer than a piece of text is, so that it is put together of several of them, as a "
              "text of any length is, whatever it holds: \"\"\"\"\"\"\"\"",
              "");
    json_text(w, "nothing", NULL);
    json_bool(w, "yes", true);
    json_open_array(w, "mixed");
    json_open_object(w, NULL);
    json_bool(w, "no", false);
    json_open_object(w, "empty");
    json_close(w);
    json_close(w);
    json_open_array(w, NULL);
    json_close(w);
    json_raw(w, NULL, "12");
    json_close(w);
    json_texts(w, "texts", (const char *const[]){"x", "y"}, 2);
    json_close(w);
}

/* Files of results keep their bytes: the layout is cJSON's. */
static void test_layout(void **state)
{
    struct invar_error err = {0};

    (void)state;
    for (int formatted = 0; formatted < 2; formatted++) {
        struct json_writer w = {.formatted = formatted};
        write_all(&w);
        assert_ok(json_written(&w, "x", &err), &err);
        cJSON *root = cJSON_Parse(w.text.data);
        assert_non_null(root);
        char *printed = formatted ? cJSON_Print(root) : cJSON_PrintUnformatted(root);
        assert_string_equal(w.text.data, printed);
        assert_near(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "numbers"), 2)->valuedouble, 1.0 / 3, 0);
        cJSON_free(printed);
        cJSON_Delete(root);
        json_writer_free(&w);
    }
}

/* What was not closed, closed twice, or too deep is not whole. */
static void test_not_whole(void **state)
{
    struct invar_error err = {0};
    struct json_writer open = {0}, twice = {0}, deep = {0}, none = {0};

    (void)state;
    json_open_object(&open, NULL);
    assert_refused(json_written(&open, "x.json", &err), &err, INVAR_ERROR_MEMORY, "x.json");
    json_close(&open);
    assert_ok(json_written(&open, "x.json", &err), &err);
    json_open_array(&twice, NULL);
    json_close(&twice);
    json_close(&twice);
    assert_false(json_written(&twice, "x", NULL));
    for (int i = 0; i <= JSON_DEPTH; i++)
        json_open_array(&deep, NULL);
    for (int i = 0; i < JSON_DEPTH; i++)
        json_close(&deep);
    assert_false(json_written(&deep, "x", NULL));
    assert_false(json_written(&none, "x", NULL));
    json_writer_free(&open);
    json_writer_free(&twice);
    json_writer_free(&deep);
}

/* ---- tables ---- */

struct part {
    const char *name;
    double value;
};
struct whole {
    double number, none, pair[2];
    int64_t count, no_count;
    int flag, no_flag;
    const char *text, *value;
    struct {
        int64_t count;
        const double *item;
    } numbers;
    struct {
        int64_t count;
        const char *const *item;
    } texts;
    struct {
        int64_t count;
        const struct part *item;
    } list, named, single;
    const struct part *object;
    struct part inside;
};
#define PART(kind, member) JSON_ROW(struct part, kind, member)
JSON_TABLE(part, struct part, PART(NUMBER, value));
JSON_TABLE(inside, struct part, {"inner", JSON_NUMBER, offsetof(struct part, value), NULL, NULL});
JSON_TABLE(single, struct part, {"", JSON_NUMBER, offsetof(struct part, value), NULL, NULL});

static bool never(const void *object)
{
    (void)object;
    return false;
}

#define WHOLE(kind, member) JSON_ROW(struct whole, kind, member)
#define WHOLE_OF(kind, member, table) JSON_ROW_OF(struct whole, kind, member, table)
JSON_TABLE(whole, struct whole, {"text", JSON_TEXT, offsetof(struct whole, text), NULL, never}, WHOLE(NUMBER, number),
           WHOLE(NUMBER, none), WHOLE(PAIR, pair), WHOLE(COUNT, count), WHOLE(COUNT, no_count), WHOLE(FLAG, flag),
           WHOLE(FLAG, no_flag), WHOLE(TEXT, text), WHOLE(VALUE, value), WHOLE(NUMBERS, numbers), WHOLE(TEXTS, texts),
           WHOLE_OF(LIST, list, part), WHOLE_OF(NAMED, named, part), WHOLE_OF(NAMED, single, single),
           WHOLE_OF(OBJECT, object, part), WHOLE_OF(INLINE, inside, inside));

static const char expected[] =
    "{\"number\":0.5,\"pair\":[1,2],\"count\":7,\"flag\":false,\"text\":\"t\",\"value\":[1,0.25],\"numbers\":[3,null],"
    "\"texts\":[\"u\",\"v\"],\"list\":[{\"value\":4}],\"named\":{\"a.b\":{\"value\":5},\"a\":{\"value\":6}},"
    "\"single\":{\"20\":8},\"object\":{\"value\":9},\"inner\":10}";

static char *text_of(const struct whole *object)
{
    struct json_writer w = {0};
    struct invar_error err = {0};

    json_open_object(&w, NULL);
    json_table_write(&whole, object, &w);
    json_close(&w);
    assert_ok(json_written(&w, "x", &err), &err);
    return w.text.data;
}

static void read_text(struct whole *object, const char *text, struct json_room *room)
{
    struct invar_error err = {0};
    cJSON *root = json_parse(text, strlen(text), 1000, "x", "", &err);

    assert_ok(root, &err);
    json_table_read(&whole, object, root, room);
    cJSON_Delete(root);
    assert_ok(json_room_whole(room, "x", &err), &err);
}

static void test_table(void **state)
{
    struct json_room room = {0};
    struct whole object;

    (void)state;
    read_text(&object, expected, &room);
    assert_near(object.number, 0.5, 0);
    assert_true(isnan(object.none) && object.no_count == -1 && object.no_flag == -1);
    assert_true(object.flag == 0 && object.count == 7 && object.numbers.count == 2 && isnan(object.numbers.item[1]));
    assert_string_equal(object.value, "[1,0.25]");
    assert_string_equal(object.named.item[1].name, "a");
    char *text = text_of(&object);
    assert_string_equal(text, expected);
    invar_free(text);
    json_table_clear(&whole, &object);
    text = text_of(&object);
    assert_string_equal(text, "{}");
    invar_free(text);
    json_room_free(&room);
}

/* A foreign file: members of another type are not there, and nothing else suffers. */
static void test_foreign(void **state)
{
    static const char foreign[] =
        "{\"number\":\"x\",\"pair\":[1],\"count\":1e99,\"flag\":1,\"text\":3,\"numbers\":{},\"texts\":[1,\"u\"],"
        "\"list\":[1,{\"value\":4}],\"named\":[],\"object\":7,\"unknown\":[{}],\"inner\":10}";
    struct json_room room = {0};
    struct whole object;

    (void)state;
    read_text(&object, foreign, &room);
    char *text = text_of(&object);
    assert_string_equal(text, "{\"texts\":[\"u\"],\"list\":[{\"value\":4}],\"inner\":10}");
    invar_free(text);
    json_room_free(&room);
}

static void test_numbers_by_path(void **state)
{
    struct json_room room = {0};
    struct whole object;

    (void)state;
    read_text(&object, expected, &room);
    assert_near(json_table_number(&whole, &object, "number", ""), 0.5, 0);
    assert_near(json_table_number(&whole, &object, "count", ""), 7, 0);
    assert_near(json_table_number(&whole, &object, "named.a.b.value", ""), 5, 0);
    assert_near(json_table_number(&whole, &object, "named.a", "value"), 6, 0);
    assert_near(json_table_number(&whole, &object, "single.20", ""), 8, 0);
    assert_near(json_table_number(&whole, &object, "object", "value"), 9, 0);
    assert_near(json_table_number(&whole, &object, "inner", ""), 10, 0);
    for (const char *const *none = (const char *const[]){"text", "named", "named.c", "numbers", "no_count", "number.x",
                                                         "flag", "", "single.20.x", NULL};
         *none; none++)
        if (!isnan(json_table_number(&whole, &object, *none, "value")))
            fail_msg("%s has a number", *none);
    json_room_free(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layout), cmocka_unit_test(test_not_whole),
                                       cmocka_unit_test(test_table), cmocka_unit_test(test_foreign),
                                       cmocka_unit_test(test_numbers_by_path)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
