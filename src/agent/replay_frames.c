/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of entries: made, packed, unpacked, and given up. Frames of a game differ little from one to the next, so that
 * differences pack to a tenth or less. */
#include "agent/replay.h"

#include "invar/log.h"
#include "invar/memory.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static struct replay_block **place(const struct replay *r, int lane, int64_t block)
{
    return &r->lanes[lane].blocks[block % r->block_count];
}

struct replay_entry *replay_entry(const struct replay *r, int lane, int64_t e)
{
    return &(*place(r, lane, e / REPLAY_BLOCK))->entry[e % REPLAY_BLOCK];
}

int64_t replay_leaf(const struct replay *r, int lane, int64_t e)
{
    const int64_t length = r->block_count * REPLAY_BLOCK;

    return lane * length + e % length;
}

/* ---- packing ---- */

static void difference(unsigned char *frames, int64_t count, int64_t size, bool undo)
{
    for (int64_t k = 1; k < count; k++) {
        const int64_t i = undo ? k : count - k; /* from the last, so that each meets the one before as it was */
        unsigned char *now = frames + i * size;
        const unsigned char *before = now - size;
        for (int64_t j = 0; j < size; j++)
            now[j] ^= before[j];
    }
}

bool replay_pack(struct replay *r, const unsigned char *frames, int64_t count, size_t *size, struct invar_error *err)
{
    const size_t bytes = (size_t)(count * r->options.frame_size);
    uLongf packed = r->room_size;

    memcpy(r->open, frames, bytes);
    r->opened = -1;
    difference(r->open, count, r->options.frame_size, false);
    if (compress2(r->room, &packed, r->open, (uLong)bytes, 1) != Z_OK)
        return invar_error_set(err, INVAR_ERROR_MEMORY, "replay: memory is short for packing %zu bytes", bytes);
    *size = packed;
    return true;
}

bool replay_unpack(const struct replay *r, const unsigned char *packed, size_t size, int64_t count,
                   unsigned char *frames, struct invar_error *err)
{
    const uLongf wanted = (uLongf)(count * r->options.frame_size);
    uLongf bytes = wanted;

    if (uncompress(frames, &bytes, packed, (uLong)size) != Z_OK || bytes != wanted)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "replay: packed frames are damaged");
    difference(frames, count, r->options.frame_size, true);
    return true;
}

const unsigned char *replay_frame(struct replay *r, int lane, int64_t e, struct invar_error *err)
{
    const int64_t number = e / REPLAY_BLOCK, at = e % REPLAY_BLOCK * r->options.frame_size;
    const struct replay_block *block = *place(r, lane, number);

    if (!block->packed)
        return block->frames + at;
    if (r->opened != number || r->opened_lane != lane) {
        r->opened = -1;
        if (!replay_unpack(r, block->frames, block->packed, REPLAY_BLOCK, r->open, err))
            return NULL;
        r->opened = number;
        r->opened_lane = lane;
    }
    return r->open + at;
}

/* ---- blocks ---- */

/* What blocks are made of, zeroed, and freed by invar_free. Not invar_alloc's: aligned memory that was freed serves
 * only who asks for less, so that of pieces of every size which come and go the half would lie idle. */
static void *take(size_t size, struct invar_error *err)
{
    void *memory = calloc(1, size);

    if (!memory)
        invar_error_set(err, INVAR_ERROR_MEMORY, "replay: %zu bytes of memory could not be had; lower replay.memory",
                        size);
    return memory;
}

static size_t block_bytes(const struct replay *r, const struct replay_block *block)
{
    size_t bytes = sizeof *block + (block->packed ? block->packed : (size_t)(REPLAY_BLOCK * r->options.frame_size));

    for (int i = 0; i < REPLAY_BLOCK; i++)
        bytes += block->entry[i].state ? (size_t)r->options.state * sizeof(float) : 0;
    return bytes;
}

static void block_free(struct replay_block *block)
{
    for (int i = 0; block && i < REPLAY_BLOCK; i++)
        invar_free(block->entry[i].state);
    if (block)
        invar_free(block->frames);
    invar_free(block);
}

