/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm's kernels against sums in double: layouts, sizes that fill no vector, groups, bfloat16, threads,
 * ranks. */
#include "test.h"

#include "device/cpu/norm.h"
#include "invar/memory.h"
#include "invar/expert/random.h"

#include <math.h>
#include <omp.h>

/* ---- maps ---- */

struct shape {
    struct form form; /* blocks * width channels, of which the last may be filling */
    int64_t channels, groups;
};

static const struct shape shapes[] = {
    {{4, 2, 9, 8}, 16, 2},                              /* nChw8c */
    {{6, 2, 35, 8}, 13, 3},                             /* padded */
    {{2, 1, 2500, 8}, 8, 1},                            /* more than a tile of pixels */
    {{300, 3, 16, 8}, 24, 2},                           /* many rows a tile */
    {{4, 2, 9, 16}, 32, 2},                             /* nChw16c */
    {{3, 2, 50, 16}, 20, 1},                            /* padded */
    {{4, 1, 12, 1}, 1, 2},                              /* one channel */
    {{4, 1, 30, 3}, 3, 2},                              /* channels last */
    {{4, 1, 49, 37}, 37, 1},                            /* some of each loop */
    {{2, 1, 64, 130}, 130, 2}, {{6, 5, 21, 1}, 5, 2},   /* plain */
    {{3, 2, 1, 8}, 11, 3},                              /* one number a group and channel */
    {{2, 1, 1, 5}, 5, 2},      {{64, 1, 1, 96}, 96, 2}, /* vectors */
    {{515, 1, 1, 10}, 10, 1},  {{1, 1, 2, 7}, 7, 1},
};
#define SHAPES ((int)(sizeof shapes / sizeof *shapes))

static int64_t width_of(const struct shape *s)
{
    return s->form.blocks * s->form.width;
}

static int64_t count_of(const struct shape *s)
{
    return s->form.rows * s->form.pixels * width_of(s);
}

static int64_t place_of(const struct shape *s, int64_t row, int64_t pixel, int64_t channel)
{
    const struct form *f = &s->form;
    return ((row * f->blocks + channel / f->width) * f->pixels + pixel) * f->width + channel % f->width;
}

static struct norm_shape norm_shape(const struct shape *s, bool half)
{
    return (struct norm_shape){.form = s->form,
                               .groups = s->groups,
                               .channels = s->channels,
                               .stride = (s->channels + 15) / 16 * 16,
                               .half = half};
}

