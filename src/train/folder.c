/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run folder. recipe.yaml comes first, then checkpoints, projector.safetensors, last encoder.safetensors; each
 * appears whole or not at all, so that a run that was killed between any two of them can go on.
 */
#include "train/folder.h"

#include "train/recipe.h"
#include "train/recipe_file.h"

#include "base/names.h"
#include "invar/expert/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool folder_path(const struct invar_folder *f, const char *name, char *out, struct invar_error *err)
{
    return invar_path_join(out, INVAR_PATH_SIZE, f->path, name, err);
}

/* What an interrupted writer leaves: NAME.tmp-PID. */
static bool is_leftover(const char *name)
{
    return strstr(name, ".tmp-") != NULL;
}

/* *empty: nothing but leftovers; a folder that does not exist is empty. A folder with leftovers alone counts as empty
 * for a run that resumes (it was killed before its first file), and as used for one that begins: nobody knows whose
 * they are. */
static bool look(const struct invar_folder *f, bool *empty, bool *leftovers, struct invar_error *err)
{
    struct stat status;
    const struct dirent *entry;
    DIR *dir;

    *empty = true;
    *leftovers = false;
    if (stat(f->path, &status) != 0 && errno == ENOENT)
        return true;
    dir = opendir(f->path);
    if (!dir)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be used as a run folder: %s", f->path,
                               strerror(errno));
    while (errno = 0, (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (is_leftover(entry->d_name))
            *leftovers = true;
        else
            *empty = false;
    }
    const int reason = errno;
    closedir(dir);
    return reason == 0 || invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be listed: %s", f->path, strerror(reason));
}

/* The length of the line at text, without its end. */
static size_t line_length(const char *text)
{
    return strcspn(text, "\n");
}

/* Whether both lines are of one option that may differ in a run that goes on. By text: recipes are written by one
 * function in one order, every option with its value, so that equal settings are equal lines. */
static bool may_differ(const struct folder_recipes *recipes, const char *section, const char *there, const char *here,
                       bool *length, bool *place)
{
    const int option = strncmp(here, "  ", 2) == 0 && here[2] != ' ' ? (int)strcspn(here, ":") : 0;
    char key[128];

    if (option == 0 || strncmp(there, here, (size_t)option + 1) != 0)
        return false;
    snprintf(key, sizeof key, "%.*s.%.*s", (int)strcspn(section, ":"), section, option - 2, here + 2);
    const bool of_length = names_look(NAMES_TEXTS("", recipes->length), key, strlen(key)),
               of_place = names_look(NAMES_TEXTS("", recipes->place), key, strlen(key));
    *length = *length || of_length;
    *place = *place || of_place;
    return of_length || of_place;
}

/* The first other line is enough: whoever resumes with other settings has usually changed one. */
static bool compare(const struct invar_folder *f, const char *there, bool *length, bool *place, struct invar_error *err)
{
    const char *here = f->recipe.data, *section = "";
    int line = 1;

    *length = *place = false;
    for (;; line++) {
        size_t a = line_length(there), b = line_length(here);
        bool same = a == b && memcmp(there, here, a) == 0;
        if (same && here[0] != ' ')
            section = here;
        if (!same)
            same = may_differ(f->recipes, section, there, here, length, place);
        if (!same || (there[a] == '\0') != (here[b] == '\0'))
            return invar_error_set(err, INVAR_ERROR_USAGE,
                                   "%s: belongs to a run with other settings: line %d of its recipe.yaml is \"%.*s\", "
                                   "here it would be \"%.*s\": resume with the same settings, or give another run",
                                   f->path, line, (int)(a < 200 ? a : 200), there, (int)(b < 200 ? b : 200), here);
        if (there[a] == '\0')
            return true;
        there += a + 1;
        here += b + 1;
    }
}

static bool complete(const char *text, struct invar_text *whole)
{
    struct invar_recipe *recipe = recipe_parse(text, "", NULL);
    const bool ok = recipe && invar_recipe_write(recipe, whole, NULL);

    invar_recipe_free(recipe);
    return ok;
}

