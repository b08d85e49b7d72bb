/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that an inspection gives is in the list below, is there, and is finite; beside it, other tests look at the
 * values. A number or a series that is in one of the two alone fails. */
#include "eval/inspection.h"

/* space: of h, and of z too */
TEST_COVERS(
    "inspect.space.deviation inspect.space.effective_rank inspect.space.directions_99 "
    "inspect.space.direction_spread inspect.space.uniformity inspect.space.alignment "
    "inspect.space.alignment_relative inspect.space.sigma inspect.space.entropy_gaussian "
    "inspect.space.entropy_logdet inspect.space.entropy_logdet_gaussian_scale "
    "inspect.space.entropy_pairdist_upper inspect.space.pairdist_information_upper "
    "inspect.space.entropy_pairdist_lower inspect.space.pairdist_information_lower "
    "inspect.space.expected_log_q inspect.space.expected_log_q_fitted "
    "inspect.space.view_entropy_gaussian inspect.space.bound_gaussian "
    "inspect.space.bound_fitted_gaussian inspect.space.view_entropy_logdet inspect.space.bound_logdet "
    "inspect.space.view_entropy_pairdist_upper inspect.space.bound_pairdist_upper "
    "inspect.space.bound_fitted_pairdist_upper inspect.space.view_entropy_pairdist_lower "
    "inspect.space.bound_pairdist_lower inspect.space.bound_fitted_pairdist_lower "
    "inspect.space.eigenvalues inspect.space.stable_rank inspect.space.nesum inspect.space.alpha_req "
    "inspect.space.alpha_req_authors inspect.space.two_nn inspect.space.lidar inspect.correlation.h_hgr "
    "inspect.correlation.h_directions "
    "inspect.correlation.h_half inspect.correlation.h_chance inspect.correlation.z_hgr "
    "inspect.correlation.z_directions inspect.correlation.z_half inspect.correlation.z_chance "
    "inspect.correlation.probe_error inspect.correlation.label_held inspect.correlation.label_shared "
    "inspect.correlation.probe_bound inspect.correlation.h_correlations "
    "inspect.correlation.z_correlations inspect.fisher.fisher_min inspect.fisher.fisher_quartile1 "
    "inspect.fisher.fisher_median inspect.fisher.fisher_quartile3 inspect.fisher.fisher_max "
    "inspect.fisher.fisher_single inspect.fisher.fisher_collapsed inspect.fisher.edges "
    "inspect.fisher.sigma_f inspect.fisher.norm_max inspect.fisher.mean_top1 inspect.fisher.mean_hinge "
    "inspect.fisher.theorem2_gamma inspect.fisher.theorem2_bound inspect.noise.h_conditional_sampled "
    "inspect.noise.h_conditional_jacobian inspect.noise.z_conditional_sampled "
    "inspect.noise.z_conditional_jacobian "
    "inspect.fisher.counts inspect.noise.normal_level_h inspect.noise.normal_level_z "
    "inspect.noise.nearest_median inspect.noise.separate_level inspect.noise.levels "
    "inspect.noise.h_normal inspect.noise.h_median_p inspect.noise.h_constant inspect.noise.z_normal "
    "inspect.noise.z_median_p inspect.noise.z_constant inspect.noise.nearest inspect.noise.mistaken "
    "inspect.bound.labelled inspect.bound.unlabelled inspect.bound.labelled_rank "
    "inspect.bound.unlabelled_rank inspect.bound.invariance inspect.bound.invariance_scaled "
    "inspect.bound.unlabelled_norm inspect.bound.labelled_norm inspect.bound.unlabelled_term "
    "inspect.bound.labelled_term inspect.bound.sum inspect.bound.sum_scaled inspect.bound.test_error "
    "inspect.bound.test_accuracy inspect.bound.sum_scaled_over_error inspect.view.h_crop_x inspect.view.h_crop_y "
    "inspect.view.h_crop_area inspect.view.h_flip inspect.view.h_brightness inspect.view.h_contrast "
    "inspect.view.z_crop_x inspect.view.z_crop_y inspect.view.z_crop_area "
    "inspect.view.z_flip inspect.view.z_brightness inspect.view.z_contrast");

static int seen;

static bool is_listed(const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = test_covers; (at = strstr(at, name)); at += length)
        if ((at == test_covers || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

static void expect_listed(const struct invar_findings *section, const char *name, bool finite)
{
    char whole[128];
    const bool space = strcmp(section->name, "h") == 0 || strcmp(section->name, "z") == 0;
    snprintf(whole, sizeof whole, "inspect.%s.%s", space ? "space" : section->name, name);
    if (!is_listed(whole))
        fail_msg("the inspection gives %s, which no test covers: look at its value in one, and add it here", whole);
    if (!finite)
        fail_msg("%s is not finite", whole);
    seen += strcmp(section->name, "z") != 0;
}

static bool all_finite(const struct invar_series *series)
{
    bool finite = series->count > 0;
    for (int64_t k = 0; k < series->count; k++)
        finite = finite && isfinite(series->value[k]);
    return finite;
}

static void test_all_is_listed(void **state)
{
    const double probe_error = 12.5;
    int listed = 1;
    struct bench b;
    (void)state;
    bench_open(&b, false);
    b.subject.probe_error = &probe_error;
    b.options.noise_samples = 4;
    b.options.noise_draws = 300;
    b.options.noise_levels = (struct invar_real_list){3, {0.01, 1, 30}};
    b.options.labelled = 60;
    b.options.unlabelled = 50;
    struct invar_inspection *i = inspect(&b);
    for (int s = 0; s < INVAR_INSPECT_SECTIONS; s++) {
        const struct invar_findings *section = &i->section[s];
        for (int k = 0; k < section->count; k++)
            expect_listed(section, section->finding[k].name,
                          section->finding[k].known && isfinite(section->finding[k].value));
        for (int k = 0; k < section->series_count; k++)
            expect_listed(section, section->series[k].name, all_finite(&section->series[k]));
    }
    for (const char *space = test_covers; (space = strchr(space, ' ')); space++)
        listed++;
    assert_int_equal(seen, listed);
    invar_inspection_free(i);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_is_listed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
