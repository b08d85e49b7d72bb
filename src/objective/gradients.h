/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_OBJECTIVE_GRADIENTS_H
#define INVAR_OBJECTIVE_GRADIENTS_H

#include "invar/expert/objective.h"

/** Writes grad_NAME.npy for every gradient of a result into the folder, which is made. Refused before the first: one
 * that is a file that the request reads, as the gradient that an earlier call wrote may be. */
bool objective_gradients_write(const struct invar_loss_request *request, const struct invar_loss_result *result,
                               const char *folder, struct invar_error *err);

#endif
