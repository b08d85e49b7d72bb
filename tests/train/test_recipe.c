/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes: those that ship, what is refused and with which sentence, and that writing and reading agree. */
#include "test.h"

#include "invar/train.h"

static struct invar_recipe *load(const char *name, struct invar_error *err, int count, ...)
{
    const char *overrides[8];
    va_list list;

    va_start(list, count);
    for (int i = 0; i < count; i++)
        overrides[i] = va_arg(list, const char *);
    va_end(list);
    return invar_recipe_load(name, overrides, count, err);
}

static char *text_of(const struct invar_recipe *recipe)
{
    struct invar_text text = {0};
    struct invar_error err = {0};
    char *copy;

    assert_ok(invar_recipe_write(recipe, &text, &err), &err);
    copy = strdup(text.data);
    invar_text_free(&text);
    return copy;
}

/* The resolved text, read again from a file, resolves to itself. */
static void check_round_trip(const char *name)
{
    struct invar_error err = {0};
    char *folder = test_folder_create(), *first, *second;
    struct invar_recipe *recipe = load(name, &err, 0);
    const char *path;

    if (!recipe)
        fail_msg("%s: %s", name, err.message);
    first = text_of(recipe);
    invar_recipe_free(recipe);
    path = test_file(folder, "recipe.yaml", first, strlen(first));
    recipe = load(path, &err, 0);
    if (!recipe)
        fail_msg("%s: %s", name, err.message);
    assert_string_equal(recipe->name, name);
    second = text_of(recipe);
    assert_string_equal(first, second);
    invar_recipe_free(recipe);
    free(first);
    free(second);
    test_folder_remove(folder);
}

static void test_shipped(void **state)
{
    int count = 0;

    (void)state;
    for (const struct invar_recipe_name *r = invar_recipe_names(); r->name; r++, count++) {
        assert_true(strlen(r->help) > 10 && r->help[0] != '#');
        check_round_trip(r->name);
    }
    assert_true(count > 0);
}

static void test_overrides(void **state)
{
    struct invar_error err = {0};
    struct invar_recipe *r = load("relic-fashion-mnist", &err, 4, "encoder.kind=resnet18", "encoder.stem=small",
                                  "training.epochs=2.5", "optimiser.kind=sgd");

    (void)state;
    if (!r)
        fail_msg("%s", err.message);
    assert_string_equal(r->encoder->name, "resnet18");
    assert_string_equal(r->optimiser->name, "sgd");
    assert_near(r->training.epochs, 2.5, 0);
    assert_near(r->rate.lr, 4e-3, 1e-15);
    char *text = text_of(r);
    assert_non_null(strstr(text, "  pool: 1\n")); /* not the small ResNet's 2 */
    free(text);
    assert_int_equal(r->projector.output, 128);
    assert_int_equal(r->predictor.output, 0);
    invar_recipe_free(r);
}

struct refusal {
    const char *recipe, *a, *b, *message;
};

