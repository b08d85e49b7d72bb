/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the HTML report: t-SNE, principal components, JSON inside a script element, pictures as text. */
#include "test.h"

#include "invar/device.h"
#include "invar/memory.h"
#include "invar/expert/random.h"
#include "report/json.h"

#include <cjson/cJSON.h>
#include "report/page.h"
#include "report/pca.h"
#include "run/picture.h"
#include "report/tsne.h"

enum { GROUPS = 3, EACH = 30, ROWS = GROUPS * EACH, COLS = 8 };

/* Three groups, far apart on three axes. */
static void make_groups(float *points, float *start)
{
    struct invar_random random = invar_random_stream(5, INVAR_RANDOM_TEST, 0, 0, 0);

    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < COLS; k++)
            points[i * COLS + k] = invar_random_normal(&random) + (k == i / EACH ? 20.0F : 0.0F);
        start[2 * i] = points[i * COLS];
        start[2 * i + 1] = points[i * COLS + 1];
    }
}

static void tsne_keeps_groups_together(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct tsne_options options = tsne_options_default();
    float points[ROWS * COLS], start[ROWS * 2], map[ROWS * 2], again[ROWS * 2];
    double divergence = -1;
    int strangers = 0;

    make_groups(points, start);
    options.perplexity = 10;
    assert_ok(tsne_map(points, ROWS, COLS, start, &options, map, &divergence, &err), &err);
    for (int i = 0; i < ROWS; i++) {
        double nearest = INFINITY;
        int who = -1;
        for (int j = 0; j < ROWS; j++) {
            const double d =
                hypot((double)map[2 * i] - (double)map[2 * j], (double)map[2 * i + 1] - (double)map[2 * j + 1]);
            assert_true(isfinite(d));
            if (j != i && d < nearest) {
                nearest = d;
                who = j;
            }
        }
        strangers += who / EACH != i / EACH;
    }
    assert_int_equal(strangers, 0);
    assert_true(divergence > 0 && divergence < 1);
    assert_ok(tsne_map(points, ROWS, COLS, start, &options, again, NULL, &err), &err);
    assert_memory_equal(map, again, sizeof map);
    options.seed = 1;
    assert_ok(tsne_map(points, ROWS, COLS, start, &options, again, NULL, &err), &err);
    assert_memory_not_equal(map, again, sizeof map);
}

/* Descent lowers the divergence, which is that of the definition. */
static void tsne_divergence_is_that_of_the_map(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct tsne_options few = tsne_options_default(), many = few;
    float points[ROWS * COLS], start[ROWS * 2], map[ROWS * 2];
    double before = 0, after = 0;

    make_groups(points, start);
    few.perplexity = many.perplexity = 10;
    few.iterations = 1;
    assert_ok(tsne_map(points, ROWS, COLS, start, &few, map, &before, &err), &err);
    assert_ok(tsne_map(points, ROWS, COLS, start, &many, map, &after, &err), &err);
    assert_true(after < before / 2);
}

static void tsne_of_equal_points_is_finite(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct tsne_options options = tsne_options_default();
    float points[6 * 2] = {0}, start[6 * 2] = {0}, map[6 * 2];
    double divergence = NAN;

    assert_ok(tsne_map(points, 6, 2, start, &options, map, &divergence, &err), &err);
    for (int i = 0; i < 12; i++)
        assert_true(isfinite(map[i]));
    assert_true(isfinite(divergence));
}

static void tsne_refuses(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct tsne_options options = tsne_options_default();
    float points[4 * 2] = {0, 1, 2, 3, 4, 5, NAN, 7}, start[4 * 2] = {0}, map[4 * 2];

    assert_refused(tsne_map(points, 3, 2, start, &options, map, NULL, &err), &err, INVAR_ERROR_DATA, "4 samples");
    assert_refused(tsne_map(points, 4, 2, start, &options, map, NULL, &err), &err, INVAR_ERROR_NUMERIC, "NaN");
}

static void pca_finds_the_axes(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct invar_device *device = test_device_open(1, &err);
    /* Along (3, 4) / 5 by -2, -1, 0, 3 and across it by 1, -1, -1, 1, both about their means. */
    const double along[4] = {-2, -1, 0, 3}, across[4] = {0.5, -0.5, -0.5, 0.5};
    float points[4 * 2], scores[4 * 3];
    double share[3];

    assert_ok(device != NULL, &err);
    for (int i = 0; i < 4; i++) {
        points[2 * i] = (float)(100 + 0.6 * along[i] - 0.8 * across[i]);
        points[2 * i + 1] = (float)(0.8 * along[i] + 0.6 * across[i]);
    }
    assert_ok(pca_map(device, points, 4, 2, 3, scores, share, &err), &err);
    /* The two are not uncorrelated: variances 14 and 1, sum of products 1. */
    const double middle = 7.5, half = sqrt(6.5 * 6.5 + 1);
    assert_near(share[0], (middle + half) / 15, 1e-5);
    assert_near(share[1], (middle - half) / 15, 1e-5);
    assert_near(share[2], 0, 1e-12);
    for (int i = 0; i < 4; i++)
        assert_near(hypot((double)scores[3 * i], (double)scores[3 * i + 1]), hypot(along[i], across[i]), 1e-4);
    assert_true(scores[9] > 0);
    assert_near(scores[2], 0, 1e-12);
    invar_device_close(device);
}

