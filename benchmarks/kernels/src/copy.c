/* Copies n bytes (at most 2**19), one by one, and then in reverse, and gives the sum of each times its place: loads and
   stores of single bytes. */
#include "kernel.h"

#define MOST (1u << 19)

static uint8_t from[MOST], to[MOST];

KERNEL uint32_t run(uint32_t n) {
    require(n <= MOST);
    for (uint32_t i = 0; i < n; i++) from[i] = message_byte(i);
    for (uint32_t i = 0; i < n; i++) to[i] = from[i];
    for (uint32_t i = 0; i < n; i++) from[i] = to[n - 1 - i];
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += (i + 1) * from[i];
    return sum;
}
