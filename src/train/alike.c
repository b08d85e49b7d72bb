/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks that are about to do the same: whether they will, to the same bits. */
#include "train/alike.h"

#include <stdio.h>
#include <string.h>

/* What all must have alike. */
struct introduction {
    char engine[32], instruction_set[32];
    int64_t threads, samples;
    uint64_t subject, data;
};

uint64_t alike_hash(uint64_t so_far, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++)
        so_far = (so_far ^ at[i]) * 0x100000001b3u;
    return so_far;
}

/* An identity is of what the files hold, so that data may lie elsewhere on another machine. */
static bool introduce(const struct invar_device *device, const struct invar_dataset_info *info,
                      const struct invar_alike_subject *subject, struct introduction *own, struct invar_error *err)
{
    const char *identity = info->identity ? info->identity : "";
    struct invar_machine machine;

    if (!invar_device_machine(device, subject->precision, &machine, err))
        return false;
    *own = (struct introduction){.threads = machine.threads,
                                 .samples = info->count[INVAR_TRAIN],
                                 .subject = subject->hash,
                                 .data = alike_hash(INVAR_ALIKE_BEGIN, identity, strlen(identity))};
    memcpy(own->engine, machine.engine, sizeof own->engine);
    memcpy(own->instruction_set, machine.instruction_set, sizeof own->instruction_set);
    return true;
}

/* The first thing that differs between rank k and the first. */
static bool differs(const struct introduction *first, const struct introduction *other, int k, const char *subject,
                    struct invar_error *err)
{
    const int process = k + 1;

    if (first->subject != other->subject)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "process %d has another %s than process 1: give all the same one", process, subject);
    if (first->samples != other->samples || first->data != other->data)
        return invar_error_set(err, INVAR_ERROR_DATA,
                               "process %d has other data than process 1 (%lld training samples, %lld there): give all "
                               "the same files",
                               process, (long long)other->samples, (long long)first->samples);
    if (strncmp(first->engine, other->engine, sizeof first->engine) != 0 ||
        strncmp(first->instruction_set, other->instruction_set, sizeof first->instruction_set) != 0)
        return invar_error_set(err, INVAR_ERROR_DEVICE,
                               "process %d computes by %.31s with %.31s, process 1 by %.31s with %.31s, and their "
                               "parameters would part: set ONEDNN_MAX_CPU_ISA to what all of them have",
                               process, other->engine, other->instruction_set, first->engine, first->instruction_set);
    if (first->threads != other->threads)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "process %d has %lld threads, process 1 has %lld: give all the same number", process,
                               (long long)other->threads, (long long)first->threads);
    return true;
}

/* Of one size in every version, as it is the first that ranks say to each other. */
#define WORD 64

bool ranks_same(struct invar_ranks *ranks, const char *word, const char *is, const char *remedy,
                struct invar_error *err)
{
    char own[WORD] = "";
    const char *all;
    bool ok = true;

    if (!ranks)
        return true;
    snprintf(own, sizeof own, "%s", word);
    if (!(all = ranks_gather_all(ranks, own, sizeof own, err)))
        return false;
    for (int k = 1; ok && k < invar_ranks_count(ranks); k++)
        if (strncmp(all + k * WORD, all, WORD) != 0)
            ok = invar_error_set(err, INVAR_ERROR_SYSTEM, "process %d %s %.*s, process 1 %s %.*s: %s", k + 1, is,
                                 WORD - 1, all + k * WORD, is, WORD - 1, all, remedy);
    return ranks_agree(ranks, ok, err);
}

/* All find the same difference, as all have the same introductions. */
bool ranks_alike(struct invar_ranks *ranks, struct invar_device *device, const struct invar_dataset_info *info,
                 const struct invar_alike_subject *subject, struct invar_error *err)
{
    struct introduction own = {0};
    const struct introduction *all;

    if (!ranks)
        return true;
    if (!ranks_agree(ranks, introduce(device, info, subject, &own, err), err))
        return false;
    if (!(all = ranks_gather_all(ranks, &own, sizeof own, err)))
        return false;
    bool ok = true;
    for (int k = 1; ok && k < invar_ranks_count(ranks); k++)
        ok = differs(&all[0], &all[k], k, subject->name, err);
    return ranks_agree(ranks, ok, err);
}
