/* SPDX-License-Identifier: Apache-2.0 */
/* Points of Student's t, from the finite sums for its distribution with whole degrees of freedom. */
#include "invar/eval.h"

#include <math.h>

/* P(|T| <= t). */
static double within(double t, int64_t degrees)
{
    const double pi = 3.14159265358979323846, angle = atan(t / sqrt((double)degrees));
    const double cosine2 = cos(angle) * cos(angle);
    double term = degrees % 2 ? cos(angle) : 1, sum = 0;

    for (int64_t k = degrees % 2 ? 2 : 1; k < degrees; k += 2) {
        sum += term;
        term *= cosine2 * (double)k / (double)(k + 1);
    }
    return degrees % 2 ? 2 / pi * (angle + sin(angle) * sum) : sin(angle) * sum;
}

/* By bisection of the distribution function, which has a closed form for whole degrees: no table, and no library for
 * one quantile. */
double invar_student_95(int64_t degrees)
{
    enum { MANY = 10000 };       /* from here on the normal distribution's, to four digits */
    double low = 1.9, high = 13; /* 12.706 of one degree is the largest */

    if (degrees < 1)
        return NAN;
    if (degrees > MANY)
        return 1.959963984540054;
    /* 60 halvings of 11 are below the rounding of a double, so that a limit of the difference is not needed. */
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        if (within(middle, degrees) < 0.95)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}
