/* What all units of the big actor share. */
#ifndef ACTOR_H
#define ACTOR_H

#include "kernel.h"

#define RECORDS 64u
#define INPUT 256u

struct record {
    uint32_t id, flags;
    uint64_t stamp;
    double weight;
    uint16_t kind, parent;
    int16_t offset;
    uint8_t state;
    int8_t level;
    const uint8_t *name;
    uint32_t name_length;
    float ratio;
};

struct context {
    const uint8_t *data; /* the input, INPUT bytes */
    uint32_t length;
    uint32_t depth, most_depth; /* functions below the entry; those that are deeper give up at once */
    uint32_t error, errors;
    uint32_t written;
    uint8_t output[1024];
    struct record records[RECORDS];
};

typedef int32_t method(struct context *, const uint8_t *, uint32_t);

/* Ends the call: an index is not less than a length. */
_Noreturn void panic_index(struct context *context, uint32_t index, uint32_t length, uint32_t line);

/* Notes an error, and gives it as a negative number. */
int32_t fail(struct context *context, uint32_t code);
int equals(const uint8_t *data, uint32_t length, const char *text, uint32_t text_length);
void put_bytes(struct context *context, const uint8_t *data, uint32_t length);
void put_text(struct context *context, const char *text);
void put_varint(struct context *context, uint64_t value);
uint64_t get_varint(const uint8_t *data, uint32_t length, uint32_t at);
uint64_t hash_bytes(const uint8_t *data, uint32_t length, uint64_t seed);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);

/* The byte at an index, which is checked as safe languages do. */
#define AT(index) (*(const uint8_t *)checked(context, data, length, index, __LINE__))

__attribute__((always_inline)) static inline const uint8_t *checked(
    struct context *context, const uint8_t *data, uint32_t length, uint32_t index, uint32_t line) {
    if (index >= length) panic_index(context, index, length, line);
    return data + index;
}

#endif
