/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_REPORT_PAGE_FILES_H
#define INVAR_REPORT_PAGE_FILES_H

#include <stddef.h>

/* The files that a report is made of, embedded at build time, each with a NUL behind it that its size does not count.
 */
extern const char page_template[], page_style[], page_base[], page_map[], page_sections[], page_chart[];
extern const size_t page_template_size, page_style_size, page_base_size, page_map_size, page_sections_size,
    page_chart_size;

#endif
