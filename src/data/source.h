/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATA_SOURCE_H
#define DATA_SOURCE_H

#include "data/fields.h"
#include "data/image/image.h"
#include "data/shards.h"
#include "invar/data.h"
#include "invar/expert/file.h"

#define DATA_MAX_HELD 8

/** What lies beside the samples of a folder or archive and is left out. */
struct data_beside {
    int64_t files;          /**< that do not end as samples do */
    char endings[256];      /**< "3 .gif, 1 .txt" */
    int64_t folders;        /**< that cannot be listed, links that cannot be followed */
    char first_folder[256]; /**< and why */
    char systems[128];      /**< folders that systems leave behind */
};
void data_beside_describe(const struct data_beside *beside, struct invar_dataset_info *info);

/**
 * What a source turned its files into: numbered items, each with a split, a label and pixels. Filled by the source's
 * open function, which may leave it half filled on failure; data_source_close accepts that.
 */
struct data_source {
    enum invar_data_kind kind;
    int64_t count;
    int64_t *label;     /**< [count], -1: none */
    double *target;     /**< [count] labels that are numbers, NaN: none; NULL where they are classes */
    uint8_t *split;     /**< [count], enum invar_split */
    bool divided;       /**< the files do not say what is for testing: both sides are out of the same */
    bool has_test;      /**< false: all items are INVAR_TRAIN so far and data_source_split divides them */
    int classes;        /**< 0 without labels */
    char **class_names; /**< [classes] */
    struct data_fields fields;
    struct data_beside beside;
    int rate; /**< of waveforms, in samples a second */

    /* Sources that read their files whole: item i is pixels[i], all of one shape; float32 where they are no images. */
    const uint8_t **pixels;      /**< [count] into held, or NULL */
    int height, width, channels; /**< when pixels is set */
    size_t unit;                 /**< of them, as struct data_image has it; 0: that of data_unit */
    bool raw;                    /**< set before it is opened: rows of numbers stay as they are */
    const char *columns;         /**< set before it is opened: what the columns of a table must be, or NULL */
    bool own_classes;            /**< set before it is opened: whatever classes the encoder of columns had */
    struct invar_table table;    /**< tables: column, label and schema; rows are held[0] */
    char *schema;                /**< owned text of table.schema */
    int64_t *line;               /**< tables: [count] where a row begins in its file; else NULL */
    struct data_part *part;      /**< tables: [parts] the files that rows stand in, those of data.test last */
    int parts;
    struct data_shards shards[2];           /**< their paths, by split */
    struct invar_bytes held[DATA_MAX_HELD]; /**< the files */

    /* Sources whose items are decoded one by one, from several threads at once. */
    void *state;
    bool (*decode)(const struct data_source *source, int64_t item, int channels, struct data_decoder *decoder,
                   struct data_image *image, struct invar_error *err);
    int (*channels_of)(const struct data_source *source, int64_t item, struct data_decoder *decoder,
                       struct invar_error *err); /**< by the header alone, 0: not known; NULL: nothing to ask */
    const char *(*name)(const struct data_source *source,
                        int64_t item);                                 /**< at any time, if it is set: in the source */
    uint64_t (*bytes)(const struct data_source *source, int64_t item); /**< of its file or member; set with name */
    void (*release)(void *state); /**< gives back what only decoding needs; NULL: nothing */
    void (*close)(void *state);
};

/** Bytes of one number of such samples, of images unless they say otherwise. */
static inline size_t data_unit(enum invar_data_kind kind)
{
    return kind == INVAR_DATA_IMAGE ? 1 : sizeof(float);
}

/** Opens what options->source names. */
bool data_source_open(struct data_source *source, const struct invar_data_options *options, struct invar_error *err);
/** Frees everything; zeroed is accepted. */
void data_source_close(struct data_source *source);
/** Frees the files and whatever decodes them, once no item will be decoded any more. Labels and names stay, those of
 * items too. */
void data_source_release(struct data_source *source);
/** False with a sentence where the path is an archive that no source reads. */
bool data_instead_archive(const char *path, struct invar_error *err);
/** Adds to an error of opening source:path what the folder holds that another source reads, where it does. */
void data_instead_folder(const char *source, const char *path, struct invar_error *err);
/** One item as an image of so many channels (0: those it has). Reentrant with one decoder a thread. */
bool data_source_decode(const struct data_source *source, int64_t item, int channels, struct data_decoder *decoder,
                        struct data_image *image, struct invar_error *err);
/** Makes a field the label: its values are the classes, or it is a number, as kind (data.label_kind) has it. key is the
 * option that names it. */
bool data_source_relabel(struct data_source *source, const char *field, enum invar_label_kind kind, const char *key,
                         struct invar_error *err);
