/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes of agents: sections of their own, and those of recipes of representations for encoder, optimiser and the
 * auxiliary objective. */
#include "agent/recipe.h"

#include "base/names.h"
#include "invar/expert/file.h"
#include "train/folder.h"
#include "train/recipe_file.h"

#include <stdio.h>
#include <string.h>

#define ROOT(name) offsetof(struct invar_agent_recipe, name)
static const struct invar_option root_table[] = {
    {"name", INVAR_OPTION_TEXT, ROOT(name), "", 0, 0, NULL, "of the recipe; that of its file where it is left out"},
    {0}};

#define ENV(name) offsetof(struct invar_agent_recipe, name)
static const struct invar_option env_table[] = {
    {"id", INVAR_OPTION_TEXT, ENV(env_id), "", 0, 0, NULL, "environment; its options stand beside it"}, {0}};

#define AGENT(name) offsetof(struct agent_options, name)
static const struct invar_option agent_table[] = {
    {"hidden", INVAR_OPTION_INT, AGENT(hidden), "512", 0, 65536, NULL,
     "width of the hidden layer of each head; 0: a head is one linear layer"},
    {"recurrent", INVAR_OPTION_INT, AGENT(recurrent), "0", 0, 65536, NULL,
     "width of an LSTM before the heads, which also reads the action before and its reward; 0: none"},
    {"init", INVAR_OPTION_CHOICE, AGENT(init), "torch", 0, 0, INVAR_CHOICES(AGENT_INITS),
     "initial weights of the Q-network, its encoder's with them: those of torch's layers, or Xavier's, uniform, with "
     "biases of 0"},
    {"dueling", INVAR_OPTION_BOOL, AGENT(dueling), "true", 0, 0, NULL, "value and advantages have heads of their own"},
    {"double", INVAR_OPTION_BOOL, AGENT(twice), "true", 0, 0, NULL,
     "the network that learns chooses the action whose value the target network says"},
    {"n", INVAR_OPTION_INT, AGENT(n), "1", 1, 100, NULL, "steps of rewards before a value takes over"},
    {"discount", INVAR_OPTION_REAL, AGENT(discount), "0.99", 0, 1, NULL, "of a step"},
    {"clip_reward", INVAR_OPTION_REAL, AGENT(clip_reward), "0", 0, 1e9, NULL,
     "rewards are learned within plus and minus this; 0: as they are"},
    {"life_ends", INVAR_OPTION_BOOL, AGENT(life_ends), "false", 0, 0, NULL,
     "for what is learned, an episode ends with a lost life; the game goes on"},
    {"rescale", INVAR_OPTION_BOOL, AGENT(rescale), "false", 0, 0, NULL,
     "learn h(Q), h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x, in place of clipped rewards"},
    {"huber", INVAR_OPTION_REAL, AGENT(huber), "1", 0, 1e9, NULL,
     "errors beyond it count by their size, not their square; 0: all by their square"},
    {"target_interval", INVAR_OPTION_INT, AGENT(target_interval), "200", 1, 1e9, NULL,
     "updates between copies into the target network"},
    {"epsilon", INVAR_OPTION_REAL_LIST, AGENT(epsilon), "[1, 0.05]", 0, 1, NULL,
     "share of random actions: at first, and in the end"},
    {"epsilon_start", INVAR_OPTION_INT, AGENT(epsilon_start), "0", 0, 1e12, NULL, "steps before it goes down"},
    {"epsilon_steps", INVAR_OPTION_INT, AGENT(epsilon_steps), "1000", 1, 1e12, NULL,
     "steps in which it goes down in a line"},
    {"epsilon_spread", INVAR_OPTION_REAL, AGENT(epsilon_spread), "0", 0, 100, NULL,
     "environment i of N has the (1 + spread i / (N - 1))-th power of it"},
    {"copies", INVAR_OPTION_INT, AGENT(copies), "1", 1, 256, NULL, "environments side by side"},
    {"start", INVAR_OPTION_INT, AGENT(start), "1000", 1, 1e12, NULL, "steps before the first update"},
    {"interval", INVAR_OPTION_INT, AGENT(interval), "1", 1, 1e9, NULL,
     "steps from update to update, of all environments together; a multiple of copies"},
    {"updates", INVAR_OPTION_INT, AGENT(updates), "1", 1, 1000, NULL, "made each time"},
    {0}};

