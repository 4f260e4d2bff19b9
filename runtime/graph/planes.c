/* planes.c: GGUF blocks to device planes and back.
 *
 * Columns are counted in groups of 32; a row has ceil(cols / 32) groups. With n rows that take
 * turns (interleave), group g of row r has index i = (r / n * groups + g) * n + r % n. K types (256
 * columns) have super-blocks with an index I of the same form. Planes hold
 *
 *   type    0: codes                 1: scales                        2: more codes
 *   Q4_0    16 B at 16 i             binary16 d at 2 i                -
 *   Q4_1    16 B                     d, m at 4 i                      -
 *   Q5_0    16 B                     d at 2 i                         4 B at 4 i
 *   Q5_1    16 B                     d, m at 4 i                      4 B at 4 i
 *   Q8_0    columns 0..15, 16 B      d at 2 i                         columns 16..31, 16 B at 16 i
 *   IQ4_NL  16 B                     d at 2 i                         -
 *   Q4_K    16 B                     d, dmin, scales[12] at 16 I      -
 *   Q5_K    16 B                     d, dmin, scales[12] at 16 I      4 B at 4 i
 *   Q6_K    16 B                     scales[16], d, 0, 0 at 20 I      8 B at 8 i
 *   IQ4_XS  16 B                     d, scales_h, scales_l at 8 I     -
 *   F32 / F16 / BF16   128 / 64 / 64 B at the same multiple of i; columns behind cols are zero
 *
 * 4-bit codes: byte j is column j (low nibble) and j + 16 (high nibble).
 * 5 and 6 bits: bytes 4 k .. 4 k + 3 of planes 0 and 2 together are word k, the columns 4 k .. as
 * signed numbers (q - 16, q - 32) in their top bits, so that one mask makes them factors of a
 * packed dot. The low bits, byte by byte, hold the words that are missing; piece by piece, highest
 * first: 5 bits  word 5: 3 bits of word 0, bits 0, 1 of word 1; word 6: the same of words 2 and 3;
 *           word 7: 3 bits of word 4, bit 2 of word 1, bit 2 of word 3
 *   6 bits  word 6: 2 bits each of words 0, 1, 2; word 7: of words 3, 4, 5
 * scales[12] of Q4_K and Q5_K are three words with 4 bits a group: low bits of the scales, low bits
 * of the minima, high bits of both (scale 0, 1, minimum 2, 3). */
#include "planes.h"

#include "block.h"

#include <assert.h>
#include <string.h>

/* One GGUF block: bytes of the file <-> where its parts lie in the planes. */
typedef void (*pack_fn)(const uint8_t *block, uint8_t *const plane[PLANE_MAX]);
typedef void (*unpack_fn)(const uint8_t *const plane[PLANE_MAX], uint8_t *block);

struct layout {
    enum dtype dtype;
    uint32_t weights;         /* columns of a block in the file; 1 = plain numbers */
    uint32_t block_size;      /* bytes in the file */
    uint32_t size[PLANE_MAX]; /* bytes of a block in each plane; plain: [0] = bytes of 32 columns */
    pack_fn pack;
    unpack_fn unpack;
};

/* ---- types whose codes move unchanged ---- */

static void pack_q4_0(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    memcpy(plane[0], block + offsetof(struct block_q4_0, qs), 16);
    memcpy(plane[1], block, 2);
}

static void unpack_q4_0(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    memcpy(block + offsetof(struct block_q4_0, qs), plane[0], 16);
    memcpy(block, plane[1], 2);
}

static void pack_q4_1(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    memcpy(plane[0], block + offsetof(struct block_q4_1, qs), 16);
    memcpy(plane[1], block, 4);
}

static void unpack_q4_1(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    memcpy(block + offsetof(struct block_q4_1, qs), plane[0], 16);
    memcpy(block, plane[1], 4);
}

static void pack_q8_0(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    memcpy(plane[0], block + offsetof(struct block_q8_0, qs), 16);
    memcpy(plane[2], block + offsetof(struct block_q8_0, qs) + 16, 16);
    memcpy(plane[1], block, 2);
}

