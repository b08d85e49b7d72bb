/* SPDX-License-Identifier: Apache-2.0 */
/* Replay: draws against a plain record of everything that happened, priorities, the bound of bytes, checkpoints. */
#include "test.h"

#include "agent/replay.h"
#include "invar/expert/random.h"
#include "invar/log.h"
#include "invar/memory.h"

#include <malloc.h>

enum { FRAME = 24, LANES = 2, MOST = 4000 };

/* Everything that happened in a lane, in order. */
struct record {
    int count;
    struct {
        unsigned char frame[FRAME];
        float state[4];
        int action, step;
        double reward;
        enum replay_end end;
    } entry[MOST];
};

struct play {
    struct replay replay;
    struct record lane[LANES];
    struct invar_random random;
};

static const struct replay_options plain = {.memory = 1 << 20,
                                            .steps = 300,
                                            .lanes = LANES,
                                            .frame_size = FRAME,
                                            .stack = 3,
                                            .sequence = 1,
                                            .period = 1,
                                            .n = 3,
                                            .discount = 0.9,
                                            .clip = 1};
static const struct replay_options sequences = {.memory = 1 << 20,
                                                .steps = 400,
                                                .lanes = LANES,
                                                .frame_size = FRAME,
                                                .stack = 2,
                                                .state = 4,
                                                .sequence = 6,
                                                .burn_in = 6,
                                                .period = 3,
                                                .n = 2,
                                                .discount = 0.9,
                                                .exponent = 0.9};

static void see(struct play *p, int lane, bool first)
{
    struct record *r = &p->lane[lane];

    memset(&r->entry[r->count], 0, sizeof r->entry[0]);
    for (int i = 0; i < FRAME; i++)
        r->entry[r->count].frame[i] = (unsigned char)(i < 4 ? invar_random_below(&p->random, 256) : (uint32_t)i);
    for (int i = 0; i < 4; i++)
        r->entry[r->count].state[i] = invar_random_normal(&p->random);
    r->entry[r->count].step = first ? 0 : r->entry[r->count - 1].step + 1;
    r->count++;
}

/* One step of a lane; episodes end or are cut after 1 to 20 steps. */
static void step(struct play *p, int lane)
{
    struct invar_error err = {0};
    struct record *r = &p->lane[lane];

    if (r->count == 0 || r->entry[r->count - 1].end) {
        see(p, lane, true);
        assert_ok(replay_begin(&p->replay, lane, r->entry[r->count - 1].frame, r->entry[r->count - 1].state, &err),
                  &err);
    }
    const int at = r->count - 1;
    r->entry[at].action = (int)invar_random_below(&p->random, 5);
    r->entry[at].reward = invar_random_range(&p->random, -2, 2);
    see(p, lane, false);
    const uint32_t luck = invar_random_below(&p->random, 20);
    r->entry[at + 1].end = luck == 0 ? REPLAY_TERMINATED : luck == 1 ? REPLAY_TRUNCATED : REPLAY_GOES_ON;
    assert_ok(replay_add(&p->replay, lane, r->entry[at].action, r->entry[at].reward, r->entry[at + 1].end,
                         r->entry[at + 1].frame, r->entry[at + 1].state, &err),
              &err);
}

static struct play *begin(const struct replay_options *options)
{
    struct invar_error err = {0};
    struct play *p = calloc(1, sizeof *p);

    p->random = invar_random_stream(7, INVAR_RANDOM_TEST, 0, 0, 0);
    assert_ok(replay_create(&p->replay, options, &err), &err);
    return p;
}

static void end(struct play *p)
{
    replay_free(&p->replay);
    free(p);
}

/* ---- against the record ---- */

static double clipped(const struct replay_options *o, double x)
{
    return o->clip > 0 && fabs(x) > o->clip ? (x < 0 ? -o->clip : o->clip) : (double)(float)x;
}

static void check_observation(const struct replay_options *o, const struct record *r, int at, const unsigned char *got)
{
    for (int k = 0; k < o->stack; k++) {
        const int back = o->stack - 1 - k, step = r->entry[at].step;
        assert_memory_equal(got + k * FRAME, r->entry[at - (back < step ? back : step)].frame, FRAME);
    }
}

