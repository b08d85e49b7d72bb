/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INVAR_STUDY_METHODS_H
#define INVAR_STUDY_METHODS_H

struct study_method_spec;
/* Methods of a probe: one file each, and one line each here, in the order of the help. */
#define STUDY_METHODS(ONE)                                                                                             \
    ONE(linear)                                                                                                        \
    ONE(ridge)                                                                                                         \
    ONE(neighbours)                                                                                                    \
    ONE(sgd)                                                                                                           \
    ONE(finetune)                                                                                                      \
    ONE(online)
#define STUDY_METHOD_DECLARED(name) extern const struct study_method_spec study_method_##name;
STUDY_METHODS(STUDY_METHOD_DECLARED)

#endif
