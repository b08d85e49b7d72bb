/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_TESTS_FOLDER_H
#define INVAR_TESTS_FOLDER_H

#include "test.h"

/** An empty folder, made before a test (or a group of tests) by setup and removed with all it holds by teardown. */
static char *folder;

static int setup(void **state)
{
    (void)state;
    folder = test_folder_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

#endif