static void unpack_q8_0(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    memcpy(block + offsetof(struct block_q8_0, qs), plane[0], 16);
    memcpy(block + offsetof(struct block_q8_0, qs) + 16, plane[2], 16);
    memcpy(block, plane[1], 2);
}

static void pack_iq4_xs(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    memcpy(plane[0], block + offsetof(struct block_iq4_xs, qs), 128);
    memcpy(plane[1], block, 8);
}

static void unpack_iq4_xs(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    memcpy(block + offsetof(struct block_iq4_xs, qs), plane[0], 128);
    memcpy(block, plane[1], 8);
}

/* ---- codes of 5 and 6 bits ---- */

/* Where bits of a code lie: `count` of them, from bit `first` of the code down, in the byte of
 * word `word`, from bit `place` down. */
struct piece {
    uint8_t word, first, place, count;
};

enum { PIECES_MAX = 3, SIGN_5 = 16, SIGN_6 = 32 };

/* [word]; count 0 ends a row */
static const struct piece pieces_5[8][PIECES_MAX] = {
    {{0, 4, 7, 5}},
    {{1, 4, 7, 5}},
    {{2, 4, 7, 5}},
    {{3, 4, 7, 5}},
    {{4, 4, 7, 5}},
    {{0, 4, 2, 3}, {1, 1, 1, 2}},
    {{2, 4, 2, 3}, {3, 1, 1, 2}},
    {{4, 4, 2, 3}, {1, 1, 2, 1}, {3, 0, 2, 1}},
};
static const struct piece pieces_6[8][PIECES_MAX] = {
    {{0, 5, 7, 6}},
    {{1, 5, 7, 6}},
    {{2, 5, 7, 6}},
    {{3, 5, 7, 6}},
    {{4, 5, 7, 6}},
    {{5, 5, 7, 6}},
    {{0, 5, 1, 2}, {1, 3, 1, 2}, {2, 1, 1, 2}},
    {{3, 5, 1, 2}, {4, 3, 1, 2}, {5, 1, 1, 2}},
};

/* The byte of word `word` that belongs to column % 4 = k: of plane 0, or behind it of plane 2. */
static uint32_t piece_byte(const struct piece *piece, uint32_t k)
{
    return 4U * piece->word + k;
}

/* The same number in every byte of a word: four columns are shifted and masked at once. */
static uint32_t four_times(uint32_t byte)
{
    return 0x01010101U * byte;
}

