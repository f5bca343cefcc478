/* Symbols for lengths and distances, and the fixed codes. */
#include "format.h"

const uint8_t length_order[LENGTH_CODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

static uint32_t highest_bit(uint32_t x) { return 31 - (uint32_t)__builtin_clz(x); }

struct part length_part(uint32_t length) {
    uint32_t x = length - 3;
    if (x < 8) return (struct part){FIRST_LENGTH + x, 0, 0};
    if (length == 258) return (struct part){285, 0, 0};
    uint32_t count = highest_bit(x) - 2;
    return (struct part){FIRST_LENGTH + 4 * count + (x >> count), x & ((1u << count) - 1), count};
}

struct part distance_part(uint32_t distance) {
    uint32_t x = distance - 1;
    if (x < 4) return (struct part){x, 0, 0};
    uint32_t count = highest_bit(x) - 1;
    return (struct part){2 * count + (x >> count), x & ((1u << count) - 1), count};
}

void fixed_codes(struct code *literals, struct code *distances) {
    for (uint32_t symbol = 0; symbol < 288; symbol++)
        literals->lengths[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
    for (uint32_t symbol = 0; symbol < 32; symbol++) distances->lengths[symbol] = 5;
    make_bits(literals, 288);
    make_bits(distances, 32);
}
