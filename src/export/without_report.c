/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for ONNX files where INVAR_REPORT is off. */
#include "export/export.h"

bool export_onnx_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err)
{
    (void)encoder;
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: this invar was built without ONNX, reports and pictures: build it with "
                           "-DINVAR_REPORT=ON, or export safetensors or c",
                           path);
}