#define REPLAY(name) offsetof(struct agent_replay_options, name)
static const struct invar_option replay_table[] = {
    {"memory", INVAR_OPTION_REAL, REPLAY(memory), "1024", 0.001, 1e9, NULL,
     "MiB, at most, of all that is kept; frames are packed where they would not fit"},
    {"steps", INVAR_OPTION_INT, REPLAY(steps), "100000", 16, 1e10, NULL, "at most; the oldest go"},
    {"sequence", INVAR_OPTION_INT, REPLAY(sequence), "1", 1, 10000, NULL,
     "steps that are learned from together; 1 without an LSTM"},
    {"burn_in", INVAR_OPTION_INT, REPLAY(burn_in), "0", 0, 10000, NULL,
     "steps before a sequence that only bring the LSTM's state up to date"},
    {"overlap", INVAR_OPTION_INT, REPLAY(overlap), "0", 0, 9999, NULL, "steps that neighbouring sequences share"},
    {"exponent", INVAR_OPTION_REAL, REPLAY(exponent), "0", 0, 10, NULL,
     "of priorities, which are absolute errors; 0: all steps are drawn alike"},
    {"importance", INVAR_OPTION_REAL, REPLAY(importance), "0", 0, 10, NULL,
     "exponent of the weights that undo what priorities prefer"},
    {"average", INVAR_OPTION_REAL, REPLAY(average), "0.1", 0, 1, NULL,
     "share of the mean error in the priority of a sequence; the rest is the largest"},
    {0}};

#define AUGMENTATION(name) offsetof(struct agent_augmentation_options, name)
static const struct invar_option augmentation_table[] = {
    {"learned", INVAR_OPTION_INT, AUGMENTATION(learned), "0", 0, 16, NULL,
     "views of what was seen that an update learns from, their mean loss (DrQ's M); 0: it learns from what was seen"},
    {"valued", INVAR_OPTION_INT, AUGMENTATION(valued), "1", 1, 16, NULL,
     "views that a target is the mean over (DrQ's K)"},
    {0}};

#define TRAINING(name) offsetof(struct agent_training_options, name)
static const struct invar_option training_table[] = {
    {"steps", INVAR_OPTION_INT, TRAINING(steps), "100000", 1, 1e13, NULL,
     "of all environments together; each makes the same number, rounded up"},
    {"batch", INVAR_OPTION_INT, TRAINING(batch), "32", 1, 65536, NULL, "sequences an update"},
    {"seed", INVAR_OPTION_INT, TRAINING(seed), "0", 0, 9007199254740992.0, NULL,
     "of initial weights, environments, actions and draws"},
    {"clip", INVAR_OPTION_REAL, TRAINING(clip), "10", 0, 1e30, NULL, "largest gradient norm; 0: no limit"},
    {"log_interval", INVAR_OPTION_INT, TRAINING(log_interval), "1000", 1, 1e9, NULL, "steps between logged steps"},
    {"checkpoint_interval", INVAR_OPTION_INT, TRAINING(checkpoint_interval), "10000", 1, 1e12, NULL,
     "steps between checkpoints"},
    {0}};

#define AUXILIARY(name) offsetof(struct agent_auxiliary_options, name)
static const struct invar_option auxiliary_table[] = {
    {"encoder", INVAR_OPTION_CHOICE, AUXILIARY(encoder), "none", 0, 0, INVAR_CHOICES(AGENT_AUXILIARIES),
     "what the objective trains: nothing, an encoder beside the Q-network's whose output it reads too, or its own"},
    {"interval", INVAR_OPTION_INT, AUXILIARY(interval), "1", 1, 1e9, NULL, "updates of Q from one of it to the next"},
    {0}};

/* What the auxiliary section has of a recipe of representations. */
static const char *const objective_sections[] = {"views", "projector", "predictor", "target",
                                                 "terms", "optimiser", "training",  NULL};
static const char *const augmentation_sections[] = {"views", NULL};
static const char *const sections[] = {"env",       "encoder",  "agent",     "replay", "augmentation",
                                       "optimiser", "training", "auxiliary", NULL};

