/* How many steps, at most 50 for each, the points of an n by n grid over the Mandelbrot set take to get away: floating
   point of 64 bits, and branches that depend on it. The grid begins at -2 - 1.25 i and is 2.5 wide. */
#include "kernel.h"

static uint32_t steps(double a, double b) {
    double x = 0, y = 0;
    for (uint32_t count = 0; count < 50; count++) {
        double xx = x * x, yy = y * y;
        if (xx + yy > 4) return count;
        y = 2 * x * y + b;
        x = xx - yy + a;
    }
    return 50;
}

KERNEL uint32_t run(uint32_t n) {
    uint32_t total = 0;
    for (uint32_t row = 0; row < n; row++)
        for (uint32_t column = 0; column < n; column++)
            total += steps(column * 2.5 / n - 2, row * 2.5 / n - 1.25);
    return total;
}
