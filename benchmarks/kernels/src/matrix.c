/* The sum of all elements of a product of n by n matrices (n at most 256) of f32: floating point that is rounded to 32
   bits after each step, and loads of f32. */
#include "kernel.h"

#define MOST 256u

static float a[MOST * MOST], b[MOST * MOST];

KERNEL double run(uint32_t n) {
    require(n <= MOST);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            a[i * n + j] = 1.0f / (float)(i + j + 1);
            b[i * n + j] = (float)((int32_t)i - (int32_t)j) + 0.5f;
        }
    double total = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            float element = 0;
            for (uint32_t k = 0; k < n; k++) element += a[i * n + k] * b[k * n + j];
            total += (double)element;
        }
    return total;
}