/* What begins in the block, and what begins behind it and reaches back into it, can no longer be drawn. */
static void drop_first(struct replay *r, int lane)
{
    struct replay_lane *l = &r->lanes[lane];
    struct replay_block **first = place(r, lane, l->first / REPLAY_BLOCK);
    const int64_t reach = r->options.burn_in + r->options.stack;

    for (int64_t e = l->first; e < l->first + REPLAY_BLOCK + reach && e < l->end; e++) {
        const int64_t step = replay_entry(r, lane, e)->step;
        if (e - (step < reach ? step : reach) < l->first + REPLAY_BLOCK)
            sum_tree_set(&r->tree, replay_leaf(r, lane, e), 0);
    }
    r->bytes -= block_bytes(r, *first);
    if (r->opened == l->first / REPLAY_BLOCK && r->opened_lane == lane)
        r->opened = -1;
    block_free(*first);
    *first = NULL;
    l->first += REPLAY_BLOCK;
    l->ready = l->ready < l->first ? l->first : l->ready;
}

/* The lane that has most gives, so that lanes stay alike; the block that is being filled never goes. */
static void make_room(struct replay *r, size_t wanted)
{
    for (;;) {
        int longest = 0;
        for (int i = 1; i < r->options.lanes; i++)
            if (r->lanes[i].end - r->lanes[i].first > r->lanes[longest].end - r->lanes[longest].first)
                longest = i;
        if (r->bytes + wanted <= (size_t)r->options.memory ||
            r->lanes[longest].end - r->lanes[longest].first <= REPLAY_BLOCK)
            return;
        drop_first(r, longest);
    }
}

/* *room receives that of the frames where they were packed, for the next block: freed and taken anew among packed
 * blocks of every size, such rooms would leave holes as large as all there is. */
static bool seal(struct replay *r, int lane, int64_t number, unsigned char **room, struct invar_error *err)
{
    struct replay_block *block = *place(r, lane, number);
    const size_t raw = (size_t)(REPLAY_BLOCK * r->options.frame_size);
    size_t size;

    if (!r->packs)
        return true;
    if (!replay_pack(r, block->frames, REPLAY_BLOCK, &size, err))
        return false;
    if (size >= raw)
        return true;
    unsigned char *packed = take(size, err);
    if (!packed)
        return false;
    memcpy(packed, r->room, size);
    *room = block->frames;
    block->frames = packed;
    block->packed = size;
    r->bytes -= raw - size;
    return true;
}

static bool open_block(struct replay *r, int lane, struct invar_error *err)
{
    const size_t raw = (size_t)(REPLAY_BLOCK * r->options.frame_size);
    struct replay_lane *l = &r->lanes[lane];
    struct replay_block *block;
    unsigned char *room = NULL;

    if (l->end > l->first && !seal(r, lane, l->end / REPLAY_BLOCK - 1, &room, err))
        return false;
    if (l->end - l->first == r->block_count * REPLAY_BLOCK)
        drop_first(r, lane);
    make_room(r, sizeof *block + raw);
    block = take(sizeof *block, err);
    room = block && !room ? take(raw, err) : room;
    if (!block || !room) {
        invar_free(block);
        invar_free(room);
        return false;
    }
    block->frames = room;
    *place(r, lane, l->end / REPLAY_BLOCK) = block;
    r->bytes += sizeof *block + raw;
    return true;
}

bool replay_append(struct replay *r, int lane, const void *frame, const float *state, int32_t step,
                   struct invar_error *err)
{
    struct replay_lane *l = &r->lanes[lane];
    const size_t bytes = (size_t)r->options.frame_size, state_bytes = (size_t)r->options.state * sizeof(float);

    if (l->end % REPLAY_BLOCK == 0 && !open_block(r, lane, err))
        return false;
    struct replay_block *block = *place(r, lane, l->end / REPLAY_BLOCK);
    struct replay_entry *entry = &block->entry[l->end % REPLAY_BLOCK];
    *entry = (struct replay_entry){.action = -1, .step = step};
    if (state && state_bytes > 0 && step % r->options.period == 0) {
        make_room(r, state_bytes);
        entry->state = take(state_bytes, err);
        if (!entry->state)
            return false;
        memcpy(entry->state, state, state_bytes);
        r->bytes += state_bytes;
    }
    memcpy(block->frames + l->end % REPLAY_BLOCK * r->options.frame_size, frame, bytes);
    l->end++;
    return true;
}

