/* What the units of the big actor call, and its entry. */
#include "actor.h"

extern method *const handlers[];
extern const uint32_t handler_count;

static struct context context;
static uint8_t input[INPUT];

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    uint8_t *target = to;
    const uint8_t *source = from;
    while (bytes--) *target++ = *source++;
    return to;
}

void *memset(void *to, int byte, size_t bytes) {
    uint8_t *target = to;
    while (bytes--) *target++ = (uint8_t)byte;
    return to;
}

void put_bytes(struct context *context, const uint8_t *data, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) context->output[context->written++ % sizeof context->output] = data[i];
}

void put_text(struct context *context, const char *text) {
    while (*text) put_bytes(context, (const uint8_t *)text++, 1);
}

void put_varint(struct context *context, uint64_t value) {
    uint8_t bytes[10];
    uint32_t count = 0;
    for (; value >= 128; value >>= 7) bytes[count++] = (uint8_t)(value | 128);
    bytes[count++] = (uint8_t)value;
    put_bytes(context, bytes, count);
}

uint64_t get_varint(const uint8_t *data, uint32_t length, uint32_t at) {
    uint64_t value = 0;
    for (uint32_t shift = 0; at < length && shift < 64; shift += 7) {
        uint8_t byte = data[at++];
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) break;
    }
    return value;
}

uint64_t hash_bytes(const uint8_t *data, uint32_t length, uint64_t seed) {
    uint64_t hash = seed ^ 0xCBF29CE484222325u;
    for (uint32_t i = 0; i < length; i++) hash = (hash ^ data[i]) * 0x100000001B3u;
    return hash;
}

int equals(const uint8_t *data, uint32_t length, const char *text, uint32_t text_length) {
    if (length < text_length) return 0;
    for (uint32_t i = 0; i < text_length; i++)
        if (data[i] != (uint8_t)text[i]) return 0;
    return 1;
}

int32_t fail(struct context *context, uint32_t code) {
    context->error = code;
    context->errors++;
    return -(int32_t)code;
}

_Noreturn void panic_index(struct context *context, uint32_t index, uint32_t length, uint32_t line) {
    put_text(context, "index out of range: ");
    put_varint(context, index);
    put_varint(context, length);
    put_varint(context, line);
    __builtin_trap();
}

static void begin(uint32_t n) {
    uint32_t state = n;
    for (uint32_t i = 0; i < INPUT; i++) input[i] = (uint8_t)(next_random(&state) >> 24);
    memset(&context, 0, sizeof context);
    context.data = input;
    context.length = INPUT;
    context.most_depth = 2;
    for (uint32_t i = 0; i < RECORDS; i++)
        context.records[i] = (struct record){
            .id = i, .flags = next_random(&state), .weight = i / 8.0, .kind = (uint16_t)(i * 37),
            .name = input + i, .name_length = i % 16, .ratio = (float)i,
        };
}

/* One of the handlers on an input, both of which follow from n: a hash of its result, of what it wrote, and of what it
   did to the records. */
KERNEL uint64_t run(uint32_t n) {
    begin(n);
    int32_t status = handlers[n % handler_count](&context, input, INPUT);
    uint32_t written = context.written < sizeof context.output ? context.written : sizeof context.output;
    uint64_t hash = hash_bytes(context.output, written, (uint32_t)status ^ context.errors);
    for (uint32_t i = 0; i < RECORDS; i++)
        hash = (hash ^ context.records[i].stamp ^ context.records[i].flags) * 0x100000001B3u;
    return hash;
}
