/* SPDX-License-Identifier: Apache-2.0 */
/* components: every registered component, one line each: its kind and its name. */
#include "invar/invar.h"

#include <stdio.h>

int main(void)
{
    for (const struct invar_source_name *source = invar_source_names(); source->name; source++)
        printf("source %s\n", source->name);
    for (const struct invar_encoder_spec *const *encoder = invar_encoder_list(); *encoder; encoder++)
        printf("encoder %s\n", (*encoder)->name);
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++)
        printf("term %s\n", (*term)->name);
    for (const struct invar_optimiser_spec *const *optimiser = invar_optimiser_list(); *optimiser; optimiser++)
        printf("optimiser %s\n", (*optimiser)->name);
    for (const struct invar_recipe_name *recipe = invar_recipe_names(); recipe->name; recipe++)
        printf("recipe %s\n", recipe->name);
    return 0;
}
