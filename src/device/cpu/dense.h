/* SPDX-License-Identifier: Apache-2.0 */
/* The dense operations of the cpu: cpu_dense_NAME, entries of its backend. */
#ifndef INVAR_SRC_DEVICE_CPU_DENSE_H
#define INVAR_SRC_DEVICE_CPU_DENSE_H

#include "device/dense.h"

#define CPU_DENSE(name, parameters, arguments) void cpu_dense_##name parameters;
#define CPU_DENSE_ANSWER(type, name, parameters, arguments) type cpu_dense_##name parameters;
#define CPU_DENSE_LEFT(name, parameters, arguments)
DENSE_LIST(CPU_DENSE, CPU_DENSE_ANSWER, CPU_DENSE_LEFT)

#endif
