// SPDX-License-Identifier: Apache-2.0
// The library from C++: a device, and what is wrong as a sentence.
#include <invar/invar.h>

#include <cstdio>
#include <cstring>
#include <memory>

int main()
{
    invar_error err = {};
    std::unique_ptr<invar_device, void (*)(invar_device *)> device(invar_device_open("cpu", 1, &err),
                                                                   invar_device_close);
    if (!device || std::strcmp(invar_version(), INVAR_VERSION) != 0)
        return 1;
    std::printf("%s: %s\n", invar_device_name(device.get()), invar_device_describe(device.get()));
    const char *const changes[] = {"terms.no_such.weight=1"};
    invar_recipe *recipe = invar_recipe_load("simclr-table", changes, 1, &err);
    std::printf("%s\n", err.message);
    invar_recipe_free(recipe);
    return recipe != nullptr;
}
