/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights that come from elsewhere (`init=FILE`): what stands before the names is taken off, narrow types are widened,
 * and what the net has no place for is refused by name, since it is the sign of another net.
 */
#include "invar/encoder.h"

#include <stdio.h>
#include <string.h>

#define NAMED 3 /* surplus arrays that a message names */

static const char *const prefixes[] = {"module.", "backbone.", NULL};

static size_t known_prefix(const char *name)
{
    for (int i = 0; prefixes[i]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return strlen(prefixes[i]);
    return 0;
}

/* How much stands before the names of the net: known prefixes, one or several, before its first parameter. */
static size_t prefix_length(const struct invar_safetensors *file, const struct invar_net *net, const char **prefix)
{
    *prefix = "";
    for (int i = 0; i < invar_safetensors_count(file); i++) {
        const char *name = invar_safetensors_name(file, i), *at = name;
        for (size_t length; (length = known_prefix(at)) > 0;)
            at += length;
        if (strcmp(at, net->parameters[0].name) == 0) {
            *prefix = name;
            return (size_t)(at - name);
        }
    }
    return 0;
}

static bool has_parameter(const struct invar_net *net, const char *name)
{
    for (int i = 0; i < net->parameter_count; i++)
        if (strcmp(net->parameters[i].name, name) == 0)
            return true;
    return false;
}

/* What torchvision has beside the weights of an encoder: counters of batches, and the classifier. */
static bool passed_over(const char *name)
{
    const char *end = strrchr(name, '.');

    return strncmp(name, "fc.", 3) == 0 || (end && strcmp(end, ".num_batches_tracked") == 0);
}

static bool refuse_surplus(const struct invar_safetensors *file, const struct invar_net *net, const char *prefix,
                           size_t length, const char *path, struct invar_error *err)
{
    char names[300] = "";
    int surplus = 0;

    for (int i = 0; i < invar_safetensors_count(file); i++) {
        const char *name = invar_safetensors_name(file, i);
        size_t used = strlen(names);
        if (strncmp(name, prefix, length) != 0 || has_parameter(net, name + length) || passed_over(name + length))
            continue;
        if (surplus++ < NAMED)
            snprintf(names + used, sizeof names - used, "%s\"%.80s\"", used ? ", " : "", name);
    }
    return surplus == 0 ||
           invar_error_set(err, INVAR_ERROR_FORMAT,
                           "%s: %d array%s no place in this net (%s%s); the weights belong to another net: check the "
                           "encoder's kind",
                           path, surplus, surplus == 1 ? " has" : "s have", names, surplus > NAMED ? ", ..." : "");
}

static bool check_kind(const struct invar_safetensors *file, const struct invar_encoder *encoder, const char *path,
                       struct invar_error *err)
{
    const char *kind = invar_safetensors_metadata(file, "invar.kind");

    return !kind || strcmp(kind, encoder->kind) == 0 ||
           invar_error_set(err, INVAR_ERROR_FORMAT,
                           "%s: holds the weights of another net, of kind %.60s, and the encoder here is %s: set "
                           "encoder.kind, or choose another file",
                           path, kind, encoder->kind);
}

/* The arrays of the net under their own names, bfloat16 as float32. */
static bool take(struct invar_safetensors *out, const struct invar_safetensors *file, const struct invar_net *net,
                 const char *prefix, size_t length, struct invar_error *err)
{
    for (int i = 0; i < net->parameter_count; i++) {
        char name[400];
        struct invar_array wide = {0};
        snprintf(name, sizeof name, "%.*s%s", (int)length, prefix, net->parameters[i].name);
        const struct invar_array *array = invar_safetensors_get(file, name);
        if (!array) /* whose absence has a sentence of its own */
            continue;
        if (array->dtype == INVAR_BFLOAT16 && !invar_array_convert(&wide, array, INVAR_FLOAT32, err))
            return false;
        const bool ok = invar_safetensors_add(out, net->parameters[i].name, wide.data ? &wide : array, err);
        invar_array_free(&wide);
        if (!ok)
            return false;
    }
    return true;
}

bool invar_encoder_adopt(struct invar_encoder *encoder, const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = NULL, *plain = NULL;
    const char *prefix = "";
    bool ok = false;

    if (!invar_safetensors_read(&file, path, err) || !check_kind(file, encoder, path, err))
        goto done;
    const size_t length = prefix_length(file, encoder->net, &prefix);
    plain = invar_safetensors_create(err);
    ok = plain && take(plain, file, encoder->net, prefix, length, err) &&
         invar_net_restore(encoder->net, NULL, NULL, "", plain, path, err) &&
         refuse_surplus(file, encoder->net, prefix, length, path, err) &&
         invar_net_restore(encoder->net, encoder->parameters, encoder->statistics, "", plain, path, err);
done:
    invar_safetensors_free(file);
    invar_safetensors_free(plain);
    return ok;
}
