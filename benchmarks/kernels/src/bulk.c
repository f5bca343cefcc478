/* n times, an area of memory is filled and another is moved to where it overlaps with itself, both of random size and
   place, and a byte is looked at: memory.fill and memory.copy. */
#include "kernel.h"

#define SIZE 65536u
#define AREA 4096u

static uint8_t memory[SIZE];

KERNEL uint32_t run(uint32_t n) {
    __builtin_memset(memory, 0, SIZE);
    uint32_t state = 3, sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = (next_random(&state) >> 8) % (SIZE - 2 * AREA);
        uint32_t length = (next_random(&state) >> 8) % AREA;
        uint32_t shift = (next_random(&state) >> 8) % AREA;
        __builtin_memset(memory + place, (int)(uint8_t)(i + 1), length);
        __builtin_memmove(memory + place + shift, memory + place, length);
        sum = sum * 31 + memory[(next_random(&state) >> 8) % SIZE];
    }
    return sum;
}