static void test_refused(void **state)
{
    static const struct refusal cases[] = {
        {"relic-fashion-mnst", "seed=1", "name=x", "did you mean \"relic-fashion-mnist\"?"},
        {"relic-fashion-mnist", "trainig.batch=64", "name=x", "trainig is not a known key; did you mean \"training\"?"},
        {"relic-fashion-mnist", "training.bach=64", "name=x",
         "training.bach is not a known key; did you mean \"batch\"?"},
        {"relic-fashion-mnist", "training.batch=1", "name=x", "training.batch: expected"},
        {"relic-fashion-mnist", "training.batch=many", "name=x", "training.batch: expected"},
        {"relic-fashion-mnist", "training.warmup=1.5", "name=x", "training.warmup: expected"},
        {"relic-fashion-mnist", "training=3", "name=x", "training: expected a section"},
        {"relic-fashion-mnist", "encoder.kind=resnet19", "name=x", "did you mean \"resnet18\""},
        {"relic-fashion-mnist", "encoder=null", "name=x", "encoder.kind is missing"},
        {"relic-fashion-mnist", "encoder.width=3", "name=x",
         "encoder.width is not a known key; did you mean \"widths\"?"},
        {"relic-fashion-mnist", "optimiser.kind=adagrad", "name=x", "known are: sgd, adam, adamw, lars"},
        {"relic-fashion-mnist", "optimiser.lr_scalin=linear", "name=x", "did you mean \"lr_scaling\"?"},
        {"relic-fashion-mnist", "optimiser.weight_deca=0", "name=x", "did you mean \"weight_decay\"?"},
        {"relic-fashion-mnist", "optimiser.betas=[0.9]", "name=x", "optimiser.betas: two numbers"},
        {"relic-fashion-mnist", "terms=null", "name=x", "terms: name at least one term"},
        {"relic-fashion-mnist", "terms.relik.tau=1", "name=x", "relik"},
        {"relic-fashion-mnist", "terms.relic.tau=-1", "name=x", "tau"},
        {"relic-fashion-mnist", "views.count=1", "name=x", "views.count is 1"},
        {"relic-fashion-mnist", "views.local=2", "name=x", "views.local_size: is missing"},
        {"relic-fashion-mnist", "views.local_size=8", "name=x", "there are no local views"},
        {"relic-fashion-mnist", "views.local=9", "views.local_size=14", "at most 10 views in all"},
        {"relic-fashion-mnist", "views={local: 2, local_size: 14, local_crop: [0.5, 0.1]}", "name=x",
         "views.local_crop: [0.5, 0.1] is no range"},
        {"simclr-fashion-mnist", "views.local=2", "views.local_size=14", "views.local to 0"},
        {"relic-fashion-mnist", "terms.relic.target=true", "name=x", "target.enabled is false"},
        {"relic-fashion-mnist", "target.enabled=true", "name=x", "no term reads the target network"},
        {"relic-fashion-mnist", "target.keep=true", "name=x", "target.keep is true"},
        {"relic-fashion-mnist", "predictor.output=128", "name=x", "no term reads its output"},
        {"relic-fashion-mnist", "projector.output=0", "name=x", "projector.hidden is set"},
        {"relic-target-fashion-mnist", "predictor.output=64", "name=x", "make them equal"},
        {"relic-fashion-mnist", "terms.relic.groups=true", "name=x",
         "terms.relic reads refinement groups, but data.group is not set"},
        {"relic-fashion-mnist", "data.group=who", "name=x", "data.group is \"who\", but no term reads"},
        {"relic-appendix-b-fashion-mnist", "views.clean=false", "name=x", "set views.clean=true"},
        {"relic-appendix-b-fashion-mnist", "views.mix=0.5", "name=x", "views.mix: is 0.5 for view 1"},
        {"relic-fashion-mnist", "terms.relic.contrast_set=129", "name=x", "choose 2 to 128, or 0"},
        {"relic-fashion-mnist", "name=a/b", "training.seed=1", "without a slash"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invar_error err = {0};
        struct invar_recipe *r = load(cases[i].recipe, &err, 2, cases[i].a, cases[i].b);
        if (r)
            fail_msg("%s %s: accepted", cases[i].recipe, cases[i].a);
        if (err.code != INVAR_ERROR_USAGE || !strstr(err.message, cases[i].message))
            fail_msg("%s %s: code %d, \"%s\"; expected \"%s\"", cases[i].recipe, cases[i].a, (int)err.code, err.message,
                     cases[i].message);
    }
}

/* One sample has no covariance, no variance, no batch statistics and nothing to be told apart from, whatever the term
 * and the heads; said before any data are looked for. */
static void test_batch_of_one(void **state)
{
    static const char *const norms[] = {"projector.batchnorm=true", "projector.batchnorm=false"};

    (void)state;
    for (const struct invar_term_spec *const *term = invar_term_list(); *term; term++)
        for (int i = 0; i < 2; i++) {
            struct invar_error err = {0};
            char terms[64];
            snprintf(terms, sizeof terms, "terms={%s: {}}", (*term)->name);
            assert_refused(
                load("relic-fashion-mnist", &err, 4, terms, norms[i], "training.batch=1", "data.source=idx:nowhere"),
                &err, INVAR_ERROR_USAGE, "training.batch: expected an integer from 2 to");
        }
}

static void test_weights_all_zero(void **state)
{
    static const char *const terms[] = {"terms={relic: {weight: 0}}",
                                        "terms={vicreg: {weight: 0}, logdet: {weight: 0}}",
                                        "terms={vicreg: {lambda: 0, mu: 0, nu: 0}}",
                                        "terms={entropy_invariance: {weight_entropy: 0, weight_invariance: 0}}"};

    (void)state;
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        struct invar_error err = {0};
        assert_refused(load("relic-fashion-mnist", &err, 1, terms[i]), &err, INVAR_ERROR_USAGE,
                       "so nothing would be trained: set one of them");
    }
}

/* A file that is no recipe at all. */
static void test_foreign(void **state)
{
    static const char *const texts[] = {"", "- 1\n- 2\n", "a: [1, 2", "\x89PNG\r\n", "just words\n"};
    char *folder = test_folder_create();

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct invar_error err = {0};
        const char *path = test_file(folder, "foreign.yaml", texts[i], strlen(texts[i]));
        struct invar_recipe *r = load(path, &err, 0);
        if (r)
            fail_msg("text %zu: accepted", i);
        if (!strstr(err.message, "foreign.yaml"))
            fail_msg("text %zu: the file is not named: %s", i, err.message);
    }
    test_folder_remove(folder);
}

static void test_name_from_file(void **state)
{
    static const char text[] = "encoder: {kind: mlp}\nterms: {relic: {}}\n";
    char *folder = test_folder_create();
    struct invar_error err = {0};
    struct invar_recipe *r = load(test_file(folder, "mine.v2.yaml", text, strlen(text)), &err, 0);

    (void)state;
    if (!r)
        fail_msg("%s", err.message);
    assert_string_equal(r->name, "mine.v2");
    assert_int_equal(r->projector.output, 0);
    invar_recipe_free(r);
    test_folder_remove(folder);
}

static void test_schema(void **state)
{
    static const char *const expected[] = {
        "data:",      "source",     "views:",  "crop",       "encoder:",  "resnet18", "small-resnet",
        "projector:", "predictor:", "target:", "momentum",   "terms:",    "relic",    "tau",
        "optimiser:", "lars",       "trust",   "lr_scaling", "training:", "warmup",   "init"};
    struct invar_text text = {0};
    struct invar_error err = {0};

    (void)state;
    assert_ok(invar_recipe_schema(&text, &err), &err);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(text.data, expected[i]))
            fail_msg("the schema does not mention %s", expected[i]);
    invar_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),      cmocka_unit_test(test_overrides),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_foreign),      cmocka_unit_test(test_name_from_file),   cmocka_unit_test(test_schema),
        cmocka_unit_test(test_batch_of_one), cmocka_unit_test(test_weights_all_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
