/* SPDX-License-Identifier: Apache-2.0 */
/* A term on given embeddings, with its gradient: `invar loss` and whoever has arrays. Names are those of the golden
 * cases. */
#include "invar/expert/objective.h"
#include "base/options.h"
#include "invar/memory.h"

#include <stdio.h>
#include <string.h>

struct loss_input {
    char name[32];
    enum invar_role role;
    int view, rank; /* rank 1: a bias, which is a matrix of one row here */
};

/* Inputs that are no matrices. */
enum { GROUPS, LABELS, PARTNER, SHARE, BESIDE };

struct loss_run {
    const struct invar_term_spec *term;
    void *options;
    enum invar_dtype dtype;
    struct loss_input inputs[INVAR_LOSS_INPUTS];
    int input_count;
    struct invar_embeddings in, gradient; /* device memory */
    struct invar_array beside[BESIDE];
};

static bool has_option(const struct invar_term_spec *term, const char *assignment)
{
    return option_find(term->options, assignment, strcspn(assignment, "="), NULL);
}

/* Of these: one number a sample, of a type, and the bit of the terms that read it. */
static const struct {
    const char *name, *what;
    enum invar_dtype dtype;
    unsigned role;
} beside[BESIDE] = {
    [GROUPS] = {"groups", "group ids must be integers (int64)", INVAR_INT64, INVAR_ROLE_GROUPS},
    [LABELS] = {"labels", "labels must be integers (int64)", INVAR_INT64, INVAR_ROLE_LABELS},
    [PARTNER] = {"partner", "partners must be integers (int64)", INVAR_INT64, INVAR_ROLE_MIXTURE},
    [SHARE] = {"share", "shares must be float64", INVAR_FLOAT64, INVAR_ROLE_MIXTURE},
};

static int find_beside(const char *name)
{
    int which = 0;
    while (which < BESIDE && strcmp(beside[which].name, name) != 0)
        which++;
    return which;
}

/* `--in z1=a.npy z2=b.npy` gives z2 without --in; it is an input where the term has no such option */
static bool is_input(const struct invar_term_spec *term, const char *assignment)
{
    char name[32];
    enum invar_role role;
    int view;

    snprintf(name, sizeof name, "%.*s", (int)strcspn(assignment, "="), assignment);
    return !has_option(term, assignment) &&
           (find_beside(name) < BESIDE || invar_term_find_input(term, name, &role, &view));
}

static bool read_beside(struct loss_run *run, int which, const char *path, struct invar_error *err)
{
    struct invar_array *array = &run->beside[which];

    if (array->data)
        return invar_error_set(err, INVAR_ERROR_USAGE, "the input %s is given twice: give it once", beside[which].name);
    if (!invar_npy_read(array, path, err))
        return false;
    if (array->dtype != beside[which].dtype || array->rank != 1)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: %s along one axis", path, beside[which].what);
    if (which == GROUPS)
        run->in.groups = array->data;
    else if (which == LABELS)
        run->in.labels = array->data;
    else if (which == PARTNER)
        run->in.partner = array->data;
    else
        run->in.share = array->data;
    return true;
}

/* an array of the file into device memory in the type of the run, with room for its gradient */
static bool read_matrix(struct loss_run *run, struct invar_device *device, const char *path, struct loss_input *input,
                        struct invar_matrix *x, struct invar_matrix *dx, struct invar_error *err)
{
    struct invar_array stored = {0}, values = {0};
    bool ok = false;

