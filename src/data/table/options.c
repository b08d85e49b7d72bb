/* SPDX-License-Identifier: Apache-2.0 */
/* Options of tables, some of which are those of the labels of arrays. */
#include "data/source.h"

#define CSV(name) offsetof(struct invar_csv_options, name)
const struct invar_option data_csv_options[] = {
    {"separator", INVAR_OPTION_TEXT, CSV(separator), "", 0, 0, NULL,
     "csv: the character between cells, or tab; empty: found in the first lines"},
    {"header", INVAR_OPTION_CHOICE, CSV(header), "auto", 0, 0, INVAR_CHOICES(INVAR_TABLE_HEADERS),
     "csv: whether the first line names the columns; where not, they are c1, c2, ..."},
    {"missing", INVAR_OPTION_TEXT, CSV(missing), "?, NA, N/A, NaN, nan, empty", 0, 0, NULL,
     "csv: what stands for a missing value; empty: nothing between two separators"},
    {"categorical", INVAR_OPTION_TEXT, CSV(categorical), "", 0, 0, NULL,
     "csv: columns whose values are categories though they look like numbers; * and ? as in file names"},
    {"numeric", INVAR_OPTION_TEXT, CSV(numeric), "", 0, 0, NULL,
     "csv: columns that must be numbers; anything else in them is an error"},
    {"ignore", INVAR_OPTION_TEXT, CSV(ignore), "", 0, 0, NULL, "csv: columns that are left out"},
    {"categories", INVAR_OPTION_INT, CSV(categories), "256", 1, 65536, NULL,
     "csv: the most frequent categories of a column that have a place of their own; others share one"},
    {0},
};
