/* SPDX-License-Identifier: Apache-2.0 */
/* A replay in a checkpoint: all of it, with its frames packed, so that a run goes on as if it had not stopped. */
#include "agent/replay.h"

#include "base/safetensors.h"
#include "invar/memory.h"

#include <math.h>
#include <string.h>

/* Everything but frames, entry after entry, lane after lane. */
enum { LANES, REWARDS, ACTIONS, STEPS, ENDS, WEIGHTS, STATES, SIZES, FRAMES, LARGEST, ARRAYS };
static const struct {
    const char *name;
    enum invar_dtype dtype;
} arrays[ARRAYS] = {[LANES] = {"replay.lanes", INVAR_INT64},    [REWARDS] = {"replay.reward", INVAR_FLOAT32},
                    [ACTIONS] = {"replay.action", INVAR_INT64}, [STEPS] = {"replay.step", INVAR_INT64},
                    [ENDS] = {"replay.end", INVAR_UINT8},       [WEIGHTS] = {"replay.weight", INVAR_FLOAT64},
                    [STATES] = {"replay.state", INVAR_FLOAT32}, [SIZES] = {"replay.size", INVAR_INT64},
                    [FRAMES] = {"replay.frames", INVAR_UINT8},  [LARGEST] = {"replay.largest", INVAR_FLOAT64}};

static int64_t state_count(const struct replay *r)
{
    int64_t count = 0;

    for (int lane = 0; lane < r->options.lanes; lane++)
        for (int64_t e = r->lanes[lane].first; e < r->lanes[lane].end; e++)
            count += replay_entry(r, lane, e)->state != NULL;
    return count;
}

static int64_t block_total(const struct replay *r)
{
    int64_t count = 0;

    for (int lane = 0; lane < r->options.lanes; lane++)
        count += (r->lanes[lane].end - r->lanes[lane].first + REPLAY_BLOCK - 1) / REPLAY_BLOCK;
    return count;
}

/* ---- writing ---- */

/* Frames of one block, packed. */
static bool pack_block(struct replay *r, int lane, int64_t number, const void **data, size_t *size,
                       struct invar_error *err)
{
    const struct replay_lane *l = &r->lanes[lane];
    const struct replay_block *block = l->blocks[number % r->block_count];
    const int64_t left = l->end - number * REPLAY_BLOCK;

    *data = block->packed ? block->frames : r->room;
    *size = block->packed;
    return block->packed || replay_pack(r, block->frames, left < REPLAY_BLOCK ? left : REPLAY_BLOCK, size, err);
}

/* How large the packed frames are, block by block; packing the same again gives the same. */
static bool measure_frames(struct replay *r, int64_t *sizes, int64_t *total, struct invar_error *err)
{
    int64_t at = 0;

    for (int lane = 0; lane < r->options.lanes; lane++)
        for (int64_t e = r->lanes[lane].first; e < r->lanes[lane].end; e += REPLAY_BLOCK) {
            const void *data;
            size_t size;
            if (!pack_block(r, lane, e / REPLAY_BLOCK, &data, &size, err))
                return false;
            sizes[at++] = (int64_t)size;
            *total += (int64_t)size;
        }
    return true;
}

static bool give_frames(void *user, int which, table_take *take, void *to, struct invar_error *err)
{
    struct replay *r = user;
    const void *data;
    size_t size;

    (void)which;
    for (int lane = 0; lane < r->options.lanes; lane++)
        for (int64_t e = r->lanes[lane].first; e < r->lanes[lane].end; e += REPLAY_BLOCK)
            if (!pack_block(r, lane, e / REPLAY_BLOCK, &data, &size, err) || !take(to, data, size, err))
                return false;
    return true;
}

/* What one entry has in an array of those. */
static bool give_entry(const struct replay *r, int lane, int64_t e, int which, table_take *take, void *to,
                       struct invar_error *err)
{
    const struct replay_entry *entry = replay_entry(r, lane, e);
    const int64_t action = entry->action, step = entry->step;
    const uint8_t end = (uint8_t)entry->end;
    const double weight = sum_tree_get(&r->tree, replay_leaf(r, lane, e));
    const void *const from[ARRAYS] = {
        [REWARDS] = &entry->reward, [ACTIONS] = &action,    [STEPS] = &step, [ENDS] = &end,
        [WEIGHTS] = &weight,        [STATES] = entry->state};
    const size_t count = which != STATES ? 1 : entry->state ? (size_t)r->options.state : 0;

