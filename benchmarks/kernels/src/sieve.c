/* How many primes are less than n (at most 2**20), by the sieve of Eratosthenes: branches and single bytes of memory. */
#include "kernel.h"

#define MOST (1u << 20)

static uint8_t composite[MOST];

KERNEL uint32_t run(uint32_t n) {
    require(n <= MOST);
    for (uint32_t i = 0; i < n; i++) composite[i] = 0;
    uint32_t primes = 0;
    for (uint32_t i = 2; i < n; i++) {
        if (composite[i]) continue;
        primes++;
        if (i >= 1024) continue;
        for (uint32_t j = i * i; j < n; j += i) composite[j] = 1;
    }
    return primes;
}
