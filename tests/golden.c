/* SPDX-License-Identifier: Apache-2.0 */
/*
 * golden DIR: runs every case folder below DIR (tests/golden/README.md has the format). One TAP line a case, "# SKIP"
 * for a term that this build does not know. Exit status 1 on a failure or when DIR holds no case.
 *
 * golden --self-test DIR: gives every case an option that no runner knows, then another gradient_of where it has one:
 * each must fail and name it, for what a runner ignores no case can test.
 */
#include "golden_runner/golden.h"
#include "open_device.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRANGE "no_such_thing"

enum mode { AS_THEY_ARE, STRANGE_OPTION, STRANGE_GRADIENT };

static char **folders;
static size_t folder_count;

static int note_case(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    if (kind != FTW_F || strcmp(path + place->base, "case.json") != 0)
        return 0;
    char **grown = realloc(folders, (folder_count + 1) * sizeof *folders);
    if (!grown)
        return -1;
    folders = grown;
    folders[folder_count] = strndup(path, (size_t)place->base - 1);
    return folders[folder_count++] ? 0 : -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const struct golden_kind *find_kind(const char *term)
{
    static const struct golden_kind any_term = {"", GOLDEN_F32 | GOLDEN_F64, golden_run_term};
    const struct golden_kind *const tables[] = {golden_layers,      golden_training,    golden_evaluation,
                                                golden_measures,    golden_adversarial, golden_audio,
                                                golden_predictions, golden_spectra};

    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct golden_kind *kind = tables[t]; kind->term; kind++)
            if (strcmp(kind->term, term) == 0)
                return kind;
    return invar_term_find(term, NULL) ? &any_term : NULL;
}

/* one precision; every result that the case expects must have been given */
static bool run_once(struct golden_case *c, const struct golden_kind *kind, enum invar_dtype precision)
{
    struct invar_error err = {0};

    c->precision = precision;
    for (int i = 0; i < c->result_count; i++)
        c->results[i].given = false;
    c->known = 0;
    if (!kind->run(c, &err))
        return golden_fail(c, "%s: %s", invar_dtype_name(precision), err.message);
    golden_expect_known(c);
    for (int i = 0; i < c->result_count; i++)
        if (!c->results[i].given)
            golden_fail(c, "%s%s was not computed", c->results[i].gradient ? "the gradient of " : "",
                        c->results[i].name);
    return !c->failure[0];
}

/* False where the case has nothing that could be strange. */
static bool make_strange(struct golden_case *c, enum mode mode)
{
    cJSON *options = cJSON_GetObjectItemCaseSensitive(c->json, "options");

    if (mode == STRANGE_OPTION)
        return cJSON_AddNumberToObject(options, STRANGE, 1) != NULL;
    if (mode == STRANGE_GRADIENT && c->gradient_of)
        c->gradient_of = STRANGE;
    return mode == AS_THEY_ARE || c->gradient_of;
}

enum outcome { PASSED, FAILED, SKIPPED, OUTCOMES };

static enum outcome run_case(struct invar_device *device, size_t number, const char *folder, enum mode mode)
{
    static const enum invar_dtype precisions[] = {INVAR_FLOAT64, INVAR_FLOAT32};
    struct golden_case *c = calloc(1, sizeof *c);
    struct invar_error err = {0};
    const char *name = strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder;
    enum outcome outcome = PASSED;

    if (!c || !golden_case_read(c, folder, &err)) {
        printf("not ok %zu - %s\n# %s\n", number, name, err.message);
        outcome = FAILED;
        goto done;
    }
    c->device = device;
    if (!make_strange(c, mode)) {
        printf("ok %zu - %s # SKIP no %s\n", number, name, mode == STRANGE_OPTION ? "options" : "gradients");
        outcome = SKIPPED;
        goto done;
    }
    const struct golden_kind *kind = find_kind(c->term);
    if (!kind) {
        printf("ok %zu - %s # SKIP this build has no %s\n", number, name, c->term);
        outcome = SKIPPED;
        goto done;
    }
    for (size_t i = 0; i < 2 && outcome == PASSED; i++)
        if ((kind->precisions & (1u << precisions[i])) && !run_once(c, kind, precisions[i]))
            outcome = FAILED;
    if (mode != AS_THEY_ARE)
        outcome = outcome == FAILED && strstr(c->failure, STRANGE) ? PASSED : FAILED;
    printf("%s %zu - %s\n", outcome == PASSED ? "ok" : "not ok", number, name);
    if (outcome == FAILED)
        printf("# %s\n", c->failure[0] ? c->failure : "a strange option or gradient_of passes");
done:
    if (c)
        golden_case_free(c);
    free(c);
    return outcome;
}

int main(int argc, char **argv)
{
    struct invar_error err = {0};
    size_t count[OUTCOMES] = {0};
    struct invar_device *device = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    const bool self_test = argc == 3 && strcmp(argv[1], "--self-test") == 0;
    if ((argc != 2 && !self_test) || nftw(argv[argc - 1], note_case, 16, FTW_PHYS) != 0 || folder_count == 0) {
        printf("Bail out! usage: golden [--self-test] DIR, where DIR holds case folders\n");
        goto done;
    }
    device = test_device_open(0, &err);
    if (!device) {
        printf("Bail out! %s\n", err.message);
        goto done;
    }
    qsort(folders, folder_count, sizeof *folders, by_name);
    printf("1..%zu\n", folder_count * (self_test ? 2 : 1));
    for (size_t i = 0; i < folder_count; i++)
        count[run_case(device, i + 1, folders[i], self_test ? STRANGE_OPTION : AS_THEY_ARE)]++;
    for (size_t i = 0; self_test && i < folder_count; i++)
        count[run_case(device, folder_count + i + 1, folders[i], STRANGE_GRADIENT)]++;
    printf("# %zu passed, %zu failed, %zu skipped\n", count[PASSED], count[FAILED], count[SKIPPED]);
done:
    invar_device_close(device);
    for (size_t i = 0; i < folder_count; i++)
        free(folders[i]);
    free(folders);
    return device && count[FAILED] == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
