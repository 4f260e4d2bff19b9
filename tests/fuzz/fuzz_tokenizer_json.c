/* fuzz_tokenizer_json.c: any bytes as a tokenizer.json. */
#include "fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_tokenizer(bytes, size, tokenizer_json_read);
    return 0;
}
