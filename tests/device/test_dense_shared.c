/* SPDX-License-Identifier: Apache-2.0 */
/* Products that several processes share: what each has in the end, who made it, and which are shared. */
#include "device/dense_tests.h"

#include "shares.h"

#include <string.h>

#define ROOM 1024 /* bytes: a few rows at a time */

struct product {
    bool transpose_a, transpose_b, triangle, own;
    double keep;
    struct invar_matrix a, b, before, c;
};

static void make_product(void *user)
{
    const struct product *p = user;

    invar_dense_copy(device, &p->before, &p->c);
    if (p->triangle)
        invar_dense_mirrored(device, p->transpose_a, 0.5, &p->a, &p->b, p->keep, &p->c);
    else if (p->own)
        invar_dense_product_own(device, p->transpose_a, p->transpose_b, 0.5, &p->a, &p->b, p->keep, &p->c);
    else
        invar_dense_product(device, p->transpose_a, p->transpose_b, 0.5, &p->a, &p->b, p->keep, &p->c);
}

static struct product draw_product(enum invar_dtype dtype, int way, int64_t rows, int64_t cols, int64_t inner)
{
    const bool ta = way & 1, tb = way & 2;

    return (struct product){.transpose_a = ta,
                            .transpose_b = tb,
                            .keep = way == 3 ? 0 : 2,
                            .a = ta ? draw(dtype, inner, rows, 1) : draw(dtype, rows, inner, 1),
                            .b = tb ? draw(dtype, cols, inner, 2) : draw(dtype, inner, cols, 2),
                            .before = draw(dtype, rows, cols, 3),
                            .c = make(dtype, rows, cols)};
}

static struct product draw_triangle(enum invar_dtype dtype, bool transpose, bool itself, int64_t n, int64_t inner)
{
    struct product p = draw_product(dtype, transpose ? 1 : 2, n, n, inner);

    p.triangle = true;
    p.b = itself ? p.a : transpose ? draw(dtype, inner, n, 2) : draw(dtype, n, inner, 2);
    p.keep = itself ? 0 : 1;
    invar_dense_symmetrise(device, &p.before);
    return p;
}

/* What one process makes, and the same of all ranks: near it, and the same bits; gathers: how many it took. */
static int check_shared(struct product *p, int count)
{
    const struct invar_matrix alone = make(p->c.dtype, p->c.rows, p->c.cols),
                              first = make(p->c.dtype, p->c.rows, p->c.cols);
    struct shares s;

    make_product(p);
    invar_dense_copy(device, &p->c, &alone);
    shares_open(&s, count, p->c.rows, ROOM);
    shares_meet(&s, make_product, p);
    for (int rank = 0; rank < count; rank++) {
        shares_as(&s, rank, make_product, p);
        for (int64_t i = 0; i < p->c.rows; i++)
            for (int64_t j = 0; j < p->c.cols; j++) {
                assert_near(get(&p->c, i, j), get(&alone, i, j), 10 * tolerance(&p->c));
                assert_true(rank == 0 || get(&p->c, i, j) == get(&first, i, j));
            }
        if (rank == 0)
            invar_dense_copy(device, &p->c, &first);
    }
    const int gathers = s.calls;
    shares_close(&s);
    return gathers;
}

static void all_get_the_product_of_all(void **state)
{
    static const int64_t rows[] = {4, 13, 40, 77};

    (void)state;
    EACH_TYPE(type)
    for (int way = 0; way < 4; way++)
        for (int k = 0; k < 4; k++)
            for (int count = 2; count <= SHARES_RANKS; count++) {
                struct product p = draw_product(*type, way, rows[k], 17, 23);
                assert_true(check_shared(&p, count) > 0);
                invar_scratch_reset(scratch);
            }
}

static void all_get_the_triangle_of_all(void **state)
{
    static const int64_t sides[] = {8, 13, 32, 75, 100};

    (void)state;
    EACH_TYPE(type)
    for (int way = 0; way < 4; way++)
        for (int k = 0; k < 5; k++)
            for (int count = 2; count <= SHARES_RANKS; count++) {
                struct product p = draw_triangle(*type, way & 1, way & 2, sides[k], 21);
                assert_true(check_shared(&p, count) > 0);
                for (int64_t i = 0; i < sides[k]; i++)
                    for (int64_t j = 0; j < i; j++)
                        assert_true(get(&p.c, i, j) == get(&p.c, j, i));
                invar_scratch_reset(scratch);
            }
}

