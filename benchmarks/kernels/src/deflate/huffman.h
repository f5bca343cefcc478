/* Huffman codes as DEFLATE has them (RFC 1951, 3.2.2): given by the lengths of the codes of all symbols. */
#ifndef HUFFMAN_H
#define HUFFMAN_H

#include "bits.h"

#define MOST_SYMBOLS 288
#define MOST_LENGTH 15
#define FAST_BITS 9

struct code {
    uint8_t lengths[MOST_SYMBOLS]; /* 0: the symbol has no code */
    uint16_t bits[MOST_SYMBOLS];   /* as they are written, the first bit lowest */
};

/* The lengths, none greater than `limit`, of a code for symbols that occur as often as `frequencies` says. */
void make_lengths(struct code *code, const uint32_t *frequencies, uint32_t symbols, uint32_t limit);
/* The bits that follow from the lengths. */
void make_bits(struct code *code, uint32_t symbols);

struct decoder {
    uint16_t fast[1 << FAST_BITS];       /* by the next bits: symbol * 16 + length, or 0 if the code is longer */
    uint16_t counts[MOST_LENGTH + 1];    /* how many codes there are of each length */
    uint16_t symbols[MOST_SYMBOLS];      /* in the order of their codes */
};

/* 0 if there are more codes than there can be, 1 otherwise. */
int make_decoder(struct decoder *decoder, const struct code *code, uint32_t symbols);
/* The next symbol, or -1 if no code is like the next bits. */
int32_t read_symbol(const struct decoder *decoder, struct reader *reader);

#endif
