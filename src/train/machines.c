/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On what a run went on: a JSON list of processors, instruction sets, precisions and numbers of threads, each once, in
 * the order in which steps were made on them. A run that is resumed where it was begun has the same list as one that
 * was not interrupted.
 */
#include "train/folder.h"

#include "invar/log.h"
#include "invar/version.h"

#include <stdlib.h>
#include <string.h>

/* The list is taken whole where it looks like one: it was written here, under the checksum of the checkpoint. */
bool machines_restore(struct invar_folder *f, const struct invar_safetensors *file, struct invar_error *err)
{
    const char *before = invar_safetensors_metadata(file, "invar.machine");
    const char *threads = invar_safetensors_metadata(file, "invar.threads");
    const size_t length = before ? strlen(before) : 0;

    invar_text_free(&f->machines);
    if (length > 2 && before[0] == '[' && before[length - 1] == ']')
        return invar_text_printf(&f->machines, err, "%s", before);
    return invar_text_printf(&f->machines, err, "[{\"threads\": %lld}]", threads ? strtoll(threads, NULL, 10) : 1);
}

/* Before the first step, so that a checkpoint never holds a step of a machine that it does not name. */
bool machines_join(struct invar_folder *f, struct invar_error *err)
{
    struct invar_text own = {0}, all = {0};
    struct invar_machine machine;
    bool ok = invar_device_machine(f->device, f->precision, &machine, err) && invar_machine_write(&machine, &own, err);

    if (ok && (!f->machines.data || !strstr(f->machines.data, own.data))) {
        const int kept = f->machines.data ? (int)f->machines.size - 1 : 0; /* without the closing bracket */
        ok = kept ? invar_text_printf(&all, err, "%.*s, %s]", kept, f->machines.data, own.data)
                  : invar_text_printf(&all, err, "[%s]", own.data);
        if (ok) {
            invar_text_free(&f->machines);
            f->machines = all;
            all = (struct invar_text){0};
        }
    }
    invar_text_free(&own);
    invar_text_free(&all);
    return ok;
}

/* This machine is none of those that the list of a checkpoint names; a list without processors knows nothing. Texts
 * are compared where the list of machines is a text: every machine is written by one function, so equal machines are
 * equal bytes. */
static bool is_other(const struct invar_folder *f, const struct invar_safetensors *file, struct invar_text *now)
{
    const char *before = invar_safetensors_metadata(file, "invar.machine");
    struct invar_machine machine;

    if (!before || !*before || !invar_device_machine(f->device, f->precision, &machine, NULL))
        return false;
    return invar_text_printf(
               now, NULL,
               "\"processor\": \"%s\", \"engine\": \"%s\", \"instruction_set\": \"%s\", \"precision\": \"%s\"",
               machine.processor, machine.engine, machine.instruction_set, machine.precision) &&
           !strstr(before, now->data);
}

void machines_warn(const struct invar_folder *f, const struct invar_safetensors *file)
{
    const char *version = invar_safetensors_metadata(file, "invar.version");
    const char *text = invar_safetensors_metadata(file, "invar.threads");
    const long long threads = text ? strtoll(text, NULL, 10) : -1;
    struct invar_text now = {0};

    if (is_other(f, file, &now))
        invar_log(
            INVAR_LOG_WARNING,
            "the run goes on on another processor, library, instruction set or precision than so far (now %s): its "
            "result will differ from an uninterrupted run",
            now.data);
    invar_text_free(&now);
    if (threads != invar_device_threads(f->device))
        invar_log(INVAR_LOG_WARNING,
                  "the run went on %lld threads so far and goes on with %d: its result will differ in rounding from an "
                  "uninterrupted run",
                  threads, invar_device_threads(f->device));
    if (!version || strcmp(version, INVAR_VERSION) != 0)
        invar_log(INVAR_LOG_WARNING, "the run was begun by version %s, this is %s: its result may differ in rounding",
                  version ? version : "?", INVAR_VERSION);
}
