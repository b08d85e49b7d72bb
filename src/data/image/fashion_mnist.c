/* SPDX-License-Identifier: Apache-2.0 */
/* The source `fashion-mnist`: Debian's copy, or the folder that INVAR_FASHION_MNIST names. */
#include "data/image/idx.h"

#include <stdlib.h>

bool data_fashion_mnist_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                             struct invar_error *err)
{
    static const char *const names[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                        "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
    const char *folder = getenv("INVAR_FASHION_MNIST");
    (void)path;
    return data_idx_read(source, folder && *folder ? folder : "/usr/share/datasets/fashion-mnist", names, 10,
                         "apt install dataset-fashion-mnist, or name a folder that has it in INVAR_FASHION_MNIST",
                         options, err);
}
