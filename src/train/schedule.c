/* SPDX-License-Identifier: Apache-2.0 */
/* Rates over the run: warm-up and cosine (`SCHED`), and the momentum of the target network [R4]. */
#include "invar/train.h"

#include <math.h>

#define PI 3.14159265358979323846

/* Step k of the warm-up has k / warmup_steps of the way, so that step 0 has start_ratio itself and the peak is
 * reached where the cosine begins. The two ends of the cosine are weighted, not interpolated from the difference:
 * with final_ratio 0 the last rate is exactly 0, and with final_ratio 1 the rate does not know the length of the run.
 */
double invar_schedule_rate(double peak, int64_t step, int64_t warmup_steps, int64_t total_steps, double start_ratio,
                           double final_ratio)
{
    double progress, q;

    if (step < warmup_steps)
        return peak * (start_ratio + (1 - start_ratio) * (double)step / (double)warmup_steps);
    if (total_steps <= warmup_steps || final_ratio == 1)
        return peak;
    progress = (double)(step - warmup_steps) / (double)(total_steps - warmup_steps);
    q = (1 + cos(PI * progress)) / 2;
    return peak * q + peak * final_ratio * (1 - q);
}

/* From base up to 1: the target network is to stand still at the end, when what it averages hardly moves. */
double invar_schedule_momentum(double base, int64_t step, int64_t total_steps)
{
    return 1 - (1 - base) * (cos(PI * (double)step / (double)total_steps) + 1) / 2;
}
