/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_ONNX_TABLE_H
#define EXPORT_ONNX_TABLE_H

#include "export/export.h"
#include "export/onnx_graph.h"

/** Inputs "numbers" (NaN: missing) and "categories" (empty: missing), and the nodes that make what the net takes of
 * them, whose name is returned. What columns they are goes into the metadata of those names. */
const char *onnx_table(struct onnx *onnx, const struct export_input *input);

#endif