    return count == 0 || take(to, from[which], count * invar_dtype_size(arrays[which].dtype), err);
}

static bool give_entries(void *user, int which, table_take *take, void *to, struct invar_error *err)
{
    const struct replay *r = user;

    for (int lane = 0; lane < r->options.lanes; lane++)
        for (int64_t e = r->lanes[lane].first; e < r->lanes[lane].end; e++)
            if (!give_entry(r, lane, e, which, take, to, err))
                return false;
    return true;
}

/* What is small is copied, what is large is handed over as the file is written: a bound of memory holds then too. */
static bool store_small(struct replay *r, struct invar_array *a, struct invar_safetensors *file, int64_t *frames,
                        struct invar_error *err)
{
    const int64_t lengths[ARRAYS] = {[LANES] = 3 * r->options.lanes, [SIZES] = block_total(r), [LARGEST] = 1};

    for (int i = 0; i < ARRAYS; i++)
        if (lengths[i] > 0 && !invar_array_alloc(&a[i], arrays[i].dtype, 1, &lengths[i], err))
            return false;
    for (int lane = 0; lane < r->options.lanes; lane++) {
        const int64_t where[] = {r->lanes[lane].first, r->lanes[lane].end, r->lanes[lane].ready};
        memcpy((int64_t *)a[LANES].data + 3 * lane, where, sizeof where);
    }
    *(double *)a[LARGEST].data = r->largest;
    if (!measure_frames(r, a[SIZES].data, frames, err))
        return false;
    for (int i = 0; i < ARRAYS; i++)
        if (lengths[i] > 0 && !invar_safetensors_add(file, arrays[i].name, &a[i], err))
            return false;
    return true;
}

bool replay_store(struct replay *r, struct invar_safetensors *file, struct invar_error *err)
{
    const int64_t count = replay_count(r), states = state_count(r) * r->options.state;
    struct invar_array a[ARRAYS] = {0};
    int64_t frames = 0;
    bool ok = count == 0 || store_small(r, a, file, &frames, err);

    for (int i = REWARDS; ok && count > 0 && i <= STATES; i++)
        ok = (i == STATES && states == 0) ||
             safetensors_add_pieces(file, arrays[i].name, arrays[i].dtype, i == STATES ? states : count, give_entries,
                                    r, i, err);
    ok = ok && (count == 0 || safetensors_add_pieces(file, arrays[FRAMES].name, arrays[FRAMES].dtype, frames,
                                                     give_frames, r, FRAMES, err));
    for (int i = 0; i < ARRAYS; i++)
        invar_array_free(&a[i]);
    return ok;
}

/* ---- reading ---- */

static bool damaged(const char *path, const char *what, struct invar_error *err)
{
    return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: %s is missing or of another replay", path, what);
}

/* All arrays, of lengths that agree. *empty: the replay had nothing yet. */
static bool find_arrays(const struct replay *r, const struct invar_safetensors *file, const char *path,
                        const struct invar_array **a, bool *empty, struct invar_error *err)
{
    for (int i = 0; i < ARRAYS; i++) {
        a[i] = invar_safetensors_get(file, arrays[i].name);
        *empty = i == 0 ? !a[i] : *empty;
        if (*empty)
            return true;
        if (!a[i] && !(i == STATES && r->options.state == 0))
            return damaged(path, arrays[i].name, err);
        if (a[i] && (a[i]->dtype != arrays[i].dtype || a[i]->rank != 1))
            return damaged(path, arrays[i].name, err);
    }
    if (a[LANES]->shape[0] != 3 * r->options.lanes || a[LARGEST]->shape[0] != 1)
        return damaged(path, arrays[LANES].name, err);
    for (int i = REWARDS; i <= WEIGHTS; i++)
        if (a[i]->shape[0] != a[REWARDS]->shape[0])
            return damaged(path, arrays[i].name, err);
    return true;
}

struct reader {
    struct replay *replay;
    const struct invar_array **arrays;
    const char *path;
    int64_t entry, state, block, frames; /* of the next */
};