static const char *const of_length[] = {"training.epochs", "training.steps", NULL};
static const char *const of_place[] = {"data.source", "data.test", "data.metadata", NULL};
const struct folder_recipes folder_recipes = {complete, of_length, of_place};

/* One that cannot be read is compared as it is. */
bool folder_compare(const struct invar_folder *f, const char *there, bool *length, bool *place, struct invar_error *err)
{
    struct invar_text whole = {0};
    const bool completed = f->recipes->complete(there, &whole);
    const bool same = compare(f, completed ? whole.data : there, length, place, err);

    invar_text_free(&whole);
    return same;
}

/* Two processes in one folder would overwrite each other's checkpoints. The lock goes with the process, however it
   ends; a file system without locks does without. */
/* The folder itself is locked, not a file in it: nothing is left behind, and nothing can be copied along with the
 * run. Network file systems without flock answer other than EWOULDBLOCK, and are believed. */
static bool hold(struct invar_folder *f, struct invar_error *err)
{
    if (f->lock >= 0)
        return true;
    f->lock = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->lock < 0)
        return invar_error_set(err, INVAR_ERROR_FILE, "%s: cannot be opened: %s", f->path, strerror(errno));
    if (flock(f->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return true;
    return invar_error_set(err, INVAR_ERROR_USAGE,
                           "%s: another process is training in it: wait until it ends, or give another run", f->path);
}

void folder_free(struct invar_folder *f)
{
    if (f->lock >= 0)
        close(f->lock);
    invar_text_free(&f->recipe);
    invar_text_free(&f->machines);
    invar_free(f->path);
}

/* The line of training.steps as it is in the recipe of this run. */
static const char *steps_line(const struct invar_folder *f, char out[64])
{
    snprintf(out, 64, "\n  steps: %lld\n", (long long)f->steps);
    return out;
}

/* Nothing is changed here: a refused run, or a dry one, must leave the folder of another as it was. */
bool folder_check(struct invar_folder *f, bool *resuming, struct invar_error *err)
{
    struct recipe_file file;
    bool empty, leftovers, ok, length = false, place = false;
    char steps[64];

    *resuming = false;
    if (!look(f, &empty, &leftovers, err))
        return false;
    if (!f->resume && !(empty && !leftovers))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: exists and is not empty: give another run, or resume to go on with this one",
                               f->path);
    if (empty)
        return true;
    ok = recipe_file_read(f->path, &file, err);
    if (ok && !file.there)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: is not the folder of a run (it has no recipe.yaml): give another run", f->path);
    ok = ok && folder_compare(f, (const char *)file.text.data, &length, &place, err);
    f->rewrite = length || place;
    if (ok && length && f->steps > 0 && strstr((const char *)file.text.data, steps_line(f, steps)))
        ok = invar_error_set(err, INVAR_ERROR_USAGE,
                             "%s: training.steps is %lld, which decides the length whatever training.epochs is: set "
                             "training.steps",
                             f->path, (long long)f->steps);
    invar_bytes_free(&file.text);
    *resuming = ok;
    return ok && hold(f, err);
}

/* Only while the folder is held, so that they are of a dead process. */
static void remove_leftovers(const struct invar_folder *f)
{
    char path[INVAR_PATH_SIZE];
    const struct dirent *entry;
    DIR *dir = opendir(f->path);

    if (!dir)
        return;
    while ((entry = readdir(dir)))
        if (is_leftover(entry->d_name) && folder_path(f, entry->d_name, path, NULL))
            unlink(path);
    closedir(dir);
}

bool folder_begin(struct invar_folder *f, struct invar_error *err)
{
    struct recipe_file file;

    if (!invar_folder_create(f->path, err) || !hold(f, err))
        return false;
    remove_leftovers(f);
    const bool ok = recipe_file_read(f->path, &file, err);
    invar_bytes_free(&file.text);
    return ok && ((file.there && !f->rewrite) || recipe_file_write(f->path, &f->recipe, err));
}
