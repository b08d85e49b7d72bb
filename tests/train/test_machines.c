/* SPDX-License-Identifier: Apache-2.0 */
/* What a run went on is in its checkpoints and its encoder, and in nothing that a resumed run would change. */
#include "training.h"

#include "invar/memory.h"
#include "invar/expert/safetensors.h"

#include <unistd.h>

static void test_machine(void **state)
{
    struct invar_error err = {0};
    struct invar_machine machine;
    struct invar_text text = {0};
    struct invar_device *device = test_device_open(3, &err);

    (void)state;
    assert_ok(device, &err);
    assert_ok(invar_device_machine(device, INVAR_PRECISION_AUTO, &machine, &err), &err);
    print_message("%s, %s, %s\n", machine.processor, machine.instruction_set, machine.precision);
    assert_int_equal(machine.threads, 3);
    assert_true(strlen(machine.processor) > 0 && machine.processor[strlen(machine.processor) - 1] != ' ');
    assert_null(strpbrk(machine.processor, "\"\\\n"));
    assert_non_null(strstr(invar_device_describe(device), machine.engine));
    assert_non_null(strstr(invar_device_describe(device), machine.instruction_set));
    assert_ok(invar_device_machine(device, INVAR_PRECISION_FLOAT32, &machine, &err), &err);
    assert_string_equal(machine.precision, "float32");
    enum invar_precision used;
    if (!invar_device_precision(device, INVAR_PRECISION_BFLOAT16, &used, NULL))
        assert_refused(invar_device_machine(device, INVAR_PRECISION_BFLOAT16, &machine, &err), &err, INVAR_ERROR_USAGE,
                       "precision bfloat16");
    strcpy(machine.processor, "P");
    strcpy(machine.engine, "L 1.2");
    strcpy(machine.instruction_set, "AVX2");
    machine.precision = "float32";
    assert_ok(invar_machine_write(&machine, &text, &err), &err);
    assert_string_equal(text.data, "{\"processor\": \"P\", \"engine\": \"L 1.2\", \"instruction_set\": \"AVX2\", "
                                   "\"precision\": \"float32\", \"threads\": 3}");
    invar_text_free(&text);
    invar_device_close(device);
}

/* invar.machine of a file of the run */
static char *machine_of(struct training *t, const char *file)
{
    struct invar_error err = {0};
    struct invar_safetensors *read = NULL;

    assert_ok(invar_safetensors_read(&read, test_path(t->folder, file), &err), &err);
    const char *text = invar_safetensors_metadata(read, "invar.machine");
    assert_non_null(text);
    char *copy = strdup(text);
    invar_safetensors_free(read);
    return copy;
}

static void expect(struct training *t, const char *file, int threads, int then)
{
    struct invar_error err = {0};
    struct invar_machine machine;
    struct invar_text text = {0};

    assert_ok(invar_device_machine(t->device, INVAR_PRECISION_FLOAT32, &machine, &err), &err);
    for (int i = 0; i < (then ? 2 : 1); i++) {
        machine.threads = i ? then : threads;
        assert_ok(invar_text_printf(&text, &err, i ? ", " : "[") && invar_machine_write(&machine, &text, &err), &err);
    }
    assert_ok(invar_text_printf(&text, &err, "]"), &err);
    char *got = machine_of(t, file);
    assert_string_equal(got, text.data);
    free(got);
    invar_text_free(&text);
}

static void stop_at(void *user, const struct invar_record *record)
{
    volatile sig_atomic_t *stop = user;

    *stop = record->step % 4 == 0;
}

static void go_on(struct training *t, int threads, bool resume, bool whole)
{
    struct invar_error err = {0};
    volatile sig_atomic_t stop = 0;

    invar_device_close(t->device);
    t->device = test_device_open(threads, &err);
    assert_ok(t->device, &err);
    const bool ok =
        training_run(t, "run", resume, whole ? NULL : &stop, whole ? NULL : stop_at, (void *)(uintptr_t)&stop, &err);
    if (whole)
        assert_ok(ok, &err);
    else
        assert_refused(ok, &err, INVAR_ERROR_INTERRUPTED, "resume goes on");
}

/* Stopped and resumed where it was is one machine; elsewhere are two, each once, in the order of the steps. A run that
 * has ended is not changed by who looks at it. */
static void test_run(void **state)
{
    struct training t = {0};

    (void)state;
    training_open(&t, NULL, 0);
    go_on(&t, 2, false, false);
    go_on(&t, 2, true, false);
    expect(&t, "run/checkpoint-00000008.safetensors", 2, 0);
    go_on(&t, 1, true, false);
    expect(&t, "run/checkpoint-00000012.safetensors", 2, 1);
    go_on(&t, 2, true, true);
    expect(&t, "run/encoder.safetensors", 2, 1);
    go_on(&t, 3, true, true);
    expect(&t, "run/encoder.safetensors", 2, 1);
    training_close(&t);
}

static void keep_last(void *user, enum invar_log_level level, const char *message)
{
    if (level == INVAR_LOG_WARNING)
        snprintf(user, 512, "%s", message);
}

static void write_machine(struct training *t, const char *checkpoint, const char *text)
{
    struct invar_error err = {0};
    struct invar_safetensors *file = NULL;

    assert_ok(invar_safetensors_read(&file, test_path(t->folder, checkpoint), &err), &err);
    assert_ok(invar_safetensors_set_metadata(file, "invar.machine", text, &err), &err);
    assert_ok(invar_safetensors_write(file, test_path(t->folder, checkpoint), &err), &err);
    invar_safetensors_free(file);
}

/* file begins with what there was before, and goes on with this machine */
static void expect_before(struct training *t, const char *file, const char *before)
{
    char *got = machine_of(t, file);
    const size_t length = strlen(before) - 1;

    assert_int_equal(strncmp(got, before, length), 0);
    assert_int_equal(strncmp(got + length, ", {\"processor\"", 14), 0);
    free(got);
}

/* Another processor is told of, and stays in the list; a checkpoint that does not say (earlier versions) counts by its
 * threads. */
static void test_elsewhere(void **state)
{
    static const char other[] = "[{\"processor\": \"Another\", \"instruction_set\": \"AVX512_CORE\", \"precision\": "
                                "\"float32\", \"threads\": 1}]";
    struct training t = {0};
    char warning[512] = "";

    (void)state;
    training_open(&t, NULL, 0);
    go_on(&t, 1, false, false);
    write_machine(&t, "run/checkpoint-00000004.safetensors", other);
    invar_log_set_sink(keep_last, warning);
    go_on(&t, 1, true, false);
    assert_non_null(strstr(warning, "the run goes on on another processor"));
    expect_before(&t, "run/checkpoint-00000008.safetensors", other);
    warning[0] = '\0';
    write_machine(&t, "run/checkpoint-00000008.safetensors", "");
    go_on(&t, 1, true, true);
    invar_log_set_sink(NULL, NULL);
    assert_string_equal(warning, "");
    expect_before(&t, "run/encoder.safetensors", "[{\"threads\": 1}]");
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