const struct invar_recipe_name *invar_agent_recipe_names(void)
{
    return agent_recipe_shipped;
}

const char *invar_agent_recipe_name(const struct invar_agent_recipe *recipe)
{
    return recipe->name;
}

/* ---- reading ---- */

static bool read_own(const struct invar_node *root, const char *name, const struct invar_option *table, void *object,
                     const char *const *ignored, struct invar_error *err)
{
    invar_options_default(table, object);
    return invar_options_read(table, object, invar_node_get(root, name), name, ignored, err);
}

/* Keys of env are the environment's, which reads them when it is made. */
static bool read_env(struct invar_agent_recipe *r, struct invar_error *err)
{
    const struct invar_node *id;

    r->env = invar_node_get(r->document, "env");
    id = invar_node_get(r->env, "id");
    if (!id || !invar_node_text(id) || !invar_node_text(id)[0] || strlen(invar_node_text(id)) >= sizeof r->env_id)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: env.id is missing: name an environment, such as catch",
                               invar_node_origin(r->document));
    snprintf(r->env_id, sizeof r->env_id, "%s", invar_node_text(id));
    return true;
}

/* The sequences of a batch have one view at a time: how many stands beside them. */
static bool read_augmentation(struct invar_agent_recipe *r, struct invar_error *err)
{
    const struct invar_node *own = invar_node_get(r->document, "augmentation");

    if (!read_own(r->document, "augmentation", augmentation_table, &r->augmentation, augmentation_sections, err) ||
        !recipe_read_section(&r->network, "views", own, err))
        return false;
    invar_view_options_trim(&r->network.views, 1);
    return true;
}

/* The encoder is that of the Q-network, whether it is shared or another of the same make. */
static bool read_objective(struct invar_agent_recipe *r, struct invar_error *err)
{
    const struct invar_node *own = invar_node_get(r->document, "auxiliary");
    struct invar_recipe *o = r->objective = invar_alloc(1, sizeof *o, err);
    bool ok = o && recipe_read_section(o, "encoder", r->document, err);

    if (ok)
        snprintf(o->name, sizeof o->name, "auxiliary");
    for (const char *const *name = invar_recipe_sections; ok && *name; name++)
        ok = strcmp(*name, "encoder") == 0 || recipe_read_section(o, *name, own, err);
    if (!ok)
        return false;
    o->training.precision = INVAR_PRECISION_FLOAT32;
    return recipe_check(o, invar_node_origin(r->document), err);
}

static bool check(const struct invar_agent_recipe *r, struct invar_error *err)
{
    const char *origin = invar_node_origin(r->document);
    const struct agent_replay_options *p = &r->replay;

    if (r->agent.recurrent == 0 && (p->sequence != 1 || p->burn_in > 0))
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: replay.sequence and burn_in are of an LSTM, and agent.recurrent is 0: set it, or "
                               "replay.sequence=1 and replay.burn_in=0",
                               origin);
    if (p->overlap >= p->sequence && p->overlap > 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: replay.overlap is %lld, expected less than replay.sequence, which is %lld", origin,
                               (long long)p->overlap, (long long)p->sequence);
    if (p->burn_in % (p->sequence - p->overlap) != 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: replay.burn_in is %lld, expected a multiple of sequence - overlap, which is %lld: "
                               "states are kept where sequences begin",
                               origin, (long long)p->burn_in, (long long)(p->sequence - p->overlap));
    if (r->agent.interval % r->agent.copies != 0)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: agent.interval is %lld, expected a multiple of agent.copies, which is %lld", origin,
                               (long long)r->agent.interval, (long long)r->agent.copies);
    if (r->network.rate.lr_scaling != INVAR_RATE_SCALING_NONE)
        return invar_error_set(err, INVAR_ERROR_USAGE,
                               "%s: optimiser.lr_scaling: the rate of a Q-network is optimiser.lr, whatever the batch: "
                               "write none, and the rate that is meant",
                               origin);
    if (r->agent.epsilon.count != 2)
        return invar_error_set(err, INVAR_ERROR_USAGE, "%s: agent.epsilon: two numbers are expected, there are %d",
                               origin, r->agent.epsilon.count);
    return true;
}

