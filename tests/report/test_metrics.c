/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "invar/report.h"
#include "run/events.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *const names[] = {"loss", "loss/relic/contrast", "odd \"name\"\\"};

static void write_steps(const char *folder, int64_t from, int64_t first, int64_t last)
{
    struct invar_error err = {0};
    struct invar_metrics *metrics = invar_metrics_open(folder, from, &err);
    assert_ok(metrics, &err);
    for (int64_t step = first; step <= last; step++) {
        double values[] = {1.0 / (double)step, 0.1 + 0.2 * (double)step, step == 2 ? NAN : 1e-300};
        assert_ok(invar_metrics_write(metrics, step, (double)step / 10, names, values, 3, &err), &err);
    }
    invar_metrics_close(metrics);
}

static char *contents(const char *folder)
{
    struct invar_error err = {0};
    struct invar_bytes bytes;
    assert_ok(invar_file_read(&bytes, test_path(folder, "metrics.jsonl"), 1 << 20, &err), &err);
    char *copy = strdup((const char *)bytes.data);
    invar_bytes_free(&bytes);
    return copy;
}

static void test_numbers_read_back(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    write_steps(folder, 0, 1, 3);
    char *text = contents(folder), *line = text;
    for (int64_t step = 1; step <= 3; step++) {
        cJSON *object = cJSON_Parse(line);
        assert_non_null(object);
        assert_true(cJSON_GetObjectItem(object, "step")->valuedouble == (double)step);
        assert_true(cJSON_GetObjectItem(object, "epoch")->valuedouble == (double)step / 10);
        assert_true(cJSON_GetObjectItem(object, names[0])->valuedouble == 1.0 / (double)step);
        assert_true(cJSON_GetObjectItem(object, names[1])->valuedouble == 0.1 + 0.2 * (double)step);
        const cJSON *odd = cJSON_GetObjectItem(object, names[2]);
        assert_true(step == 2 ? cJSON_IsNull(odd) : odd->valuedouble == 1e-300);
        cJSON_Delete(object);
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(*line, 0);
    free(text);
    test_folder_remove(folder);
}

/* A run that was killed and resumed leaves the file of the uninterrupted one. */
static void test_resume(void **state)
{
    (void)state;
    char *whole = test_folder_create(), *parts = test_folder_create();
    write_steps(whole, 0, 1, 9);
    write_steps(parts, 0, 1, 7);
    FILE *stream = fopen(test_path(parts, "metrics.jsonl"), "ab");
    fputs("{\"step\":8,\"epo", stream);
    fclose(stream);
    write_steps(parts, 4, 5, 9);
    char *a = contents(whole), *b = contents(parts);
    assert_string_equal(a, b);
    free(b);
    write_steps(parts, 0, 1, 9);
    b = contents(parts);
    assert_string_equal(a, b);
    free(a);
    free(b);
    test_folder_remove(whole);
    test_folder_remove(parts);
}

static void test_foreign_files(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    test_file(folder, "metrics.jsonl", "{\"step\":1}\nhello\n{\"step\":2}\n", 28);
    assert_refused(invar_metrics_open(folder, 5, &err), &err, INVAR_ERROR_FORMAT, "line 2 is no metrics line");
    assert_refused(invar_metrics_open(test_path(folder, "missing"), 0, &err), &err, INVAR_ERROR_FILE, "missing");
    /* Nor is a single line of somebody else a torn one of ours, with its end or without. */
    test_file(folder, "metrics.jsonl", "hello\n", 6);
    assert_refused(invar_metrics_open(folder, 5, &err), &err, INVAR_ERROR_FORMAT, "line 1 is no metrics line");
    test_file(folder, "metrics.jsonl", "{\"step\":1}\nhello", 16);
    assert_refused(invar_metrics_open(folder, 5, &err), &err, INVAR_ERROR_FORMAT, "line 2 is no metrics line");
    char *foreign = contents(folder);
    assert_string_equal(foreign, "{\"step\":1}\nhello");
    free(foreign);
    /* What is behind a link stays as it is. */
    test_file(folder, "other", "{\"st", 4);
    assert_int_equal(unlink(test_path(folder, "metrics.jsonl")), 0);
    assert_int_equal(symlink("other", test_path(folder, "metrics.jsonl")), 0);
    assert_refused(invar_metrics_open(folder, 5, &err), &err, INVAR_ERROR_FILE, "is a link");
    assert_int_equal(unlink(test_path(folder, "metrics.jsonl")), 0);
    test_file(folder, "metrics.jsonl", "\0\0\0", 3); /* after a loss of power */
    write_steps(folder, 3, 4, 4);
    char *text = contents(folder);
    assert_true(strstr(text, "{\"step\":4,") == text);
    free(text);
    test_folder_remove(folder);
}

/* A limit on the size of files stands in for a disk that is full. */
static void test_full_disk(void **state)
{
    (void)state;
    struct invar_error err = {0};
    struct rlimit before, tight;
    char *folder = test_folder_create();
    double value = 1;
    bool ok = true;
    struct invar_metrics *metrics = invar_metrics_open(folder, 0, &err);

    assert_non_null(metrics);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 256;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (int64_t step = 1; ok && step < 100; step++)
        ok = invar_metrics_write(metrics, step, 0, names, &value, 1, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(ok);
    assert_non_null(strstr(err.message, folder));
    invar_metrics_close(metrics);
    test_folder_remove(folder);
}

/* ---- events: decoded by hand ---- */

static uint64_t little_endian(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static uint64_t varint(const unsigned char **at)
{
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (!(byte & 128))
            return value;
    }
}

struct scalar {
    char tag[64];
    float value;
};

struct event {
    double wall_time;
    int64_t step;
    char version[32];
    int count;
    struct scalar scalar[8];
};

static void decode_value(const unsigned char *at, const unsigned char *end, struct scalar *out)
{
    while (at < end) {
        uint64_t key = varint(&at);
        if (key == (1 << 3 | 2)) {
            uint64_t size = varint(&at);
            assert_true(size < sizeof out->tag);
            memcpy(out->tag, at, size);
            at += size;
        } else {
            assert_int_equal(key, 2 << 3 | 5);
            memcpy(&out->value, at, 4);
            at += 4;
        }
    }
    assert_ptr_equal(at, end);
}

static struct event decode_event(const unsigned char *at, size_t bytes)
{
    struct event event = {0};
    const unsigned char *end = at + bytes;
    while (at < end) {
        uint64_t key = varint(&at);
        if (key == (1 << 3 | 1)) {
            memcpy(&event.wall_time, at, 8);
            at += 8;
        } else if (key == 2 << 3) {
            event.step = (int64_t)varint(&at);
        } else if (key == (3 << 3 | 2)) {
            uint64_t size = varint(&at);
            memcpy(event.version, at, size);
            at += size;
        } else {
            assert_int_equal(key, 5 << 3 | 2);
            uint64_t size = varint(&at);
            const unsigned char *stop = at + size;
            while (at < stop) {
                assert_int_equal(varint(&at), 1 << 3 | 2);
                uint64_t length = varint(&at);
                decode_value(at, at + length, &event.scalar[event.count++]);
                at += length;
            }
        }
    }
    assert_ptr_equal(at, end);
    return event;
}

static void test_events(void **state)
{
    (void)state;
    struct invar_error err = {0};
    char *folder = test_folder_create();
    write_steps(folder, 0, 1, 3);
    write_steps(folder, 3, 4, 4); /* a resumed run begins a file of its own */
    int files = 0, events = 0, scalars = 0;
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (strncmp(entry->d_name, "events.out.tfevents.", 20) != 0)
            continue;
        struct invar_bytes bytes;
        assert_ok(invar_file_read(&bytes, test_path(folder, entry->d_name), 1 << 20, &err), &err);
        files++;
        size_t at = 0;
        for (int record = 0; at < bytes.size; record++) {
            size_t size = (size_t)little_endian(bytes.data + at, 8);
            assert_int_equal(little_endian(bytes.data + at + 8, 4), crc32c_mask(crc32c(bytes.data + at, 8)));
            assert_int_equal(little_endian(bytes.data + at + 12 + size, 4),
                             crc32c_mask(crc32c(bytes.data + at + 12, size)));
            struct event event = decode_event(bytes.data + at + 12, size);
            assert_true(event.wall_time > 1.6e9);
            if (record == 0) {
                assert_string_equal(event.version, "brain.Event:2");
            } else {
                events++;
                scalars += event.count;
                assert_int_equal(event.count, event.step == 2 ? 2 : 3);
                assert_string_equal(event.scalar[1].tag, names[1]);
                assert_true(event.scalar[0].value == (float)(1.0 / (double)event.step));
            }
            at += 12 + size + 4;
        }
        assert_int_equal(at, bytes.size);
        invar_bytes_free(&bytes);
    }
    closedir(directory);
    assert_int_equal(files, 2);
    assert_int_equal(events, 4);
    assert_int_equal(scalars, 11);
    test_folder_remove(folder);
}

/* Known answers: the check value of CRC-32C, and 32 zero bytes (RFC 3720, B.4). */
static void test_crc32c(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0};
    assert_int_equal(crc32c("123456789", 9), 0xe3069283U);
    assert_int_equal(crc32c(zeros, sizeof zeros), 0x8a9136aaU);
    assert_int_equal(crc32c_mask(0), 0xa282ead8U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_read_back), cmocka_unit_test(test_resume), cmocka_unit_test(test_foreign_files),
        cmocka_unit_test(test_full_disk),         cmocka_unit_test(test_events), cmocka_unit_test(test_crc32c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
