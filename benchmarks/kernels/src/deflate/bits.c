/* Writing to a buffer that grows, and reading. */
#include "bits.h"

void open_writer(struct writer *writer) {
    *writer = (struct writer){.bytes = allocate(256), .capacity = 256};
}

void write_byte(struct writer *writer, uint8_t byte) {
    if (writer->length == writer->capacity) {
        uint8_t *larger = allocate(writer->capacity * 2);
        memcpy(larger, writer->bytes, writer->length);
        release(writer->bytes);
        writer->bytes = larger;
        writer->capacity *= 2;
    }
    writer->bytes[writer->length++] = byte;
}

void write_bits(struct writer *writer, uint32_t value, uint32_t count) {
    writer->held |= value << writer->count;
    writer->count += count;
    while (writer->count >= 8) {
        write_byte(writer, (uint8_t)writer->held);
        writer->held >>= 8;
        writer->count -= 8;
    }
}

void align_writer(struct writer *writer) {
    if (writer->count) write_bits(writer, 0, 8 - writer->count);
}

void fill(struct reader *reader, uint32_t count) {
    while (reader->count < count) {
        uint32_t byte = reader->at < reader->length ? reader->bytes[reader->at] : 0;
        reader->at++;
        reader->held |= byte << reader->count;
        reader->count += 8;
    }
}

void skip_bits(struct reader *reader, uint32_t count) {
    reader->held >>= count;
    reader->count -= count;
    if (reader->at > reader->length && (reader->at - reader->length) * 8 > reader->count) reader->failed = 1;
}

uint32_t read_bits(struct reader *reader, uint32_t count) {
    fill(reader, count);
    uint32_t value = reader->held & ((1u << count) - 1);
    skip_bits(reader, count);
    return value;
}

void align_reader(struct reader *reader) { skip_bits(reader, reader->count & 7); }