static uint16_t narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static float wide(uint16_t value)
{
    const uint32_t bits = (uint32_t)value << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* A map in the type of the shape, and the same numbers in float32. */
struct map {
    void *data;
    float *seen;
};

static struct map map_make(const struct shape *s, bool half, uint64_t seed, float mean)
{
    const int64_t count = count_of(s);
    struct map m = {aligned_alloc(64, (size_t)(count * 4 + 63) / 64 * 64), invar_alloc((size_t)count, 4, NULL)};
    struct invar_random random = invar_random_stream(seed, INVAR_RANDOM_TEST, 0, 0, 0);
    memset(m.data, 0, (size_t)count * (half ? 2 : 4));
    for (int64_t row = 0; row < s->form.rows; row++)
        for (int64_t pixel = 0; pixel < s->form.pixels; pixel++)
            for (int64_t channel = 0; channel < s->channels; channel++) {
                const int64_t at = place_of(s, row, pixel, channel);
                const float value = mean * (float)(channel + 1) + invar_random_normal(&random);
                if (half)
                    ((uint16_t *)m.data)[at] = narrow(value);
                else
                    ((float *)m.data)[at] = value;
                m.seen[at] = half ? wide(narrow(value)) : value;
            }
    return m;
}

/* What a kernel wrote. */
static void map_look(const struct shape *s, bool half, struct map *m)
{
    for (int64_t i = 0; i < count_of(s); i++)
        m->seen[i] = half ? wide(((uint16_t *)m->data)[i]) : ((float *)m->data)[i];
}

static void map_free(struct map *m)
{
    free(m->data);
    invar_free(m->seen);
}

/* ---- one case ---- */

struct norms {
    struct shape s;
    bool half;
    struct norm_shape shape;
    struct map x, other, dy, y, dx;
    float *scale, *shift, *statistics, *scale_gradient, *shift_gradient;
    double *scratch;
};

static struct norms norms_make(const struct shape *s, bool half, float mean)
{
    struct norms n = {*s,
                      half,
                      norm_shape(s, half),
                      map_make(s, half, 1, mean),
                      map_make(s, half, 2, 0),
                      map_make(s, half, 3, 0.1f),
                      map_make(s, half, 4, 0),
                      map_make(s, half, 5, 0),
                      .scale = invar_alloc((size_t)s->channels, sizeof(float), NULL),
                      .shift = invar_alloc((size_t)s->channels, sizeof(float), NULL),
                      .scale_gradient = invar_alloc((size_t)s->channels, sizeof(float), NULL),
                      .shift_gradient = invar_alloc((size_t)s->channels, sizeof(float), NULL)};
    n.statistics = invar_alloc(norm_statistics_bytes(&n.shape), 1, NULL);
    n.scratch = invar_alloc(norm_scratch_bytes(&n.shape), 1, NULL);
    for (int64_t c = 0; c < s->channels; c++) {
        n.scale[c] = c % 3 == 1 ? -0.7f : 1.0f + 0.1f * (float)(c % 7);
        n.shift[c] = 0.3f * (float)(c % 5) - 0.5f;
    }
    return n;
}

static void norms_free(struct norms *n)
{
    map_free(&n->x);
    map_free(&n->other);
    map_free(&n->dy);
    map_free(&n->y);
    map_free(&n->dx);
    invar_free(n->scale);
    invar_free(n->shift);
    invar_free(n->statistics);
    invar_free(n->scale_gradient);
    invar_free(n->shift_gradient);
    invar_free(n->scratch);
}

#define EPSILON 1e-5

static void norms_statistics(struct norms *n)
{
    const struct norm_parameters p = {n->scale, n->shift, EPSILON};
    norm_statistics(&n->shape, n->x.data, &p, n->statistics, n->scratch);
}

static const float *statistic(const struct norms *n, enum norm_row which, int64_t group)
{
    return n->statistics + (group * NORM_ROWS + which) * n->shape.stride;
}

/* ---- references ---- */

struct moments {
    double mean, variance;
};

static struct moments moments_of(const struct norms *n, int64_t group, int64_t channel)
{
    const int64_t rows = n->s.form.rows / n->s.groups, pixels = n->s.form.pixels;
    struct moments m = {0, 0};
    for (int pass = 0; pass < 2; pass++)
        for (int64_t row = group * rows; row < (group + 1) * rows; row++)
            for (int64_t pixel = 0; pixel < pixels; pixel++) {
                const double x = (double)n->x.seen[place_of(&n->s, row, pixel, channel)];
                if (pass == 0)
                    m.mean += x / (double)(rows * pixels);
                else
                    m.variance += (x - m.mean) * (x - m.mean) / (double)(rows * pixels);
            }
    return m;
}

static void check_statistics(struct norms *n)
{
    norms_statistics(n);
    for (int64_t group = 0; group < n->s.groups; group++)
        for (int64_t c = 0; c < n->s.channels; c++) {
            const struct moments m = moments_of(n, group, c);
            const double inverse = 1 / sqrt(m.variance + EPSILON);
            assert_near(statistic(n, NORM_MEAN, group)[c], m.mean, 6e-8 * fabs(m.mean) + 1e-14);
            /* sums within a tile are float32 */
            assert_near(statistic(n, NORM_VARIANCE, group)[c], m.variance, 6e-8 * m.variance + 1e-14);
            assert_near(statistic(n, NORM_INVERSE, group)[c], inverse, 6e-8 * inverse);
            assert_near(statistic(n, NORM_FACTOR, group)[c], inverse * (double)n->scale[c], 8e-8 * inverse);
            assert_true(statistic(n, NORM_SHIFT, group)[c] == n->shift[c]);
        }
    for (int64_t c = n->s.channels; c < n->shape.stride && c < width_of(&n->s); c++)
        assert_true(statistic(n, NORM_FACTOR, 0)[c] == 0);
}

static double normed(const struct norms *n, int64_t group, int64_t channel, double x)
{
    return (x - (double)statistic(n, NORM_MEAN, group)[channel]) * (double)statistic(n, NORM_FACTOR, group)[channel] +
           (double)n->shift[channel];
}

static double relu(double x)
{
    return x > 0 ? x : 0;
}

/* relu(norm(x)); other + norm(x); relu(relu(norm(x)) + other + norm(x)), the first part rounded */
static double expected(const struct norms *n, int which, int64_t group, int64_t channel, int64_t at)
{
    const double y = normed(n, group, channel, (double)n->x.seen[at]), other = (double)n->other.seen[at];
    if (which == 0)
        return relu(y);
    return which == 1 ? other + y : relu(relu(y) + other + y);
}

/* Of the numbers that are added up, each of which is rounded. */
static double size_of(const struct norms *n, int which, int64_t group, int64_t channel, int64_t at)
{
    return fabs(normed(n, group, channel, (double)n->x.seen[at])) + fabs((double)n->shift[channel]) +
           (which > 0 ? fabs((double)n->other.seen[at]) : 0);
}

static void check_apply(struct norms *n, int which)
{
    const struct norm_term norm = {n->x.data, n->statistics, false, false}, other = {n->other.data, NULL, false, false};
    struct norm_term terms[NORM_TERMS] = {norm, norm, norm};
    const int count = which + 1;
    if (which > 0)
        terms[which - 1] = other;
    terms[0].relu = which != 1;
    terms[0].rounded = which == 2;
    terms[count - 1].relu = which != 1;
    norm_apply(&n->shape, terms, count, n->y.data);
    map_look(&n->s, n->half, &n->y);
    for (int64_t row = 0; row < n->s.form.rows; row++)
        for (int64_t pixel = 0; pixel < n->s.form.pixels; pixel++)
            for (int64_t c = 0; c < width_of(&n->s); c++) {
                const int64_t at = place_of(&n->s, row, pixel, c);
                if (c >= n->s.channels) {
                    assert_true(n->y.seen[at] == 0);
                    continue;
                }
                const double y = expected(n, which, row / (n->s.form.rows / n->s.groups), c, at);
                if (n->half || which == 2)
                    assert_near(n->y.seen[at], y, 4e-3 * (fabs(y) + (which == 2 ? 2 : 0.1)));
                else
                    assert_near(n->y.seen[at], y,
                                2e-7 * size_of(n, which, row / (n->s.form.rows / n->s.groups), c, at));
            }
}

/* Over a term: the same bits. */
static void check_in_place(struct norms *n)
{
    const struct norm_term terms[] = {{n->other.data, NULL, false, false}, {n->x.data, n->statistics, true, false}};
    struct norm_term over[] = {{n->dx.data, NULL, false, false}, terms[1]};
    const size_t bytes = (size_t)count_of(&n->s) * (n->half ? 2 : 4);
    memcpy(n->dx.data, n->other.data, bytes);
    norm_apply(&n->shape, terms, 2, n->y.data);
    norm_apply(&n->shape, over, 2, n->dx.data);
    assert_memory_equal(n->y.data, n->dx.data, bytes);
}

static double gradient_through(const struct norms *n, bool apply_relu, int64_t group, int64_t c, int64_t at)
{
    const bool through = !apply_relu || normed(n, group, c, (double)n->x.seen[at]) > 0;
    return through ? (double)n->dy.seen[at] : 0;
}

static void check_backward(struct norms *n, bool with_relu)
{
    const int64_t rows = n->s.form.rows / n->s.groups, pixels = n->s.form.pixels;
    const double count = (double)(rows * pixels);
    const float tolerance = n->half ? 4e-3f : 2e-5f;
    norm_backward(&n->shape, n->x.data, n->statistics, with_relu, n->dy.data, n->dx.data, n->scale_gradient,
                  n->shift_gradient, n->scratch);
    map_look(&n->s, n->half, &n->dx);
    for (int64_t c = 0; c < n->s.channels; c++) {
        double scale = 0, shift = 0, size = 1;
        for (int64_t group = 0; group < n->s.groups; group++) {
            const double mean = (double)statistic(n, NORM_MEAN, group)[c];
            const double inverse = (double)statistic(n, NORM_INVERSE, group)[c];
            const double factor = inverse * (double)n->scale[c];
            double a = 0, b = 0;
            for (int64_t i = 0; i < rows * pixels; i++) {
                const int64_t at = place_of(&n->s, group * rows + i / pixels, i % pixels, c);
                const double g = gradient_through(n, with_relu, group, c, at);
                a += g;
                b += g * ((double)n->x.seen[at] - mean) * inverse;
            }
            for (int64_t i = 0; i < rows * pixels; i++) {
                const int64_t at = place_of(&n->s, group * rows + i / pixels, i % pixels, c);
                const double g = gradient_through(n, with_relu, group, c, at);
                const double xhat = ((double)n->x.seen[at] - mean) * inverse;
                const double dx = factor * (g - a / count - xhat * b / count);
                assert_near(n->dx.seen[at], dx, (double)tolerance * (fabs(dx) + fabs(factor)));
            }
            scale += b;
            shift += a;
            size += count;
        }
        assert_near(n->scale_gradient[c], scale, 1e-6 * size);
        assert_near(n->shift_gradient[c], shift, 1e-6 * size);
    }
}

static void test_against_double(void **state)
{
    (void)state;
    for (int i = 0; i < SHAPES; i++)
        for (int half = 0; half < 2; half++) {
            struct norms n = norms_make(&shapes[i], half, 0.25f);
            check_statistics(&n);
            for (int which = 0; which < 3; which++)
                check_apply(&n, which);
            check_in_place(&n);
            check_backward(&n, false);
            check_backward(&n, true);
            norms_free(&n);
        }
}

/* A mean far from zero leaves the variance as exact as the numbers allow. */
static void test_far_from_zero(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct norms n = norms_make(&shapes[i], false, 1000);
        norms_statistics(&n);
        for (int64_t c = 0; c < n.s.channels; c++) {
            const struct moments m = moments_of(&n, 0, c);
            assert_near(statistic(&n, NORM_VARIANCE, 0)[c], m.variance, 6e-8 * m.variance);
        }
        norms_free(&n);
    }
}

