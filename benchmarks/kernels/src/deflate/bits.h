/* Streams of bits: in a byte the lowest bit comes first. */
#ifndef BITS_H
#define BITS_H

#include "memory.h"

struct writer {
    uint8_t *bytes; /* taken with `allocate` */
    size_t length, capacity;
    uint32_t held, count; /* bits that do not fill a byte yet, and how many */
};

void open_writer(struct writer *writer);
/* Appends the `count` lowest bits of a value that has no others; at most 16. */
void write_bits(struct writer *writer, uint32_t value, uint32_t count);
/* Fills the last byte with zeros. */
void align_writer(struct writer *writer);
void write_byte(struct writer *writer, uint8_t byte);

struct reader {
    const uint8_t *bytes;
    size_t length, at;
    uint32_t held, count; /* bits that are taken from the bytes already, and how many */
    uint32_t failed;      /* set when bits were asked for that are not there */
};

/* At least `count` bits (at most 16) in `held`; zeros where there are no more. */
void fill(struct reader *reader, uint32_t count);
/* Passes over so many bits of those that are held. */
void skip_bits(struct reader *reader, uint32_t count);
uint32_t read_bits(struct reader *reader, uint32_t count);
/* Passes over the rest of the byte. */
void align_reader(struct reader *reader);

#endif
