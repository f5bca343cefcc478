/* Compression: bytes become literals and matches, these blocks of the type that takes the fewest bits. */
#include "format.h"
#include "matcher.h"

#define BLOCK_TOKENS 4096u
#define MOST_STORED 65535u
#define LAZY 32u /* a match that is as long as this is taken, without a look at the next place */

struct compressor {
    struct writer *writer;
    struct code literals, distances;
    uint32_t literal_counts[LITERALS], distance_counts[DISTANCES];
    uint32_t extra_bits; /* behind lengths and distances */
    uint32_t tokens;
    uint32_t token[BLOCK_TOKENS]; /* a byte, or length * 65536 + distance */
};

/* Code lengths as they are written: symbols of their own code, each with its bits. */
struct header {
    struct code code;
    uint32_t literals, distances, codes, items;
    uint8_t symbols[LITERALS + DISTANCES];
    uint8_t extra[LITERALS + DISTANCES];
};

static uint32_t extra_count(uint32_t symbol) {
    return symbol == REPEAT ? 2 : symbol == FEW_ZEROS ? 3 : symbol == MANY_ZEROS ? 7 : 0;
}

static void add_item(struct header *header, uint32_t symbol, uint32_t extra) {
    header->symbols[header->items] = (uint8_t)symbol;
    header->extra[header->items++] = (uint8_t)extra;
}

/* How often the first of so many lengths occurs in a row, at most `most`. */
static uint32_t run_length(const uint8_t *lengths, uint32_t count, uint32_t most) {
    uint32_t run = 1;
    while (run < count && run < most && lengths[run] == lengths[0]) run++;
    return run;
}

static void add_lengths(struct header *header, const uint8_t *lengths, uint32_t count) {
    for (uint32_t at = 0; at < count;) {
        uint32_t length = lengths[at], run = run_length(lengths + at, count - at, length ? 7 : 138);
        if (length && run >= 4) {
            add_item(header, length, 0);
            add_item(header, REPEAT, run - 4);
        } else if (!length && run >= 11) {
            add_item(header, MANY_ZEROS, run - 11);
        } else if (!length && run >= 3) {
            add_item(header, FEW_ZEROS, run - 3);
        } else {
            run = 1;
            add_item(header, length, 0);
        }
        at += run;
    }
}

static uint32_t used(const uint8_t *lengths, uint32_t count, uint32_t least) {
    while (count > least && !lengths[count - 1]) count--;
    return count;
}

/* Makes the header of a block with codes of its own; its bits. */
static uint32_t make_header(struct compressor *compressor, struct header *header) {
    uint32_t counts[LENGTH_CODES] = {0};
    header->items = 0;
    header->literals = used(compressor->literals.lengths, LITERALS, FIRST_LENGTH);
    header->distances = used(compressor->distances.lengths, DISTANCES, 1);
    add_lengths(header, compressor->literals.lengths, header->literals);
    add_lengths(header, compressor->distances.lengths, header->distances);
    for (uint32_t i = 0; i < header->items; i++) counts[header->symbols[i]]++;
    make_lengths(&header->code, counts, LENGTH_CODES, LENGTH_LENGTH);
    make_bits(&header->code, LENGTH_CODES);
    header->codes = LENGTH_CODES;
    while (header->codes > 4 && !header->code.lengths[length_order[header->codes - 1]]) header->codes--;
    uint32_t bits = 5 + 5 + 4 + 3 * header->codes;
    for (uint32_t symbol = 0; symbol < LENGTH_CODES; symbol++)
        bits += counts[symbol] * (header->code.lengths[symbol] + extra_count(symbol));
    return bits;
}

static void write_header(struct writer *writer, const struct header *header) {
    write_bits(writer, header->literals - FIRST_LENGTH, 5);
    write_bits(writer, header->distances - 1, 5);
    write_bits(writer, header->codes - 4, 4);
    for (uint32_t i = 0; i < header->codes; i++) write_bits(writer, header->code.lengths[length_order[i]], 3);
    for (uint32_t i = 0; i < header->items; i++) {
        uint32_t symbol = header->symbols[i];
        write_bits(writer, header->code.bits[symbol], header->code.lengths[symbol]);
        write_bits(writer, header->extra[i], extra_count(symbol));
    }
}

/* The bits of all tokens of the block. */
static uint32_t body_bits(const struct compressor *compressor) {
    uint32_t bits = compressor->extra_bits;
    for (uint32_t symbol = 0; symbol < LITERALS; symbol++)
        bits += compressor->literal_counts[symbol] * compressor->literals.lengths[symbol];
    for (uint32_t symbol = 0; symbol < DISTANCES; symbol++)
        bits += compressor->distance_counts[symbol] * compressor->distances.lengths[symbol];
    return bits;
}

