/* SPDX-License-Identifier: Apache-2.0 */
/* components: every component that the tables of the library hold, one line each, KIND.NAME. */
#include "invar/expert/env.h"
#include "invar/invar.h"

#include <stdio.h>

static void print_options(const char *kind, const struct invar_option *table)
{
    for (; table->name; table++)
        if (table->kind == INVAR_OPTION_PART)
            print_options(kind, table->choices);
        else if (table->kind != INVAR_OPTION_RENAMED)
            printf("%s.%s\n", kind, table->name);
}

int main(void)
{
    for (const struct invar_source_name *source = invar_source_names(); source->name; source++)
        printf("source.%s\n", source->name);
    for (const struct invar_env_kind *kind = invar_env_kinds(); kind->name; kind++)
        printf("env.%s\n", kind->name);
    print_options("view", invar_view_option_table);
    for (const struct invar_encoder_spec *const *encoder = invar_encoder_list(); *encoder; encoder++)
        printf("encoder.%s\n", (*encoder)->name);
    for (const struct invar_generator_spec *const *generator = invar_generator_list(); *generator; generator++)
        printf("generator.%s\n", (*generator)->name);
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++)
        printf("term.%s\n", (*term)->name);
    for (const struct invar_optimiser_spec *const *optimiser = invar_optimiser_list(); *optimiser; optimiser++)
        printf("optimiser.%s\n", (*optimiser)->name);
    for (const struct invar_export_format *format = invar_export_formats(); format->name; format++)
        printf("format.%s\n", format->name);
    for (int i = 0; i < invar_corruption_count(); i++)
        printf("corruption.%s\n", invar_corruption_at(i)->name);
    for (const struct invar_recipe_name *recipe = invar_recipe_names(); recipe->name; recipe++)
        printf("recipe.%s\n", recipe->name);
    return 0;
}
