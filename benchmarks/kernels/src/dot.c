/* The inner product of two vectors of n numbers of 16 bits (n at most 2**18), eight at a time: i16x8 and i32x4. */
#include <wasm_simd128.h>

#include "kernel.h"

#define MOST (1u << 18)
#define LANES 8u

static _Alignas(16) int16_t a[MOST], b[MOST];

KERNEL uint32_t run(uint32_t n) {
    require(n <= MOST);
    uint32_t state = 1, size = (n + LANES - 1) / LANES * LANES;
    for (uint32_t i = 0; i < n; i++) {
        a[i] = (int16_t)(next_random(&state) >> 16);
        b[i] = (int16_t)(next_random(&state) >> 16);
    }
    for (uint32_t i = n; i < size; i++) a[i] = b[i] = 0;
    v128_t sums = wasm_i32x4_const_splat(0);
    for (uint32_t i = 0; i < size; i += LANES)
        sums = wasm_i32x4_add(sums, wasm_i32x4_dot_i16x8(wasm_v128_load(a + i), wasm_v128_load(b + i)));
    return wasm_u32x4_extract_lane(sums, 0) + wasm_u32x4_extract_lane(sums, 1) + wasm_u32x4_extract_lane(sums, 2) +
           wasm_u32x4_extract_lane(sums, 3);
}
