/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_OBJECTIVE_H
#define INVAR_OBJECTIVE_H

#include "invar/array.h"
#include "invar/device.h"
#include "invar/view.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A term is one summand of an objective: embeddings in, a scalar and the gradient of the embeddings out. objectives.md
 * 2 to 5.
 */

/** What an input of a term is. In a recipe the trainer fills the roles; in `invar loss` files do (z1, z2, q1, t1, h1,
 * groups ...). */
enum invar_role {
    INVAR_ROLE_H, /* representation: encoder output. Files h1, h2, ... */
    INVAR_ROLE_Z, /* embedding: projector output. Files z1, z2, ... (z for one-matrix terms) */
    INVAR_ROLE_Q, /* last online output: predictor output, or z where there is no predictor. Files q1.. (p1.. for byol)
                   */
    INVAR_ROLE_T, /* target network output: a constant. Files t1, t2, ... */
    INVAR_ROLE_X, /* the plain input that all views were made of, flattened [N][D]: a constant, view 0 alone. File x */
    INVAR_ROLE_M, /* which columns of a table were changed, [N][D] of 0 and 1: a constant. Files m1, m2, ... */
    INVAR_ROLE_W, /* a linear predictor that a file brings: weight [d][d] (view 0), bias [1][d] (view 1). Never in a
                     recipe, where predictors are nets */
    INVAR_ROLE_COUNT
};
#define INVAR_ROLE_BIT(role) (1u << (role))
/** Whether a role is a constant, which no gradient goes to. */
static inline bool invar_role_is_constant(enum invar_role role)
{
    return role == INVAR_ROLE_T || role == INVAR_ROLE_X || role == INVAR_ROLE_M;
}
/* The bits of what is read beside matrices. */
#define INVAR_ROLE_GROUPS (1u << INVAR_ROLE_COUNT)        /* refinement groups */
#define INVAR_ROLE_LABELS (1u << (INVAR_ROLE_COUNT + 1))  /* classes: supervised baselines alone */
#define INVAR_ROLE_MIXTURE (1u << (INVAR_ROLE_COUNT + 2)) /* what views were mixed of */
#define INVAR_ROLE_CLEAN (1u << (INVAR_ROLE_COUNT + 3))   /* view 1 is the sample itself */
#define INVAR_ROLE_MATRICES (INVAR_ROLE_GROUPS - 1)       /* all bits of matrices */

/**
 * N x d matrices by role and view, all float32 or all float64, device memory. A role is present where rows > 0; a check
 * looks at shapes and types alone, so data may still be NULL there. As gradients: data NULL where none is wanted.
 */
struct invar_embeddings {
    int views;
    int targets; /* the first views, those that a target network sees: role T is of these alone; 0: of all */
    struct invar_matrix by[INVAR_ROLE_COUNT][INVAR_MAX_VIEWS];
    const int64_t *groups;  /* [N] host, refinement groups, any values; or NULL */
    const int64_t *labels;  /* [N] host, classes from 0, -1 where there is none; or NULL */
    const int64_t *partner; /* [N] host, the row that view 1 of a sample was mixed with (its own: with none); or NULL */
    const double *share;    /* [N] host, the sample's own part in that mixture, 0 to 1; beside partner */
};

/** The terms of every view of entropy_invariance, and its invariance. */
#define INVAR_MAX_PARTS 16
struct invar_term_value {
    double loss; /* unweighted */
    int count;
    struct {
        const char *name; /* "contrast", "invariance" */
        double value;
    } part[INVAR_MAX_PARTS];
};

/** Where the draws of a term come from: a function of the seed and the number of the step, so that a resumed run draws
 * what the uninterrupted one did. */
struct invar_term_key {
    uint64_t seed, step;
};

/**
 * What a term has enqueued: its loss is the sum of share * (factor * slot + constant). Entries of one name make one
 * part; without a name they are of the loss alone. A slot may stand in several.
 */
struct invar_term_sum {
    struct invar_ledger *ledger;
    int count;
    struct {
        const char *name;
        double *slot; /* NULL: the constant alone */
        double factor, constant, share;
    } entry[INVAR_MAX_PARTS];
};
/** One more entry; with a slot, a new one of the ledger, which is returned: whoever enqueues a reduction adds to it. */
double *invar_term_part(struct invar_term_sum *sum, const char *name, double share);
/** The same of a slot that is there already (or NULL). */
void invar_term_part_of(struct invar_term_sum *sum, const char *name, double *slot, double factor, double constant,
                        double share);

/** One evaluation of one term. Matrices, state and scratch's invar_device_take are device memory. */
struct invar_term_call {
    struct invar_device *device;
    struct invar_scratch *scratch; /* invar_device_scratch_create */
    const void *options;
    const struct invar_embeddings *in;
    double weight;
    const struct invar_embeddings *gradient; /* NULL: the value alone */
    float *state;                            /* device [state_size]; NULL for a term without */
    struct invar_term_key key;
    struct invar_term_sum *sum;
};

