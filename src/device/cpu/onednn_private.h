/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files that know which oneDNN it is share: 2.x describes an operation first and memory descriptors are
   values, 3.x makes primitive descriptors at once and memory descriptors are handles. */
#ifndef INVAR_DEVICE_CPU_ONEDNN_PRIVATE_H
#define INVAR_DEVICE_CPU_ONEDNN_PRIVATE_H

#include "device/cpu/onednn.h"

#define VERSION3 (DNNL_VERSION_MAJOR >= 3)

struct owned {
    void **items;
    int count, capacity;
};

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attributes; /* scratchpad given by the user */
    struct owned layouts, kernels, memories;
};

/* How oneDNN takes a memory descriptor. */
#if VERSION3
typedef const_dnnl_memory_desc_t desc_in;
#else
typedef const dnnl_memory_desc_t *desc_in;
#endif
desc_in onednn_desc(const struct layout *layout);

/* Whether oneDNN succeeded; else err says that it could not do what, and why. */
bool onednn_check(dnnl_status_t status, const char *what, struct invar_error *err);
/* Notes an item that onednn_free frees. */
bool onednn_own(struct owned *owned, void *item, struct invar_error *err);
/* Takes over desc. */
const struct layout *onednn_layout_keep(struct onednn *o, dnnl_memory_desc_t desc, struct invar_error *err);

#endif