/** What one sample is called, for messages: "image". */
const char *data_source_noun(const struct data_source *source);
/** The seeded split of a source that has none: test_fraction of every class; where labels are numbers, of the rows with
 * one and of those without. */
bool data_source_split(struct data_source *source, double test_fraction, uint64_t seed, struct invar_error *err);

/* ---- for sources ---- */

/** Takes count and makes label (-1), split (INVAR_TRAIN) and, when pixels are wanted, pixels. */
bool data_source_reserve(struct data_source *source, int64_t count, bool pixels, struct invar_error *err);
/** Makes target, all NaN. */
bool data_source_targets(struct data_source *source, struct invar_error *err);
/** Names of classes, copied; names NULL: "0", "1", ... */
bool data_source_classes(struct data_source *source, int classes, const char *const *names, struct invar_error *err);
/** Bytes of a file that may be read whole: data.memory_limit, or no limit with data.memory=yes. */
size_t data_memory_limit(const struct invar_data_options *options);

/**
 * The sources: name, what follows the colon ("" for nothing), kind of data, options that only it and
 * some others take (names, or parts of invar_data_option_table), help, open function. Adding one is one file
 * and one line. open gets what stands behind the colon.
 */
#define DATA_SOURCES(X)                                                                                                \
    X("fashion-mnist", "", INVAR_DATA_IMAGE, "",                                                                       \
      "Fashion-MNIST, 28x28 gray, 10 classes (Debian package dataset-fashion-mnist)", data_fashion_mnist_open)         \
    X("idx", "DIR", INVAR_DATA_IMAGE, "",                                                                              \
      "folder of MNIST-style idx files, gzipped or not; labels and t10k files optional", data_idx_open)                \
    X("cifar10", "DIR", INVAR_DATA_IMAGE, "", "CIFAR-10, binary version", data_cifar10_open)                           \
    X("cifar100", "DIR", INVAR_DATA_IMAGE, "", "CIFAR-100, binary version, fine labels", data_cifar100_open)           \
    X("images", "PATH", INVAR_DATA_IMAGE, "orientation",                                                               \
      "folder, tar[.gz] or several (set-{00..63}.tar) of JPEG, PNG, TIFF and WebP files, class = folder; "             \
      "train/ and test/ or val/ optional",                                                                             \
      data_images_open)                                                                                                \
    X("csv", "FILE", INVAR_DATA_TABLE, "label label_kind test test_rows csv",                                          \
      "table: CSV, TSV or separated otherwise, gzipped or not; label column by data.label", data_table_open)           \
    X("npy", "FILE", INVAR_DATA_TABLE, "label label_kind labels test_labels test test_rows csv",                       \
      "NumPy array: images [N][C][H][W] or [N][H][W], or rows of numbers [N][d]; labels by data.labels=FILE",          \
      data_npy_open)                                                                                                   \
    X("audio", "DIR", INVAR_DATA_AUDIO, "label test clips",                                                            \
      "folder of WAV, FLAC and OGG files, class = folder, or by data.pattern; train/ and test/ optional",              \
      data_audio_open)

#define DATA_DECLARE(name, argument, kind, takes, help, open)                                                          \
    bool open(struct data_source *source, const char *path, const struct invar_data_options *options,                  \
              struct invar_error *err);
DATA_SOURCES(DATA_DECLARE)
#undef DATA_DECLARE
/** The parts of invar_data_option_table. */
extern const struct invar_option data_csv_options[], data_clip_options[];
/** Whether two sources name one file or folder, however they spell it. */
bool data_options_same_set(const char *source, const char *other);
bool data_options_same_file(const char *path, const char *other);
/** KEY=VALUE on top of the options of a run; another data.test has none of the labels of the one before. */
bool data_options_set(struct invar_data_options *options, const char *const *settings, int count,
                      struct invar_error *err);
/** Whether KEY=VALUE is of an option that describes one set of samples: its labels, its test split, its groups. */
bool data_options_of_set(const char *assignment);
/** Whether KEY=VALUE leaves the samples what they are, and what the encoder sees of them: it is about their labels,
 * groups and split, or how they are held. */
bool data_options_leave_samples(const char *assignment);
/** Refuses a path that is one of the files that a text names, or a sample in a folder that it names; option is what it
 * was given as, what the other one, for the message. A path where nothing is, is none. Either may be NULL. */
bool data_place_apart(const char *path, const char *option, const char *what, const char *files,
                      struct invar_error *err);
/** The same of all files that the options name. */
bool data_options_apart(const struct invar_data_options *options, const char *path, const char *option,
                        struct invar_error *err);
/** Refuses an option that is set and that the source does not take; an unknown source takes all. */
bool data_options_check(const struct invar_data_options *options, struct invar_error *err);
/** What an array has, by its header; false where it cannot be read, as opening it says. */
bool data_npy_kind(const char *path, enum invar_data_kind *kind);

#endif
