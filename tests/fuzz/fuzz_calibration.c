/* fuzz_calibration.c: any bytes as llama.cpp's old imatrix (the GGUF form goes through gguf.c,
 * which fuzz_gguf.c knows). What is accepted can be found, with finite numbers >= 0. */
#include "fuzz.h"

#include "calibration_private.h"

#include <stdlib.h>
#include <string.h>

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct calibration *calibration = NULL;
    struct fault fault = {0};
    if (calibration_parse_dat(bytes, size, &calibration, &fault)) {
        const float *values = NULL;
        must(fault.kind == FAULT_NONE && calibration);
        for (uint32_t columns = 1; columns < 8; columns++)
            if (calibration_importance(calibration, "a", columns, &values, NULL) && values)
                for (uint32_t i = 0; i < columns; i++)
                    must(values[i] >= 0 && values[i] - values[i] == 0);
        must(calibration_sensitivity(calibration, "a") < 0);
        must(!calibration_has_hessian(calibration, "a"));
    } else {
        must(fault.kind != FAULT_NONE && fault.text[0] != 0 && !calibration);
        must(memchr(fault.text, '\n', strlen(fault.text)) == NULL);
    }
    calibration_close(calibration);
    return 0;
}
