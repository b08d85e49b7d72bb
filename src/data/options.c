/* SPDX-License-Identifier: Apache-2.0 */
/* The `data:` section: options that sources share; those of one source alone stand in its file. And which sources take
 * which. */
#include "data/source.h"

#include "base/folder.h"
#include "base/names.h"
#include "base/options.h"
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct invar_data_options, name)

/* Options that describe one set of samples: with another source they are gone. */
static const struct invar_option set_options[] = {
    {"samples", INVAR_OPTION_INT, FIELD(samples), "0", 0, 1e12, NULL,
     "training samples that the source should have, others are warned of; 0: any. a dry run needs no source where "
     "samples, size and channels are set"},
    {"metadata", INVAR_OPTION_TEXT, FIELD(metadata), "", 0, 0, NULL,
     "FILE.csv or FILE.tsv about the samples, by a column file_name (of the training ones) or in their order; empty: "
     "metadata.csv of the source's folder where group is set"},
    {"group", INVAR_OPTION_TEXT, FIELD(group), "", 0, 0, NULL,
     "its column whose value is the refinement group of a sample; empty: none"},
    {"labels", INVAR_OPTION_TEXT, FIELD(labels), "", 0, 0, NULL,
     "npy: the labels of its rows in their order, FILE.npy or FILE.csv (its column label, the one of data.label or the "
     "only one; a column split says train or test); empty: none"},
    {"test_labels", INVAR_OPTION_TEXT, FIELD(test_labels), "", 0, 0, NULL, "npy: the labels of the rows of data.test"},
    {"test", INVAR_OPTION_TEXT, FIELD(test), "", 0, 0, NULL,
     "test split. csv, npy: another file with the same columns; clips: a condition such as index=0..4 or "
     "speaker=theo,lucas"},
    {"test_rows", INVAR_OPTION_TEXT, FIELD(test_rows), "", 0, 0, NULL,
     "csv: last:N or every:K, the rows that are the test split; empty: drawn by test_fraction"},
    {0},
};

const struct invar_option invar_data_option_table[] = {
    {"source", INVAR_OPTION_TEXT, FIELD(source), "fashion-mnist", 0, 0, NULL,
     "fashion-mnist, idx:DIR, cifar10:DIR, cifar100:DIR, images:DIR, images:FILE.tar, csv:FILE, npy:FILE or audio:DIR"},
    {"size", INVAR_OPTION_INT, FIELD(size), "0", 0, 4096, NULL,
     "side in pixels that the encoder sees; 0: that of the samples, which must then agree"},
    {"channels", INVAR_OPTION_INT, FIELD(channels), "0", 0, 16, NULL,
     "1 or 3 channels, converted where needed, 2 or 4 with opacity, others as the files have them; 0: 3 where any "
     "image is colour, or the number that most have"},
    {"mean", INVAR_OPTION_REAL_LIST, FIELD(mean), "[]", -1000, 1000, NULL,
     "subtracted from every channel, of images in 0 to 1, of clips in log power; []: the mean of the training split"},
    {"deviation", INVAR_OPTION_REAL_LIST, FIELD(deviation), "[]", 1e-6, 1000, NULL,
     "by which every channel is divided; []: the deviation of the training split"},
    {"orientation", INVAR_OPTION_CHOICE, FIELD(orientation), "apply", 0, 0, INVAR_CHOICES(INVAR_ORIENTATIONS),
     "images are turned upright as EXIF says, or left as they lie in their files"},
    INVAR_PART("set", 0, set_options),
    {"test_fraction", INVAR_OPTION_REAL, FIELD(test_fraction), "0.2", 0, 0.9, NULL,
     "part of every class that becomes the test split where the source has none"},
    {"split_seed", INVAR_OPTION_INT, FIELD(split_seed), "0", 0, 9007199254740992.0, NULL, "seed of that split"},
    {"memory", INVAR_OPTION_CHOICE, FIELD(memory), "auto", 0, 0, INVAR_CHOICES(INVAR_DATA_MEMORIES),
     "hold decoded images in memory; auto: where they fit memory_limit (idx and cifar always are)"},
    {"memory_limit", INVAR_OPTION_INT, FIELD(memory_limit), "2048", 1, 1048576, NULL, "MiB of images held in memory"},
    {"bad_limit", INVAR_OPTION_REAL, FIELD(bad_limit), "0.01", 0, 1, NULL,
     "fraction of the images that may be unreadable and are then left out; more is an error"},
    {"workers", INVAR_OPTION_INT, FIELD(workers), "0", 0, 256, NULL, "decoding threads; 0: as many as threads"},
    {"label", INVAR_OPTION_TEXT, FIELD(label), "", 0, 0, NULL,
     "csv: the column of the classes, empty: no labels; clips: the field of data.pattern that is the class, empty: the "
     "folder"},
    {"label_kind", INVAR_OPTION_CHOICE, FIELD(label_kind), "auto", 0, 0, INVAR_CHOICES(INVAR_LABEL_KINDS),
     "csv: whether the label is a number to predict or a class; auto: a number where many different ones are in it"},
    INVAR_PART("csv", FIELD(csv), data_csv_options),
    INVAR_PART("clips", FIELD(clips), data_clip_options),
    {0},
};