/** The name of an input file of `invar loss` ("p1", "z_prime") where it is not the one that its role gives. */
struct invar_term_input {
    const char *name;
    enum invar_role role;
    int view; /* from 0 */
};

/** One term of the table. The whole of it, with its options, check, value, gradient and reference, is one file. */
struct invar_term_spec {
    const char *name; /* "relic" */
    const char *help; /* one line with the formula tag */
    const struct invar_option *options;
    size_t options_size;
    const struct invar_term_input *inputs; /* other names of inputs, ended by a NULL name; NULL: h1 z1 q1 t1 ... */
    /** Roles that are read (bits, INVAR_ROLE_GROUPS among them), given the options. */
    unsigned (*roles)(const void *options);
    /** Whether that view of a role of the mask is read; NULL: every view is. */
    bool (*reads)(const void *options, enum invar_role role, int view);
    /** Columns that z must have where the plain input has so many numbers; NULL: any. */
    int64_t (*width)(const void *options, int64_t input);
    /** Shapes and options agree? A sentence when not: too few samples, one view for a two-view term, no target, ... */
    bool (*check)(const void *options, const struct invar_embeddings *in, struct invar_error *err);
    /**
     * Value, into slots of call->sum, and weight * gradient ADDED to gradient->by[role][view] wherever that data is not
     * NULL. Constants never receive any. It enqueues, and reads nothing back: whether numbers are finite is asked once
     * a step, of the slots.
     */
    bool (*evaluate)(const struct invar_term_call *call, struct invar_error *err);
    /** How many float32 numbers the term keeps from step to step (a queue, running moments), given shapes as above;
     * NULL: none. They are part of checkpoints. */
    int64_t (*state_size)(const void *options, const struct invar_embeddings *shapes);
    /** What they are before the first step, into host [state_size]; NULL: 0. */
    void (*state_init)(const void *options, const struct invar_embeddings *shapes, float *state);
    /** Slow, obvious, double precision, written apart from evaluate; only tests call it. in is float64. NULL: none. */
    bool (*reference)(const void *options, const struct invar_embeddings *in, struct invar_term_value *out);
};
const struct invar_term_spec *invar_term_find(const char *name, struct invar_error *err);
const struct invar_term_spec *const *invar_term_list(void); /* NULL-ended */
/**
 * Adds a term of the program's own: recipes, invar_term_find and invar_term_list know it from then on
 * (examples/own_term.c). It is borrowed for good; call before other threads use the library. Adding it again changes
 * nothing. Refused: a name that is taken, a term that lacks name, help, options, roles, check or evaluate, one more
 * than 63 terms in all.
 */
bool invar_term_add(const struct invar_term_spec *term, struct invar_error *err);
/** Where the input file NAME of a term goes: "z2" is role Z, view 1; "z" alone is view 0. False for a name it has not.
 */
bool invar_term_find_input(const struct invar_term_spec *term, const char *name, enum invar_role *role, int *view);
/** Whether the term reads that view of that role, given its options. */
bool invar_term_reads(const struct invar_term_spec *term, const void *options, enum invar_role role, int view);
/** False, with a sentence (INVAR_ERROR_NUMERIC) that names the term and the part, where the value is NaN or Inf. */
bool invar_term_check_finite(const struct invar_term_spec *term, const struct invar_term_value *value,
                             struct invar_error *err);
/** The value of what was enqueued, once its ledger has been read. */
void invar_term_settle(const struct invar_term_sum *sum, struct invar_term_value *value);
/** Evaluates one term, waits and settles; call without sum, and without state for one that has its initial state. */
bool invar_term_evaluate(const struct invar_term_spec *term, struct invar_term_call call,
                         struct invar_term_value *value, struct invar_error *err);

/** A weighted sum of terms: the `terms:` section, a mapping NAME: {weight: 1, option: value, ...}. */
struct invar_objective;
struct invar_objective *invar_objective_create(const struct invar_node *terms, struct invar_error *err);
void invar_objective_free(struct invar_objective *objective);
unsigned invar_objective_roles(const struct invar_objective *objective);
bool invar_objective_check(const struct invar_objective *objective, const struct invar_embeddings *in,
                           struct invar_error *err);
/** What projector.output: -1 stands for where the plain input has so many numbers; -1, with a sentence, where no term
 * says, or two differ. */
int64_t invar_objective_width(const struct invar_objective *objective, int64_t input, struct invar_error *err);
int invar_objective_count(const struct invar_objective *objective);
const struct invar_term_spec *invar_objective_term(const struct invar_objective *objective, int i);
const void *invar_objective_options(const struct invar_objective *objective, int i);
double invar_objective_weight(const struct invar_objective *objective, int i);
/** The resolved section, as YAML lines. */
bool invar_objective_write(const struct invar_objective *objective, int indent, struct invar_text *out,
                           struct invar_error *err);
/**
 * What evaluates an objective step after step on one device: work space, and the state of terms that have one.
 * objective and device are borrowed; shapes: embeddings as in every step (data may be NULL). Free it before the device.
 */
