/* SPDX-License-Identifier: Apache-2.0 */
/* GIFs are read back by a decoder of the test's own, picture by picture. */
#include "test.h"

#include "invar/expert/random.h"
#include "report/gif.h"

enum { SIDE = 61, MOST = SIDE * SIDE };

struct reader {
    const uint8_t *at, *end;
    uint8_t screen[MOST][3];
    int width, height;
};

static int take(struct reader *r)
{
    assert_true(r->at < r->end);
    return *r->at++;
}

static int take_short(struct reader *r)
{
    const int low = take(r);
    return low | take(r) << 8;
}

/* The bytes of all blocks up to the empty one. */
static size_t take_blocks(struct reader *r, uint8_t *out)
{
    size_t size = 0;
    for (int n = take(r); n; n = take(r))
        for (int i = 0; i < n; i++)
            out[size++] = (uint8_t)take(r);
    return size;
}

/* LZW as a decoder has it: strings by their last colour and the string before. */
static int expand(const uint8_t *data, size_t size, int depth, uint8_t *out)
{
    static int before[4096], last[4096], length[4096];
    const int clear = 1 << depth;
    int next = clear + 2, width = depth + 1, old = -1, count = 0;
    for (size_t bit = 0; bit + (size_t)width <= 8 * size;) {
        int code = 0;
        for (int k = 0; k < width; k++, bit++)
            code |= (data[bit / 8] >> bit % 8 & 1) << k;
        if (code == clear) {
            next = clear + 2, width = depth + 1, old = -1;
            for (int i = 0; i < clear; i++)
                before[i] = -1, last[i] = i, length[i] = 1;
            continue;
        }
        if (code == clear + 1)
            return count;
        assert_true(code < next || (code == next && old >= 0));
        int string = code == next ? old : code, total = length[string] + (code == next);
        for (int i = length[string] - 1, s = string; i >= 0; i--, s = before[s])
            out[count + i] = (uint8_t)last[s];
        const int first = out[count];
        if (code == next)
            out[count + total - 1] = (uint8_t)first;
        count += total;
        if (old >= 0 && next < 4096) {
            before[next] = old, last[next] = first, length[next] = length[old] + 1;
            next++;
            width += next == 1 << width && width < 12;
        }
        old = code;
    }
    fail_msg("the picture has no end");
    return 0;
}

static void open_gif(struct reader *r, const struct invar_bytes *file)
{
    *r = (struct reader){.at = file->data, .end = file->data + file->size};
    assert_memory_equal(r->at, "GIF89a", 6);
    r->at += 6;
    r->width = take_short(r);
    r->height = take_short(r);
    assert_int_equal(take(r) & 0x80, 0);
    r->at += 2;
    assert_memory_equal(r->at, "\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", 19);
    r->at += 19;
}

/* Shows the next picture; returns its hundredths of a second. */
static int show(struct reader *r)
{
    static uint8_t data[1 << 20], index[MOST];
    uint8_t table[256][3];
    assert_memory_equal(r->at, "\x21\xf9\x04\x04", 4);
    r->at += 4;
    const int hundredths = take_short(r);
    r->at += 2;
    assert_int_equal(take(r), 0x2c);
    const int x = take_short(r), y = take_short(r), width = take_short(r), height = take_short(r), packed = take(r);
    assert_true((packed & 0x80) && x + width <= r->width && y + height <= r->height);
    for (int i = 0; i < 2 << (packed & 7); i++)
        for (int c = 0; c < 3; c++)
            table[i][c] = (uint8_t)take(r);
    const int depth = take(r);
    const size_t size = take_blocks(r, data);
    assert_int_equal(expand(data, size, depth, index), width * height);
    for (int i = 0; i < width * height; i++)
        memcpy(r->screen[(y + i / width) * r->width + x + i % width], table[index[i]], 3);
    return hundredths;
}