/* dx may lie over dy, and any number of threads gives the same bits. */
static void test_same_bits(void **state)
{
    const int threads = omp_get_max_threads();
    (void)state;
    for (int i = 0; i < SHAPES; i++)
        for (int half = 0; half < 2; half++) {
            struct norms n = norms_make(&shapes[i], half, 0.25f), m = norms_make(&shapes[i], half, 0.25f);
            const size_t bytes = (size_t)count_of(&n.s) * (half ? 2 : 4);
            omp_set_num_threads(1);
            norms_statistics(&n);
            norm_backward(&n.shape, n.x.data, n.statistics, true, n.dy.data, n.dx.data, n.scale_gradient,
                          n.shift_gradient, n.scratch);
            omp_set_num_threads(3);
            norms_statistics(&m);
            norm_backward(&m.shape, m.x.data, m.statistics, true, m.dy.data, m.dy.data, m.scale_gradient,
                          m.shift_gradient, m.scratch);
            omp_set_num_threads(threads);
            assert_memory_equal(n.statistics, m.statistics, norm_statistics_bytes(&n.shape));
            assert_memory_equal(n.dx.data, m.dy.data, bytes);
            assert_memory_equal(n.scale_gradient, m.scale_gradient, (size_t)n.s.channels * sizeof(float));
            assert_memory_equal(n.shift_gradient, m.shift_gradient, (size_t)n.s.channels * sizeof(float));
            norms_free(&n);
            norms_free(&m);
        }
}