static bool read_all(struct invar_agent_recipe *r, struct invar_error *err)
{
    const struct invar_node *root = r->document;
    static const char *ignored[sizeof objective_sections / sizeof *objective_sections];

    memcpy(ignored, objective_sections, sizeof ignored);
    return invar_options_read(root_table, r, root, "", sections, err) && read_env(r, err) &&
           recipe_read_section(&r->network, "encoder", root, err) &&
           read_own(root, "agent", agent_table, &r->agent, NULL, err) &&
           read_own(root, "replay", replay_table, &r->replay, NULL, err) && read_augmentation(r, err) &&
           recipe_read_section(&r->network, "optimiser", root, err) &&
           read_own(root, "training", training_table, &r->training, NULL, err) &&
           read_own(root, "auxiliary", auxiliary_table, &r->auxiliary, ignored, err) && check(r, err) &&
           (r->auxiliary.encoder == AGENT_AUXILIARY_NONE || read_objective(r, err));
}

static struct invar_node *read_document(const char *name_or_path, struct invar_error *err)
{
    const struct names names = NAMES_ROWS("recipe", agent_recipe_shipped);
    const struct invar_recipe_name *shipped = names_look(names, name_or_path, strlen(name_or_path));
    char hint[NAMES_HINT_SIZE];

    if (shipped)
        return invar_node_parse(shipped->text, strlen(shipped->text), shipped->name, err);
    if (invar_path_exists(name_or_path))
        return invar_node_read(name_or_path, err);
    names_hint(hint, names, name_or_path);
    invar_error_set(err, INVAR_ERROR_USAGE, "%s: there is no such file, and no recipe of an agent of that name%s",
                    name_or_path, hint);
    return NULL;
}

static void take_name(struct invar_agent_recipe *r, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');

    if (!r->name[0])
        snprintf(r->name, sizeof r->name, "%.*s", (int)(dot && dot != base ? dot - base : (long)strlen(base)), base);
}

/* Takes the document over, which may be NULL. */
static struct invar_agent_recipe *from_document(struct invar_node *document, const char *name,
                                                const char *const *overrides, int count, struct invar_error *err)
{
    struct invar_agent_recipe *r = document ? invar_alloc(1, sizeof *r, err) : NULL;

    if (!r) {
        invar_node_free(document);
        return NULL;
    }
    r->document = document;
    if (recipe_override(r->document, overrides, count, err) && read_all(r, err)) {
        take_name(r, name);
        return r;
    }
    invar_agent_recipe_free(r);
    return NULL;
}

struct invar_agent_recipe *invar_agent_recipe_load(const char *name_or_path, const char *const *overrides, int count,
                                                   struct invar_error *err)
{
    return from_document(read_document(name_or_path, err), name_or_path, overrides, count, err);
}

struct invar_agent_recipe *agent_recipe_parse(const char *text, const char *origin, struct invar_error *err)
{
    return from_document(invar_node_parse(text, strlen(text), origin, err), origin, NULL, 0, err);
}

int64_t agent_recipe_steps(const struct invar_agent_recipe *r)
{
    const int64_t copies = r->agent.copies;

    return (r->training.steps + copies - 1) / copies * copies;
}

struct invar_agent_recipe *invar_agent_run_recipe(const char *folder, const char *const *overrides, int count,
                                                  struct invar_error *err)
{
    struct invar_node *document = NULL;

    if (!recipe_file_node(folder, &document, err))
        return NULL;
    if (!document)
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: is not the folder of a run (it has no recipe.yaml)", folder);
    if (document && !invar_node_get(document, "env")) {
        invar_error_set(err, INVAR_ERROR_USAGE, "%s: is the run of an encoder and not of an agent: it plays nothing",
                        folder);
        invar_node_free(document);
        return NULL;
    }
    return from_document(document, folder, overrides, count, err);
}

void invar_agent_recipe_free(struct invar_agent_recipe *r)
{
    if (!r)
        return;
    invar_node_free(r->document);
    invar_free(r->network.encoder_options);
    invar_free(r->network.optimiser_options);
    invar_recipe_free(r->objective);
    invar_free(r);
}

/* ---- writing ---- */

