/* Of the numbers up to n, the one that takes the most steps to 1, when an even number is halved and an odd one tripled
   and increased, and those steps (in the upper half): i64 arithmetic on small numbers, and a branch that nobody can
   foresee. */
#include "kernel.h"

KERNEL uint64_t run(uint32_t n) {
    uint32_t longest = 0, winner = 0;
    for (uint32_t start = 1; start <= n; start++) {
        uint64_t number = start;
        uint32_t steps = 0;
        while (number != 1) {
            number = number & 1 ? number * 3 + 1 : number >> 1;
            steps++;
        }
        if (steps > longest) {
            longest = steps;
            winner = start;
        }
    }
    return (uint64_t)longest << 32 | winner;
}