/* Row i, which begins at entry `start` of the record. */
static void check_row(const struct replay_options *o, const struct replay_batch *b, int64_t i, const struct record *r,
                      int start)
{
    for (int t = 0; t < o->sequence; t++) {
        const int64_t place = t * b->rows + i;
        int e = start;
        for (int k = 0; k < t && !r->entry[e].end; k++)
            e++;
        assert_int_equal(b->live[place], !r->entry[e].end);
        if (!b->live[place])
            continue;
        double sum = 0, discount = 1;
        int last = e;
        for (int k = 0; k < o->n && !r->entry[last].end; k++, last++, discount *= o->discount)
            sum += discount * clipped(o, r->entry[last].reward);
        assert_int_equal(b->action[place], r->entry[e].action);
        assert_near(b->reward[place], sum, 1e-12);
        assert_near(b->discount[place], r->entry[last].end == REPLAY_TERMINATED ? 0 : discount, 1e-12);
        const int64_t at = b->value_at[place] + (o->state ? o->burn_in : 0);
        const int64_t size = o->stack * FRAME;
        check_observation(o, r, e, b->observation + ((o->state ? o->burn_in + t : 0) * b->rows + i) * size);
        check_observation(o, r, last, b->observation + (at * b->rows + i) * size);
        if (o->state && r->entry[e].step > 0) {
            assert_int_equal(b->before[(o->burn_in + t) * b->rows + i], r->entry[e - 1].action);
            assert_true(b->reward_before[(o->burn_in + t) * b->rows + i] == (float)clipped(o, r->entry[e - 1].reward));
        }
    }
    if (o->state) {
        assert_int_equal(b->burns[i], r->entry[start].step >= o->burn_in);
        assert_memory_equal(b->state + i * o->state, r->entry[start - (b->burns[i] ? o->burn_in : 0)].state, 16);
        assert_memory_equal(b->later + i * o->state, r->entry[start].state, 16);
    }
}

static void check_draws(struct play *p, uint64_t draw)
{
    const struct replay_options *o = &p->replay.options;
    const int64_t length = p->replay.block_count * REPLAY_BLOCK;
    struct invar_error err = {0};
    struct replay_batch b;

    assert_ok(replay_batch_create(&b, o, 5, &err), &err);
    assert_ok(replay_draw(&p->replay, &b, 3, draw, &err), &err);
    for (int64_t i = 0; i < b.rows; i++) {
        const struct replay_lane *l = &p->replay.lanes[b.leaf[i] / length];
        int64_t e = l->end - 1;
        while (e % length != b.leaf[i] % length)
            e--;
        assert_true(e >= l->first);
        check_row(o, &b, i, &p->lane[b.leaf[i] / length], (int)e);
    }
    replay_batch_free(&b);
}

static void check_all(const struct replay_options *options)
{
    struct play *p = begin(options);

    for (int i = 0; i < 1500; i++) {
        step(p, i % 3 ? 0 : 1); /* lanes of different lengths */
        if (i > 30 && i % 5 == 0)
            check_draws(p, (uint64_t)i);
    }
    assert_true(replay_count(&p->replay) <= options->steps + 2 * LANES * REPLAY_BLOCK);
    assert_true(p->lane[0].count > 2 * replay_count(&p->replay)); /* the oldest are gone */
    end(p);
}

static void test_steps(void **state)
{
    (void)state;
    check_all(&plain);
}

static void test_sequences(void **state)
{
    (void)state;
    check_all(&sequences);
}

/* Every entry with an action whose n steps are there is drawn, and only such. */
static void test_all_are_drawn(void **state)
{
    struct play *p = begin(&plain);
    int complete = 0;
    (void)state;
    for (int i = 0; i < 100; i++)
        step(p, 0);
    const struct record *r = &p->lane[0];
    for (int e = 0; e < r->count; e++) {
        int last = e;
        for (int k = 0; k < plain.n && last < r->count && !r->entry[last].end; k++)
            last++;
        complete += !r->entry[e].end && last < r->count;
    }
    assert_near(sum_tree_sum(&p->replay.tree), complete, 0);
    end(p);
}

/* ---- priorities ---- */