static uint32_t load_word(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* A piece of four codes at its place: `count` bits, from bit `first` down to bit `place` down. */
static inline uint32_t field(uint32_t codes, uint32_t first, uint32_t place, uint32_t count)
{
    return (codes >> (first + 1 - count) & four_times((1U << count) - 1)) << (place + 1 - count);
}

/* pieces_5 spelled out: a loop over the table takes five times as long. codes[k]: four columns as
 * the file has them, unsigned. */
static inline void pieces_pack_5(uint32_t codes[8], uint32_t words[5])
{
    for (uint32_t k = 0; k < 8; k++)
        codes[k] ^= four_times(SIGN_5);
    words[0] = field(codes[0], 4, 7, 5) | field(codes[5], 4, 2, 3);
    words[1] = field(codes[1], 4, 7, 5) | field(codes[5], 1, 1, 2) | field(codes[7], 1, 2, 1);
    words[2] = field(codes[2], 4, 7, 5) | field(codes[6], 4, 2, 3);
    words[3] = field(codes[3], 4, 7, 5) | field(codes[6], 1, 1, 2) | field(codes[7], 0, 2, 1);
    words[4] = field(codes[4], 4, 7, 5) | field(codes[7], 4, 2, 3);
}

static inline void pieces_pack_6(uint32_t codes[8], uint32_t words[6])
{
    for (uint32_t k = 0; k < 8; k++)
        codes[k] ^= four_times(SIGN_6);
    words[0] = field(codes[0], 5, 7, 6) | field(codes[6], 5, 1, 2);
    words[1] = field(codes[1], 5, 7, 6) | field(codes[6], 3, 1, 2);
    words[2] = field(codes[2], 5, 7, 6) | field(codes[6], 1, 1, 2);
    words[3] = field(codes[3], 5, 7, 6) | field(codes[7], 5, 1, 2);
    words[4] = field(codes[4], 5, 7, 6) | field(codes[7], 3, 1, 2);
    words[5] = field(codes[5], 5, 7, 6) | field(codes[7], 1, 1, 2);
}

static void pieces_unpack(const struct piece pieces[8][PIECES_MAX], uint32_t sign,
                          const uint8_t *bytes, uint8_t codes[32])
{
    for (uint32_t j = 0; j < 32; j++) {
        uint32_t code = 0;
        for (const struct piece *p = pieces[j / 4]; p < pieces[j / 4] + PIECES_MAX; p++) {
            uint32_t mask = (1U << p->count) - 1;
            uint32_t bits = (uint32_t)bytes[piece_byte(p, j % 4)] >> (p->place + 1 - p->count);
            code |= (bits & mask) << (p->first + 1 - p->count);
        }
        codes[j] = (uint8_t)(code ^ sign);
    }
}

static void group_pack_5(uint32_t codes[8], uint8_t *plane0, uint8_t *plane2)
{
    uint32_t words[5];
    pieces_pack_5(codes, words);
    memcpy(plane0, words, 16);
    memcpy(plane2, words + 4, 4);
}

static void group_unpack_5(const uint8_t *plane0, const uint8_t *plane2, uint8_t codes[32])
{
    uint8_t bytes[20];
    memcpy(bytes, plane0, 16);
    memcpy(bytes + 16, plane2, 4);
    pieces_unpack(pieces_5, SIGN_5, bytes, codes);
}

/* Bits 0 to 3 as bit 0 of four bytes. */
static uint32_t spread_bits(uint32_t bits)
{
    return (bits & 15) * 0x00204081U & four_times(1);
}

static void pack_q5(const uint8_t *block, size_t scale_size, uint8_t *const plane[PLANE_MAX])
{
    const uint8_t *low = block + scale_size + 4;
    uint32_t codes[8], high = load_word(block + scale_size);
    for (uint32_t k = 0; k < 8; k++)
        codes[k] = (load_word(low + 4 * (k % 4)) >> 4 * (k / 4) & four_times(15)) |
                   spread_bits(high >> 4 * k) << 4;
    group_pack_5(codes, plane[0], plane[2]);
    memcpy(plane[1], block, scale_size);
}

static void unpack_q5(const uint8_t *const plane[PLANE_MAX], size_t scale_size, uint8_t *block)
{
    uint8_t *high = block + scale_size, *low = high + 4, codes[32];
    group_unpack_5(plane[0], plane[2], codes);
    memcpy(block, plane[1], scale_size);
    memset(high, 0, 20);
    for (uint32_t j = 0; j < 32; j++) {
        low[j % 16] = (uint8_t)(low[j % 16] | (codes[j] & 15) << 4 * (j / 16));
        high[j / 8] = (uint8_t)(high[j / 8] | (codes[j] >> 4) << j % 8);
    }
}

static void pack_q5_0(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    pack_q5(block, 2, plane);
}

static void unpack_q5_0(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    unpack_q5(plane, 2, block);
}

static void pack_q5_1(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    pack_q5(block, 4, plane);
}

static void unpack_q5_1(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    unpack_q5(plane, 4, block);
}

/* ---- K types: nibbles of two sub-blocks share a byte in the file, columns j, j + 16 here ---- */

static void nibbles_pack(const uint8_t qs[128], uint8_t *codes)
{
    for (uint32_t i = 0; i < 8; i++) {
        const uint8_t *src = qs + 32 * (i / 2);
        uint32_t shift = 4 * (i % 2);
        for (uint32_t j = 0; j < 16; j++)
            codes[16 * i + j] =
                (uint8_t)((src[j] >> shift & 15) | (src[j + 16] >> shift & 15) << 4);
    }
}

static void nibbles_unpack(const uint8_t *codes, uint8_t qs[128])
{
    memset(qs, 0, 128);
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t *dst = qs + 32 * (i / 2);
        uint32_t shift = 4 * (i % 2);
        for (uint32_t j = 0; j < 16; j++) {
            dst[j] = (uint8_t)(dst[j] | (codes[16 * i + j] & 15) << shift);
            dst[j + 16] = (uint8_t)(dst[j + 16] | (codes[16 * i + j] >> 4) << shift);
        }
    }
}

