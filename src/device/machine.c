/* SPDX-License-Identifier: Apache-2.0 */
/* What computes: the processor's own name, and the line that runs and results record. */
#include "device/backend.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

/* Three answers of 16 characters each; what is no x86 says its architecture. cpuid and not a file of the system: it
 * is there in containers and needs no parsing. */
static void ask(char text[256])
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned part[12];
    bool known = true;

    for (unsigned i = 0; i < 3; i++)
        known =
            known && __get_cpuid(0x80000002U + i, &part[4 * i], &part[4 * i + 1], &part[4 * i + 2], &part[4 * i + 3]);
    if (known) {
        memcpy(text, part, sizeof part);
        text[sizeof part] = '\0';
        return;
    }
#endif
    struct utsname name;
    snprintf(text, 256, "%.255s", uname(&name) == 0 ? name.machine : "");
}

/* Words with single blanks between them, in characters that need no escape anywhere. Vendors pad with blanks, and the
 * name goes into JSON, metadata and tables of others. */
void processor_name(char *out, size_t size)
{
    char text[256];
    size_t used = 0;

    ask(text);
    for (const char *c = text; *c && used + 1 < size; c++) {
        const bool plain = *c > ' ' && *c <= '~' && *c != '"' && *c != '\\';
        if (plain || (used && out[used - 1] != ' '))
            out[used++] = plain ? *c : ' ';
    }
    while (used && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
    if (!used)
        snprintf(out, size, "unknown");
}

const char *invar_precision_name(enum invar_precision precision)
{
    static const char *const names[] = {INVAR_PRECISIONS(INVAR_CHOICE_NAME)};

    return names[precision];
}

/* Names as recipes have them, in the order of the enum. */
const char *invar_convolution_name(enum invar_convolution convolution)
{
    static const char *const names[] = {INVAR_CONVOLUTIONS(INVAR_CHOICE_NAME)};

    return names[convolution];
}

/* Precision is part of the machine: AUTO means bfloat16 on one and float32 on another, and results differ. */
bool invar_device_machine(const struct invar_device *device, enum invar_precision wanted, struct invar_machine *out,
                          struct invar_error *err)
{
    enum invar_precision used;

    if (!invar_device_precision(device, wanted, &used, err))
        return false;
    *out = (struct invar_machine){.precision = invar_precision_name(used), .threads = device->threads};
    memcpy(out->processor, device->processor, sizeof out->processor);
    memcpy(out->engine, device->engine, sizeof out->engine);
    memcpy(out->instruction_set, device->instruction_set, sizeof out->instruction_set);
    return true;
}

/* By hand, as it is one line whose order and spaces are compared as text; names hold nothing that JSON would escape. */
bool invar_machine_write(const struct invar_machine *machine, struct invar_text *out, struct invar_error *err)
{
    return invar_text_printf(out, err,
                             "{\"processor\": \"%s\", \"engine\": \"%s\", \"instruction_set\": \"%s\", \"precision\": "
                             "\"%s\", \"threads\": %d}",
                             machine->processor, machine->engine, machine->instruction_set, machine->precision,
                             machine->threads);
}
