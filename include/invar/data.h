/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_DATA_H
#define INVAR_DATA_H

#include "invar/array.h"
#include "invar/expert/logmel.h"
#include "invar/options.h"

#ifdef __cplusplus
extern "C" {
#endif

enum invar_split { INVAR_TRAIN, INVAR_TEST };

/** What samples are, and with it what views can be made of them. */
enum invar_data_kind {
    INVAR_DATA_IMAGE, /**< [height][width][channels]: uint8 and uint16 for 0 to 1, or float32 in 0..1 */
    INVAR_DATA_TABLE, /**< float32 [channels], height = width = 1: columns as numbers, standardised and one-hot */
    INVAR_DATA_AUDIO, /**< float32 [width], height = channels = 1: a waveform at one rate, -1..1 */
};

/** One sample as the source has it, before any view; see the kinds. Borrowed. */
struct invar_sample {
    enum invar_data_kind kind;
    enum invar_dtype dtype; /**< its own: images of 8 and of 16 bits may stand in one set */
    int height, width, channels;
    const void *data;
    int64_t index; /**< number within its split */
    int64_t label; /**< 0 .. classes-1, or -1 when there is none */
    int64_t group; /**< refinement group from 0, or -1 when there is none */
};

/** What a column of a table is. */
enum invar_column_kind {
    INVAR_COLUMN_NUMERIC,     /**< (value - mean) / deviation, 0 where it is missing; 1 behind it if `indicator` */
    INVAR_COLUMN_CATEGORICAL, /**< one-hot: the categories, a missing value, any other category */
    INVAR_COLUMN_CONSTANT,    /**< the same in every training row, or missing in all: left out */
};

/** A column of a table, and where its numbers are among those of a sample. */
struct invar_column {
    enum invar_column_kind kind;
    char *name;
    int first, places;      /**< places 0: none */
    bool indicator;         /**< numeric: some training row has no value, so the second place says where */
    double mean, deviation; /**< of the training rows */
    char read[64];          /**< numeric: how cells read that are no plain numbers, for people; empty: they are */
    bool unique;            /**< categorical: nearly every training row has another text */
    bool mixed;             /**< categorical: most cells are numbers, but for a few texts */
    int categories;
    char **category;    /**< [categories], in the order of places */
    int64_t missing[2]; /**< cells without a value by split */
    int64_t unseen[2];  /**< cells whose category has no place of its own by split, as training did not see it */
};

/** What the numbers of a table's samples mean. */
struct invar_table {
    int count;
    const struct invar_column *column; /**< [count], label and ignored columns not among them */
    const char *label;                 /**< name of the label column; empty: none */
    const char *label_reason;          /**< why it is taken for classes or for a number */
    const char *schema;                /**< all of it as JSON: metadata invar.columns of encoders */
    /* The training rows, for draws from a column: row r is rows[item[r] * channels ...]. */
    int64_t count_train;
    const int64_t *item;
    const float *rows;
};

/** "age", "job=clerk", "age missing", "job other" (a category that no training row has) for a place among the numbers
 * of a table's sample; the number of the place where table is NULL. */
void invar_table_place_name(char *out, size_t size, const struct invar_table *table, int64_t place);

/** What EXIF says of which way up an image is. */
#define INVAR_ORIENTATIONS(CHOICE) CHOICE(INVAR_ORIENTATION_APPLY, "apply") CHOICE(INVAR_ORIENTATION_IGNORE, "ignore")
enum invar_orientation { INVAR_ORIENTATIONS(INVAR_CHOICE_CONSTANT) };
/** Whether decoded samples are held as uint8; auto: up to data.memory_limit. */
#define INVAR_DATA_MEMORIES(CHOICE)                                                                                    \
    CHOICE(INVAR_DATA_MEMORY_AUTO, "auto") CHOICE(INVAR_DATA_MEMORY_YES, "yes") CHOICE(INVAR_DATA_MEMORY_NO, "no")
enum invar_data_memory { INVAR_DATA_MEMORIES(INVAR_CHOICE_CONSTANT) };
/** Whether a label is a number to predict, or a class. */
#define INVAR_LABEL_KINDS(CHOICE)                                                                                      \
    CHOICE(INVAR_LABEL_AUTO, "auto") CHOICE(INVAR_LABEL_NUMBER, "number") CHOICE(INVAR_LABEL_CLASS, "class")
enum invar_label_kind { INVAR_LABEL_KINDS(INVAR_CHOICE_CONSTANT) };
/** Whether the first line of a table names its columns. */
#define INVAR_TABLE_HEADERS(CHOICE)                                                                                    \
    CHOICE(INVAR_TABLE_HEADER_AUTO, "auto") CHOICE(INVAR_TABLE_HEADER_YES, "yes") CHOICE(INVAR_TABLE_HEADER_NO, "no")
enum invar_table_header { INVAR_TABLE_HEADERS(INVAR_CHOICE_CONSTANT) };

/** Options of csv:FILE, some of which are those of npy:FILE's labels too. */
struct invar_csv_options {
    char separator[INVAR_TEXT_SIZE]; /**< one character or "tab"; empty: found */
    enum invar_table_header header;
    char missing[INVAR_TEXT_SIZE]; /**< markers of missing values */
    char categorical[INVAR_TEXT_SIZE], numeric[INVAR_TEXT_SIZE], ignore[INVAR_TEXT_SIZE]; /**< names of columns */
    int64_t categories; /**< most frequent ones with a place of their own */
};
/** Options of audio:DIR alone. */
struct invar_clip_options {
    char pattern[INVAR_TEXT_SIZE]; /**< fields in the names of files, {digit}_{speaker}_{index} */
    int64_t rate;                  /**< samples a second that all are brought to; 0: of the first one */
    int64_t n_fft, hop;            /**< samples of a spectrogram's frame and between frames; 0: by the rate */
    int64_t mels, frames;          /**< height and width of the spectrogram */
    double f_min, f_max;           /**< Hz; f_max 0: half the rate */
};

/** The `data:` section of a recipe; invar_data_option_table has defaults, ranges and help. */
struct invar_data_options {
    char source[INVAR_TEXT_SIZE]; /**< fashion-mnist | idx:DIR | cifar10:DIR | cifar100:DIR | images:DIR or
                                     images:FILE.tar | csv:FILE | audio:DIR | npy:FILE */
    int64_t size;     /**< side in pixels that the encoder sees; 0: that of the samples, which must then agree */
    int64_t channels; /**< 0: those of the samples; 1 or 3 converts, 2 or 4 with opacity, others as files have them */
    int64_t samples;  /**< training samples that the source should have; 0: any. A survey takes them on trust */
    struct invar_real_list mean, deviation; /**< by channel, images: of values in 0..1, clips: of the log-mel
                                               spectrogram; empty: those of the training split */
    enum invar_orientation orientation;
    double test_fraction; /**< seeded split where the source has none */
    int64_t split_seed;
    enum invar_data_memory memory;
    int64_t memory_limit;           /**< MiB */
    double bad_limit;               /**< fraction of samples that may be unreadable; more stops the run */
    int64_t workers;                /**< decoding threads; 0: as many as --threads */
    char metadata[INVAR_TEXT_SIZE]; /**< table of the samples, FILE.csv or FILE.tsv; empty: metadata.csv of the source's
                                       folder where group is set */
    char group[INVAR_TEXT_SIZE];    /**< its column of refinement groups; empty: none */
    char label[INVAR_TEXT_SIZE]; /**< tables: the label column; clips: a field of pattern; empty: none, class folders */
    enum invar_label_kind label_kind; /**< tables */
    char test[INVAR_TEXT_SIZE]; /**< tables and npy: a file of test rows; clips: FIELD=VALUE,.. or FIELD=FIRST..LAST */
    char test_rows[INVAR_TEXT_SIZE];   /**< tables and npy: last:N or every:K rows are the test split */
    char labels[INVAR_TEXT_SIZE];      /**< npy: those of its rows, FILE.npy or FILE.csv; empty: none */
    char test_labels[INVAR_TEXT_SIZE]; /**< npy: those of the rows of test */
    struct invar_csv_options csv;
    struct invar_clip_options clips;
};
extern const struct invar_option invar_data_option_table[];
/** How an image is resized. */
#define INVAR_INTERPOLATIONS(CHOICE) CHOICE(INVAR_BILINEAR, "bilinear") CHOICE(INVAR_BICUBIC, "bicubic")
enum invar_interpolation { INVAR_INTERPOLATIONS(INVAR_CHOICE_CONSTANT) };

/** How images are seen plainly, as in evaluation: the shorter side becomes `resize` pixels, of which the centre is
 * cropped to what the encoder sees. */
struct invar_plain_view {
    int64_t resize; /**< 0: the size that the encoder sees */
    enum invar_interpolation interpolation;
};
/** "256", "256,bicubic", "bicubic". False with a sentence for what is none. */
bool invar_plain_view_read(struct invar_plain_view *plain, const char *text, struct invar_error *err);

/** Another source, of whose options those that it does not take go back to their defaults; where it is not the one that
 * it was, however that is spelled, so do those that describe one set of samples alone: samples, metadata, group,
 * labels, test_labels, test, test_rows. Refused: a name that is too long. */
bool invar_data_options_source(struct invar_data_options *options, const char *source, struct invar_error *err);

struct invar_dataset_info {
    const char *source; /**< as given */
    enum invar_data_kind kind;
    struct invar_logmel_options logmel; /**< clips: constants of the spectrogram, with what was 0 as it was found */
    int rank;                           /**< of one input of the encoder: 3 for maps, 1 for vectors (tables) */
    int height, width, channels;    /**< of what the encoder sees; vectors: channels numbers, height = width = 1; clips:
                                       mels x frames, 1 channel */
    bool varying;                   /**< samples differ in size (views resize them) */
    int64_t count[2];               /**< samples by split */
    bool labelled;                  /**< every sample has a label */
    bool label_number;              /**< labels are numbers, see invar_dataset_targets; classes is 0 */
    int classes;                    /**< 0 without labels, and where they are numbers */
    const char *const *class_names; /**< [classes], or NULL */
    bool in_memory;
    bool assumed;              /**< the source was not found: what the options say of it (invar_dataset_survey) */
    int64_t skipped;           /**< unreadable samples left out (so far) */
    const char *first_skipped; /**< its name and why, or NULL */
    int64_t other_files;       /**< of a folder or archive, left out as they do not end as samples do */
    const char *other_endings; /**< "3 .gif, 1 .txt" */
    int64_t closed_folders;    /**< of it, and links, left out as they cannot be listed or followed */
    const char *first_closed;  /**< one of them, and why */
    int64_t turned;            /**< images (so far) whose file says that they are not upright: turned, or left as they
                                  lie with data.orientation=ignore */
    bool ignores_orientation;  /**< that option */
    int64_t converted;         /**< images (so far) that have another number of channels than `channels`, or no opacity
                                  where that is one of them */
    const char *conversion;    /**< how they are seen: "colour, seen in gray", "gray, seen as colour", ... */
    int64_t groups;            /**< refinement groups in the training split; 0 without data.group */
    struct {
        const char *name;
        int64_t samples; /**< of the training split */
    } smallest_group, largest_group;
    /** What identifies the data wherever they lie: words KEY=VALUE of counts, size, classes, and checksums of labels,
     * splits, names and sizes of files, contents where they are in memory. NULL of a survey. */
    const char *identity;
    const struct invar_table *table; /**< what the numbers mean; NULL where samples are no rows of a table */
    struct invar_plain_view plain;   /**< images: of the plain view; see invar_dataset_set_plain */
    float mean[16], deviation[16]; /**< per channel over the training split (a seeded sample of it when not in memory),
                                      values in 0..1; channels <= 16; deviation 1 where a channel is constant; clips:
                                      of the plain log-mel spectrogram */
};

struct invar_dataset;

/** Whether two identities (info.identity) agree in what both have; else what differs, both values of each, is in
 * difference, cut to size. */
bool invar_data_identity_same(const char *before, const char *now, char *difference, size_t size);

/**
 * Finds the source in the table by the word before ':', reads or scans it, decodes small sets into memory, computes
 * statistics. One thread at a time may use a dataset and its loaders; free the loaders before closing it. Counts and
 * labels leave out the samples that were found unreadable here.
 */
struct invar_dataset *invar_dataset_open(const struct invar_data_options *options, struct invar_error *err);
/** Adds to the sentence of an error, where the source names a relative path at which nothing is, what such a path of a
 * run is relative to; leaves other errors alone. */
void invar_source_explain(const char *source, struct invar_error *err);
/** The same for data that an encoder is to see: columns is what its training data had as info.table->schema, so that
 * equal columns get equal numbers; a table with other columns is refused. NULL: as above. */
struct invar_dataset *invar_dataset_open_as(const struct invar_data_options *options, const char *columns,
                                            struct invar_error *err);
/** The same of npy:FILE with rows of numbers that are to be measured as they are: nothing is standardised, no column
 * left out. */
struct invar_dataset *invar_dataset_open_features(const struct invar_data_options *options, struct invar_error *err);
/**
 * The same for planning alone: files are counted, only the first image is decoded, statistics are 0 and 1. A source
 * that cannot be found is taken to be what samples, size and channels say, with a warning; it is an error where they do
 * not.
 */
struct invar_dataset *invar_dataset_survey(const struct invar_data_options *options, struct invar_error *err);
void invar_dataset_close(struct invar_dataset *dataset);
/** How plain views are made from here on: see info.plain. */
void invar_dataset_set_plain(struct invar_dataset *dataset, const struct invar_plain_view *plain);
const struct invar_dataset_info *invar_dataset_info(const struct invar_dataset *dataset);
/** Labels of a split [count], borrowed; -1 where there is none. */
const int64_t *invar_dataset_labels(const struct invar_dataset *dataset, enum invar_split split);
/** Labels that are numbers (info.label_number) of a split [count], borrowed; NaN where there is none. NULL where labels
 * are classes; where they are numbers, invar_dataset_labels are all -1. */
const double *invar_dataset_targets(const struct invar_dataset *dataset, enum invar_split split);
/** Refinement groups of a split [count], borrowed; -1 where there is none (test samples may lack one). NULL without
 * data.group. Equal values of the column have equal ids, whatever the order of rows. */
const int64_t *invar_dataset_groups(const struct invar_dataset *dataset, enum invar_split split);

/** Where a sample comes from; the text is borrowed until the dataset is closed. */
struct invar_origin {
    const char *path; /**< images and clips: its file, below the source's folder or in its archive; tables: the table;
                         NULL: it is one of many in a file of the source (idx, cifar) */
    int64_t line;     /**< tables: where its row begins in path, from 1; else 0 */
    int64_t item;     /**< its number in the source, from 0, training files before test files */
};
struct invar_origin invar_dataset_origin(const struct invar_dataset *dataset, enum invar_split split, int64_t index);

/** A sample that was left out because it cannot be read. */
struct invar_left_out {
    enum invar_split split;
    struct invar_origin origin;
    const char *why; /**< a sentence, borrowed until the dataset is closed */
};
/** Number `number` of them, in the order in which they were met; false past the last, info.skipped - 1. */
bool invar_dataset_left_out(const struct invar_dataset *dataset, int64_t number, struct invar_left_out *out);

/** Makes a field of the source the label (data.label does so from the start): labels and classes change, samples and
 * splits do not; a column of numbers is a number or classes as data.label_kind has it. key is the option that names it,
 * for messages. */
bool invar_dataset_relabel(struct invar_dataset *dataset, const char *field, const char *key, struct invar_error *err);
/** From now on the test split is all samples that meet a condition on a field (FIELD=VALUE,.. or FIELD=FIRST..LAST),
 * and the training split is the training samples that do not; the statistics stay. Free loaders before. key as above.
 */
bool invar_dataset_hold_out(struct invar_dataset *dataset, const char *condition, const char *key,
                            struct invar_error *err);

/** What else is known of every sample, as numbers of its distinct values. */
struct invar_field {
    int64_t values;
    char **value;   /**< [values] */
    int64_t *of[2]; /**< by split [count]; -1 where nothing is known */
};
/** A field of the source, as invar_dataset_relabel takes it, or a column of data.metadata (of metadata.csv in the
 * source's folder where that is not set), whose rows name the samples in file_name. key as above. */
bool invar_dataset_field(const struct invar_dataset *dataset, const char *name, const char *key,
                         struct invar_field *out, struct invar_error *err);
void invar_field_free(struct invar_field *field);

/** Known sources, a NULL-ended list of "name" and one-line help, for `invar data --help`. */
struct invar_source_name {
    const char *name, *help;
};
const struct invar_source_name *invar_source_names(void);
/** The kind of what a source ("csv:FILE") has; false where there is no source of that name, or an npy:FILE, of which it
 * reads the header, cannot be read. */
bool invar_source_kind(const char *source, enum invar_data_kind *kind);
/** "image", "table", "audio": metadata invar.data_kind of encoders. */
const char *invar_data_kind_name(enum invar_data_kind kind);

/**
 * A loader hands out batches of samples in a given order and decodes ahead of need in its own threads (sets in memory
 * need none). A sample that cannot be decoded is replaced by the next good one of the order, counted and named in the
 * info; when more than bad_limit of a split are bad, fetch fails and says so.
 */
/** Of samples that several share out among them, in whole batches one behind the other, the part of one; zeroed: all.
 */
struct invar_share {
    int count, number; /**< parts, and which from 0 */
};

struct invar_loader;
struct invar_loader *invar_loader_create(struct invar_dataset *dataset, enum invar_split split, int64_t batch,
                                         struct invar_error *err);
void invar_loader_free(struct invar_loader *loader);
/** Sets the order of what follows (copied; indices into the split) and starts decoding ahead. count >= batch not
 * required. */
bool invar_loader_start(struct invar_loader *loader, const int64_t *order, int64_t count, struct invar_error *err);
/** Of an order that several share: from place `first` on `each` samples, and so again every `stride` places. */
struct invar_loader_part {
    int64_t first, each, stride;
};
/** The same of a part of order[count], 0 <= first, 1 <= each <= stride. What cannot be read is replaced by the next of
 * the whole order, whoever has it: a part holds what one loader of the whole order would have in its place. */
bool invar_loader_start_part(struct invar_loader *loader, const int64_t *order, int64_t count,
                             const struct invar_loader_part *part, struct invar_error *err);
/** The next min(batch, rest) samples into samples[batch]; *got 0 at the end. Borrowed until the next call. Allocates
 * nothing for sets in memory. */
bool invar_loader_next(struct invar_loader *loader, struct invar_sample *samples, int64_t *got,
                       struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