static void json_cannot_end_its_script(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct json_writer w = {0};
    const double values[] = {1, NAN, 0.125, INFINITY, -2e-7};
    const char *nasty = "</script><!--&\"\\\n";

    json_open_object(&w, NULL);
    json_text(&w, "name", nasty);
    json_reals(&w, "values", values, 5, 1);
    json_close(&w);
    char *json = json_take(&w, &err);
    assert_ok(json != NULL, &err);
    char *text = json_for_script(json, &err);
    assert_ok(text != NULL, &err);
    assert_null(strpbrk(text, "<>&"));
    cJSON *back = cJSON_Parse(text);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(back, "name")), nasty);
    const cJSON *array = cJSON_GetObjectItem(back, "values");
    assert_int_equal(cJSON_GetArraySize(array), 5);
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(array, 1)) && cJSON_IsNull(cJSON_GetArrayItem(array, 3)));
    assert_near(cJSON_GetArrayItem(array, 2)->valuedouble, 0.125, 0);
    assert_near(cJSON_GetArrayItem(array, 4)->valuedouble * 1e7, -2, 1e-12);
    cJSON_Delete(back);
    invar_free(json);
    invar_free(text);
}

static void json_arrays_may_be_empty(void **state)
{
    (void)state;
    struct json_writer w = {0};
    struct invar_error err = {0};

    json_open_object(&w, NULL);
    json_integers(&w, "a", NULL, 0);
    json_floats(&w, "b", NULL, 0, 1);
    json_close(&w);
    char *text = json_take(&w, &err);
    assert_ok(text != NULL, &err);
    assert_string_equal(text, "{\"a\":[],\"b\":[]}");
    invar_free(text);
}

static void pictures_are_base64(void **state)
{
    (void)state;
    struct invar_error err = {0};
    const uint8_t pixels[2 * 3] = {0, 50, 100, 150, 200, 255};
    char *uri = picture_uri(pixels, 2, 3, 1, &err);

    assert_ok(uri != NULL, &err);
    /* A PNG begins with these eight bytes. */
    assert_int_equal(strncmp(uri, "data:image/png;base64,iVBORw0KGgo", 33), 0);
    assert_int_equal((strlen(uri) - strlen("data:image/png;base64,")) % 4, 0);
    invar_free(uri);
}

static void pictures_average_and_turn(void **state)
{
    (void)state;
    const struct invar_dataset_info image = {
        .kind = INVAR_DATA_IMAGE, .channels = 1, .mean = {0.5F}, .deviation = {0.5F}};
    const struct invar_dataset_info clip = {.kind = INVAR_DATA_AUDIO, .channels = 1};
    const float x[4 * 2] = {-1, -1, -1, 1, 1, 1, 1, 1};
    struct picture_shades shades = picture_shades_of(&image, x, 8);
    uint8_t out[8];

    picture_draw(&shades, x, 4, 2, out, 4, 2, 2);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[7], 255);
    picture_draw(&shades, x, 4, 2, out, 2, 1, 1);
    assert_int_equal(out[0], 64); /* three of four are black */
    assert_int_equal(out[1], 255);
    shades = picture_shades_of(&clip, x, 8);
    picture_draw(&shades, x, 4, 2, out, 4, 2, 2);
    assert_int_equal(out[0], 255);
    assert_int_equal(out[6], 0);
}

static void titles_are_escaped(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char path[] = "/tmp/invar-page-XXXXXX";
    const int handle = mkstemp(path);
    struct invar_bytes bytes = {0};

    assert_true(handle >= 0);
    assert_ok(page_write(path, "<b>\"&", "{}", &err), &err);
    assert_ok(invar_file_read(&bytes, path, 1 << 24, &err), &err);
    assert_non_null(strstr((const char *)bytes.data, "<title>&lt;b&gt;&quot;&amp;</title>"));
    assert_null(strstr((const char *)bytes.data, "<b>"));
    assert_non_null(strstr((const char *)bytes.data, "id=\"data\">{}</script>"));
    invar_bytes_free(&bytes);
    remove(path);
    fclose(fdopen(handle, "r"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tsne_keeps_groups_together),
        cmocka_unit_test(tsne_divergence_is_that_of_the_map),
        cmocka_unit_test(tsne_of_equal_points_is_finite),
        cmocka_unit_test(tsne_refuses),
        cmocka_unit_test(pca_finds_the_axes),
        cmocka_unit_test(json_cannot_end_its_script),
        cmocka_unit_test(json_arrays_may_be_empty),
        cmocka_unit_test(pictures_are_base64),
        cmocka_unit_test(pictures_average_and_turn),
        cmocka_unit_test(titles_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
