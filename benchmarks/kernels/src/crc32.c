/* The CRC-32 of n bytes (at most 2**19), by half bytes with a table that is made anew: i32 bits, and a table. */
#include "kernel.h"

#define MOST (1u << 19)

static uint8_t message[MOST];
static uint32_t table[16];

KERNEL uint32_t run(uint32_t n) {
    require(n <= MOST);
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t remainder = i;
        for (uint32_t bit = 0; bit < 4; bit++) remainder = remainder & 1 ? remainder >> 1 ^ 0xEDB88320u : remainder >> 1;
        table[i] = remainder;
    }
    for (uint32_t i = 0; i < n; i++) message[i] = message_byte(i);
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < n; i++) {
        crc ^= message[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}