/* The 6-bit scales and minima of 8 groups. */
static void scales_pack(const uint8_t src[12], uint8_t dst[12])
{
    uint32_t words[3] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t scale = i < 4 ? src[i] & 63U : (src[i + 4] & 15U) | (src[i - 4] & 0xC0U) >> 2;
        uint32_t low = i < 4 ? src[i + 4] & 63U : src[i + 4] >> 4 | (src[i] & 0xC0U) >> 2;
        words[0] |= (scale & 15) << 4 * i;
        words[1] |= (low & 15) << 4 * i;
        words[2] |= (scale >> 4 | low >> 4 << 2) << 4 * i;
    }
    memcpy(dst, words, 12);
}

static void scales_unpack(const uint8_t src[12], uint8_t dst[12])
{
    uint32_t words[3];
    memcpy(words, src, 12);
    memset(dst, 0, 12);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t high = words[2] >> 4 * i;
        uint32_t scale = (words[0] >> 4 * i & 15) | (high & 3) << 4;
        uint32_t low = (words[1] >> 4 * i & 15) | (high & 12) << 2;
        if (i < 4) {
            dst[i] = (uint8_t)(dst[i] | scale);
            dst[i + 4] = (uint8_t)(dst[i + 4] | low);
        } else {
            dst[i + 4] = (uint8_t)((scale & 15) | (low & 15) << 4);
            dst[i - 4] = (uint8_t)(dst[i - 4] | (scale & 0x30) << 2);
            dst[i] = (uint8_t)(dst[i] | (low & 0x30) << 2);
        }
    }
}

static void pack_q4_k(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    nibbles_pack(block + offsetof(struct block_q4_k, qs), plane[0]);
    memcpy(plane[1], block, 4);
    scales_pack(block + 4, plane[1] + 4);
}

static void unpack_q4_k(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    nibbles_unpack(plane[0], block + offsetof(struct block_q4_k, qs));
    memcpy(block, plane[1], 4);
    scales_unpack(plane[1] + 4, block + 4);
}

static void pack_q5_k(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    const uint8_t *low = block + offsetof(struct block_q5_k, qs);
    const uint8_t *high = block + offsetof(struct block_q5_k, qh);
    memcpy(plane[1], block, 4);
    scales_pack(block + 4, plane[1] + 4);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t codes[8];
        for (uint32_t k = 0; k < 8; k++)
            codes[k] = (load_word(low + 32 * (i / 2) + 4 * k) >> 4 * (i % 2) & four_times(15)) |
                       (load_word(high + 4 * k) >> i & four_times(1)) << 4;
        group_pack_5(codes, plane[0] + 16 * i, plane[2] + 4 * i);
    }
}

static void unpack_q5_k(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    uint8_t *low = block + offsetof(struct block_q5_k, qs);
    uint8_t *high = block + offsetof(struct block_q5_k, qh);
    memcpy(block, plane[1], 4);
    scales_unpack(plane[1] + 4, block + 4);
    memset(low, 0, 128);
    memset(high, 0, 32);
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t codes[32], *nibbles = low + 32 * (i / 2);
        group_unpack_5(plane[0] + 16 * i, plane[2] + 4 * i, codes);
        for (uint32_t j = 0; j < 32; j++) {
            nibbles[j] = (uint8_t)(nibbles[j] | (codes[j] & 15) << 4 * (i % 2));
            high[j] = (uint8_t)(high[j] | (codes[j] >> 4) << i);
        }
    }
}

/* ---- Q6_K ---- */

/* Column c of a super-block: where its nibble and its two high bits are in the file. Columns c to
 * c + 3, c a multiple of 4, are in bytes behind one another. */
struct place_q6 {
    uint32_t nibble_byte, nibble_shift, high_byte, high_shift;
};