static void test_priorities(void **state)
{
    struct invar_error err = {0};
    struct sum_tree tree;
    int seen[5] = {0};
    (void)state;
    assert_ok(sum_tree_create(&tree, 5, &err), &err);
    const double weight[] = {1, 0, 3, 0.5, 0};
    for (int i = 0; i < 5; i++)
        sum_tree_set(&tree, i, weight[i]);
    for (int k = 0; k < 4500; k++)
        seen[sum_tree_find(&tree, (k + 0.5) / 1000)]++;
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen[i], (int)(1000 * weight[i]));
    assert_int_equal(sum_tree_find(&tree, 100), 3); /* rounding beyond the sum */
    invar_free(tree.weight);

    struct play *p = begin(&sequences);
    struct replay_batch b;
    for (int i = 0; i < 200; i++)
        step(p, 0);
    assert_ok(replay_batch_create(&b, &sequences, 4, &err), &err);
    assert_ok(replay_draw(&p->replay, &b, 3, 1, &err), &err);
    for (int i = 0; i < 4; i++)
        assert_near(b.share[i], 1, 1e-12); /* alike as long as nobody has said otherwise */
    const double priority[] = {50, 0, 0, 0};
    const int64_t leaf = b.leaf[0];
    replay_priority(&p->replay, &leaf, priority, 1);
    assert_near(sum_tree_get(&p->replay.tree, leaf), pow(50 + 1e-6, 0.9), 1e-12);
    int often = 0;
    for (uint64_t k = 0; k < 50; k++) {
        assert_ok(replay_draw(&p->replay, &b, 3, k, &err), &err);
        for (int i = 0; i < 4; i++) {
            often += b.leaf[i] == leaf;
            if (b.leaf[i] == leaf)
                assert_true(b.share[i] <= 1);
        }
    }
    assert_true(often > 50);
    replay_batch_free(&b);
    end(p);
}

/* ---- bytes ---- */

static void test_memory(void **state)
{
    enum { SIDE = 84 * 84 };
    const struct replay_options o = {.memory = 4 << 20,
                                     .steps = 20000,
                                     .lanes = 2,
                                     .frame_size = SIDE,
                                     .stack = 4,
                                     .sequence = 1,
                                     .period = 1,
                                     .n = 3,
                                     .discount = 1};
    struct invar_error err = {0};
    struct replay r;
    struct invar_random random = invar_random_stream(1, INVAR_RANDOM_TEST, 0, 0, 0);
    static unsigned char frame[SIDE];
    const float no_state = 0; /* agents without an LSTM hand over one of no numbers */
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    size_t most = 0;
    (void)state;

    assert_ok(replay_create(&r, &o, &err), &err);
    assert_true(r.packs);
    assert_ok(replay_begin(&r, 0, frame, NULL, &err), &err);
    assert_ok(replay_begin(&r, 1, frame, NULL, &err), &err);
    for (int i = 0; i < 8000; i++) {
        for (int k = 0; k < 40; k++)
            frame[invar_random_below(&random, SIDE)] = (unsigned char)invar_random_below(&random, 256);
        assert_ok(replay_add(&r, i % 2, 0, 0, REPLAY_GOES_ON, frame, &no_state, &err), &err);
        assert_true(r.bytes <= (size_t)o.memory);
        assert_null(replay_entry(&r, i % 2, r.lanes[i % 2].end - 1)->state); /* of no numbers takes no memory */
        const size_t now = mallinfo2().uordblks + mallinfo2().hblkhd - before;
        most = now > most ? now : most;
    }
    if (!(most <= (size_t)o.memory + (size_t)o.memory / 10))
        fail_msg("%zu bytes are in use, replay.memory is %lld", most, (long long)o.memory);
    /* what is there is several times what would fit unpacked, and some had to go */
    assert_true(replay_count(&r) > 3 * o.memory / SIDE);
    assert_true(replay_count(&r) < 8000);
    replay_free(&r);
    const struct replay_options less = {.memory = 1 << 20,
                                        .steps = 20000,
                                        .lanes = 8,
                                        .frame_size = SIDE,
                                        .stack = 4,
                                        .sequence = 1,
                                        .period = 1,
                                        .n = 3,
                                        .discount = 1};
    assert_refused(replay_create(&r, &less, &err), &err, INVAR_ERROR_USAGE, "replay.memory is 1 MiB, but 20000 steps");
    assert_null(r.tree.weight); /* refused before it takes what there may not be */
    replay_free(&r);
}

static char warned[1024];

static void on_log(void *user, enum invar_log_level level, const char *message)
{
    (void)user;
    if (level == INVAR_LOG_WARNING)
        snprintf(warned, sizeof warned, "%s", message);
}

/* What no machine has is refused before it is taken; what it may grow to is told. */
static void test_more_than_the_machine_has(void **state)
{
    struct replay_options o = plain;
    struct invar_error err = {0};
    struct replay r;
    (void)state;
    o.memory = INT64_C(1) << 60;
    o.steps = INT64_C(1) << 50;
    assert_refused(replay_create(&r, &o, &err), &err, INVAR_ERROR_USAGE, "replay.steps is 1125899906842624, for which");
    assert_null(r.tree.weight);
    replay_free(&r);
    invar_log_set_sink(on_log, NULL);
    o.frame_size = 1 << 20;
    o.steps = 1 << 20; /* 1 TiB of frames */
    o.memory = INT64_C(1) << 50;
    const bool told = invar_memory_available() < INT64_C(1) << 40;
    assert_ok(replay_create(&r, &o, &err), &err);
    assert_true((strstr(warned, "the replay may grow to 10") != NULL) == told);
    replay_free(&r);
    warned[0] = '\0';
    o.steps = 16;
    assert_ok(replay_create(&r, &o, &err), &err);
    assert_string_equal(warned, "");
    replay_free(&r);
    invar_log_set_sink(NULL, NULL);
}