    if (!invar_npy_read(&stored, path, err))
        goto done;
    input->rank = stored.rank;
    if ((stored.rank != 2 && !(stored.rank == 1 && input->role == INVAR_ROLE_W)) ||
        (stored.dtype != INVAR_FLOAT32 && stored.dtype != INVAR_FLOAT64)) {
        invar_error_set(err, INVAR_ERROR_FORMAT,
                        "%s: holds %s along %d axes; expected float32 or float64, samples x dimensions", path,
                        invar_dtype_name(stored.dtype), stored.rank);
        goto done;
    }
    const int64_t count = invar_array_count(&stored);
    if (count == 0) {
        invar_error_set(err, INVAR_ERROR_DATA, "%s: is empty (%lld x %lld); expected at least one number", path,
                        (long long)stored.shape[0], (long long)(stored.rank == 2 ? stored.shape[1] : 1));
        goto done;
    }
    if (!invar_array_convert(&values, &stored, run->dtype, err))
        goto done;
    *x = (struct invar_matrix){.dtype = run->dtype, .rows = stored.shape[0], .cols = stored.shape[1]};
    if (stored.rank == 1) {
        x->rows = 1;
        x->cols = count;
    }
    *dx = *x;
    x->data = invar_device_alloc(device, (size_t)count, invar_dtype_size(run->dtype), err);
    dx->data = invar_device_alloc(device, (size_t)count, invar_dtype_size(run->dtype), err);
    if (!x->data || !dx->data)
        goto done;
    invar_device_upload(device, x->data, values.data, (size_t)count * invar_dtype_size(run->dtype));
    ok = true;
done:
    invar_array_free(&stored);
    invar_array_free(&values);
    return ok;
}

static bool read_input(struct loss_run *run, struct invar_device *device, const char *assignment,
                       struct invar_error *err)
{
    const char *path = strchr(assignment, '=');
    struct loss_input *input = &run->inputs[run->input_count];

    if (!path || path == assignment || !path[1])
        return invar_error_set(err, INVAR_ERROR_USAGE, "`%s` was given as an input, expected NAME=FILE.npy",
                               assignment);
    path++;
    snprintf(input->name, sizeof input->name, "%.*s", (int)(path - 1 - assignment), assignment);
    if (find_beside(input->name) < BESIDE)
        return read_beside(run, find_beside(input->name), path, err);
    if (!invar_term_find_input(run->term, input->name, &input->role, &input->view))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "there is no input %s: inputs are z1 z2 .. (or z), q1 .., t1 .., h1 .., groups, labels, "
                               "partner and share",
                               input->name);
    if (!invar_term_reads(run->term, run->options, input->role, input->view))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s does not read %s with these options: leave it out, or change the options",
                               run->term->name, input->name);
    struct invar_matrix *x = &run->in.by[input->role][input->view];
    if (x->data)
        return invar_error_set(err, INVAR_ERROR_USAGE, "the input %s is given twice: give it once", input->name);
    if (input->view >= run->in.views)
        run->in.views = run->gradient.views = input->view + 1;
    if (input->role == INVAR_ROLE_T && input->view >= run->in.targets)
        run->in.targets = input->view + 1;
    run->input_count++;
    return read_matrix(run, device, path, input, x, &run->gradient.by[input->role][input->view], err);
}

static bool check_beside(const struct loss_run *run, struct invar_error *err)
{
    const unsigned roles = run->term->roles(run->options);
    const int64_t rows = run->input_count ? run->in.by[run->inputs[0].role][run->inputs[0].view].rows : 0;

    for (int which = 0; which < BESIDE; which++) {
        const struct invar_array *array = &run->beside[which];
        if (array->data && !(roles & beside[which].role))
            return invar_error_set(err, INVAR_ERROR_USAGE, "%s does not read %s with these options: %s",
                                   run->term->name, beside[which].name,
                                   which == GROUPS ? "set groups=true" : "leave it out");
        if (array->data && array->shape[0] != rows)
            return invar_error_set(err, INVAR_ERROR_DATA, "%s holds %lld ids for %lld samples: give one id a sample",
                                   beside[which].name, (long long)array->shape[0], (long long)rows);
    }
    return true;
}

