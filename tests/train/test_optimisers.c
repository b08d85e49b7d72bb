/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers and schedules against the golden cases (`OPT`, `SCHED`, [R4]), and what the cases do not ask. */
#include "device.h"
#include "optimise.h"

#include "invar/expert/random.h"
#include "invar/train.h"

#include <cjson/cJSON.h>

TEST_COVERS("optimiser.sgd optimiser.adam optimiser.adamw optimiser.lars");

#define MOST 4

struct fixture {
    const struct invar_optimiser_spec *spec;
    void *options;
    struct invar_net net;
    struct invar_parameter parameter[MOST];
    struct invar_weights weights;
    float *buffers[4];
    int64_t offset[MOST];
};

static void fixture_options(struct fixture *f, const char *name)
{
    struct invar_error err = {0};

    *f = (struct fixture){0};
    f->spec = invar_optimiser_find(name, &err);
    assert_non_null(f->spec);
    f->options = calloc(1, f->spec->options_size);
    invar_options_default(f->spec->options, f->options);
}

/* A net that is nothing but parameters: weights where two-dimensional, biases where not. */
static void fixture_add(struct fixture *f, int rank, int64_t count)
{
    struct invar_parameter *p = &f->parameter[f->net.parameter_count];

    p->role = rank > 1 ? INVAR_PARAMETER_WEIGHT : INVAR_PARAMETER_BIAS;
    p->count = count;
    p->offset = f->offset[f->net.parameter_count++] = f->net.trained_count;
    f->net.trained_count += count;
    f->net.parameters = f->parameter;
}

static void fixture_weights(struct fixture *f)
{
    struct invar_error err = {0};
    size_t count = (size_t)f->net.trained_count;

    f->weights = (struct invar_weights){.device = device, .net = &f->net};
    f->weights.parameters = invar_device_alloc(device, count, sizeof(float), &err);
    f->weights.gradients = invar_device_alloc(device, count, sizeof(float), &err);
    for (int b = 0; b < f->spec->buffers; b++)
        f->buffers[b] = invar_device_alloc(device, count, sizeof(float), &err);
}

static void fixture_free(struct fixture *f)
{
    invar_device_free(device, f->weights.parameters);
    invar_device_free(device, f->weights.gradients);
    for (int b = 0; b < f->spec->buffers; b++)
        invar_device_free(device, f->buffers[b]);
    free(f->options);
}

static void update(struct fixture *f, double rate, int64_t step)
{
    struct invar_error err = {0};

    assert_ok(optimise_once(f->spec, f->options, &f->weights, f->buffers, rate, step, &err), &err);
}

static cJSON *read_case(const char *name)
{
    char path[256];
    struct invar_bytes bytes;
    struct invar_error err = {0};
    cJSON *json;

    snprintf(path, sizeof path, "tests/golden/%s/case.json", name);
    assert_ok(invar_file_read(&bytes, path, 1 << 20, &err), &err);
    json = cJSON_Parse((const char *)bytes.data);
    invar_bytes_free(&bytes);
    assert_non_null(json);
    return json;
}

static double number(const cJSON *json, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(json, key));
}

static void set_options(struct fixture *f, const cJSON *options)
{
    struct invar_error err = {0};

    for (const cJSON *o = options->child; o; o = o->next) {
        char assignment[256];
        char *value;
        if (strcmp(o->string, "lr") == 0 || strcmp(o->string, "steps") == 0)
            continue;
        value = cJSON_PrintUnformatted(o);
        snprintf(assignment, sizeof assignment, "%s=%s", o->string, value);
        assert_ok(invar_options_set(f->spec->options, f->options, assignment, &err), &err);
        free(value);
    }
}

static double rate_of_step(const cJSON *options, int step)
{
    const cJSON *lr = cJSON_GetObjectItem(options, "lr");
    return cJSON_GetNumberValue(cJSON_IsArray(lr) ? cJSON_GetArrayItem(lr, step) : lr);
}

