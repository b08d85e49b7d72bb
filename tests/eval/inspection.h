/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of inspections share: an encoder and a projector made by hand, their data, and one inspection of them. */
#ifndef INVAR_TESTS_INSPECTION_H
#define INVAR_TESTS_INSPECTION_H

#include "train/training.h"

#include "invar/invar.h"

enum { SIDE = TRAINING_SIDE, INPUT = SIDE * SIDE, H = 16, Z = 8, TESTS = 40 };

struct bench {
    char *folder;
    struct invar_dataset *dataset;
    struct invar_device *device;
    struct invar_encoder *encoder;
    struct invar_head *projector;
    struct invar_view_options views;
    struct invar_inspect_options options;
    struct invar_inspect_subject subject;
};

/* A linear map of the pixels, with a ReLU behind it on request. */
static inline struct invar_encoder *encoder_create(bool relu)
{
    struct invar_error err = {0};
    struct invar_encoder *encoder = invar_alloc(1, sizeof *encoder, &err);
    assert_ok(encoder, &err);
    encoder->net = invar_net_create((struct invar_shape){3, 1, SIDE, SIDE}, &err);
    int at = invar_net_flatten(encoder->net, 0, &err);
    at = invar_net_linear(encoder->net, at, "fc", H, true, &err);
    assert_true((relu ? invar_net_relu(encoder->net, at, &err) : at) > 0);
    encoder->parameters = invar_alloc((size_t)encoder->net->trained_count, sizeof(float), &err);
    encoder->statistics = invar_alloc(1, sizeof(float), &err);
    invar_net_initialise(encoder->net, 3, 0, encoder->parameters, encoder->statistics);
    encoder->mean[0] = 0.4F;
    encoder->deviation[0] = 0.25F;
    return encoder;
}

static inline struct invar_head *projector_create(void)
{
    struct invar_error err = {0};
    struct invar_head *head = invar_alloc(1, sizeof *head, &err);
    assert_ok(head, &err);
    head->options = (struct invar_head_options){.output = Z, .last_bias = true};
    head->net = invar_head_build(&head->options, H, &err);
    head->parameters = invar_alloc((size_t)head->net->trained_count, sizeof(float), &err);
    head->statistics = invar_alloc(1, sizeof(float), &err);
    invar_net_initialise(head->net, 5, 1, head->parameters, head->statistics);
    return head;
}

static inline void bench_open(struct bench *b, bool relu)
{
    struct invar_error err = {0};
    struct invar_data_options data;
    *b = (struct bench){.folder = test_folder_create()};
    training_write_data(b->folder);
    invar_options_default(invar_data_option_table, &data);
    snprintf(data.source, sizeof data.source, "idx:%s", b->folder);
    b->dataset = invar_dataset_open(&data, &err);
    assert_ok(b->dataset, &err);
    b->device = test_device_open(1, &err);
    b->encoder = encoder_create(relu);
    b->projector = projector_create();
    invar_options_default(invar_view_option_table, &b->views);
    invar_options_default(invar_inspect_option_table, &b->options);
    b->options.noise_samples = 0;
    b->options.labelled = 0;
    b->subject = (struct invar_inspect_subject){.device = b->device,
                                                .dataset = b->dataset,
                                                .split = INVAR_TEST,
                                                .encoder = b->encoder,
                                                .projector = b->projector,
                                                .views = &b->views};
}

static inline void bench_close(struct bench *b)
{
    invar_head_free(b->projector);
    invar_encoder_free(b->encoder);
    invar_device_close(b->device);
    invar_dataset_close(b->dataset);
    test_folder_remove(b->folder);
}

static inline struct invar_inspection *inspect(const struct bench *b)
{
    struct invar_error err = {0};
    struct invar_inspection *inspection = invar_inspect(&b->subject, &b->options, &err);
    assert_ok(inspection, &err);
    return inspection;
}

static inline double value(const struct invar_inspection *inspection, enum invar_inspect_section section,
                           const char *name)
{
    const struct invar_finding *finding = invar_inspection_find(inspection, section, name);
    if (!finding || !finding->known)
        fail_msg("%s is not known%s%s", name, finding ? ": " : "", finding ? finding->says : "");
    return finding->value;
}

static inline void make_plain(struct bench *b)
{
    b->views.image.crop = (struct invar_real_list){2, {1, 1}};
    b->views.image.flip = b->views.image.jitter = b->views.image.grayscale = 0;
    b->views.image.blur = (struct invar_real_list){1, {0}};
}

#endif
