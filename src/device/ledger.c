/* SPDX-License-Identifier: Apache-2.0 */
/* What a step finds, read once. */
#include "invar/expert/dense.h"

/* Slots as a matrix of one row, for the operations that know matrices. */
static struct invar_matrix row(const struct invar_ledger *ledger)
{
    return (struct invar_matrix){INVAR_FLOAT64, 1, ledger->capacity, ledger->slots};
}

/* Slots and what is read of them come from the same scratch, and go with it. */
bool invar_ledger_take(struct invar_device *device, struct invar_scratch *scratch, int capacity,
                       struct invar_ledger *out, struct invar_error *err)
{
    *out = (struct invar_ledger){.device = device, .capacity = capacity};
    out->slots = invar_device_take(scratch, (size_t)capacity, sizeof *out->slots, err);
    out->values = out->slots ? invar_scratch_take(scratch, (size_t)capacity, sizeof *out->values, err) : NULL;
    if (out->values)
        invar_ledger_clear(out);
    return out->values != NULL;
}

/* All slots, not only those of the last step: a step may take more than the one before. */
void invar_ledger_clear(struct invar_ledger *ledger)
{
    const struct invar_matrix all = row(ledger);

    ledger->count = 0;
    invar_dense_zero(ledger->device, &all);
}

/* Never NULL, so that terms need not check what is decided by counting: capacity is the sum of what all terms say
 * they take. */
double *invar_ledger_slot(struct invar_ledger *ledger)
{
    if (ledger->count < ledger->capacity)
        ledger->count++;
    return ledger->slots + ledger->count - 1;
}

/* One copy for all slots: the wait of a step. */
void invar_device_read(struct invar_ledger *ledger)
{
    invar_device_download(ledger->device, ledger->values, ledger->slots,
                          (size_t)ledger->count * sizeof *ledger->values);
}

double invar_ledger_value(const struct invar_ledger *ledger, const double *slot)
{
    return ledger->values[slot - ledger->slots];
}
