/* Decompression of blocks of all three types. */
#include "format.h"

struct decompressor {
    struct reader *reader;
    uint8_t *data;
    uint32_t length, at;
    struct code code;
    struct decoder lengths, literals, distances;
};

static int copy_stored(struct decompressor *state) {
    struct reader *reader = state->reader;
    align_reader(reader);
    uint32_t length = read_bits(reader, 16);
    if ((length ^ 0xFFFF) != read_bits(reader, 16) || length > state->length - state->at) return 0;
    for (uint32_t i = 0; i < length; i++) state->data[state->at++] = (uint8_t)read_bits(reader, 8);
    return 1;
}

/* Reads so many code lengths; 0 if they end in the middle of a run, or begin with one. */
static int read_lengths(struct decompressor *state, uint8_t *lengths, uint32_t count) {
    for (uint32_t at = 0; at < count;) {
        int32_t symbol = read_symbol(&state->lengths, state->reader);
        if (symbol < 0) return 0;
        if ((uint32_t)symbol < REPEAT) {
            lengths[at++] = (uint8_t)symbol;
            continue;
        }
        if ((uint32_t)symbol == REPEAT && at == 0) return 0;
        uint8_t length = (uint32_t)symbol == REPEAT ? lengths[at - 1] : 0;
        uint32_t run = (uint32_t)symbol == REPEAT      ? 3 + read_bits(state->reader, 2)
                       : (uint32_t)symbol == FEW_ZEROS ? 3 + read_bits(state->reader, 3)
                                                       : 11 + read_bits(state->reader, 7);
        if (run > count - at) return 0;
        for (; run; run--) lengths[at++] = length;
    }
    return 1;
}

static int use_lengths(struct decompressor *state, struct decoder *decoder, const uint8_t *lengths, uint32_t count) {
    memcpy(state->code.lengths, lengths, count);
    make_bits(&state->code, count);
    return make_decoder(decoder, &state->code, count);
}

static int read_codes(struct decompressor *state) {
    uint8_t lengths[LITERALS + DISTANCES] = {0};
    struct reader *reader = state->reader;
    uint32_t literals = read_bits(reader, 5) + FIRST_LENGTH, distances = read_bits(reader, 5) + 1;
    uint32_t codes = read_bits(reader, 4) + 4;
    if (literals > LITERALS || distances > DISTANCES) return 0;
    for (uint32_t i = 0; i < codes; i++) lengths[length_order[i]] = (uint8_t)read_bits(reader, 3);
    return use_lengths(state, &state->lengths, lengths, LENGTH_CODES) &&
           read_lengths(state, lengths, literals + distances) &&
           use_lengths(state, &state->literals, lengths, literals) &&
           use_lengths(state, &state->distances, lengths + literals, distances);
}

static int use_fixed_codes(struct decompressor *state) {
    struct code distances;
    fixed_codes(&state->code, &distances);
    return make_decoder(&state->literals, &state->code, 288) && make_decoder(&state->distances, &distances, 32);
}

/* Copies a match byte by byte, as it may overlap with itself. */
static int copy_match(struct decompressor *state, uint32_t length, uint32_t distance) {
    if (distance > state->at || length > state->length - state->at) return 0;
    uint8_t *to = state->data + state->at;
    const uint8_t *from = to - distance;
    state->at += length;
    while (length--) *to++ = *from++;
    return 1;
}

static int read_match(struct decompressor *state, uint32_t symbol) {
    struct reader *reader = state->reader;
    uint32_t index = symbol - FIRST_LENGTH;
    uint32_t count = index < 8 || index == 28 ? 0 : index / 4 - 1;
    uint32_t length = index == 28 ? 258 : index < 8 ? 3 + index : 3 + ((4 + index % 4) << count);
    length += read_bits(reader, count);
    int32_t distance_symbol = read_symbol(&state->distances, reader);
    if (index > 28 || distance_symbol < 0 || distance_symbol >= (int32_t)DISTANCES) return 0;
    index = (uint32_t)distance_symbol;
    count = index < 4 ? 0 : index / 2 - 1;
    uint32_t distance = index < 4 ? 1 + index : 1 + ((2 + index % 2) << count);
    return copy_match(state, length, distance + read_bits(reader, count));
}

static int copy_tokens(struct decompressor *state) {
    while (!state->reader->failed) {
        int32_t symbol = read_symbol(&state->literals, state->reader);
        if (symbol < 0) return 0;
        if ((uint32_t)symbol == END_OF_BLOCK) return 1;
        if ((uint32_t)symbol > END_OF_BLOCK) {
            if (!read_match(state, (uint32_t)symbol)) return 0;
        } else {
            if (state->at == state->length) return 0;
            state->data[state->at++] = (uint8_t)symbol;
        }
    }
    return 0;
}

static int copy_block(struct decompressor *state, uint32_t type) {
    switch (type) {
    case STORED: return copy_stored(state);
    case FIXED: return use_fixed_codes(state) && copy_tokens(state);
    case DYNAMIC: return read_codes(state) && copy_tokens(state);
    default: return 0;
    }
}

int decompress(struct reader *reader, uint8_t *data, uint32_t length) {
    struct decompressor *state = allocate(sizeof(struct decompressor));
    uint32_t good = 1, is_last = 0;
    state->reader = reader;
    state->data = data;
    state->length = length;
    state->at = 0;
    while (good && !is_last) {
        is_last = read_bits(reader, 1);
        good = (uint32_t)copy_block(state, read_bits(reader, 2)) && !reader->failed;
    }
    good = good && state->at == length;
    release(state);
    return (int)good;
}
