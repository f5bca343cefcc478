/* How many steps, at most 50 for each, the points of an n by n grid (n rounded up to a multiple of 4) over the Julia set
   of -0.8 + 0.156 i take to get away, four at a time: f32x4, comparisons of lanes, and masks. */
#include <wasm_simd128.h>

#include "kernel.h"

#define LANES 4u
#define MOST_STEPS 50

static v128_t splat(float x) { return wasm_f32x4_splat(x); }

static v128_t square(v128_t x) { return wasm_f32x4_mul(x, x); }

static uint32_t steps(v128_t x, v128_t y) {
    v128_t counts = wasm_i32x4_const_splat(0);
    for (uint32_t step = 0; step < MOST_STEPS; step++) {
        v128_t xx = square(x), yy = square(y);
        v128_t inside = wasm_f32x4_le(wasm_f32x4_add(xx, yy), splat(4));
        if (!wasm_v128_any_true(inside)) break;
        counts = wasm_i32x4_sub(counts, inside);
        v128_t xy = wasm_f32x4_mul(x, y);
        y = wasm_f32x4_add(wasm_f32x4_add(xy, xy), splat(0.156f));
        x = wasm_f32x4_add(wasm_f32x4_sub(xx, yy), splat(-0.8f));
    }
    return wasm_u32x4_extract_lane(counts, 0) + wasm_u32x4_extract_lane(counts, 1) + wasm_u32x4_extract_lane(counts, 2) +
           wasm_u32x4_extract_lane(counts, 3);
}

KERNEL uint32_t run(uint32_t n) {
    n = (n + LANES - 1) / LANES * LANES;
    float width = 3.0f / (float)n;
    uint32_t total = 0;
    for (uint32_t row = 0; row < n; row++) {
        v128_t y = splat((float)row * width - 1.5f);
        for (uint32_t column = 0; column < n; column += LANES) {
            v128_t columns = wasm_i32x4_add(wasm_i32x4_splat((int32_t)column), wasm_i32x4_const(0, 1, 2, 3));
            v128_t x = wasm_f32x4_sub(wasm_f32x4_mul(wasm_f32x4_convert_i32x4(columns), splat(width)), splat(1.5f));
            total += steps(x, y);
        }
    }
    return total;
}
