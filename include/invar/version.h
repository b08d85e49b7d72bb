/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_VERSION_H
#define INVAR_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/** Of the headers that a program was compiled with. */
#define INVAR_VERSION "0.1.0"

/** Of the library that it runs with. */
const char *invar_version(void);

#ifdef __cplusplus
}
#endif

#endif
