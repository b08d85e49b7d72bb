/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of a loss on given embeddings as files. */
#include "objective/gradients.h"
#include "data/source.h"
#include "invar/expert/file.h"

#include <stdio.h>
#include <string.h>

static bool is_apart(const char *const *inputs, int count, const char *path, struct invar_error *err)
{
    for (int i = 0; i < count; i++) {
        const char *value = strchr(inputs[i], '=');
        if (value && !data_place_apart(path, "grad", "in", value + 1, err))
            return false;
    }
    return true;
}

bool objective_gradients_write(const struct invar_loss_request *request, const struct invar_loss_result *result,
                               const char *folder, struct invar_error *err)
{
    char name[64], path[4096];
    bool ok = invar_folder_create(folder, err);

    for (int write = 0; write < 2; write++)
        for (int i = 0; ok && i < result->count; i++) {
            snprintf(name, sizeof name, "grad_%s.npy", result->gradient[i].name);
            ok = invar_path_join(path, sizeof path, folder, name, err) &&
                 (write ? invar_npy_write(&result->gradient[i].array, path, err)
                        : is_apart(request->inputs, request->input_count, path, err) &&
                              is_apart(request->settings, request->setting_count, path, err));
        }
    return ok;
}
