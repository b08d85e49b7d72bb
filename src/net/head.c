/* SPDX-License-Identifier: Apache-2.0 */
/* projector.safetensors: the head behind the encoder, which training throws away and measurements of z need. */
#include "invar/encoder.h"
#include "invar/memory.h"
#include "invar/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void invar_head_free(struct invar_head *head)
{
    if (!head)
        return;
    invar_net_free(head->net);
    invar_free(head->parameters);
    invar_free(head->statistics);
    invar_free(head);
}

bool invar_head_write(const struct invar_head *head, const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = invar_safetensors_create(err);
    struct invar_text options = {0};
    char width[32];

    snprintf(width, sizeof width, "%lld", (long long)invar_net_input(head->net).channels);
    bool ok = file && invar_options_write(invar_head_option_table, &head->options, 0, &options, err) &&
              invar_safetensors_set_metadata(file, "invar.version", INVAR_VERSION, err) &&
              invar_safetensors_set_metadata(file, "invar.kind", "projector", err) &&
              invar_safetensors_set_metadata(file, "invar.options", options.data, err) &&
              invar_safetensors_set_metadata(file, "invar.width", width, err) &&
              invar_safetensors_set_metadata(file, "invar.recipe", head->recipe, err) &&
              invar_net_store(head->net, head->parameters, head->statistics, "", file, err) &&
              invar_safetensors_write(file, path, err);
    invar_text_free(&options);
    invar_safetensors_free(file);
    return ok;
}

static const char *required(const struct invar_safetensors *file, const char *key, const char *path,
                            struct invar_error *err)
{
    const char *value = invar_safetensors_metadata(file, key);
    if (!value)
        invar_error_set(err, INVAR_ERROR_FORMAT, "%s: has no metadata \"%s\"; expected a projector that invar wrote",
                        path, key);
    return value;
}

static bool read_options(struct invar_head *head, const char *text, struct invar_error *err)
{
    struct invar_node *section = invar_node_parse(text, strlen(text), "invar.options", err);

    invar_options_default(invar_head_option_table, &head->options);
    bool ok = section && invar_options_read(invar_head_option_table, &head->options, section, "projector", NULL, err);
    invar_node_free(section);
    return ok;
}

/* Options, net and room for its weights. */
static bool head_build(struct invar_head *head, const struct invar_safetensors *file, const char *path,
                       struct invar_error *err)
{
    const char *kind = required(file, "invar.kind", path, err);
    const char *options = required(file, "invar.options", path, err);
    const char *width = required(file, "invar.width", path, err);
    const char *recipe = invar_safetensors_metadata(file, "invar.recipe");
    struct invar_error problem = {0};
    char *end = NULL;

    if (!kind || !options || !width)
        return false;
    if (strcmp(kind, "projector") != 0)
        return invar_error_set(err, INVAR_ERROR_FORMAT, "%s: holds the weights of \"%.60s\"; expected a projector",
                               path, kind);
    const long long input = strtoll(width, &end, 10);
    if (end == width || *end || input < 1)
        return invar_error_set(err, INVAR_ERROR_FORMAT,
                               "%s: metadata invar.width is \"%.60s\"; expected the number of features that come in",
                               path, width);
    snprintf(head->recipe, sizeof head->recipe, "%s", recipe ? recipe : "");
    if (read_options(head, options, &problem))
        head->net = invar_head_build(&head->options, input, &problem);
    if (!head->net)
        return invar_error_set(err, problem.code == INVAR_ERROR_MEMORY ? problem.code : INVAR_ERROR_FORMAT,
                               "%s: the projector that its metadata describe cannot be built: %s", path,
                               problem.message);
    head->parameters = invar_alloc((size_t)head->net->trained_count + 1, sizeof(float), err);
    head->statistics = invar_alloc((size_t)head->net->statistic_count + 1, sizeof(float), err);
    return head->parameters && head->statistics;
}

struct invar_head *invar_head_read(const char *path, struct invar_error *err)
{
    struct invar_safetensors *file = NULL;
    struct invar_head *head = NULL;
    bool ok = false;

    if (!invar_safetensors_read(&file, path, err))
        goto done;
    head = invar_alloc(1, sizeof *head, err);
    ok = head && head_build(head, file, path, err) &&
         invar_net_restore(head->net, head->parameters, head->statistics, "", file, path, err);
done:
    invar_safetensors_free(file);
    if (!ok) {
        invar_head_free(head);
        head = NULL;
    }
    return head;
}