/* ---- making ---- */

/* What is there from the beginning: the tree, lanes, the block that is unpacked and the room to pack one. */
static size_t fixed_bytes(const struct replay *r)
{
    const size_t raw = (size_t)(REPLAY_BLOCK * r->options.frame_size), lanes = (size_t)r->options.lanes;

    return 2 * (size_t)r->tree.size * sizeof(double) + raw + r->room_size +
           lanes * (sizeof(struct replay_lane) + (size_t)r->block_count * sizeof(struct replay_block *));
}

/* Of so many blocks in each lane, none of them packed. */
static double whole_bytes(const struct replay_options *o, int64_t blocks)
{
    const double entries = (double)blocks * REPLAY_BLOCK * o->lanes;
    const double states = o->state ? entries / (double)o->period * (double)o->state * sizeof(float) : 0;

    return entries * (double)o->frame_size + (double)blocks * o->lanes * sizeof(struct replay_block) + states;
}

/* A replay that the machine cannot hold: at once, or once it has grown. */
static bool check_memory(const struct replay *r, double least, double most, struct invar_error *err)
{
    const double available = (double)invar_memory_available(), gib = 1024.0 * 1048576;

    if (available > 0 && least > available)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "replay.steps is %lld, for which %.1f GiB are taken at the beginning, and this machine "
                               "has %.1f GiB left: lower it",
                               (long long)r->options.steps, least / gib, available / gib);
    if (available > 0 && most > available)
        invar_log(INVAR_LOG_WARNING,
                  "the replay may grow to %.1f GiB, and this machine has %.1f GiB left: lower replay.memory to less, "
                  "frames are packed then and the oldest go",
                  most / gib, available / gib);
    return true;
}

bool replay_create(struct replay *r, const struct replay_options *o, struct invar_error *err)
{
    const int64_t each = (o->steps + o->lanes - 1) / o->lanes,
                  least = (o->burn_in + o->sequence + o->n + o->stack) / REPLAY_BLOCK + 3;
    const size_t raw = (size_t)(REPLAY_BLOCK * o->frame_size);

    *r = (struct replay){.options = *o, .largest = 1, .opened = -1};
    r->block_count = (each + REPLAY_BLOCK - 1) / REPLAY_BLOCK + 1;
    r->block_count = r->block_count < least ? least : r->block_count;
    r->room_size = compressBound((uLong)raw);
    const int64_t entries = r->block_count * REPLAY_BLOCK * o->lanes;
    r->tree.size = sum_tree_size(entries);
    r->bytes = fixed_bytes(r);
    if ((double)r->bytes + whole_bytes(o, least) > (double)o->memory)
        return invar_error_set(
            err, INVAR_ERROR_USAGE,
            "replay.memory is %.3g MiB, but %lld steps with the least of frames take %.3g MiB: raise "
            "it, or lower replay.steps",
            (double)o->memory / 1048576, (long long)o->steps, ((double)r->bytes + whole_bytes(o, least)) / 1048576);
    const double whole = (double)r->bytes + whole_bytes(o, r->block_count);
    r->packs = whole > (double)o->memory;
    if (!check_memory(r, (double)r->bytes, r->packs ? (double)o->memory : whole, err) ||
        !sum_tree_create(&r->tree, entries, err))
        return false;
    r->lanes = invar_alloc((size_t)o->lanes, sizeof *r->lanes, err);
    r->open = invar_alloc(raw, 1, err);
    r->room = invar_alloc(r->room_size, 1, err);
    for (int i = 0; r->lanes && i < o->lanes; i++) {
        r->lanes[i].blocks = invar_alloc((size_t)r->block_count, sizeof *r->lanes[i].blocks, err);
        if (!r->lanes[i].blocks)
            return false;
    }
    return r->lanes && r->open && r->room;
}

void replay_free(struct replay *r)
{
    for (int i = 0; r->lanes && i < r->options.lanes; i++) {
        for (int64_t b = 0; r->lanes[i].blocks && b < r->block_count; b++)
            block_free(r->lanes[i].blocks[b]);
        invar_free(r->lanes[i].blocks);
    }
    invar_free(r->lanes);
    invar_free(r->tree.weight);
    invar_free(r->open);
    invar_free(r->room);
    *r = (struct replay){0};
}