/* Rows that differ once another process sends something else: those that are its own, and no others. */
static void check_wrong(struct product *p, int64_t first, int64_t last, int64_t mirrored_first, int64_t mirrored_last)
{
    const struct invar_matrix right = make(p->c.dtype, p->c.rows, p->c.cols);
    struct shares s;

    shares_open(&s, 2, p->c.rows, (size_t)1 << 16);
    shares_meet(&s, make_product, p);
    shares_as(&s, 0, make_product, p);
    invar_dense_copy(device, &p->c, &right);
    assert_int_equal(s.calls, 1);
    for (size_t i = 0; i < s.size[0] / sizeof(float); i++)
        ((float *)(void *)s.sent[1][0])[i] += 1;
    shares_as(&s, 0, make_product, p);
    for (int64_t i = 0; i < p->c.rows; i++) {
        const bool of_other = (i >= first && i < last) || (i >= mirrored_first && i < mirrored_last);
        assert_int_equal(get(&p->c, i, i) != get(&right, i, i), of_other);
    }
    shares_close(&s);
}

static void a_wrong_strip_of_another_is_seen(void **state)
{
    struct product p = draw_product(INVAR_FLOAT32, 0, 20, 20, 30);

    (void)state;
    check_wrong(&p, 10, 20, 0, 0);
    p = draw_triangle(INVAR_FLOAT32, false, true, 20, 30);
    check_wrong(&p, 5, 10, 10, 15);
}

static void own_rows_are_made_and_others_kept(void **state)
{
    (void)state;
    EACH_TYPE(type)
    for (int way = 0; way < 4; way++) {
        struct product p = draw_product(*type, way, 24, 11, 9); /* two views of 12 samples */
        const struct invar_matrix alone = make(*type, 24, 11);
        struct shares s;
        make_product(&p);
        invar_dense_copy(device, &p.c, &alone);
        p.own = true;
        make_product(&p);
        for (int64_t i = 0; i < 24 * 11; i++)
            assert_true(matrix_get(&p.c, i) == matrix_get(&alone, i));
        shares_open(&s, 3, 12, ROOM);
        for (int rank = 0; rank < 3; rank++) {
            shares_as(&s, rank, make_product, &p);
            assert_int_equal(s.calls, 0);
            for (int64_t i = 0; i < 24; i++)
                for (int64_t j = 0; j < 11; j++) {
                    const bool own = i % 12 / 4 == rank;
                    assert_near(get(&p.c, i, j), own ? get(&alone, i, j) : p.keep * get(&p.before, i, j),
                                10 * tolerance(&p.c));
                }
        }
        s.ranks.samples = 7; /* rows of which are not those of samples are made whole */
        shares_as(&s, 1, make_product, &p);
        for (int64_t i = 0; i < 24 * 11; i++)
            assert_true(matrix_get(&p.c, i) == matrix_get(&alone, i));
        shares_close(&s);
    }
}

static void what_does_not_pay_is_made_by_each(void **state)
{
    struct product p = draw_product(INVAR_FLOAT32, 0, 12, 16, 24),
                   t = draw_triangle(INVAR_FLOAT32, false, true, 12, 24);
    struct shares s;

    (void)state;
    shares_open(&s, 2, 12, ROOM);
    s.ranks.inner = 25;
    shares_as(&s, 0, make_product, &p);
    assert_int_equal(s.calls, 0);
    shares_as(&s, 0, make_product, &t);
    assert_int_equal(s.calls, 0);
    s.ranks.inner = 24;
    s.ranks.work = 12 * 16 * 24 + 1;
    shares_as(&s, 0, make_product, &p);
    assert_int_equal(s.calls, 0);
    s.ranks.work = 12 * 12 * 24 / 2.0;
    shares_as(&s, 0, make_product, &p);
    assert_int_equal(s.calls, 1);
    shares_as(&s, 0, make_product, &t);
    assert_int_equal(s.calls, 1);
    s.ranks.room = 16 * sizeof(float) - 1; /* not a row */
    shares_as(&s, 0, make_product, &p);
    assert_int_equal(s.calls, 0);
    s.ranks.count = SHARES_RANKS; /* more than pairs of rows */
    s.ranks.room = ROOM / 2;
    struct product few = draw_triangle(INVAR_FLOAT32, false, true, 6, 24);
    s.ranks.work = 0;
    shares_as(&s, 0, make_product, &few);
    assert_int_equal(s.calls, 0);
    shares_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_get_the_product_of_all, reset),
        cmocka_unit_test_setup(all_get_the_triangle_of_all, reset),
        cmocka_unit_test_setup(a_wrong_strip_of_another_is_seen, reset),
        cmocka_unit_test_setup(own_rows_are_made_and_others_kept, reset),
        cmocka_unit_test_setup(what_does_not_pay_is_made_by_each, reset),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