static void test_refused(void **state)
{
    struct invar_error err = {0};
    struct play *p = begin(&plain);
    unsigned char frame[FRAME] = {0};
    (void)state;
    assert_ok(replay_begin(&p->replay, 0, frame, NULL, &err), &err);
    assert_false(replay_has_any(&p->replay));
    assert_refused(replay_add(&p->replay, 0, 0, NAN, REPLAY_GOES_ON, frame, NULL, &err), &err, INVAR_ERROR_NUMERIC,
                   "the reward of step 1 is not finite");
    end(p);
}

/* ---- checkpoints ---- */

static struct invar_safetensors *stored(struct replay *r)
{
    struct invar_error err = {0};
    struct invar_safetensors *file = invar_safetensors_create(&err);
    char *folder = test_folder_create();
    char path[1100];
    assert_ok(replay_store(r, file, &err), &err);
    snprintf(path, sizeof path, "%s/replay", folder);
    assert_ok(invar_safetensors_write(file, path, &err), &err);
    invar_safetensors_free(file);
    assert_ok(invar_safetensors_read(&file, path, &err), &err);
    test_folder_remove(folder);
    return file;
}

static void assert_same_files(struct invar_safetensors *a, struct invar_safetensors *b)
{
    assert_int_equal(invar_safetensors_count(a), invar_safetensors_count(b));
    for (int i = 0; i < invar_safetensors_count(a); i++) {
        const char *name = invar_safetensors_name(a, i);
        const struct invar_array *x = invar_safetensors_get(a, name), *y = invar_safetensors_get(b, name);
        assert_non_null(y);
        assert_int_equal(invar_array_count(x), invar_array_count(y));
        assert_memory_equal(x->data, y->data, (size_t)invar_array_count(x) * invar_dtype_size(x->dtype));
    }
}

/* Stored at any moment, restored, and gone on with: the same as never stopped. */
static void check_store(const struct replay_options *options, int steps)
{
    struct invar_error err = {0};
    struct play *p = begin(options), *q = begin(options);

    for (int i = 0; i < steps; i++)
        step(p, i % LANES);
    struct invar_safetensors *file = stored(&p->replay), *again;
    assert_ok(replay_restore(&q->replay, file, "there", &err), &err);
    again = stored(&q->replay);
    assert_same_files(file, again);
    invar_safetensors_free(again);
    struct replay kept = q->replay;
    *q = *p;
    q->replay = kept;
    for (int i = 0; i < 300; i++) {
        step(p, i % LANES);
        step(q, i % LANES);
        if (i > 40 && i % 10 == 0)
            check_draws(q, (uint64_t)i);
    }
    assert_int_equal(p->replay.bytes, q->replay.bytes);
    again = stored(&q->replay);
    invar_safetensors_free(file);
    file = stored(&p->replay);
    assert_same_files(file, again);
    invar_safetensors_free(file);
    invar_safetensors_free(again);
    end(p);
    end(q);
}

static void test_store(void **state)
{
    struct replay_options small = sequences;
    (void)state;
    check_store(&plain, 0);
    check_store(&plain, 37);
    check_store(&plain, 900);
    check_store(&sequences, 1000);
    small.memory = 40 << 10; /* packed, and the oldest given up for want of bytes */
    check_store(&small, 1100);
}

static void test_store_refused(void **state)
{
    struct invar_error err = {0};
    struct play *p = begin(&plain), *q;
    struct replay_options other = plain;
    (void)state;
    for (int i = 0; i < 100; i++)
        step(p, i % LANES);
    struct invar_safetensors *file = stored(&p->replay);
    other.lanes = 1;
    q = begin(&other);
    assert_refused(replay_restore(&q->replay, file, "there", &err), &err, INVAR_ERROR_FORMAT,
                   "there: replay.lanes is missing or of another replay");
    end(q);
    invar_safetensors_free(file);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),         cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_all_are_drawn), cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_memory),        cmocka_unit_test(test_more_than_the_machine_has),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_store),
        cmocka_unit_test(test_store_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