static void run_case(const char *name)
{
    struct fixture f;
    cJSON *json = read_case(name);
    const cJSON *options = cJSON_GetObjectItem(json, "options");
    struct invar_array start[MOST], gradient[MOST], expected[MOST];
    int count = cJSON_GetArraySize(cJSON_GetObjectItem(json, "inputs")) / 2;
    int steps = (int)number(options, "steps");
    float got[64];

    fixture_options(&f, cJSON_GetStringValue(cJSON_GetObjectItem(json, "term")));
    set_options(&f, options);
    for (int i = 0; i < count; i++) {
        char file[64];
        snprintf(file, sizeof file, "param%d", i);
        start[i] = test_golden_as(name, file, INVAR_FLOAT32);
        snprintf(file, sizeof file, "grad_seq%d", i);
        gradient[i] = test_golden_as(name, file, INVAR_FLOAT32);
        snprintf(file, sizeof file, "out_param%d", i);
        expected[i] = test_golden(name, file);
        fixture_add(&f, start[i].rank, invar_array_count(&start[i]));
    }
    fixture_weights(&f);
    for (int i = 0; i < count; i++)
        invar_device_upload(device, f.weights.parameters + f.offset[i], start[i].data,
                            (size_t)f.parameter[i].count * sizeof(float));
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < count; i++)
            invar_device_upload(device, f.weights.gradients + f.offset[i],
                                (float *)gradient[i].data + step * f.parameter[i].count,
                                (size_t)f.parameter[i].count * sizeof(float));
        update(&f, rate_of_step(options, step), step + 1);
        for (int i = 0; i < count; i++) {
            invar_device_download(device, got, f.weights.parameters + f.offset[i],
                                  (size_t)f.parameter[i].count * sizeof(float));
            double error = test_error_f32(got, (double *)expected[i].data + step * f.parameter[i].count,
                                          f.parameter[i].count, number(json, "floor"));
            if (!(error <= number(json, "tolerance_f32")))
                fail_msg("%s: parameter %d after step %d is off by %g", name, i, step + 1, error);
        }
    }
    for (int i = 0; i < count; i++) {
        invar_array_free(&start[i]);
        invar_array_free(&gradient[i]);
        invar_array_free(&expected[i]);
    }
    fixture_free(&f);
    cJSON_Delete(json);
}

static void test_golden_optimisers(void **state)
{
    (void)state;
    run_case("sgd_momentum");
    run_case("sgd_nesterov_decay");
    run_case("adam_eps001");
    run_case("adamw_default");
    run_case("lars_basic");
    run_case("lars_changing_rate");
}

/* What solo-learn's LARS does, as read from its code: eta |p| / (|g| + wd |p| + 1e-8), at most the rate where clipped;
 * plain momentum without decay on 1-D parameters. */
static void solo_lars(double *p, const double *g, double *buffer, int count, bool one, bool clip, double lr)
{
    const double eta = 0.02, decay = 0.05, momentum = 0.9;
    double pp = 0, gg = 0, rate;

    for (int i = 0; i < count; i++) {
        pp += p[i] * p[i];
        gg += g[i] * g[i];
    }
    rate = eta * sqrt(pp) / (sqrt(gg) + decay * sqrt(pp) + 1e-8);
    if (clip)
        rate = (rate / lr < 1 ? rate / lr : 1);
    if (one || pp == 0 || gg == 0)
        rate = 1;
    for (int i = 0; i < count; i++) {
        buffer[i] = momentum * buffer[i] + rate * (g[i] + (one ? 0 : decay * p[i]));
        p[i] -= lr * buffer[i];
    }
}