#define TAKES(name, argument, kind, takes, help, open) {name, argument, takes},
static const struct taker {
    const char *name, *argument, *takes;
} takers[] = {DATA_SOURCES(TAKES){NULL, NULL, NULL}};

static bool is_among(const char *list, const char *name)
{
    const size_t length = strlen(name);

    for (const char *word = list; *word; word += strcspn(word, " "), word += strspn(word, " "))
        if (strcspn(word, " ") == length && memcmp(word, name, length) == 0)
            return true;
    return false;
}

/* Whether a source takes an option by its name or as one of a part. */
static bool takes(const struct taker *taker, const char *part, const char *name)
{
    return is_among(taker->takes, name) || (part && is_among(taker->takes, part));
}

/* "csv:FILE and npy:FILE"; empty where any source takes it. */
static void list_takers(char *out, size_t size, const char *part, const char *name)
{
    size_t used = 0;

    out[0] = '\0';
    for (const struct taker *taker = takers; taker->name && used < size; taker++)
        if (takes(taker, part, name))
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s:%s", used ? " and " : "", taker->name, taker->argument);
}

static const struct taker *taker_of(const char *source)
{
    return names_look(NAMES_ROWS("source", takers), source, strcspn(source, ":"));
}

/* Calls visit with every option that the source does not take and that is not at its default, until one is refused. */
static bool visit_foreign(const struct invar_option *table, char *object, const struct taker *own, const char *part,
                          bool (*visit)(const struct invar_option *option, void *object, const struct taker *own,
                                        const char *sources, struct invar_error *err),
                          struct invar_error *err)
{
    char sources[128];

    for (; table->name; table++) {
        if (table->kind == INVAR_OPTION_PART) {
            if (!visit_foreign(table->choices, object + table->offset, own, table->name, visit, err))
                return false;
            continue;
        }
        list_takers(sources, sizeof sources, part, table->name);
        if (sources[0] && !takes(own, part, table->name) && !option_is_default(table, object) &&
            !visit(table, object, own, sources, err))
            return false;
    }
    return true;
}

static bool refuse(const struct invar_option *option, void *object, const struct taker *own, const char *sources,
                   struct invar_error *err)
{
    (void)object;
    return invar_error_set(err, INVAR_ERROR_USAGE, "data.%s: is for %s, not for %s%s%s: leave it out, or say null",
                           option->name, sources, own->name, own->argument[0] ? ":" : "", own->argument);
}

static bool forget(const struct invar_option *option, void *object, const struct taker *own, const char *sources,
                   struct invar_error *err)
{
    (void)own, (void)sources, (void)err;
    option_set_default(option, object);
    return true;
}

bool data_options_same_set(const char *source, const char *other)
{
    const size_t word = strcspn(source, ":");

    return strcmp(source, other) == 0 ||
           (source[word] && strncmp(source, other, word + 1) == 0 && path_is_same(source + word + 1, other + word + 1));
}

bool data_options_of_set(const char *assignment)
{
    return option_find(set_options, assignment, strcspn(assignment, "="), NULL);
}

bool data_options_same_file(const char *path, const char *other)
{
    return strcmp(path, other) == 0 || path_is_same(path, other);
}

/* Labels of test rows are of the file that they were given with: they go first, whatever the order of what is given. */
bool data_options_set(struct invar_data_options *options, const char *const *settings, int count,
                      struct invar_error *err)
{
    bool ok = true;

    for (int i = 0; i < count; i++)
        if (strncmp(settings[i], "test=", 5) == 0 && !data_options_same_file(options->test, settings[i] + 5))
            options->test_labels[0] = '\0';
    for (int i = 0; i < count && ok; i++)
        ok = invar_options_set(invar_data_option_table, options, settings[i], err);
    return ok;
}

bool data_options_leave_samples(const char *assignment)
{
    static const char leave[] = "samples test_fraction split_seed memory memory_limit bad_limit workers metadata group "
                                "label label_kind labels test_labels test_rows";
    char key[32];

    snprintf(key, sizeof key, "%.*s", (int)strcspn(assignment, "="), assignment);
    return is_among(leave, key);
}

bool data_options_check(const struct invar_data_options *options, struct invar_error *err)
{
    struct invar_data_options copy = *options;
    const struct taker *own = taker_of(options->source);

    return !own || visit_foreign(invar_data_option_table, (char *)&copy, own, NULL, refuse, err);
}

bool invar_data_options_source(struct invar_data_options *options, const char *source, struct invar_error *err)
{
    const struct taker *own = taker_of(source);

    if (strlen(source) >= sizeof options->source)
        return invar_error_set(err, INVAR_ERROR_USAGE, "the name of the source is longer than %zu characters",
                               sizeof options->source - 1);
    if (!data_options_same_set(options->source, source))
        invar_options_default(set_options, options);
    memmove(options->source, source, strlen(source) + 1);
    return !own || visit_foreign(invar_data_option_table, (char *)options, own, NULL, forget, err);
}
