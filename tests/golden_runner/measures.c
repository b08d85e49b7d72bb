/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements work in float64 whatever they are given, so both precisions must meet the tolerance of float64. */
#include "golden_runner/golden.h"

static bool run_effective_rank(struct golden_case *c, struct invar_error *err)
{
    struct invar_scratch *scratch = invar_scratch_create(err);
    double *singular = NULL, *covariance = NULL, rank;
    struct invar_matrix z;
    bool ok = false;

    if (!golden_matrix(c, "z", &z))
        goto done;
    const int64_t count = z.rows < z.cols ? z.rows : z.cols;
    singular = invar_alloc((size_t)count, sizeof *singular, err);
    covariance = invar_alloc((size_t)z.cols, sizeof *covariance, err);
    if (!scratch || !singular || !covariance || !invar_measure_effective_rank(c->device, scratch, &z, &rank, err) ||
        !invar_measure_spectrum(c->device, scratch, &z, singular, covariance, err))
        goto done;
    golden_give(c, "effective_rank", false, c->tolerance_f64, &rank, 1);
    golden_give(c, "singular_values", false, c->tolerance_f64, singular, count);
    golden_give(c, "covariance_eigenvalues", false, c->tolerance_f64, covariance, z.cols);
    ok = true;
done:
    invar_free(z.data);
    invar_free(singular);
    invar_free(covariance);
    invar_scratch_free(scratch);
    return ok;
}

const struct golden_kind golden_measures[] = {
    {"effective_rank", GOLDEN_F32 | GOLDEN_F64, run_effective_rank},
    {0},
};
