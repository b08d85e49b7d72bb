/* SPDX-License-Identifier: Apache-2.0 */
/* A case folder in memory, and the comparison of results with it. */
#include "golden_runner/golden.h"

#include "invar/expert/file.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool read_array(const struct golden_case *c, const char *file, struct invar_array *out, struct invar_error *err)
{
    char path[2048];

    snprintf(path, sizeof path, "%s/%s", c->folder, file);
    return invar_npy_read(out, path, err);
}

static bool bad_case(const struct golden_case *c, struct invar_error *err, const char *what)
{
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s/case.json: %s", c->folder, what);
}

static bool read_inputs(struct golden_case *c, struct invar_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(c->json, "inputs"))
    {
        const char *file = cJSON_GetStringValue(item);
        if (!file || strlen(file) < 5 || c->input_count == GOLDEN_MAX_INPUTS)
            return bad_case(c, err, "inputs must be a list of file names, at most 32");
        struct golden_input *input = &c->inputs[c->input_count++];
        snprintf(input->name, sizeof input->name, "%.*s", (int)(strlen(file) - 4), file);
        if (!read_array(c, file, &input->array, err))
            return false;
    }
    return true;
}

static bool add_results(struct golden_case *c, const char *key, bool scalar, bool gradient, struct invar_error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(c->json, key))
    {
        if (c->result_count == GOLDEN_MAX_RESULTS || !(scalar ? cJSON_IsNumber(item) : cJSON_IsString(item)))
            return bad_case(c, err, "expected must hold numbers, expected_arrays and gradients file names");
        struct golden_result *result = &c->results[c->result_count++];
        snprintf(result->name, sizeof result->name, "%s", item->string);
        result->scalar = scalar;
        result->gradient = gradient;
        if (scalar)
            result->value = item->valuedouble;
        else if (!read_array(c, item->valuestring, &result->array, err))
            return false;
    }
    return true;
}

static bool read_number(const struct golden_case *c, const char *key, double *out, struct invar_error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(c->json, key);

    if (!cJSON_IsNumber(item))
        return bad_case(c, err, "tolerance_f32, tolerance_f64 and floor must be numbers");
    *out = item->valuedouble;
    return true;
}

/* options that other spellings of "normalise" name */
static void spell(char *text)
{
    for (char *at = text; (at = strstr(at, "normaliz")); at++)
        at[7] = 's';
}

bool golden_case_read(struct golden_case *c, const char *folder, struct invar_error *err)
{
    struct invar_bytes bytes = {0};
    char path[2048];

    snprintf(c->folder, sizeof c->folder, "%s", folder);
    snprintf(path, sizeof path, "%s/case.json", folder);
    if (!invar_file_read(&bytes, path, 1 << 20, err))
        return false;
    spell((char *)bytes.data);
    c->json = cJSON_Parse((const char *)bytes.data);
    invar_bytes_free(&bytes);
    c->term = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c->json, "term"));
    c->gradient_of = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c->json, "gradient_of"));
    c->options = cJSON_GetObjectItemCaseSensitive(c->json, "options");
    if (!c->json || !c->term)
        return bad_case(c, err, "not JSON, or without a term");
    return read_number(c, "tolerance_f32", &c->tolerance_f32, err) &&
           read_number(c, "tolerance_f64", &c->tolerance_f64, err) && read_number(c, "floor", &c->floor, err) &&
           read_inputs(c, err) && add_results(c, "expected", true, false, err) &&
           add_results(c, "expected_arrays", false, false, err) && add_results(c, "gradients", false, true, err);
}

void golden_case_free(struct golden_case *c)
{
    for (int i = 0; i < c->input_count; i++)
        invar_array_free(&c->inputs[i].array);
    for (int i = 0; i < c->result_count; i++)
        invar_array_free(&c->results[i].array);
    cJSON_Delete(c->json);
}

const struct invar_array *golden_input(const struct golden_case *c, const char *name)
{
    for (int i = 0; i < c->input_count; i++)
        if (strcmp(c->inputs[i].name, name) == 0)
            return &c->inputs[i].array;
    return NULL;
}

bool golden_matrix(struct golden_case *c, const char *name, struct invar_matrix *out)
{
    const struct invar_array *input = golden_input(c, name);
    struct invar_array converted = {0};
    struct invar_error err = {0};

    *out = (struct invar_matrix){0};
    if (!input)
        return golden_fail(c, "the case has no input %s", name);
    if (!invar_array_convert(&converted, input, c->precision, &err))
        return golden_fail(c, "%s: %s", name, err.message);
    out->dtype = c->precision;
    out->rows = input->shape[0];
    out->cols = invar_array_count(input) / input->shape[0];
    out->data = converted.data;
    return true;
}

const cJSON *golden_option(struct golden_case *c, const char *option)
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach(item, c->options)
    {
        if (strcmp(item->string, option) == 0) {
            c->known |= i < 64 ? (uint64_t)1 << i : 0;
            return item;
        }
        i++;
    }
    return NULL;
}

