/* calibrate_sensitivity.c */
#include "calibrate.h"
bool calibrate_sensitivity(struct calibrate *calibrate)
{
    return fault_set(&calibrate->common.fault, FAULT_UNSUPPORTED, "not yet");
}
