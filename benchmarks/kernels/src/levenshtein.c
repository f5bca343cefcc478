/* The edit distance of two texts of n letters (at most 4096): loads and stores of one and two bytes, and the least of
   three numbers. */
#include "kernel.h"

#define MOST 4096u

static uint8_t first[MOST], second[MOST];
static uint16_t row[MOST + 1];

static void write(uint8_t *text, uint32_t n, uint32_t state) {
    for (uint32_t i = 0; i < n; i++) text[i] = (uint8_t)('a' + (next_random(&state) >> 24) % 8);
}

KERNEL uint32_t run(uint32_t n) {
    require(n <= MOST);
    write(first, n, 1);
    write(second, n, 2);
    for (uint32_t j = 0; j <= n; j++) row[j] = (uint16_t)j;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t diagonal = i, left = i + 1;
        row[0] = (uint16_t)left;
        uint8_t letter = first[i];
        for (uint32_t j = 1; j <= n; j++) {
            uint32_t above = row[j];
            uint32_t least = letter == second[j - 1] ? diagonal : diagonal + 1;
            if (above + 1 < least) least = above + 1;
            if (left + 1 < least) least = left + 1;
            diagonal = above;
            row[j] = (uint16_t)(left = least);
        }
    }
    return row[n];
}