/* Pictures of so many colours, drawn; most pixels stay as they are. */
static void draw(struct invar_random *random, uint32_t colours, uint8_t rgb[][3], int pixels, bool first)
{
    for (int i = 0; i < pixels; i++)
        if (first || invar_random_below(random, 50) == 0) {
            const uint32_t colour = invar_random_below(random, colours);
            rgb[i][0] = (uint8_t)(colour * 37), rgb[i][1] = (uint8_t)(colour >> 3), rgb[i][2] = (uint8_t)colour;
        }
}

static void round_trip(int height, int width, int magnify, uint32_t colours, int tolerance)
{
    char *folder = test_folder_create();
    const char *path = test_path(folder, "play.gif");
    struct invar_error err = {0};
    struct invar_bytes file;
    static uint8_t rgb[6][MOST][3];
    static struct reader r;
    struct invar_random random = invar_random_stream(colours, INVAR_RANDOM_TEST, 0, (uint64_t)width, 0);
    struct report_gif *gif = report_gif_create(path, height, width, magnify, 7, &err);
    assert_ok(gif, &err);
    for (int k = 0; k < 6; k++) {
        if (k > 0)
            memcpy(rgb[k], rgb[k - 1], sizeof rgb[k]);
        if (k != 3) /* nothing changes in it */
            draw(&random, colours, rgb[k], height * width, k == 0);
        assert_ok(report_gif_add(gif, rgb[k][0], &err), &err);
    }
    assert_false(invar_path_exists(path));
    assert_ok(report_gif_finish(gif, &err), &err);
    report_gif_free(gif);
    assert_ok(invar_file_read(&file, path, 1 << 24, &err), &err);
    open_gif(&r, &file);
    assert_true(r.width == width * magnify && r.height == height * magnify);
    for (int k = 0; k < 6; k++) {
        assert_int_equal(show(&r), 7);
        for (int i = 0; i < r.width * r.height; i++)
            for (int c = 0; c < 3; c++) {
                const int from = i / r.width / magnify * width + i % r.width / magnify;
                assert_true(abs(r.screen[i][c] - rgb[k][from][c]) <= tolerance);
            }
    }
    assert_int_equal(take(&r), ';');
    assert_ptr_equal(r.at, r.end);
    invar_bytes_free(&file);
    test_folder_remove(folder);
}

static void test_few_colours_are_kept(void **state)
{
    (void)state;
    round_trip(1, 1, 1, 1, 0);
    round_trip(5, 7, 3, 2, 0);
    round_trip(SIDE, SIDE, 1, 3, 0);
    round_trip(SIDE, SIDE, 1, 16, 0);
    round_trip(SIDE, SIDE, 1, 256, 0);
    round_trip(20, 30, 2, 100, 0);
}

static void test_many_colours_are_rounded(void **state)
{
    (void)state;
    round_trip(SIDE, SIDE, 1, 100000, 26);
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    char *folder = test_folder_create();
    struct invar_error err = {0};
    assert_refused(report_gif_create(test_path(folder, "a.gif"), 0, 5, 1, 5, &err), &err, INVAR_ERROR_USAGE,
                   "cannot be");
    assert_refused(report_gif_create(test_path(folder, "a.gif"), 9000, 5, 16, 5, &err), &err, INVAR_ERROR_USAGE,
                   "cannot be");
    assert_refused(report_gif_create(test_path(folder, "no/a.gif"), 5, 5, 1, 5, &err), &err, INVAR_ERROR_FILE,
                   "no/a.gif");
    struct report_gif *gif = report_gif_create(test_path(folder, "a.gif"), 5, 5, 1, 5, &err);
    assert_ok(gif, &err);
    assert_refused(report_gif_finish(gif, &err), &err, INVAR_ERROR_DATA, "none was added");
    report_gif_free(gif);
    report_gif_free(NULL);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_colours_are_kept),
        cmocka_unit_test(test_many_colours_are_rounded),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
