/* calibration_private.h: for the fuzz target. */
#ifndef LICHEN_CALIBRATION_PRIVATE_H
#define LICHEN_CALIBRATION_PRIVATE_H

#include "calibration.h"
#include "reader.h"

/* llama.cpp's old form from memory. */
bool calibration_parse_dat(const void *bytes, size_t size, struct calibration **out,
                           struct fault *fault);

#endif