double golden_real(struct golden_case *c, const char *option, double otherwise)
{
    const cJSON *item = golden_option(c, option);

    if (item && !cJSON_IsNumber(item))
        golden_fail(c, "the option %s is no number", option);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

bool golden_flag(struct golden_case *c, const char *option)
{
    const cJSON *item = golden_option(c, option);

    if (item && !cJSON_IsBool(item))
        golden_fail(c, "the option %s is neither true nor false", option);
    return cJSON_IsTrue(item);
}

void golden_fixed(struct golden_case *c, const char *option, const char *json)
{
    const cJSON *item = golden_option(c, option);
    cJSON *only = cJSON_Parse(json);

    if (item && !cJSON_Compare(item, only, true))
        golden_fail(c, "the option %s must be %s: the runner has nothing else", option, json);
    cJSON_Delete(only);
}

void golden_differentiates(struct golden_case *c, const char *what)
{
    if (c->gradient_of && strcmp(c->gradient_of, what) != 0)
        golden_fail(c, "gradient_of must be %s, not %s: the runner has nothing else", what, c->gradient_of);
}

void golden_expect_known(struct golden_case *c)
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach(item, c->options)
    {
        if (i >= 64 || !(c->known >> i & 1))
            golden_fail(c, "the runner of %s does not know the option %s", c->term, item->string);
        i++;
    }
}

void golden_assignment(const cJSON *option, char *out, size_t size)
{
    char *text = cJSON_PrintUnformatted(option);
    const size_t length = text ? strlen(text) : 0;

    /* a quoted string loses its quotes; numbers, flags and lists are YAML as they stand */
    if (cJSON_IsString(option) && length >= 2)
        snprintf(out, size, "%s=%.*s", option->string, (int)length - 2, text + 1);
    else
        snprintf(out, size, "%s=%s", option->string, text ? text : "");
    cJSON_free(text);
}

bool golden_fail(struct golden_case *c, const char *format, ...)
{
    va_list list;

    if (c->failure[0])
        return false;
    va_start(list, format);
    vsnprintf(c->failure, sizeof c->failure, format, list);
    va_end(list);
    return false;
}

static struct golden_result *find_result(struct golden_case *c, const char *name, bool gradient)
{
    for (int i = 0; i < c->result_count; i++)
        if (c->results[i].gradient == gradient && strcmp(c->results[i].name, name) == 0)
            return &c->results[i];
    return NULL;
}

void golden_give(struct golden_case *c, const char *name, bool gradient, double tolerance, const double *values,
                 int64_t count)
{
    struct golden_result *result = find_result(c, name, gradient);
    double difference = 0, norm = 0;

    if (!result)
        return;
    result->given = true;
    const int64_t expected_count = result->scalar ? 1 : invar_array_count(&result->array);
    const double *expected = result->scalar ? &result->value : result->array.data;
    if (count != expected_count || (!result->scalar && result->array.dtype != INVAR_FLOAT64)) {
        golden_fail(c, "%s has %lld real numbers, expected %lld", name, (long long)count, (long long)expected_count);
        return;
    }
    if (tolerance <= 0)
        tolerance = c->precision == INVAR_FLOAT32 ? c->tolerance_f32 : c->tolerance_f64;
    for (int64_t i = 0; i < count; i++) {
        difference += (values[i] - expected[i]) * (values[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    const double limit = tolerance * fmax(sqrt(norm), c->floor);
    if (!(sqrt(difference) <= limit))
        golden_fail(c, "%s%s, %s: off by %.3g where %.3g is allowed (first value %.9g, expected %.9g)",
                    gradient ? "gradient of " : "", name, invar_dtype_name(c->precision), sqrt(difference), limit,
                    count ? values[0] : 0, count ? expected[0] : 0);
}

void golden_give_scalar(struct golden_case *c, const char *name, double value)
{
    golden_give(c, name, false, 0, &value, 1);
}

void golden_give_array(struct golden_case *c, const char *name, const double *values, int64_t count)
{
    golden_give(c, name, false, 0, values, count);
}

void golden_give_data(struct golden_case *c, const char *name, bool gradient, enum invar_dtype dtype, const void *data,
                      int64_t count)
{
    const size_t bytes = (size_t)count * invar_dtype_size(dtype);
    double *values = malloc(sizeof *values * (size_t)(count > 0 ? count : 1));
    void *copy = malloc(bytes + 1);

    if (values && copy) {
        invar_device_download(c->device, copy, data, bytes);
        for (int64_t i = 0; i < count; i++)
            values[i] = dtype == INVAR_FLOAT32 ? (double)((float *)copy)[i] : ((double *)copy)[i];
        golden_give(c, name, gradient, 0, values, count);
    }
    free(values);
    free(copy);
}

void golden_give_integers(struct golden_case *c, const char *name, const int64_t *values, int64_t count)
{
    struct golden_result *result = find_result(c, name, false);

    if (!result)
        return;
    result->given = true;
    if (result->scalar || result->array.dtype != INVAR_INT64 || invar_array_count(&result->array) != count)
        golden_fail(c, "%s is not the list of integers that is expected", name);
    else if (memcmp(values, result->array.data, (size_t)count * sizeof *values) != 0)
        golden_fail(c, "%s: integers differ", name);
}
