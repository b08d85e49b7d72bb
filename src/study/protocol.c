/* SPDX-License-Identifier: Apache-2.0 */
/* What a result says about how it came about. */
#include "study/study.h"

#include <stdio.h>
#include <string.h>

/* choices "a|b|c", number 1: "b" */
static void write_choice(struct json_writer *w, const char *choices, int number)
{
    char text[INVAR_TEXT_SIZE];

    for (; number > 0; number--)
        choices = strchr(choices, '|') + 1;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(choices, "|"), choices);
    json_text(w, NULL, text);
}

static void write_integers(struct json_writer *w, const struct invar_int_list *list)
{
    json_open_array(w, NULL);
    for (int i = 0; i < list->count; i++)
        json_number(w, NULL, (double)list->value[i]);
    json_close(w);
}

static void write_value(struct json_writer *w, const struct invar_option *o, const void *object)
{
    const void *at = (const char *)object + o->offset;

    switch (o->kind) {
    case INVAR_OPTION_INT:
        json_number(w, NULL, (double)*(const int64_t *)at);
        return;
    case INVAR_OPTION_REAL:
        json_number(w, NULL, *(const double *)at);
        return;
    case INVAR_OPTION_BOOL:
        json_bool(w, NULL, *(const bool *)at);
        return;
    case INVAR_OPTION_CHOICE:
        write_choice(w, o->choices, *(const int *)at);
        return;
    case INVAR_OPTION_INT_LIST:
        write_integers(w, at);
        return;
    case INVAR_OPTION_REAL_LIST:
        json_numbers(w, NULL, ((const struct invar_real_list *)at)->value, ((const struct invar_real_list *)at)->count);
        return;
    default:
        json_text(w, NULL, at);
    }
}

static struct invar_named_texts keep_options(const struct study_subject *subject, const struct invar_option *table,
                                             const void *used)
{
    struct invar_named_text *item;
    int64_t count = 0;

    while (table[count].name)
        count++;
    item = json_room_take(subject->room, count, sizeof *item);
    for (int64_t i = 0; item && i < count; i++) {
        struct json_writer w = {0};
        write_value(&w, &table[i], used);
        item[i].name = table[i].name;
        item[i].text = json_room_text(subject->room, w.text.data);
        subject->room->lost = subject->room->lost || w.lost;
        json_writer_free(&w);
    }
    return (struct invar_named_texts){count, item};
}

const char *study_plain_text(const struct invar_plain_view *plain, struct json_room *room)
{
    char text[48];

    if (!plain->resize && plain->interpolation == INVAR_BILINEAR)
        return NULL;
    snprintf(text, sizeof text, "%lld,%s", (long long)plain->resize,
             plain->interpolation == INVAR_BICUBIC ? "bicubic" : "bilinear");
    return json_room_text(room, plain->resize ? text : strchr(text, ',') + 1);
}

void study_put_protocol(const struct study_subject *subject, const void *used, struct invar_probed *out)
{
    const struct study_settings *settings = subject->settings;
    const struct study_method_spec *method = settings->method;
    const struct study_preset *preset = settings->preset;
    struct invar_probed_protocol *protocol = json_room_take(subject->room, 1, sizeof *protocol);
    bool on_test = false;

    out->protocol = protocol;
    if (!protocol)
        return;
    protocol->method = method->name;
    if (preset) {
        protocol->preset = preset->name;
        protocol->source = preset->source;
        protocol->differs = preset->differs;
        if (settings->given_count)
            protocol->changed = (struct invar_texts){
                settings->given_count, json_room_texts(subject->room, settings->given, settings->given_count)};
    }
    protocol->chosen_on = method->chosen_on ? method->chosen_on(used, &on_test) : "nothing";
    protocol->chosen_on_test = on_test;
    protocol->plain = study_plain_text(&invar_dataset_info(subject->run->dataset)->plain, subject->room);
    protocol->options = keep_options(subject, method->options, used);
}
