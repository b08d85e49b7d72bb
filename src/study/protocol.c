/* SPDX-License-Identifier: Apache-2.0 */
/* What a result says about how it came about. */
#include "study/study.h"

#include <stdio.h>
#include <string.h>

static cJSON *integers(const struct invar_int_list *list)
{
    cJSON *array = cJSON_CreateArray();

    for (int i = 0; i < list->count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateNumber((double)list->value[i]));
    return array;
}

/* choices "a|b|c", number 1: "b" */
static cJSON *choice(const char *choices, int number)
{
    char text[INVAR_TEXT_SIZE];

    for (; number > 0; number--)
        choices = strchr(choices, '|') + 1;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(choices, "|"), choices);
    return cJSON_CreateString(text);
}

static cJSON *option_value(const struct invar_option *o, const void *object)
{
    const void *at = (const char *)object + o->offset;

    switch (o->kind) {
    case INVAR_OPTION_INT:
        return cJSON_CreateNumber((double)*(const int64_t *)at);
    case INVAR_OPTION_REAL:
        return cJSON_CreateNumber(*(const double *)at);
    case INVAR_OPTION_BOOL:
        return cJSON_CreateBool(*(const bool *)at);
    case INVAR_OPTION_CHOICE:
        return choice(o->choices, *(const int *)at);
    case INVAR_OPTION_INT_LIST:
        return integers(at);
    case INVAR_OPTION_REAL_LIST:
        return cJSON_CreateDoubleArray(((const struct invar_real_list *)at)->value,
                                       ((const struct invar_real_list *)at)->count);
    default:
        return cJSON_CreateString(at);
    }
}

static bool chosen_on_test(const struct study_settings *settings)
{
    return (settings->method == STUDY_SGD && settings->sgd.choose == INVAR_PROBE_TEST) ||
           (settings->method == STUDY_FINETUNE && settings->finetune.choose == INVAR_PROBE_TEST);
}

/* On which samples something was chosen, and what. */
static const char *choices_of(const struct study_settings *settings)
{
    if (chosen_on_test(settings))
        return settings->method == STUDY_SGD ? "the test split: best epoch, and rate and penalty where there are "
                                               "several; chosen there, they are better than they are"
                                             : "the test split: best step; chosen there, it is better than it is";
    switch (settings->method) {
    case STUDY_LINEAR:
        return settings->linear.l2.count > 1 ? "held-out training samples: the strength of the penalty" : "nothing";
    case STUDY_RIDGE:
        return settings->ridge.alpha.count > 1 ? "training samples, each held out once: the strength of the penalty"
                                               : "nothing";
    case STUDY_SGD:
        return "held-out training samples: rate, penalty and best epoch";
    case STUDY_FINETUNE:
        return "held-out training samples: best step, and when to stop";
    default:
        return "nothing";
    }
}

void study_add_protocol(cJSON *object, const struct study_settings *settings)
{
    const struct study_method_spec *method = &study_methods[settings->method];
    const char *values = (const char *)settings + method->offset;
    cJSON *protocol = cJSON_AddObjectToObject(object, "protocol"), *options;

    cJSON_AddStringToObject(protocol, "method", method->name);
    if (settings->preset) {
        cJSON_AddStringToObject(protocol, "preset", settings->preset->name);
        cJSON_AddStringToObject(protocol, "source", settings->preset->source);
        if (settings->preset->differs)
            cJSON_AddStringToObject(protocol, "differs", settings->preset->differs);
        if (settings->given_count)
            cJSON_AddItemToObject(protocol, "changed", cJSON_CreateStringArray(settings->given, settings->given_count));
    }
    cJSON_AddStringToObject(protocol, "chosen_on", choices_of(settings));
    cJSON_AddBoolToObject(protocol, "chosen_on_test", chosen_on_test(settings));
    options = cJSON_AddObjectToObject(protocol, "options");
    for (const struct invar_option *o = method->options; o->name; o++)
        cJSON_AddItemToObject(options, o->name, option_value(o, values));
}
