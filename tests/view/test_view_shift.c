/* SPDX-License-Identifier: Apache-2.0 */
/* Views as agents have them: shifts by whole pixels over copied borders, and one factor for the whole image. */
#include "subject.h"

TEST_COVERS("view.shift view.intensity");

enum { HEIGHT = 5, WIDTH = 7, CHANNELS = 3, SIZE = CHANNELS * HEIGHT * WIDTH, DRAWS = 20000 };

/* How the operations keep their draws. */
struct shift {
    int down, right;
};
struct intensity {
    bool on;
    float factor;
};

static struct shift *shift_of(struct invar_view_params *params)
{
    return (void *)params->own[VIEW_PLACE_shift];
}

static struct intensity *intensity_of(struct invar_view_params *params)
{
    return (void *)params->own[VIEW_PLACE_intensity];
}

static void apply(const struct invar_sample *sample, const struct invar_view_params *params, float *out)
{
    const struct invar_view_output output = subject_output(HEIGHT, WIDTH, CHANNELS);
    struct invar_error err = {0};
    struct invar_view_workspace *workspace = invar_view_workspace_create(&output, &err);

    assert_ok(workspace, &err);
    assert_ok(invar_view_apply(params, &output, sample, workspace, out, &err), &err);
    invar_view_workspace_free(workspace);
}

static int within(int i, int count)
{
    return i < 0 ? 0 : i >= count ? count - 1 : i;
}

/* Also by more than the image is large, where all is border. */
static void every_shift_copies_the_border(void **state)
{
    struct invar_sample sample = subject_sample(HEIGHT, WIDTH, CHANNELS, 0);
    struct invar_view_params params = subject_params(&sample);
    float whole[SIZE], got[SIZE];

    (void)state;
    apply(&sample, &params, whole);
    for (int down = -HEIGHT - 1; down <= HEIGHT + 1; down++)
        for (int right = -WIDTH - 1; right <= WIDTH + 1; right++) {
            *shift_of(&params) = (struct shift){down, right};
            apply(&sample, &params, got);
            for (int i = 0; i < SIZE; i++) {
                const int c = i / (HEIGHT * WIDTH), y = i / WIDTH % HEIGHT, x = i % WIDTH;
                assert_true(got[i] ==
                            whole[(c * HEIGHT + within(y + down, HEIGHT)) * WIDTH + within(x + right, WIDTH)]);
            }
        }
    subject_free(&sample);
}

static void shifts_are_uniform(void **state)
{
    struct invar_sample sample = subject_sample(HEIGHT, WIDTH, CHANNELS, 0);
    struct invar_view_options options = subject_identity();
    int seen[5][5] = {{0}};

    (void)state;
    subject_set(&options, "shift=2");
    for (sample.index = 0; sample.index < DRAWS; sample.index++) {
        struct invar_view_params params;
        invar_view_draw(&params, &options, 3, 0, &sample, 0);
        assert_in_range(shift_of(&params)->down + 2, 0, 4);
        assert_in_range(shift_of(&params)->right + 2, 0, 4);
        seen[shift_of(&params)->down + 2][shift_of(&params)->right + 2]++;
    }
    for (int i = 0; i < 25; i++)
        assert_near(seen[i / 5][i % 5], DRAWS / 25, 6 * 28); /* six deviations */
    subject_free(&sample);
}

static void intensity_is_one_factor(void **state)
{
    struct invar_sample sample = subject_sample(HEIGHT, WIDTH, CHANNELS, 0);
    struct invar_view_params params = subject_params(&sample);
    float whole[SIZE], got[SIZE];

    (void)state;
    apply(&sample, &params, whole);
    *intensity_of(&params) = (struct intensity){true, 0.83f};
    apply(&sample, &params, got);
    for (int i = 0; i < SIZE; i++)
        assert_true(got[i] == whole[i] * 0.83f);
    subject_free(&sample);
}

/* Of a normal number that is kept within two deviations, the second moment is 0.9205, and 4.55 % lie at the ends. */
static void factors_are_kept_normal(void **state)
{
    struct invar_sample sample = subject_sample(HEIGHT, WIDTH, CHANNELS, 0);
    struct invar_view_options options = subject_identity();
    double mean = 0, square = 0, ends = 0;

    (void)state;
    subject_set(&options, "intensity=0.1");
    for (sample.index = 0; sample.index < DRAWS; sample.index++) {
        struct invar_view_params params;
        invar_view_draw(&params, &options, 3, 0, &sample, 0);
        const double normal = ((double)intensity_of(&params)->factor - 1) / 0.1;
        assert_true(intensity_of(&params)->on && fabs(normal) < 2.00001);
        mean += normal / DRAWS;
        square += normal * normal / DRAWS;
        ends += (fabs(normal) > 1.99999) / (double)DRAWS;
    }
    assert_near(mean, 0, 0.05);
    assert_near(square, 0.9205, 0.05);
    assert_near(ends, 0.0455, 0.01);
    subject_free(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shift_copies_the_border),
        cmocka_unit_test(shifts_are_uniform),
        cmocka_unit_test(intensity_is_one_factor),
        cmocka_unit_test(factors_are_kept_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