/* Rates below and above the local one, so that clipping acts in some steps and not in others. */
static void test_lars_apart(void **state)
{
    static const double rates[] = {0.001, 0.004, 0.3, 1, 0.02, 5};
    struct invar_error err = {0};
    struct invar_random random = invar_random_stream(3, INVAR_RANDOM_TEST, 0, 0, 0);

    (void)state;
    for (int clip = 0; clip < 2; clip++) {
        struct fixture f;
        double p[9], buffer[9] = {0};
        float start[9], got[9];
        int acted = 0;
        fixture_options(&f, "lars");
        assert_ok(invar_options_set(f.spec->options, f.options, "trust=0.02", &err), &err);
        assert_ok(invar_options_set(f.spec->options, f.options, "weight_decay=0.05", &err), &err);
        assert_ok(invar_options_set(f.spec->options, f.options, "norm=apart", &err), &err);
        assert_ok(invar_options_set(f.spec->options, f.options, clip ? "clip=true" : "clip=false", &err), &err);
        fixture_add(&f, 2, 6);
        fixture_add(&f, 1, 3);
        fixture_weights(&f);
        for (int i = 0; i < 9; i++)
            p[i] = start[i] = invar_random_normal(&random);
        invar_device_upload(device, f.weights.parameters, start, sizeof start);
        for (int step = 0; step < 6; step++) {
            double g[9], before = 0;
            float gradient[9];
            for (int i = 0; i < 9; i++)
                g[i] = gradient[i] = invar_random_normal(&random) * (step == 2 ? 100.0f : 1.0f);
            for (int i = 0; i < 6; i++)
                before += p[i] * p[i];
            acted += 0.02 * sqrt(before) < rates[step];
            solo_lars(p, g, buffer, 6, false, clip, rates[step]);
            solo_lars(p + 6, g + 6, buffer + 6, 3, true, clip, rates[step]);
            invar_device_upload(device, f.weights.gradients, gradient, sizeof gradient);
            update(&f, rates[step], step + 1);
        }
        invar_device_download(device, got, f.weights.parameters, sizeof got);
        for (int i = 0; i < 9; i++)
            assert_near(got[i], p[i], 2e-5 * (1 + fabs(p[i])));
        assert_true(acted > 0);
        fixture_free(&f);
    }
}

/* A rate of 0, as in the first step of a warm-up, moves nothing with clipping and divides by nothing. */
static void test_lars_clip_at_zero(void **state)
{
    struct fixture f;
    struct invar_error err = {0};
    float p[2] = {1, -2}, g[2] = {0.5f, 0.25f};

    (void)state;
    fixture_options(&f, "lars");
    assert_ok(invar_options_set(f.spec->options, f.options, "clip=true", &err), &err);
    fixture_add(&f, 2, 2);
    fixture_weights(&f);
    invar_device_upload(device, f.weights.parameters, p, sizeof p);
    invar_device_upload(device, f.weights.gradients, g, sizeof g);
    update(&f, 0, 1);
    invar_device_download(device, p, f.weights.parameters, sizeof p);
    assert_true(p[0] == 1 && p[1] == -2);
    fixture_free(&f);
}

static void test_start_ratio(void **state)
{
    (void)state;
    assert_near(invar_schedule_rate(0.4, 0, 10, 100, 0.1, 0), 0.04, 1e-15);
    assert_near(invar_schedule_rate(0.4, 5, 10, 100, 0.1, 0), 0.22, 1e-15);
    assert_near(invar_schedule_rate(0.4, 10, 10, 100, 0.1, 0), 0.4, 1e-15);
    assert_near(invar_schedule_rate(0.4, 55, 10, 100, 0.1, 0), 0.2, 1e-15);
}

