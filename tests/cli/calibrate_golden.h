/* calibrate_golden.h: made by make_calibrate_golden.py. */
#ifndef LICHEN_CALIBRATE_GOLDEN_H
#define LICHEN_CALIBRATE_GOLDEN_H

static const struct calibrate_golden {
    const char *weight; /* the first of those that share the input */
    unsigned columns, tokens;
    double squares, moment; /* sum of the mean squares m[c], of (c + 1) m[c] */
    double hessian;         /* sum of all H[i][j] (i + 1) / (j + 1) */
} calibrate_golden[] = {
    {"blk.0.attn_q.weight", 64, 96, 8.222483383e+01, 2.570737003e+03, 1.292115288e+02},
    {"blk.0.attn_output.weight", 64, 96, 5.542255362e+00, 1.578375946e+02, 1.244426870e+00},
    {"blk.0.ffn_gate.weight", 64, 96, 1.949223102e+01, 5.955058543e+02, 2.950068464e+01},
    {"blk.0.ffn_down.weight", 172, 96, 7.601411059e+00, 6.146187503e+02, 7.274506127e+00},
    {"blk.1.attn_q.weight", 64, 96, 1.056399707e+02, 3.157328081e+03, 6.656019882e+01},
    {"blk.1.attn_output.weight", 64, 96, 6.259640530e+00, 2.006726043e+02, 2.859025889e+01},
    {"blk.1.ffn_gate.weight", 64, 96, 3.190042421e+01, 9.984932039e+02, 2.700694074e+01},
    {"blk.1.ffn_down.weight", 172, 96, 9.465284663e+00, 8.165798570e+02, 1.890404369e+01},
    {"blk.2.attn_q.weight", 64, 96, 9.818088525e+01, 2.933852184e+03, 7.391062683e+01},
    {"blk.2.attn_output.weight", 64, 96, 6.753566723e+00, 2.092286571e+02, 1.364122225e+01},
    {"blk.2.ffn_gate.weight", 64, 96, 3.700794882e+01, 1.156511504e+03, 8.525718290e+00},
    {"blk.2.ffn_down.weight", 172, 96, 1.267728901e+01, 1.014643074e+03, -5.337532920e+00},
    {"blk.3.attn_q.weight", 64, 96, 1.028058306e+02, 3.024535630e+03, -8.573959057e+00},
    {"blk.3.attn_output.weight", 64, 96, 1.020196647e+01, 3.087820996e+02, 3.745294642e-02},
    {"blk.3.ffn_gate.weight", 64, 96, 4.725571006e+01, 1.466465283e+03, -1.635772528e+01},
    {"blk.3.ffn_down.weight", 172, 96, 2.711665310e+01, 2.453361622e+03, 4.913743473e+01},
    {"blk.4.attn_q.weight", 64, 96, 9.325394824e+01, 2.770561810e+03, -4.801951438e+01},
    {"blk.4.attn_output.weight", 64, 96, 8.015390071e+00, 2.871580030e+02, 1.568478969e+01},
    {"blk.4.ffn_gate.weight", 64, 96, 6.063882363e+01, 1.841223539e+03, -3.191455136e+01},
    {"blk.4.ffn_down.weight", 172, 96, 5.423781511e+01, 4.731348605e+03, -6.831469345e+00},
};

#endif
