/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On what a run went on: a JSON list of processors, instruction sets, precisions and numbers of threads, each once, in
 * the order in which steps were made on them. A run that is resumed where it was begun has the same list as one that
 * was not interrupted.
 */
#include "train/trainer.h"

#include "invar/expert/safetensors.h"

#include <stdlib.h>
#include <string.h>

bool invar_machines_restore(struct invar_trainer *t, const struct invar_safetensors *file, struct invar_error *err)
{
    const char *before = invar_safetensors_metadata(file, "invar.machine");
    const char *threads = invar_safetensors_metadata(file, "invar.threads");
    const size_t length = before ? strlen(before) : 0;

    invar_text_free(&t->machines);
    if (length > 2 && before[0] == '[' && before[length - 1] == ']')
        return invar_text_printf(&t->machines, err, "%s", before);
    return invar_text_printf(&t->machines, err, "[{\"threads\": %lld}]", threads ? strtoll(threads, NULL, 10) : 1);
}

bool invar_machines_join(struct invar_trainer *t, struct invar_error *err)
{
    const enum invar_precision precision = (enum invar_precision)t->recipe->training.precision;
    struct invar_text own = {0}, all = {0};
    struct invar_machine machine;
    bool ok = invar_device_machine(t->device, precision, &machine, err) && invar_machine_write(&machine, &own, err);

    if (ok && (!t->machines.data || !strstr(t->machines.data, own.data))) {
        const int kept = t->machines.data ? (int)t->machines.size - 1 : 0; /* without the closing bracket */
        ok = kept ? invar_text_printf(&all, err, "%.*s, %s]", kept, t->machines.data, own.data)
                  : invar_text_printf(&all, err, "[%s]", own.data);
        if (ok) {
            invar_text_free(&t->machines);
            t->machines = all;
            all = (struct invar_text){0};
        }
    }
    invar_text_free(&own);
    invar_text_free(&all);
    return ok;
}