/* With the option, decay moves the weight and leaves the bias; without, it moves both. */
static void test_exclusion(void **state)
{
    static const char *const kinds[] = {"sgd", "adam", "adamw"};

    (void)state;
    for (int k = 0; k < 3; k++) {
        for (int exclude = 0; exclude < 2; exclude++) {
            struct fixture f;
            struct invar_error err = {0};
            float p[3] = {1, 1, 1};
            fixture_options(&f, kinds[k]);
            assert_ok(invar_options_set(f.spec->options, f.options, "weight_decay=0.5", &err), &err);
            assert_ok(invar_options_set(f.spec->options, f.options,
                                        exclude ? "exclude_1d_from_decay=true" : "exclude_1d_from_decay=false", &err),
                      &err);
            fixture_add(&f, 2, 2);
            fixture_add(&f, 1, 1);
            fixture_weights(&f);
            invar_device_upload(device, f.weights.parameters, p, sizeof p);
            update(&f, 0.1, 1);
            invar_device_download(device, p, f.weights.parameters, sizeof p);
            assert_true(p[0] < 1 && p[1] < 1);
            assert_true(exclude ? p[2] >= 1 : p[2] < 1);
            fixture_free(&f);
        }
    }
}

static void descend(const struct invar_update *u, int segment, int64_t from, int64_t to)
{
    (void)segment;
    for (int64_t i = from; i < to; i++)
        u->parameters[i] -= (float)u->scalars[INVAR_SCALAR_RATE];
}

/* A kernel is all that an optimiser must have: the vector is then updated in one, decay apart or not. */
static void test_kernel_alone(void **state)
{
    static const struct invar_optimiser_spec plain = {.name = "plain", .help = "", .kernel = descend};
    struct fixture f = {.spec = &plain};
    float p[3] = {1, 2, 3};

    (void)state;
    fixture_add(&f, 2, 2);
    fixture_add(&f, 1, 1);
    fixture_weights(&f);
    invar_device_upload(device, f.weights.parameters, p, sizeof p);
    update(&f, 0.5, 1);
    invar_device_download(device, p, f.weights.parameters, sizeof p);
    for (int i = 0; i < 3; i++)
        assert_true(p[i] == (float)i + 0.5f);
    fixture_free(&f);
}

static void test_unknown(void **state)
{
    struct invar_error err = {0};

    (void)state;
    assert_refused(invar_optimiser_find("adagrad", &err), &err, INVAR_ERROR_USAGE, "known are: sgd, adam, adamw, lars");
}

static void test_golden_schedules(void **state)
{
    static const char *const cases[] = {"lr_schedule_relic", "lr_schedule_vicreg"};

    (void)state;
    for (int c = 0; c < 2; c++) {
        cJSON *json = read_case(cases[c]);
        const cJSON *o = cJSON_GetObjectItem(json, "options");
        struct invar_array expected = test_golden(cases[c], "out_lr");
        int64_t total = (int64_t)number(o, "total_steps");
        assert_int_equal(invar_array_count(&expected), total);
        for (int64_t k = 0; k < total; k++) {
            double got = invar_schedule_rate(number(o, "base_rate") * number(o, "batch") / 256, k,
                                             (int64_t)number(o, "warmup_steps"), total, 0, number(o, "final_ratio"));
            assert_near(got, ((double *)expected.data)[k], 1e-12);
        }
        invar_array_free(&expected);
        cJSON_Delete(json);
    }
}

static void test_golden_momentum(void **state)
{
    struct invar_array expected = test_golden("ema_values_k20", "out_m");

    (void)state;
    assert_int_equal(invar_array_count(&expected), 21);
    for (int64_t k = 0; k <= 20; k++)
        assert_near(invar_schedule_momentum(0.996, k, 20), ((double *)expected.data)[k], 1e-12);
    invar_array_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_optimisers), cmocka_unit_test(test_exclusion),
        cmocka_unit_test(test_unknown),           cmocka_unit_test(test_golden_schedules),
        cmocka_unit_test(test_golden_momentum),   cmocka_unit_test(test_lars_apart),
        cmocka_unit_test(test_kernel_alone),      cmocka_unit_test(test_lars_clip_at_zero),
        cmocka_unit_test(test_start_ratio),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
