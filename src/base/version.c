/* SPDX-License-Identifier: Apache-2.0 */
#include "invar/version.h"

const char *invar_version(void)
{
    return INVAR_VERSION;
}