struct invar_evaluator;
struct invar_evaluator *invar_evaluator_create(const struct invar_objective *objective, struct invar_device *device,
                                               const struct invar_embeddings *shapes, struct invar_error *err);
void invar_evaluator_free(struct invar_evaluator *evaluator);
/** Slots that an evaluation takes of a ledger, at most. */
int invar_evaluator_slots(const struct invar_evaluator *evaluator);
/**
 * Enqueues all terms, or those whose chosen[count] is true: values into slots of the ledger; gradients (may be NULL)
 * are zeroed first, then filled. No allocation after the first call.
 */
bool invar_evaluator_run(struct invar_evaluator *evaluator, struct invar_ledger *ledger,
                         const struct invar_embeddings *in, const struct invar_embeddings *gradient, const bool *chosen,
                         struct invar_term_key key, struct invar_error *err);
/**
 * Once the ledger has been read, the sum over the terms of the last run of weight * loss into *loss, and values[count]
 * (may be NULL) by term. A term whose value is not finite is an error (INVAR_ERROR_NUMERIC) that names the term and the
 * part.
 */
bool invar_evaluator_settle(const struct invar_evaluator *evaluator, double *loss, struct invar_term_value *values,
                            struct invar_error *err);
/** State of term i: device [*count]; NULL, and 0, where it has none. */
float *invar_evaluator_state(const struct invar_evaluator *evaluator, int i, int64_t *count);
/** One evaluation: create, run, wait, settle, free. */
bool invar_objective_evaluate(const struct invar_objective *objective, struct invar_device *device,
                              const struct invar_embeddings *in, const struct invar_embeddings *gradient, double *loss,
                              struct invar_term_value *values, struct invar_error *err);
/**
 * About how many bytes of work space an evaluation takes where matrices have these shapes (data NULL), with the shapes
 * of roles that are read. Small matrices of the same proportions are evaluated and counted; what large ones take
 * follows, as it grows with the square of the size at most.
 */
bool invar_objective_workspace(const struct invar_objective *objective, const struct invar_embeddings *shapes,
                               size_t *bytes, struct invar_error *err);

/**
 * LogDet beside the squared distance between views: a direction of raw embeddings whose share of view noise is nu
 * survives while nu < r / 2. For two views and a LogDet divided by d, r = beta * weight of the entropy / weight of the
 * invariance; views, width d and the options divide_by, over_views and normalise_pairs are taken into account. False
 * where there is no such pair: one of the two is missing, has weight 0 or sees norm(z), or a variance term holds the
 * scale of z.
 */
struct invar_logdet_share {
    double r;
    const char *entropy, *invariance; /* the options whose weights r is made of: "terms.logdet.weight" */
    double weight_invariance;         /* the value of the latter */
};
bool invar_objective_logdet_share(const struct invar_objective *objective, int views, int64_t d,
                                  struct invar_logdet_share *out);

/* ---- a term on arrays of the host ---- */

#define INVAR_LOSS_INPUTS 64
/** A term, its inputs and options, as `invar loss` takes them; borrowed. */
struct invar_loss_request {
    const char *term;
    const char *const
        *inputs; /**< [input_count] NAME=FILE.npy, where FILE may be an array of memory (invar_npy_offer) */
    int input_count;
    const char *const *settings; /**< [setting_count] KEY=VALUE; or NAME=FILE.npy of inputs */
    int setting_count;
    bool float64;    /**< compute in float64, not in float32 as training does */
    bool gradients;  /**< of all inputs that have one */
    int64_t threads; /**< 0: all cores */
};
struct invar_loss_result {
    struct invar_term_value value;
    int count;
    struct invar_loss_gradient {
        char name[32];            /**< of the input */
        struct invar_array array; /**< [N][d] as the input, float32 or float64 */
    } gradient[INVAR_LOSS_INPUTS];
};
/** Free the result with invar_loss_result_free in either case. */
bool invar_loss(const struct invar_loss_request *request, struct invar_loss_result *result, struct invar_error *err);
void invar_loss_result_free(struct invar_loss_result *result);

/* ---- measurements: numbers that explain, never differentiated (device float32 or float64 in, host double out; work
 * space from scratch) ---- */

/** Mean over columns of the unbiased standard deviation of z (raw deviation: a shrinking collapse shows here). */
bool invar_measure_deviation(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                             double *out, struct invar_error *err);
/** RankMe: exp(entropy of the normalised singular values of z, not centred). `RANKME` in the golden cases. */
bool invar_measure_effective_rank(struct invar_device *device, struct invar_scratch *scratch,
                                  const struct invar_matrix *z, double *out, struct invar_error *err);
/** Singular values of z (descending, [min(N, d)]) and eigenvalues of C(z) (descending, [d]); either may be NULL. */
bool invar_measure_spectrum(struct invar_device *device, struct invar_scratch *scratch, const struct invar_matrix *z,
                            double *singular, double *covariance, struct invar_error *err);

#ifdef __cplusplus
}
#endif

#endif