static struct place_q6 place_q6(uint32_t column)
{
    uint32_t half = column / 128, quarter = column % 128 / 32, l = column % 32;
    return (struct place_q6){64 * half + 32 * (quarter & 1) + l, quarter < 2 ? 0 : 4, 32 * half + l,
                             2 * quarter};
}

static void pack_q6_k(const uint8_t *block, uint8_t *const plane[PLANE_MAX])
{
    const uint8_t *ql = block, *qh = block + offsetof(struct block_q6_k, qh);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t codes[8], words[6];
        for (uint32_t k = 0; k < 8; k++) {
            struct place_q6 place = place_q6(32 * i + 4 * k);
            uint32_t low = load_word(ql + place.nibble_byte) >> place.nibble_shift;
            uint32_t high = load_word(qh + place.high_byte) >> place.high_shift;
            codes[k] = (low & four_times(15)) | (high & four_times(3)) << 4;
        }
        pieces_pack_6(codes, words);
        memcpy(plane[0] + 16 * i, words, 16);
        memcpy(plane[2] + 8 * i, words + 4, 8);
    }
    memcpy(plane[1], block + offsetof(struct block_q6_k, scales), 18);
    memset(plane[1] + 18, 0, 2);
}

static void unpack_q6_k(const uint8_t *const plane[PLANE_MAX], uint8_t *block)
{
    uint8_t *ql = block, *qh = block + offsetof(struct block_q6_k, qh);
    memset(block, 0, offsetof(struct block_q6_k, scales));
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t codes[32], bytes[24];
        memcpy(bytes, plane[0] + 16 * i, 16);
        memcpy(bytes + 16, plane[2] + 8 * i, 8);
        pieces_unpack(pieces_6, SIGN_6, bytes, codes);
        for (uint32_t j = 0; j < 32; j++) {
            struct place_q6 place = place_q6(32 * i + j);
            uint8_t *nibble = ql + place.nibble_byte, *high = qh + place.high_byte;
            *nibble = (uint8_t)(*nibble | (codes[j] & 15) << place.nibble_shift);
            *high = (uint8_t)(*high | (codes[j] >> 4) << place.high_shift);
        }
    }
    memcpy(block + offsetof(struct block_q6_k, scales), plane[1], 18);
}

/* ---- the table ---- */

static const struct layout layouts[] = {
    {DTYPE_F32, 1, 4, {128}, NULL, NULL},
    {DTYPE_F16, 1, 2, {64}, NULL, NULL},
    {DTYPE_BF16, 1, 2, {64}, NULL, NULL},
    {DTYPE_Q4_0, 32, BLOCK_Q4_0_SIZE, {16, 2}, pack_q4_0, unpack_q4_0},
    {DTYPE_Q4_1, 32, BLOCK_Q4_1_SIZE, {16, 4}, pack_q4_1, unpack_q4_1},
    {DTYPE_Q5_0, 32, BLOCK_Q5_0_SIZE, {16, 2, 4}, pack_q5_0, unpack_q5_0},
    {DTYPE_Q5_1, 32, BLOCK_Q5_1_SIZE, {16, 4, 4}, pack_q5_1, unpack_q5_1},
    {DTYPE_Q8_0, 32, BLOCK_Q8_0_SIZE, {16, 2, 16}, pack_q8_0, unpack_q8_0},
    {DTYPE_IQ4_NL, 32, BLOCK_IQ4_NL_SIZE, {16, 2}, pack_q4_0, unpack_q4_0},
    {DTYPE_Q4_K, 256, BLOCK_Q4_K_SIZE, {128, 16}, pack_q4_k, unpack_q4_k},
    {DTYPE_Q5_K, 256, BLOCK_Q5_K_SIZE, {128, 16, 32}, pack_q5_k, unpack_q5_k},
    {DTYPE_Q6_K, 256, BLOCK_Q6_K_SIZE, {128, 20, 64}, pack_q6_k, unpack_q6_k},
    {DTYPE_IQ4_XS, 256, BLOCK_IQ4_XS_SIZE, {128, 8}, pack_iq4_xs, unpack_iq4_xs},
};