/* ---- rows that are shared out among ranks ---- */

#define RANKS_MOST 4
#define SUMS_MOST 1024

/* What ranks have told: all tell in a first pass, and get it in a second one. */
struct told {
    struct invar_plan_ranks ranks;
    int64_t count;
    double by[RANKS_MOST][SUMS_MOST];
};

static void tell(void *user, const double *own, int64_t count, double *all)
{
    struct told *t = user;
    assert_true(count <= SUMS_MOST);
    memcpy(t->by[t->ranks.rank], own, (size_t)count * sizeof *own);
    for (int k = 0; k < t->ranks.count; k++)
        memcpy(all + k * count, t->by[k], (size_t)count * sizeof *own);
}

/* Of each group its part of the rows. */
static void take_rows(const struct norms *n, struct norms *part, const struct invar_plan_ranks *ranks)
{
    const int64_t row = n->s.form.pixels * width_of(&n->s) * (n->half ? 2 : 4);
    const int64_t all = n->s.form.rows / n->s.groups, own = all / ranks->count;
    for (int64_t group = 0; group < n->s.groups; group++)
        memcpy((char *)part->x.data + group * own * row,
               (const char *)n->x.data + (group * all + ranks->rank * own) * row, (size_t)(own * row));
}

/* However many have the rows, and however many tiles these make: statistics are the same bits. */
static void check_shared(const struct norms *n, int count)
{
    struct shape s = n->s;
    struct told told = {.ranks = {.count = count, .gather = tell, .user = &told}};
    s.form.rows /= count;
    for (int pass = 0; pass < 2; pass++)
        for (told.ranks.rank = 0; told.ranks.rank < count; told.ranks.rank++) {
            struct norms part = norms_make(&s, n->half, 0);
            part.shape.ranks = &told.ranks;
            invar_free(part.scratch);
            part.scratch = invar_alloc(norm_scratch_bytes(&part.shape), 1, NULL);
            take_rows(n, &part, &told.ranks);
            norms_statistics(&part);
            if (pass == 1)
                assert_memory_equal(part.statistics, n->statistics, norm_statistics_bytes(&n->shape));
            norms_free(&part);
        }
}

