/* A number that goes n times through one of eight functions, which its lowest bits choose in a table: indirect calls,
   and operators that other kernels do without. */
#include "kernel.h"

typedef uint32_t step(uint32_t);

static uint32_t multiply(uint32_t x) { return x * 69069u + 1; }
static uint32_t rotate(uint32_t x) { return rotl32(x ^ 0x55555555u, (uint32_t)__builtin_clz(x | 1)); }
static uint32_t count(uint32_t x) { return rotr32(x, 5) + (uint32_t)__builtin_popcount(x); }
static uint32_t negate(uint32_t x) { return 0x12345678u - x; }
static uint32_t divide(uint32_t x) { return x / 10 * 7919u ^ x % 10; }
static uint32_t shift(uint32_t x) { return x << 13 ^ x >> 17; }
static uint32_t choose(uint32_t x) { return (int32_t)x < 0 ? x | 0x01000001u : x + 0x7FFFFFFFu; }
static uint32_t extend(uint32_t x) { return (uint32_t)((int64_t)(int32_t)x * 0x5851F42D >> 30); }

static step *const steps[8] = {multiply, rotate, count, negate, divide, shift, choose, extend};

KERNEL uint32_t run(uint32_t n) {
    uint32_t x = 1;
    for (uint32_t left = n; left > 0; left--) x = steps[x & 7](x) + left;
    return x;
}