static void write_part(struct writer *writer, const struct code *code, struct part part) {
    write_bits(writer, code->bits[part.symbol], code->lengths[part.symbol]);
    write_bits(writer, part.bits, part.count);
}

static void write_tokens(const struct compressor *compressor) {
    struct writer *writer = compressor->writer;
    const struct code *literals = &compressor->literals;
    for (uint32_t i = 0; i < compressor->tokens; i++) {
        uint32_t token = compressor->token[i];
        if (token >> 16) {
            write_part(writer, literals, length_part(token >> 16));
            write_part(writer, &compressor->distances, distance_part(token & 0xFFFF));
        } else {
            write_bits(writer, literals->bits[token], literals->lengths[token]);
        }
    }
    write_bits(writer, literals->bits[END_OF_BLOCK], literals->lengths[END_OF_BLOCK]);
}

static void write_stored(struct writer *writer, const uint8_t *data, uint32_t length) {
    align_writer(writer);
    write_bits(writer, length, 16);
    write_bits(writer, ~length & 0xFFFF, 16);
    for (uint32_t i = 0; i < length; i++) write_byte(writer, data[i]);
}

static void begin_block(struct compressor *compressor) {
    memset(compressor->literal_counts, 0, sizeof compressor->literal_counts);
    memset(compressor->distance_counts, 0, sizeof compressor->distance_counts);
    compressor->literal_counts[END_OF_BLOCK] = 1;
    compressor->extra_bits = compressor->tokens = 0;
}

/* Writes the block of the tokens so far, which stand for `length` bytes. */
static void write_block(struct compressor *compressor, const uint8_t *data, uint32_t length, uint32_t is_last) {
    struct header *header = allocate(sizeof(struct header));
    struct writer *writer = compressor->writer;
    fixed_codes(&compressor->literals, &compressor->distances);
    uint32_t fixed = body_bits(compressor);
    make_lengths(&compressor->literals, compressor->literal_counts, LITERALS, LITERAL_LENGTH);
    make_lengths(&compressor->distances, compressor->distance_counts, DISTANCES, LITERAL_LENGTH);
    uint32_t dynamic = make_header(compressor, header) + body_bits(compressor);
    uint32_t stored = length > MOST_STORED ? ~0u : 8 * length + 32 + 7;
    enum block_type type = stored <= fixed && stored <= dynamic ? STORED : fixed <= dynamic ? FIXED : DYNAMIC;
    write_bits(writer, is_last, 1);
    write_bits(writer, type, 2);
    if (type == STORED) {
        write_stored(writer, data, length);
    } else {
        if (type == FIXED) {
            fixed_codes(&compressor->literals, &compressor->distances);
        } else {
            make_bits(&compressor->literals, LITERALS);
            make_bits(&compressor->distances, DISTANCES);
            write_header(writer, header);
        }
        write_tokens(compressor);
    }
    release(header);
    begin_block(compressor);
}

static void add_literal(struct compressor *compressor, uint8_t byte) {
    compressor->literal_counts[byte]++;
    compressor->token[compressor->tokens++] = byte;
}

static void add_match(struct compressor *compressor, struct match match) {
    struct part length = length_part(match.length), distance = distance_part(match.distance);
    compressor->literal_counts[length.symbol]++;
    compressor->distance_counts[distance.symbol]++;
    compressor->extra_bits += length.count + distance.count;
    compressor->token[compressor->tokens++] = match.length << 16 | match.distance;
}

void compress(const uint8_t *data, uint32_t length, struct writer *writer) {
    struct compressor *compressor = allocate(sizeof(struct compressor));
    struct matcher matcher;
    struct match match = {0, 0};
    uint32_t at = 0, begin = 0;
    compressor->writer = writer;
    begin_block(compressor);
    open_matcher(&matcher, data, length);
    if (length) match = find_match(&matcher, 0);
    while (at < length) {
        insert_place(&matcher, at);
        struct match next = {0, 0};
        if (match.length < LAZY && at + 1 < length) next = find_match(&matcher, at + 1);
        if (match.length && match.length >= next.length) {
            add_match(compressor, match);
            for (uint32_t end = at + match.length; ++at < end;) insert_place(&matcher, at);
            next = at < length ? find_match(&matcher, at) : (struct match){0, 0};
        } else {
            add_literal(compressor, data[at++]);
        }
        match = next;
        if (compressor->tokens == BLOCK_TOKENS && at < length) {
            write_block(compressor, data + begin, at - begin, 0);
            begin = at;
        }
    }
    write_block(compressor, data + begin, at - begin, 1);
    align_writer(writer);
    close_matcher(&matcher);
    release(compressor);
}
