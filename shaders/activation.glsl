/* activation.glsl: the activations of plan.h, ACTIVATION = enum activation. */
#ifdef ACTIVATION_CHOICE /* the includer's constant */
const uint ACTIVATION = ACTIVATION_CHOICE;
#else
layout(constant_id = 1) const uint ACTIVATION = 0;
#endif

/* Complementary error function by a Chebyshev fit, relative error below 1.2e-7 (Numerical Recipes
 * in C, second edition, section 6.2). */
float erfc_of(float x)
{
    const float z = abs(x), t = 1.0 / (1.0 + 0.5 * z);
    const float series =
        -z * z - 1.26551223 +
        t * (1.00002368 +
             t * (0.37409196 +
                  t * (0.09678418 +
                       t * (-0.18628806 +
                            t * (0.27886807 +
                                 t * (-1.13520398 +
                                      t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
    const float tail = t * exp(series);
    return x >= 0.0 ? tail : 2.0 - tail;
}

float activate(float x)
{
    if (ACTIVATION == 0) /* SILU */
        return x / (1.0 + exp(-x));
    if (ACTIVATION == 1) { /* GELU_TANH: 1 + tanh(u) = 2 / (1 + exp(-2u)) */
        const float u = 0.79788456080286536 * (x + 0.044715 * x * x * x);
        return x / (1.0 + exp(-2.0 * u));
    }
    if (ACTIVATION == 2) /* GELU_ERF */
        return 0.5 * x * erfc_of(-0.70710678118654752 * x);
    const float positive = max(x, 0.0); /* RELU2 */
    return positive * positive;
}

vec4 activate4(vec4 x)
{
    return vec4(activate(x.x), activate(x.y), activate(x.z), activate(x.w));
}
