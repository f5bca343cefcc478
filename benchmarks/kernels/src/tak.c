/* Takeuchi's function of n, two thirds and one third of it: calls of three arguments inside calls, none of them deep. */
#include "kernel.h"

CALL static int32_t tak(int32_t x, int32_t y, int32_t z) {
    return y < x ? tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)) : z;
}

KERNEL int32_t run(int32_t n) { return tak(n, n * 2 / 3, n / 3); }