/* Lines, so much further in. */
static bool indented(const char *text, const char *indent, struct invar_text *out, struct invar_error *err)
{
    while (text && *text) {
        const size_t length = strcspn(text, "\n");
        if (!invar_text_printf(out, err, "%s%.*s\n", indent, (int)length, text))
            return false;
        text += length + (text[length] == '\n');
    }
    return true;
}

static bool write_own(const char *name, const struct invar_option *table, const void *object, struct invar_text *out,
                      struct invar_error *err)
{
    return invar_text_printf(out, err, "%s:\n", name) && invar_options_write(table, object, 2, out, err);
}

/* Sections of a recipe of representations, within another; recipe NULL: none. */
static bool write_within(const struct invar_recipe *recipe, const char *const *names, struct invar_text *out,
                         struct invar_error *err)
{
    struct invar_text text = {0};
    bool ok = true;

    for (; ok && recipe && *names; names++)
        ok = recipe_write_section(recipe, *names, &text, err);
    ok = ok && indented(text.data, "  ", out, err);
    invar_text_free(&text);
    return ok;
}

/* Nothing where there is none, as recipes of runs were before there was any. */
static bool write_augmentation(const struct invar_agent_recipe *r, struct invar_text *out, struct invar_error *err)
{
    return r->augmentation.learned == 0 || (write_own("augmentation", augmentation_table, &r->augmentation, out, err) &&
                                            write_within(&r->network, augmentation_sections, out, err));
}

bool agent_recipe_write(const struct invar_agent_recipe *r, const char *settings, struct invar_text *out,
                        struct invar_error *err)
{
    return invar_options_write(root_table, r, 0, out, err) && write_own("env", env_table, r, out, err) &&
           indented(settings, "  ", out, err) && recipe_write_section(&r->network, "encoder", out, err) &&
           write_own("agent", agent_table, &r->agent, out, err) &&
           write_own("replay", replay_table, &r->replay, out, err) && write_augmentation(r, out, err) &&
           recipe_write_section(&r->network, "optimiser", out, err) &&
           write_own("training", training_table, &r->training, out, err) &&
           write_own("auxiliary", auxiliary_table, &r->auxiliary, out, err) &&
           write_within(r->objective, objective_sections, out, err);
}

/* The settings of the environment, behind its id in a resolved recipe. */
static bool take_settings(const char *text, struct invar_text *out)
{
    const char *at = strstr(text, "\nenv:\n  id: ");

    at = at ? strchr(at + 7, '\n') : NULL;
    for (; at && strncmp(at, "\n  ", 3) == 0; at += strcspn(at, "\n")) {
        at += 3;
        if (!invar_text_printf(out, NULL, "%.*s\n", (int)strcspn(at, "\n"), at))
            return false;
    }
    return at != NULL;
}

static bool complete(const char *text, struct invar_text *whole)
{
    struct invar_agent_recipe *r = agent_recipe_parse(text, "", NULL);
    struct invar_text settings = {0};
    const bool ok = r && take_settings(text, &settings) && agent_recipe_write(r, settings.data, whole, NULL);

    invar_text_free(&settings);
    invar_agent_recipe_free(r);
    return ok;
}

static const char *const of_length[] = {"training.steps", NULL};
const struct folder_recipes agent_recipes = {complete, of_length, recipe_indifferent};

/* ---- schema ---- */

bool invar_agent_recipe_schema(struct invar_text *out, struct invar_error *err)
{
    static const struct {
        const char *name, *help;
        const struct invar_option *table;
    } own[] = {{"env", "where it acts", env_table},
               {"agent", "how values are learned, and how actions are tried", agent_table},
               {"replay", "what is learned from", replay_table},
               {"augmentation",
                "views of what was seen that the Q-network learns from; with a section views as recipes of "
                "representations have it",
                augmentation_table},
               {"training", "the run", training_table},
               {"auxiliary",
                "an objective on views of frames; with sections views, projector, predictor, target, terms, "
                "optimiser and training as recipes of representations have them",
                auxiliary_table}};
    bool ok = invar_options_describe(root_table, 0, out, err);

    for (size_t i = 0; ok && i < sizeof own / sizeof *own; i++)
        ok = invar_text_printf(out, err, "\n%s:  # %s\n", own[i].name, own[i].help) &&
             invar_options_describe(own[i].table, 2, out, err);
    return ok;
}
