/* How many words are in a text of n letters and spaces (at most 2**19), sixteen bytes at a time: i8x16 comparisons, and
   bit masks. */
#include <wasm_simd128.h>

#include "kernel.h"

#define MOST (1u << 19)
#define LANES 16u

static _Alignas(16) uint8_t text[MOST];

KERNEL uint32_t run(uint32_t n) {
    require(n <= MOST);
    uint32_t state = 1, size = (n + LANES - 1) / LANES * LANES;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t letter = next_random(&state) >> 24;
        text[i] = letter < 48 ? ' ' : (uint8_t)('a' + letter % 26);
    }
    for (uint32_t i = n; i < size; i++) text[i] = ' ';
    uint32_t words = 0, before = 0;
    v128_t space = wasm_i8x16_const_splat(' ');
    for (uint32_t i = 0; i < size; i += LANES) {
        uint32_t letters = wasm_i8x16_bitmask(wasm_i8x16_ne(wasm_v128_load(text + i), space));
        words += (uint32_t)__builtin_popcount(letters & ~(letters << 1 | before));
        before = letters >> (LANES - 1);
    }
    return words;
}