/* options and inputs; assignments are options unless they name an input */
static bool set_up(struct loss_run *run, struct invar_device *device, const struct invar_loss_request *request,
                   struct invar_error *err)
{
    invar_options_default(run->term->options, run->options);
    for (int i = 0; i < request->setting_count; i++)
        if (!is_input(run->term, request->settings[i]) &&
            !invar_options_set(run->term->options, run->options, request->settings[i], err))
            return false;
    if (request->input_count + request->setting_count > INVAR_LOSS_INPUTS)
        return invar_error_set(err, INVAR_ERROR_USAGE, "more than %d inputs and options", INVAR_LOSS_INPUTS);
    for (int i = 0; i < request->input_count; i++)
        if (!read_input(run, device, request->inputs[i], err))
            return false;
    for (int i = 0; i < request->setting_count; i++)
        if (is_input(run->term, request->settings[i]) && !read_input(run, device, request->settings[i], err))
            return false;
    return check_beside(run, err) && run->term->check(run->options, &run->in, err);
}

/* Those of all inputs that have one, from the device. */
static bool take_gradients(const struct loss_run *run, struct invar_device *device, struct invar_loss_result *result,
                           struct invar_error *err)
{
    for (int i = 0; i < run->input_count; i++) {
        const struct loss_input *input = &run->inputs[i];
        const struct invar_matrix *dx = &run->gradient.by[input->role][input->view];
        struct invar_loss_gradient *out = &result->gradient[result->count];
        if (invar_role_is_constant(input->role))
            continue;
        snprintf(out->name, sizeof out->name, "%s", input->name);
        if (!invar_array_alloc(&out->array, dx->dtype, input->rank,
                               input->rank == 2 ? (const int64_t[]){dx->rows, dx->cols} : &dx->cols, err))
            return false;
        result->count++;
        invar_device_download(device, out->array.data, dx->data,
                              (size_t)(dx->rows * dx->cols) * invar_dtype_size(dx->dtype));
    }
    return true;
}

static void loss_run_free(struct loss_run *run, struct invar_device *device)
{
    for (int i = 0; i < run->input_count; i++) {
        invar_device_free(device, run->in.by[run->inputs[i].role][run->inputs[i].view].data);
        invar_device_free(device, run->gradient.by[run->inputs[i].role][run->inputs[i].view].data);
    }
    for (int which = 0; which < BESIDE; which++)
        invar_array_free(&run->beside[which]);
    invar_free(run->options);
}

static bool evaluate(const struct loss_run *run, struct invar_device *device, struct invar_scratch *scratch,
                     bool gradients, struct invar_term_value *value, struct invar_error *err)
{
    const struct invar_term_call call = {.device = device,
                                         .scratch = scratch,
                                         .options = run->options,
                                         .in = &run->in,
                                         .weight = 1,
                                         .gradient = gradients ? &run->gradient : NULL};

    return invar_term_evaluate(run->term, call, value, err);
}

bool invar_loss(const struct invar_loss_request *request, struct invar_loss_result *result, struct invar_error *err)
{
    struct loss_run run = {.term = invar_term_find(request->term, err),
                           .dtype = request->float64 ? INVAR_FLOAT64 : INVAR_FLOAT32};
    struct invar_device *device = run.term ? invar_device_open("auto", (int)request->threads, err) : NULL;
    struct invar_scratch *scratch = device ? invar_device_scratch_create(device, err) : NULL;

    *result = (struct invar_loss_result){0};
    run.options = scratch ? invar_alloc(1, run.term->options_size, err) : NULL;
    const bool ok = run.options && set_up(&run, device, request, err) &&
                    evaluate(&run, device, scratch, request->gradients, &result->value, err) &&
                    invar_term_check_finite(run.term, &result->value, err) &&
                    (!request->gradients || take_gradients(&run, device, result, err));
    loss_run_free(&run, device);
    invar_scratch_free(scratch);
    invar_device_close(device);
    return ok;
}

void invar_loss_result_free(struct invar_loss_result *result)
{
    for (int i = 0; i < result->count; i++)
        invar_array_free(&result->gradient[i].array);
    *result = (struct invar_loss_result){0};
}