/* The frames of the block that begins with entry e of a lane, of which `count` are there. */
static bool read_block(struct reader *in, int64_t count, unsigned char *frames, struct invar_error *err)
{
    const struct invar_array *sizes = in->arrays[SIZES], *all = in->arrays[FRAMES];
    const int64_t size = in->block < sizes->shape[0] ? ((const int64_t *)sizes->data)[in->block] : -1;

    if (size < 1 || size > all->shape[0] - in->frames)
        return damaged(in->path, arrays[SIZES].name, err);
    in->block++;
    in->frames += size;
    return replay_unpack(in->replay, (const unsigned char *)all->data + in->frames - size, (size_t)size, count, frames,
                         err);
}

static bool read_entry(struct reader *in, int lane, int64_t e, const unsigned char *frame, struct invar_error *err)
{
    struct replay *r = in->replay;
    const int64_t at = in->entry++, step = ((const int64_t *)in->arrays[STEPS]->data)[at],
                  action = ((const int64_t *)in->arrays[ACTIONS]->data)[at];
    const uint8_t end = ((const uint8_t *)in->arrays[ENDS]->data)[at];
    const double weight = ((const double *)in->arrays[WEIGHTS]->data)[at];
    const float *state = NULL;

    if (step < 0 || step > INT32_MAX || action < -1 || action > INT32_MAX || end > REPLAY_TRUNCATED ||
        !(weight >= 0 && weight < 1e300))
        return damaged(in->path, arrays[STEPS].name, err);
    if (r->options.state > 0 && step % r->options.period == 0) {
        if (in->state + r->options.state > in->arrays[STATES]->shape[0])
            return damaged(in->path, arrays[STATES].name, err);
        state = (const float *)in->arrays[STATES]->data + in->state;
        in->state += r->options.state;
    }
    if (!replay_append(r, lane, frame, state, (int32_t)step, err))
        return false;
    struct replay_entry *entry = replay_entry(r, lane, e);
    entry->action = (int32_t)action;
    entry->reward = ((const float *)in->arrays[REWARDS]->data)[at];
    entry->end = (enum replay_end)end;
    sum_tree_set(&r->tree, replay_leaf(r, lane, e), weight);
    return true;
}

static bool read_lane(struct reader *in, int lane, unsigned char *frames, struct invar_error *err)
{
    struct replay *r = in->replay;
    struct replay_lane *l = &r->lanes[lane];
    const int64_t *where = (const int64_t *)in->arrays[LANES]->data + 3 * lane;
    const int64_t left = in->arrays[REWARDS]->shape[0] - in->entry;

    if (where[0] < 0 || where[0] % REPLAY_BLOCK || where[1] < where[0] || where[1] - where[0] > left ||
        where[1] - where[0] > r->block_count * REPLAY_BLOCK || where[2] < where[0] || where[2] > where[1])
        return damaged(in->path, arrays[LANES].name, err);
    l->first = l->end = where[0];
    while (l->end < where[1]) {
        const int64_t first = l->end, count = where[1] - first < REPLAY_BLOCK ? where[1] - first : REPLAY_BLOCK;
        if (!read_block(in, count, frames, err))
            return false;
        for (int64_t i = 0; i < count; i++)
            if (!read_entry(in, lane, first + i, frames + i * r->options.frame_size, err))
                return false;
    }
    l->ready = where[2];
    return l->first == where[0] || damaged(in->path, arrays[LANES].name, err);
}

/* Entries are appended as they were, block by block, so that a block is sealed where it was sealed. */
bool replay_restore(struct replay *r, const struct invar_safetensors *file, const char *path, struct invar_error *err)
{
    const struct invar_array *a[ARRAYS];
    struct reader in = {.replay = r, .arrays = a, .path = path};
    const int64_t memory = r->options.memory;
    bool empty = false, ok;

    if (!find_arrays(r, file, path, a, &empty, err) || empty)
        return empty;
    unsigned char *frames = invar_alloc(REPLAY_BLOCK, (size_t)r->options.frame_size, err);
    ok = frames != NULL;
    r->options.memory = INT64_MAX; /* a block that is not sealed yet must push out none: all of them had room */
    for (int lane = 0; ok && lane < r->options.lanes; lane++)
        ok = read_lane(&in, lane, frames, err);
    invar_free(frames);
    r->options.memory = memory;
    r->largest = *(const double *)a[LARGEST]->data;
    return ok && (isfinite(r->largest) || damaged(path, arrays[LARGEST].name, err));
}
