/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On what a run went on: a JSON list of processors, instruction sets, precisions and numbers of threads, each once, in
 * the order in which steps were made on them. A run that is resumed where it was begun has the same list as one that
 * was not interrupted.
 */
#include "train/folder.h"

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
