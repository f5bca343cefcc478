/* MurmurHash3 (32 bits) of n words (at most 2**18): products and rotations of i32, and aligned loads of four bytes. */
#include "kernel.h"

#define MOST (1u << 18)

static uint32_t words[MOST];

KERNEL uint32_t run(uint32_t n) {
    require(n <= MOST);
    uint32_t state = 42;
    for (uint32_t i = 0; i < n; i++) words[i] = next_random(&state);
    uint32_t hash = 0;
    for (uint32_t i = 0; i < n; i++) {
        hash ^= rotl32(words[i] * 0xCC9E2D51u, 15) * 0x1B873593u;
        hash = rotl32(hash, 13) * 5 + 0xE6546B64u;
    }
    hash ^= n * 4;
    hash = (hash ^ hash >> 16) * 0x85EBCA6Bu;
    hash = (hash ^ hash >> 13) * 0xC2B2AE35u;
    return hash ^ hash >> 16;
}
