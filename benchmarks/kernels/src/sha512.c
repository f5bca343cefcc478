/* The first 64 bits of the SHA-512 of n bytes (at most 2**17): rotations and sums of i64, and a table of constants. */
#include "sha2.h"

#define WHOLE(x) x,

static const uint64_t constants[80] = {ROUNDS_80(WHOLE)};
static uint64_t hash[8];
static uint64_t words[80];

static void schedule(const uint8_t *block) {
    for (uint32_t i = 0; i < 16; i++) {
        uint64_t word = 0;
        for (uint32_t byte = 0; byte < 8; byte++) word = word << 8 | *block++;
        words[i] = word;
    }
    for (uint32_t i = 16; i < 80; i++) {
        uint64_t x = words[i - 15], y = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (rotr64(x, 1) ^ rotr64(x, 8) ^ x >> 7) +
                   (rotr64(y, 19) ^ rotr64(y, 61) ^ y >> 6);
    }
}

static void compress(void) {
    uint64_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6], h = hash[7];
    for (uint32_t i = 0; i < 80; i++) {
        uint64_t first = h + (rotr64(e, 14) ^ rotr64(e, 18) ^ rotr64(e, 41)) + (g ^ (e & (f ^ g))) + constants[i] + words[i];
        uint64_t second = (rotr64(a, 28) ^ rotr64(a, 34) ^ rotr64(a, 39)) + ((a & b) | (c & (a | b)));
        h = g, g = f, f = e, e = d + first;
        d = c, c = b, b = a, a = first + second;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d;
    hash[4] += e, hash[5] += f, hash[6] += g, hash[7] += h;
}

KERNEL uint64_t run(uint32_t n) {
    static const uint64_t start[8] = {ROOTS(WHOLE)};
    uint32_t end = write_message(n, 128, 17);
    for (uint32_t i = 0; i < 8; i++) hash[i] = start[i];
    for (uint32_t at = 0; at < end; at += 128) {
        schedule(message + at);
        compress();
    }
    return hash[0];
}
