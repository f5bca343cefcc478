/* The sum of the first n numbers of the generator xorshift64*: shifts and products of i64 whose upper bits are lost. */
#include "kernel.h"

KERNEL uint64_t run(uint32_t n) {
    uint64_t state = 88172645463325252u, sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        sum += state * 0x2545F4914F6CDD1Du;
    }
    return sum;
}
