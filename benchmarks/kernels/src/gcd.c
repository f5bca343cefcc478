/* The sum of the greatest common divisors of n pairs of numbers of about 60 bits, by Euclid: i64 remainders. */
#include "kernel.h"

static uint64_t next_number(uint32_t *state) {
    uint64_t upper = next_random(state) >> 4;
    return (upper << 32 | next_random(state)) + 1;
}

static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

KERNEL uint64_t run(uint32_t n) {
    uint32_t state = 1;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t a = next_number(&state);
        sum += gcd(a, next_number(&state));
    }
    return sum;
}
