/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_PAGE_H
#define INVAR_REPORT_PAGE_H

#include "invar/error.h"
#include <stdint.h>

/**
 * The template with everything in its place: the title escaped, styles, Chart.js, the data (JSON) as one block that no
 * text in it can end, the script. Written beside its place and renamed.
 */
bool page_write(const char *path, const char *title, const char *data, struct invar_error *err);

#endif
