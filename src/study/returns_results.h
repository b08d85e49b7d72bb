/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_RETURNS_RESULTS_H
#define INVAR_STUDY_RETURNS_RESULTS_H

#include "base/json_table.h"
#include "invar/agent.h"
#include "invar/results.h"

/** As invar_returns_results_read; advice: what an error ends with, ", so ..". */
struct invar_returns_results *study_returns_results_read(const char *folder, const char *advice,
                                                         struct invar_error *err);
/** What an evaluation is called: "default", or what was set of the environment (where that decides anything), no-ops,
 * epsilon, and a seed that is not RETURNS_SEED. Appends to out. */
enum { RETURNS_SEED = 1 };
bool study_returns_name(const struct invar_agent_play *play, const char *const *settings, int count,
                        struct invar_text *out, struct invar_error *err);
/** The evaluation of that name; NULL: none. */
const struct invar_returns *study_returns_find(const struct invar_returns_results *results, const char *name);
/** "return" and "score" of the evaluation "default", "return.NAME" and "score.NAME" of another; NAN: none. */
double study_returns_number(const struct invar_returns_results *results, const char *path,
                            const struct invar_returns **of);

#endif
