/* The first 32 bits of the SHA-256 of n bytes (at most 2**17): rotations and sums of i32, and a table of constants. */
#include "sha2.h"

#define UPPER(x) (uint32_t)((x) >> 32),

static const uint32_t constants[64] = {ROUNDS_64(UPPER)};
static uint32_t hash[8];
static uint32_t words[64];

static void schedule(const uint8_t *block) {
    for (uint32_t i = 0; i < 16; i++, block += 4)
        words[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (uint32_t i = 16; i < 64; i++) {
        uint32_t x = words[i - 15], y = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (rotr32(x, 7) ^ rotr32(x, 18) ^ x >> 3) +
                   (rotr32(y, 17) ^ rotr32(y, 19) ^ y >> 10);
    }
}

static void compress(void) {
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6], h = hash[7];
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t first = h + (rotr32(e, 6) ^ rotr32(e, 11) ^ rotr32(e, 25)) + (g ^ (e & (f ^ g))) + constants[i] + words[i];
        uint32_t second = (rotr32(a, 2) ^ rotr32(a, 13) ^ rotr32(a, 22)) + ((a & b) | (c & (a | b)));
        h = g, g = f, f = e, e = d + first;
        d = c, c = b, b = a, a = first + second;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d;
    hash[4] += e, hash[5] += f, hash[6] += g, hash[7] += h;
}

KERNEL uint32_t run(uint32_t n) {
    static const uint32_t start[8] = {ROOTS(UPPER)};
    uint32_t end = write_message(n, 64, 9);
    for (uint32_t i = 0; i < 8; i++) hash[i] = start[i];
    for (uint32_t at = 0; at < end; at += 64) {
        schedule(message + at);
        compress();
    }
    return hash[0];
}
