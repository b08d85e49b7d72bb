/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_ENCODER_H
#define INVAR_ENCODER_H

#include "invar/expert/net.h"
#include "invar/expert/safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A trained (or initial) encoder on the host, with all that is needed to feed it: what encoder.safetensors holds. */
struct invar_encoder {
    char kind[64];                 /**< name in the encoder table, "resnet18" */
    struct invar_net *net;         /**< owned */
    float *parameters;             /**< [net->trained_count], owned */
    float *statistics;             /**< [net->statistic_count], owned */
    struct invar_text options;     /**< YAML of the encoder section without kind, as resolved */
    struct invar_text source;      /**< YAML of how data become input: the resolved data section */
    char data_kind[16];            /**< what it was trained on: "image", "table", "audio"; empty: not known */
    struct invar_text columns;     /**< tables: what the columns mean (struct invar_table's schema); else empty */
    struct invar_text identity;    /**< of the training data (struct invar_dataset_info); else empty */
    struct invar_text machine;     /**< JSON: what it was trained on, a list of struct invar_machine; else empty */
    char recipe[128];              /**< name of the recipe */
    int64_t steps;                 /**< that it was trained for; 0: not known */
    float mean[16], deviation[16]; /**< standardisation by channel, values in 0..1 */
};

/** Builds the net of `encoder: {kind, ...}` (mapping) for an input; parameters are initialised from seed, stream 0;
 * mean 0 and deviation 1. NULL with err set for an unknown kind, an option that is not allowed, or an input too small.
 */
struct invar_encoder *invar_encoder_create(const struct invar_node *section, struct invar_shape input, uint64_t seed,
                                           struct invar_error *err);
void invar_encoder_free(struct invar_encoder *encoder);
/** encoder.safetensors: torchvision names, metadata "invar.*": version, kind, options, input shape, mean, deviation,
 * recipe, steps, data, data_kind, identity, machine, and of tables columns. */
bool invar_encoder_write(const struct invar_encoder *encoder, const char *path, struct invar_error *err);
/** Reads what invar_encoder_write wrote; anything else is refused with a sentence that names the file and the metadata
 * or array. Free with invar_encoder_free. */
struct invar_encoder *invar_encoder_read(const char *path, struct invar_error *err);
/** `init=FILE`: takes every array of the net from a safetensors file (ours or torchvision's; num_batches_tracked and
 * fc.* are ignored), float32, float16 or bfloat16; "module." and "backbone." before the names are taken
 * off, and what does not stand behind them is not looked at. A missing name, one without a place in the net, another
 * shape or type, and metadata invar.kind of another net are errors that name it, and change nothing. */
bool invar_encoder_adopt(struct invar_encoder *encoder, const char *path, struct invar_error *err);

/** A projector on the host: what projector.safetensors holds. */
struct invar_head {
    struct invar_head_options options;
    struct invar_net *net;          /**< owned */
    float *parameters, *statistics; /**< owned, as in an encoder */
    char recipe[128];               /**< name of the recipe */
};
/** projector.safetensors: names 0.linear.weight, 0.norm.weight, ..., metadata "invar.*": version, kind ("projector"),
 * options, width (features that come in), recipe. */
bool invar_head_write(const struct invar_head *head, const char *path, struct invar_error *err);
/** Reads what invar_head_write wrote; anything else is refused with a sentence that names the file and the metadata or
 * array. Free with invar_head_free. */
struct invar_head *invar_head_read(const char *path, struct invar_error *err);
/** NULL is accepted. */
void invar_head_free(struct invar_head *head);

/** Puts all arrays of a net into (or takes them from) a safetensors file under prefix + name. path is what messages
 * call the file. Taking changes nothing where it fails; with parameters NULL it only checks. */
bool invar_net_store(const struct invar_net *net, const float *parameters, const float *statistics, const char *prefix,
                     struct invar_safetensors *file, struct invar_error *err);
bool invar_net_restore(const struct invar_net *net, float *parameters, float *statistics, const char *prefix,
                       const struct invar_safetensors *file, const char *path, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
