/* SPDX-License-Identifier: Apache-2.0 */
/* The source `audio`: a folder of WAV, FLAC and OGG files. */
#include "data/layout.h"
#include "data/pattern.h"
#include "data/audio/wave.h"

#include "invar/log.h"
#include "invar/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct audio {
    struct data_list list;
    size_t *entry; /* [items], into list */
    int folder;
    int rate;
};

static const char *name(const struct data_source *source, int64_t item)
{
    const struct audio *audio = source->state;
    return data_list_path(&audio->list, audio->entry[item]);
}

static uint64_t bytes(const struct data_source *source, int64_t item)
{
    const struct audio *audio = source->state;
    return audio->list.entry[audio->entry[item]].size;
}

static void release_audio(void *state)
{
    struct audio *audio = state;
    if (audio->folder >= 0)
        close(audio->folder);
    audio->folder = -1;
}

static void close_audio(void *state)
{
    struct audio *audio = state;
    data_list_free(&audio->list);
    invar_free(audio->entry);
    invar_free(audio);
}

static bool decode(const struct data_source *source, int64_t item, int channels, struct data_decoder *decoder,
                   struct data_image *image, struct invar_error *err)
{
    const struct audio *audio = source->state;
    const char *path = name(source, item);
    uint64_t size;
    int file = data_folder_file(audio->folder, path, &size, err);

    (void)channels;
    if (file < 0)
        return false;
    bool ok = data_wave_decode(file, path, audio->rate, decoder, image, err);
    close(file);
    return ok;
}

/* The rate of all clips: as asked, or that of the first that can be read. */
static bool find_rate(struct data_source *source, int64_t wanted, const char *path, struct invar_error *err)
{
    struct audio *audio = source->state;

    audio->rate = (int)wanted;
    for (int64_t i = 0; audio->rate == 0 && i < source->count; i++) {
        struct invar_error why = {0};
        uint64_t size;
        int file = data_folder_file(audio->folder, name(source, i), &size, &why);
        if (file >= 0) {
            audio->rate = data_wave_rate(file, name(source, i), &why);
            close(file);
        }
        if (data_ends(&why))
            return invar_error_set(err, why.code, "%s", why.message);
        if (audio->rate)
            invar_log(INVAR_LOG_INFO, "%s: data.rate is %d, that of the first clip, %s", path, audio->rate,
                      name(source, i));
    }
    source->rate = audio->rate;
    return audio->rate > 0 ||
           invar_error_set(
               err, INVAR_ERROR_DATA,
               "%s: none of %lld clips can be read, the first is %s; expected sounds as libsndfile reads them", path,
               (long long)source->count, name(source, 0));
}

/* The field `class` where classes are folders. */
static bool fields_of_folders(struct data_source *source, struct invar_error *err)
{
    const char **text = NULL;
    bool ok = false;

    if (source->classes == 0)
        return true;
    text = invar_alloc((size_t)source->count + 1, sizeof *text, err);
    if (!text)
        return false;
    for (int64_t i = 0; i < source->count; i++)
        text[i] = source->label[i] >= 0 ? source->class_names[source->label[i]] : "";
    ok = data_fields_reserve(&source->fields, 1, err) &&
         data_field_fill(&source->fields.field[0], "class", text, source->count, err);
    invar_free(text);
    return ok;
}

static bool fields_of_names(struct data_source *source, const char *pattern, struct invar_error *err)
{
    const char **names = invar_alloc((size_t)source->count + 1, sizeof *names, err);
    if (!names)
        return false;
    for (int64_t i = 0; i < source->count; i++)
        names[i] = name(source, i);
    bool ok = data_pattern_fields(pattern, names, source->count, &source->fields, err);
    invar_free(names);
    return ok;
}

static bool divide(struct data_source *source, const char *test, struct invar_error *err)
{
    struct data_condition condition;

    if (source->has_test)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "data.test: \"%s\" asks for another test split than the folder test/; set one of them "
                               "aside",
                               test);
    if (!data_condition_read(&condition, &source->fields, test, "data.test", err))
        return false;
    for (int64_t i = 0; i < source->count; i++)
        source->split[i] = data_condition_meets(&condition, i) ? INVAR_TEST : INVAR_TRAIN;
    source->has_test = true;
    data_condition_free(&condition);
    return true;
}

static bool scan(struct audio *audio, const char *path, struct invar_error *err)
{
    audio->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (audio->folder < 0)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: %s; audio:DIR needs a folder of WAV, FLAC or OGG files",
                               path, strerror(errno));
    return data_folder_list(&audio->list, path, err);
}

bool data_audio_open(struct data_source *source, const char *path, const struct invar_data_options *options,
                     struct invar_error *err)
{
    static const char *const endings[] = {".wav",  ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif",
                                          ".aifc", ".au",   ".snd",  ".caf", ".w64", ".rf64", ".voc", NULL};
    const struct data_layout layout = {"clip", ".wav, .flac, .ogg, .mp3, ...", endings,
                                       options->clips.pattern[0] != '\0'};
    struct audio *audio = invar_alloc(1, sizeof *audio, err);

    if (!audio)
        return false;
    audio->folder = -1;
    source->state = audio;
    source->decode = decode;
    source->name = name;
    source->bytes = bytes;
    source->release = release_audio;
    source->close = close_audio;
    return scan(audio, path, err) && data_layout_read(source, &audio->list, path, &layout, &audio->entry, err) &&
           (options->clips.pattern[0] ? fields_of_names(source, options->clips.pattern, err)
                                      : fields_of_folders(source, err)) &&
           (!options->test[0] || divide(source, options->test, err)) &&
           (!options->label[0] || data_source_relabel(source, options->label, INVAR_LABEL_CLASS, "data.label", err)) &&
           find_rate(source, options->clips.rate, path, err);
}
