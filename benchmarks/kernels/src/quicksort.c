/* Sorts n numbers (at most 2**17) with quicksort, and gives the sum of each times its place, from 1 on: comparisons
   that nobody can foresee, memory by four bytes, and recursion. */
#include "kernel.h"

#define MOST (1u << 17)

static int32_t numbers[MOST];

static void sort(int32_t *first, int32_t *last) {
    while (first < last) {
        int32_t pivot = first[(last - first) / 2];
        int32_t *low = first, *high = last;
        while (low <= high) {
            while (*low < pivot) low++;
            while (*high > pivot) high--;
            if (low <= high) {
                int32_t number = *low;
                *low++ = *high;
                *high-- = number;
            }
        }
        sort(first, high);
        first = low;
    }
}

KERNEL uint32_t run(uint32_t n) {
    require(n >= 1 && n <= MOST);
    uint32_t state = 42, sum = 0;
    for (uint32_t i = 0; i < n; i++) numbers[i] = (int32_t)next_random(&state);
    sort(numbers, numbers + n - 1);
    for (uint32_t i = 0; i < n; i++) sum += (i + 1) * (uint32_t)numbers[i];
    return sum;
}
