/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXPORT_ONNX_GRAPH_H
#define EXPORT_ONNX_GRAPH_H

#include "invar/expert/net.h"

/*
 * An ONNX graph that grows by nodes, with all of its messages in one scratch. Where memory is short everything after
 * does nothing, and onnx_write fails with the err of onnx_create.
 */

enum onnx_type { ONNX_FLOAT32 = 1, ONNX_INT64 = 7, ONNX_TEXT = 8, ONNX_FLOAT64 = 11 };

struct onnx;
struct onnx_node;

struct onnx *onnx_create(const char *name, struct invar_error *err);
/** NULL is accepted. */
void onnx_free(struct onnx *onnx);
/** Zeroed memory that lives as long as the graph; NULL where it is short, now or before. */
void *onnx_take(struct onnx *onnx, size_t count, size_t size);
/** Text that lives as long as the graph. */
char *onnx_text(struct onnx *onnx, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** An input ([N, ...] of rank `rank`, dimension 0 free) or, with `output`, an output; its name. */
const char *onnx_value(struct onnx *onnx, bool output, const char *name, enum onnx_type type, int rank,
                       const int64_t *shape);
/** A constant whose numbers are borrowed until onnx_write; its name. */
const char *onnx_constant(struct onnx *onnx, const char *name, enum onnx_type type, int rank, const int64_t *shape,
                          const void *numbers);
/** A node that makes `output` from inputs (NULL-ended); NULL where memory is short, which the attributes accept. */
struct onnx_node *onnx_node(struct onnx *onnx, const char *operator, const char * output, const char *const *inputs);
void onnx_integers(struct onnx *onnx, struct onnx_node *node, const char *name, int count, const int64_t *values);
void onnx_integer(struct onnx *onnx, struct onnx_node *node, const char *name, int64_t value);
void onnx_real(struct onnx *onnx, struct onnx_node *node, const char *name, float value);
/** Borrowed until onnx_write. */
void onnx_texts(struct onnx *onnx, struct onnx_node *node, const char *name, int count, char *const *texts);
/** The node is one of ai.onnx.ml, which has texts. */
void onnx_of_texts(struct onnx *onnx, struct onnx_node *node);
/** value NULL: its making failed for want of memory. */
void onnx_metadata(struct onnx *onnx, const char *key, const char *value);
bool onnx_write(struct onnx *onnx, const char *path, struct invar_error *err);

#endif