static const struct layout *layout_find(enum dtype dtype)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].dtype == dtype)
            return &layouts[i];
    return NULL;
}

bool planes_supported(enum dtype dtype, struct fault *fault)
{
    char scratch[16];
    if (layout_find(dtype))
        return true;
    return fault_set(fault, FAULT_UNSUPPORTED, "weights of type %s have no device layout",
                     dtype_name((uint32_t)dtype, scratch));
}

uint32_t planes_count(enum dtype dtype)
{
    const struct layout *layout = layout_find(dtype);
    assert(layout);
    uint32_t count = 1;
    while (count < PLANE_MAX && layout->size[count])
        count++;
    return count;
}

/* Blocks of a row; of plain numbers: groups of 32 columns. */
static uint64_t row_blocks(const struct layout *layout, uint32_t cols)
{
    uint32_t weights = layout->pack ? layout->weights : 32;
    assert(!layout->pack || cols % weights == 0);
    return ((uint64_t)cols + weights - 1) / weights;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

uint64_t planes_size(enum dtype dtype, uint32_t interleave, uint32_t cols, uint64_t rows,
                     uint32_t plane)
{
    const struct layout *layout = layout_find(dtype);
    assert(layout && plane < PLANE_MAX);
    uint64_t blocks = round_up(rows, interleave) * row_blocks(layout, cols);
    return round_up(blocks * layout->size[plane], 4);
}

uint32_t planes_row_group(enum dtype dtype, uint32_t interleave)
{
    const struct layout *layout = layout_find(dtype);
    assert(layout);
    uint32_t pair = layout->size[1] % 4 ? 2 : 1; /* two binary16 scales share a word */
    return interleave > pair ? interleave : pair;
}

/* ---- a block's parts and their places ---- */

/* The parts of a block in a plane: what is at i is one for each group, what is at I is one. */
static uint32_t part_count(const struct layout *layout, uint32_t plane)
{
    return plane == 1 || layout->weights < 32 ? 1 : layout->weights / 32;
}

/* Rows of planes as a whole. */
struct grid {
    const struct layout *layout;
    uint32_t interleave;
    uint64_t blocks; /* of a row */
};

/* Where the parts of a row's blocks lie in a plane. */
struct parts {
    size_t place;            /* of the next block's first part, bytes */
    size_t step, block_step; /* from a part to the next, from a block to the next */
    size_t size;             /* bytes of a part */
    uint32_t count;          /* of a block; 0: no such plane */
};

static void parts_begin(const struct grid *grid, uint64_t row, struct parts parts[PLANE_MAX])
{
    uint64_t n = grid->interleave;
    memset(parts, 0, PLANE_MAX * sizeof *parts);
    for (uint32_t p = 0; p < PLANE_MAX && grid->layout->size[p]; p++) {
        uint32_t count = part_count(grid->layout, p);
        size_t size = grid->layout->size[p] / count, step = (size_t)n * size;
        parts[p] = (struct parts){
            .place = (size_t)(row / n * grid->blocks * count * n + row % n) * size,
            .step = step,
            .block_step = step * count,
            .size = size,
            .count = count,
        };
    }
}

/* Most sizes are copied in one instruction. */
static inline void part_copy(uint8_t *dst, const uint8_t *src, size_t size)
{
    if (size == 16)
        memcpy(dst, src, 16);
    else if (size == 4)
        memcpy(dst, src, 4);
    else if (size == 2)
        memcpy(dst, src, 2);
    else
        memcpy(dst, src, size);
}

/* scratch[p]: the block's bytes of plane p, one after the other. */
enum { SCRATCH_SIZE = 128 };

static void block_scatter(struct parts parts[PLANE_MAX], uint8_t scratch[PLANE_MAX][SCRATCH_SIZE],
                          void *const dst[PLANE_MAX])
{
    for (uint32_t p = 0; p < PLANE_MAX && parts[p].count; p++) {
        uint8_t *to = (uint8_t *)dst[p] + parts[p].place;
        for (uint32_t i = 0; i < parts[p].count; i++)
            part_copy(to + i * parts[p].step, scratch[p] + i * parts[p].size, parts[p].size);
        parts[p].place += parts[p].block_step;
    }
}

static void block_gather(struct parts parts[PLANE_MAX], uint8_t scratch[PLANE_MAX][SCRATCH_SIZE],
                         const void *const src[PLANE_MAX])
{
    for (uint32_t p = 0; p < PLANE_MAX && parts[p].count; p++) {
        const uint8_t *from = (const uint8_t *)src[p] + parts[p].place;
        for (uint32_t i = 0; i < parts[p].count; i++)
            part_copy(scratch[p] + i * parts[p].size, from + i * parts[p].step, parts[p].size);
        parts[p].place += parts[p].block_step;
    }
}

/* Bytes of the file behind a block: fewer in the last 32 columns of plain numbers. */
static size_t block_size(const struct grid *grid, uint32_t cols, uint64_t block)
{
    const struct layout *layout = grid->layout;
    if (layout->pack)
        return layout->block_size;
    uint64_t left = cols - 32 * block;
    return (size_t)(left < 32 ? left : 32) * layout->block_size;
}

/* What no row fills: the rest of the last rows that take turns, or of the last word. */
static void tail_clear(const struct grid *grid, uint64_t rows, void *const dst[PLANE_MAX])
{
    uint32_t group = planes_row_group(grid->layout->dtype, grid->interleave);
    uint32_t cols = (uint32_t)grid->blocks * (grid->layout->pack ? grid->layout->weights : 32);
    for (uint32_t p = 0; rows % group && p < PLANE_MAX && grid->layout->size[p]; p++) {
        enum dtype dtype = grid->layout->dtype;
        uint64_t whole = planes_size(dtype, grid->interleave, cols, rows - rows % group, p);
        uint64_t size = planes_size(dtype, grid->interleave, cols, rows, p);
        memset((uint8_t *)dst[p] + whole, 0, (size_t)(size - whole));
    }
}

void planes_pack(enum dtype dtype, uint32_t interleave, const void *src, uint32_t cols,
                 uint64_t rows, void *const dst[PLANE_MAX])
{
    const struct layout *layout = layout_find(dtype);
    assert(layout);
    const struct grid grid = {layout, interleave, row_blocks(layout, cols)};
    uint8_t scratch[PLANE_MAX][SCRATCH_SIZE];
    uint8_t *const plane[PLANE_MAX] = {scratch[0], scratch[1], scratch[2]};
    const uint8_t *block = src;
    struct parts parts[PLANE_MAX];
    tail_clear(&grid, rows, dst);
    for (uint64_t r = 0; r < rows; r++) {
        parts_begin(&grid, r, parts);
        for (uint64_t b = 0; b < grid.blocks; b++) {
            size_t size = block_size(&grid, cols, b);
            if (layout->pack)
                layout->pack(block, plane);
            else
                memset((uint8_t *)memcpy(scratch[0], block, size) + size, 0,
                       layout->size[0] - size);
            block_scatter(parts, scratch, dst);
            block += size;
        }
    }
}

void planes_unpack(enum dtype dtype, uint32_t interleave, const void *const src[PLANE_MAX],
                   uint32_t cols, uint64_t rows, void *dst)
{
    const struct layout *layout = layout_find(dtype);
    assert(layout);
    const struct grid grid = {layout, interleave, row_blocks(layout, cols)};
    uint8_t scratch[PLANE_MAX][SCRATCH_SIZE];
    const uint8_t *const plane[PLANE_MAX] = {scratch[0], scratch[1], scratch[2]};
    uint8_t *block = dst;
    struct parts parts[PLANE_MAX];
    for (uint64_t r = 0; r < rows; r++) {
        parts_begin(&grid, r, parts);
        for (uint64_t b = 0; b < grid.blocks; b++) {
            size_t size = block_size(&grid, cols, b);
            block_gather(parts, scratch, src);
            if (layout->pack)
                layout->unpack(plane, block);
            else
                memcpy(block, scratch[0], size);
            block += size;
        }
    }
}
