/* gguf_synthetic.c: made-up tensor data. A tensor is one stream of pseudo-random bytes
 *   word[i] = mix(seed + (i + 1) golden)        (SplitMix64: Steele, Lea, Flood 2014)
 * that can be entered anywhere; in each block the fields that scale it are then overwritten, so
 * that every number is finite and the root mean square of the weights is what the tensor needs. */
#include "block.h"
#include "gguf_internal.h"
#include "half.h"

#include <math.h>
#include <string.h>

static uint64_t noise(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Bytes offset .. offset + size of the stream. */
static void fill(uint64_t seed, uint64_t offset, uint8_t *dst, size_t size)
{
    uint64_t index = offset / 8, word;
    size_t skip = offset % 8;
    if (skip) {
        size_t part = 8 - skip < size ? 8 - skip : size;
        word = noise(seed, index++);
        memcpy(dst, (const uint8_t *)&word + skip, part);
        dst += part;
        size -= part;
    }
    for (; size >= 8; size -= 8, dst += 8) {
        word = noise(seed, index++);
        memcpy(dst, &word, 8);
    }
    if (size > 0) {
        word = noise(seed, index);
        memcpy(dst, &word, size);
    }
}

/* ---- blocks ---- */

enum { NO_FIELD = 0xFF, VARIANTS = 16 };

/* y = d c, or d c + m with m = ratio d, where c are the codes, with their own scales in K types. */
struct recipe {
    enum dtype dtype;
    double rms; /* of a block with d = 1 whose other bits are uniform */
    double ratio;
    uint8_t d, m; /* byte offset of the binary16 fields */
};

static const struct recipe recipes[] = {
    {DTYPE_Q4_0, 4.637, 0, offsetof(struct block_q4_0, d), NO_FIELD},
    {DTYPE_Q4_1, 4.610, -7.5, offsetof(struct block_q4_1, d), offsetof(struct block_q4_1, m)},
    {DTYPE_Q5_0, 9.247, 0, offsetof(struct block_q5_0, d), NO_FIELD},
    {DTYPE_Q5_1, 9.233, -15.5, offsetof(struct block_q5_1, d), offsetof(struct block_q5_1, m)},
    {DTYPE_Q8_0, 73.90, 0, offsetof(struct block_q8_0, d), NO_FIELD},
    {DTYPE_Q4_K, 258.3, 7.5, offsetof(struct block_q4_k, d), offsetof(struct block_q4_k, dmin)},
    {DTYPE_Q5_K, 526.9, 15.5, offsetof(struct block_q5_k, d), offsetof(struct block_q5_k, dmin)},
    {DTYPE_Q6_K, 1365.7, 0, offsetof(struct block_q6_k, d), NO_FIELD},
    {DTYPE_IQ4_NL, 67.44, 0, offsetof(struct block_iq4_nl, d), NO_FIELD},
    {DTYPE_IQ4_XS, 1246.3, 0, offsetof(struct block_iq4_xs, d), NO_FIELD},
};

static const struct recipe *recipe_find(enum dtype dtype)
{
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        if (recipes[i].dtype == dtype)
            return &recipes[i];
    return NULL;
}

/* Root mean square wanted: products with inputs of size 1 stay of size 1. */
static double wanted_rms(const struct gguf_tensor *tensor)
{
    return tensor->rows == 1 ? 1 : 1 / sqrt((double)tensor->dims[0]);
}

/* Scales differ from block to block by up to a quarter, chosen by the bits that they replace. */
static void patch_scales(const struct gguf_tensor *tensor, const struct recipe *recipe,
                         uint8_t *blocks, size_t count)
{
    size_t block_size = dtype_find(tensor->dtype)->block_size;
    uint16_t d[VARIANTS], m[VARIANTS];
    for (int i = 0; i < VARIANTS; i++) {
        double scale = wanted_rms(tensor) / recipe->rms * (0.75 + (i + 0.5) / (2 * VARIANTS));
        d[i] = half_from_float((float)scale);
        m[i] = half_from_float(half_to_float(d[i]) * (float)recipe->ratio);
    }
    for (size_t i = 0; i < count; i++, blocks += block_size) {
        unsigned variant = blocks[recipe->d] % VARIANTS;
        memcpy(blocks + recipe->d, &d[variant], sizeof d[variant]);
        if (recipe->m != NO_FIELD)
            memcpy(blocks + recipe->m, &m[variant], sizeof m[variant]);
    }
}

/* ---- plain numbers: sign and mantissa are random, the exponent is one for all ---- */

static void patch_16(uint8_t *numbers, size_t count, uint16_t keep, uint16_t exponent)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, numbers + 2 * i, sizeof bits);
        bits = (uint16_t)((bits & keep) | exponent);
        memcpy(numbers + 2 * i, &bits, sizeof bits);
    }
}

static void patch_32(uint8_t *numbers, size_t count, uint32_t keep, uint32_t exponent)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, numbers + 4 * i, sizeof bits);
        bits = (bits & keep) | exponent;
        memcpy(numbers + 4 * i, &bits, sizeof bits);
    }
}

/* Numbers of 1 .. 2 have a root mean square of 1.53. */
static bool patch_plain(const struct gguf_tensor *tensor, uint8_t *numbers, size_t count)
{
    int exponent = (int)lround(log2(wanted_rms(tensor) / 1.53));
    switch (tensor->dtype) {
    case DTYPE_F32:
        patch_32(numbers, count, 0x807fffff, (uint32_t)(exponent + 127) << 23);
        return true;
    case DTYPE_BF16:
        patch_16(numbers, count, 0x807f, (uint16_t)((exponent + 127) << 7));
        return true;
    case DTYPE_F16:
        exponent = exponent > -14 ? exponent : -14;
        patch_16(numbers, count, 0x83ff, (uint16_t)((exponent + 15) << 10));
        return true;
    default:
        return false;
    }
}

/* ---- reading ---- */

static bool make_blocks(const struct gguf_tensor *tensor, uint64_t first, uint8_t *dst,
                        size_t count)
{
    const struct recipe *recipe = recipe_find(tensor->dtype);
    size_t block_size = dtype_find(tensor->dtype)->block_size;
    uint64_t seed = noise(tensor->size, tensor->offset);
    fill(seed, first * block_size, dst, count * block_size);
    if (!recipe)
        return patch_plain(tensor, dst, count);
    patch_scales(tensor, recipe, dst, count);
    return true;
}

bool gguf_synthesize(const struct gguf_tensor *tensor, uint64_t offset, void *dst, size_t size,
                     struct fault *fault)
{
    uint8_t *next = dst, block[BLOCK_Q6_K_SIZE];
    size_t block_size = dtype_find(tensor->dtype)->block_size;
    bool made = true;
    while (made && size > 0) {
        size_t skip = offset % block_size, part = size - size % block_size;
        if (skip == 0 && part > 0) {
            made = make_blocks(tensor, offset / block_size, next, part / block_size);
        } else {
            part = block_size - skip < size ? block_size - skip : size;
            made = make_blocks(tensor, offset / block_size, block, 1);
            memcpy(next, block + skip, part);
        }
        next += part;
        offset += part;
        size -= part;
    }
    return made || fault_set(fault, FAULT_UNSUPPORTED, "tensor '%s': no data can be made up for %s",
                             tensor->name, dtype_find(tensor->dtype)->name);
}
