/* SPDX-License-Identifier: Apache-2.0 */
/* The types that samples of images have: the same picture as bytes, 16 bits or floats gives the same views. */
#include "subject.h"

#define LARGE (24 * 24 * 5)

static const enum invar_dtype types[] = {INVAR_UINT8, INVAR_UINT16, INVAR_FLOAT32};

/* The sample of bytes in another type. */
static struct invar_sample as_type(const struct invar_sample *bytes, enum invar_dtype dtype)
{
    const size_t count = (size_t)bytes->height * (size_t)bytes->width * (size_t)bytes->channels;
    const uint8_t *from = bytes->data;
    struct invar_sample out = *bytes;
    void *data = malloc(count * invar_dtype_size(dtype));

    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        if (dtype == INVAR_UINT8)
            ((uint8_t *)data)[i] = from[i];
        else if (dtype == INVAR_UINT16)
            ((uint16_t *)data)[i] = (uint16_t)(257 * from[i]);
        else
            ((float *)data)[i] = (float)from[i] / 255.0f;
    }
    out.dtype = dtype;
    out.data = data;
    return out;
}

/* A view of each kind of one sample. */
static void view(const struct invar_sample *sample, int cubic, bool plain, int size, float *out)
{
    struct invar_error err = {0};
    struct invar_view_output output = subject_output(size, size, sample->channels);
    struct invar_view_params params = subject_params(sample);
    output.interpolation = (enum invar_interpolation)cubic;
    params.crop_x = 2.25f;
    params.crop_y = 1.5f;
    params.crop_width = 13.5f;
    params.crop_height = 9.25f;
    params.flip = true;
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
    assert_ok(workspace, &err);
    if (plain)
        assert_ok(invar_view_plain(&output, sample, workspace, out, &err), &err);
    else
        assert_ok(invar_view_apply(&params, &output, sample, workspace, out, &err), &err);
    invar_view_workspace_free(workspace);
}

static void test_types_agree(void **state)
{
    (void)state;
    static float expected[LARGE], got[LARGE];
    static const int channels[] = {1, 3, 5}, sizes[] = {7, 16, 24};
    for (int k = 0; k < 3; k++) {
        struct invar_sample bytes = subject_sample(16, 16, channels[k], 3);
        for (int way = 0; way < 9; way++) {
            const int size = sizes[way / 3], cubic = way % 3 == 1;
            view(&bytes, cubic, way % 3 == 2, size, expected);
            for (size_t t = 1; t < sizeof types / sizeof *types; t++) {
                struct invar_sample other = as_type(&bytes, types[t]);
                view(&other, cubic, way % 3 == 2, size, got);
                for (int i = 0; i < size * size * channels[k]; i++)
                    assert_near(got[i], expected[i], 1e-6);
                subject_free(&other);
            }
        }
        subject_free(&bytes);
    }
}

/* What 8 bits would merge stays apart, to the last of the 16. */
static void test_sixteen_bits_are_kept(void **state)
{
    (void)state;
    uint16_t data[8 * 8];
    float out[8 * 8];
    struct invar_error err = {0};
    for (int i = 0; i < 8 * 8; i++)
        data[i] = (uint16_t)(200 + i);
    const struct invar_sample sample = {INVAR_DATA_IMAGE, INVAR_UINT16, 8, 8, 1, data, 0, -1, -1};
    const struct invar_view_output output = subject_output(8, 8, 1);
    const struct invar_view_params params = subject_params(&sample);
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);
    assert_ok(workspace, &err);
    for (int plain = 0; plain < 2; plain++) {
        if (plain)
            assert_ok(invar_view_plain(&output, &sample, workspace, out, &err), &err);
        else
            assert_ok(invar_view_apply(&params, &output, &sample, workspace, out, &err), &err);
        for (int i = 0; i < 8 * 8; i++)
            assert_true(out[i] == (float)(200 + i) / 65535.0f);
    }
    invar_view_workspace_free(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_agree),
        cmocka_unit_test(test_sixteen_bits_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
