/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_VERSION_H
#define INVAR_VERSION_H

#define INVAR_VERSION "0.1.0"

#endif
