/* Compresses n bytes (at most 2**24) to DEFLATE and decompresses them again, which must give the same: a program of
   several files, with an allocator, structures, tables, bits and bytes. Gives the size of what was compressed, and (in
   the lower half) its Adler-32. */
#include "format.h"
#include "text.h"

#define MOST (1u << 24)

static uint32_t adler32(const uint8_t *bytes, size_t length) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < length; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

KERNEL uint64_t run(uint32_t n) {
    require(n <= MOST);
    uint8_t *text = allocate(n), *copy = allocate(n);
    struct writer writer;
    write_text(text, n);
    open_writer(&writer);
    compress(text, n, &writer);
    struct reader reader = {.bytes = writer.bytes, .length = writer.length};
    require(decompress(&reader, copy, n) && memcmp(text, copy, n) == 0);
    uint64_t result = (uint64_t)writer.length << 32 | adler32(writer.bytes, writer.length);
    release(writer.bytes);
    release(copy);
    release(text);
    require(all_released());
    return result;
}
