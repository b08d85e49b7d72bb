/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The golden runner: one case folder (format: tests/golden/README.md) is read, the function that its term names is run
 * in each precision that it has, and what it gives is compared with what the case expects.
 */
#ifndef INVAR_GOLDEN_RUNNER_H
#define INVAR_GOLDEN_RUNNER_H

#include "invar/invar.h"
#include <cjson/cJSON.h>

#define GOLDEN_MAX_INPUTS 32
#define GOLDEN_MAX_RESULTS 96

struct golden_input {
    char name[96];
    struct invar_array array;
};

/** A value that the case expects, and whether the run has given it. */
struct golden_result {
    char name[96];
    bool gradient, given;
    bool scalar;
    double value;             /* of a scalar */
    struct invar_array array; /* otherwise */
};

struct golden_case {
    char folder[1024];
    cJSON *json;
    const char *term, *gradient_of;
    const cJSON *options;
    uint64_t known; /* bit i: option i has been read or found to be what the runner does */
    struct golden_input inputs[GOLDEN_MAX_INPUTS];
    int input_count;
    struct golden_result results[GOLDEN_MAX_RESULTS];
    int result_count;
    double tolerance_f32, tolerance_f64, floor;
    struct invar_device *device;

    enum invar_dtype precision; /* of the run under way */
    char failure[1400];         /* of the run under way; empty: none so far */
};

/** Reads a case folder. */
bool golden_case_read(struct golden_case *c, const char *folder, struct invar_error *err);
void golden_case_free(struct golden_case *c);

/* ---- for the functions that run a term ---- */

/** NULL where the case has no such input. */
const struct invar_array *golden_input(const struct golden_case *c, const char *name);
/** The input converted to the precision of the run, as a matrix [first axis][rest]; the case's failure is set where it
 * is missing. Free its data with invar_free. */
bool golden_matrix(struct golden_case *c, const char *name, struct invar_matrix *out);
/* An option of the case that none of these has been asked for fails the run: it would have no effect. */
const cJSON *golden_option(struct golden_case *c, const char *option);
double golden_real(struct golden_case *c, const char *option, double otherwise);
bool golden_flag(struct golden_case *c, const char *option);
/** What the function does whatever the options say: fails the run where the option is there and is not that JSON. */
void golden_fixed(struct golden_case *c, const char *option, const char *json);
/** The same of gradient_of. */
void golden_differentiates(struct golden_case *c, const char *what);
/** "tau=0.1" of an option, so that an option table can read it. */
void golden_assignment(const cJSON *option, char *out, size_t size);

/** Gives a result in a tolerance of its own (0: that of the precision). Names that the case does not expect are
 * ignored. */
void golden_give(struct golden_case *c, const char *name, bool gradient, double tolerance, const double *values,
                 int64_t count);
void golden_give_scalar(struct golden_case *c, const char *name, double value);
void golden_give_array(struct golden_case *c, const char *name, const double *values, int64_t count);
/** data of the precision of the run, or of the type given. */
void golden_give_data(struct golden_case *c, const char *name, bool gradient, enum invar_dtype dtype, const void *data,
                      int64_t count);
void golden_give_integers(struct golden_case *c, const char *name, const int64_t *values, int64_t count);
/** Fails the run where the case has an option that was never asked for. */
void golden_expect_known(struct golden_case *c);
/** Notes the first failure of a run; returns false. */
bool golden_fail(struct golden_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** One line of the table: run is called once for each precision in the mask (bit of enum invar_dtype). */
struct golden_kind {
    const char *term;
    unsigned precisions;
    bool (*run)(struct golden_case *c, struct invar_error *err);
};
#define GOLDEN_F32 (1u << INVAR_FLOAT32)
#define GOLDEN_F64 (1u << INVAR_FLOAT64)

extern const struct golden_kind golden_layers[], golden_training[], golden_evaluation[], golden_measures[],
    golden_adversarial[], golden_audio[], golden_predictions[], golden_spectra[];
/** Gives arrays that a case expects beside the value of a term, made of the operations that the term is made of:
 * neighbours, assignments. state is as before the step. */
bool golden_give_beside(struct golden_case *c, const struct invar_term_spec *term, const struct invar_embeddings *in,
                        const float *state, int64_t count, struct invar_scratch *scratch, struct invar_error *err);
/** Any term of the registry. */
bool golden_run_term(struct golden_case *c, struct invar_error *err);

#endif
