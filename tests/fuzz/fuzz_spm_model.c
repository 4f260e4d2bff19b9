/* fuzz_spm_model.c: any bytes as a SentencePiece model, as ChatGLM-6B's, and as tiktoken's lines.
 */
#include "fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (tokenizer_is_tiktoken((const char *)bytes, size)) {
        fuzz_tokenizer(bytes, size, tokenizer_tiktoken_read);
        return 0;
    }
    fuzz_tokenizer(bytes, size, tokenizer_spm_read);
    fuzz_tokenizer(bytes, size, tokenizer_ice_read);
    return 0;
}
