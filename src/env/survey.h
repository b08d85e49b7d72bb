/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_SRC_ENV_SURVEY_H
#define INVAR_SRC_ENV_SURVEY_H

#include "base/json_write.h"
#include "invar/expert/env.h"

/** What an environment is and what random play gave, as members of an object that is open. */
void env_survey_put(const struct invar_env_info *info, const struct invar_env_survey *survey, struct json_writer *w);

#endif