static void test_ranks(void **state)
{
    int shared = 0;
    (void)state;
    for (int i = 0; i < SHAPES; i++)
        for (int half = 0; half < 2; half++) {
            struct norms n = norms_make(&shapes[i], half, 0.25f);
            norms_statistics(&n);
            for (int count = 2; count <= RANKS_MOST; count++)
                if (n.s.form.rows / n.s.groups % count == 0) {
                    check_shared(&n, count);
                    shared++;
                }
            norms_free(&n);
        }
    assert_true(shared >= 20);
}

/* What is not a number stays so, through the ReLU too; nobody else's channel is touched. */
static void test_not_finite(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct norms n = norms_make(&shapes[i], false, 0);
        ((float *)n.x.data)[place_of(&n.s, 0, 1, 2)] = NAN;
        norms_statistics(&n);
        assert_true(isnan(statistic(&n, NORM_VARIANCE, 0)[2]) && isnan(statistic(&n, NORM_FACTOR, 0)[2]));
        assert_true(isfinite(statistic(&n, NORM_VARIANCE, 0)[1]) && isfinite(statistic(&n, NORM_FACTOR, 0)[3]));
        const struct norm_term term = {n.x.data, n.statistics, true, false};
        norm_apply(&n.shape, &term, 1, n.y.data);
        map_look(&n.s, false, &n.y);
        assert_true(isnan(n.y.seen[place_of(&n.s, 0, 0, 2)]) && isfinite(n.y.seen[place_of(&n.s, 0, 0, 1)]));
        norms_free(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_double), cmocka_unit_test(test_far_from_zero),
                                       cmocka_unit_test(test_same_bits), cmocka_unit_test(test_ranks),
                                       cmocka_unit_test(test_not_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
