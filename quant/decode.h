/* decode.h: the reference decoders behind the dtype table (struct dtype_info.decode): blocks
 * without alignment in, count blocks of floats out. The order of the roundings is that of the
 * equations in block.h, with every product in float; shaders must give the same bits. */
#ifndef LICHEN_DECODE_H
#define LICHEN_DECODE_H

#include <stddef.h>

void decode_f32(const void *blocks, float *dst, size_t count);
void decode_f16(const void *blocks, float *dst, size_t count);
void decode_bf16(const void *blocks, float *dst, size_t count);
void decode_q4_0(const void *blocks, float *dst, size_t count);
void decode_q4_1(const void *blocks, float *dst, size_t count);
void decode_q5_0(const void *blocks, float *dst, size_t count);
void decode_q5_1(const void *blocks, float *dst, size_t count);
void decode_q8_0(const void *blocks, float *dst, size_t count);
void decode_q4_k(const void *blocks, float *dst, size_t count);
void decode_q5_k(const void *blocks, float *dst, size_t count);
void decode_q6_k(const void *blocks, float *dst, size_t count);
void decode_iq4_nl(const void *blocks, float *dst, size_t count);
void decode_iq4_xs(const void *blocks, float *dst, size_t count);

#endif
