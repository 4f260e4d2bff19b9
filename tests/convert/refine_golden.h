/* refine_golden.h: what numpy (make_refine_golden.py) reaches on the matrices of test_refine.c.
 * The start points differ: numpy searches more scales, encode_row looks at fewer. */
#ifndef LICHEN_REFINE_GOLDEN_H
#define LICHEN_REFINE_GOLDEN_H

#include "dtype.h"

static const struct refine_golden {
    enum dtype dtype;
    float damping;
    double start, end; /* tr(E H E^T), H damped */
} refine_golden[] = {
    {DTYPE_Q4_0, 0.1f, 1.140235e-02, 5.713649e-03},
    {DTYPE_Q4_0, 1.0f, 2.144469e-02, 1.669614e-02},
    {DTYPE_Q5_0, 0.1f, 2.748376e-03, 1.422394e-03},
    {DTYPE_Q5_0, 1.0f, 5.242741e-03, 4.138115e-03},
    {DTYPE_IQ4_NL, 0.1f, 9.462432e-03, 4.647028e-03},
    {DTYPE_IQ4_NL, 1.0f, 1.800510e-02, 1.431592e-02},
};

#endif
