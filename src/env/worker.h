/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_ENV_WORKER_H
#define INVAR_SRC_ENV_WORKER_H

#include <stddef.h>

/** worker.py, which travels inside the library as the recipes do. */
extern const char env_worker_text[];
extern const size_t env_worker_size;

#endif
