/* The format (RFC 1951): what compression and decompression share. */
#ifndef FORMAT_H
#define FORMAT_H

#include "huffman.h"

enum block_type { STORED, FIXED, DYNAMIC };

#define END_OF_BLOCK 256u
#define FIRST_LENGTH 257u
#define LITERALS 286u
#define DISTANCES 30u
#define LENGTH_CODES 19u
#define LITERAL_LENGTH 15u
#define LENGTH_LENGTH 7u

/* In code lengths: the one before again 3 to 6 times; 3 to 10 zeros; 11 to 138 zeros. */
#define REPEAT 16u
#define FEW_ZEROS 17u
#define MANY_ZEROS 18u

/* In which order the lengths of the code for code lengths are written. */
extern const uint8_t length_order[LENGTH_CODES];

/* A number as a symbol and bits behind it. */
struct part {
    uint32_t symbol, bits, count;
};

struct part length_part(uint32_t length);
struct part distance_part(uint32_t distance);

/* The codes that need not be written. */
void fixed_codes(struct code *literals, struct code *distances);

void compress(const uint8_t *data, uint32_t length, struct writer *writer);
/* 1 if the stream is one of exactly `length` bytes, which are written to `data`; 0 if not. */
int decompress(struct reader *reader, uint8_t *data, uint32_t length);

#endif
