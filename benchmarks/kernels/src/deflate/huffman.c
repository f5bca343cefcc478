/* Codes are made with a heap of trees, and made again of flatter frequencies while they are too long. */
#include "huffman.h"

#define MOST_NODES (2 * MOST_SYMBOLS)

/* Trees whose roots are in a heap, the one that occurs least on top; of two alike, the one that was made first. */
struct forest {
    uint32_t weights[MOST_NODES];
    uint16_t parents[MOST_NODES];
    uint16_t heap[MOST_NODES];
    uint32_t size;
};

static int is_less(const struct forest *forest, uint32_t a, uint32_t b) {
    return forest->weights[a] != forest->weights[b] ? forest->weights[a] < forest->weights[b] : a < b;
}

static void push(struct forest *forest, uint32_t node) {
    uint32_t at = forest->size++;
    while (at > 0) {
        uint32_t above = (at - 1) / 2;
        if (!is_less(forest, node, forest->heap[above])) break;
        forest->heap[at] = forest->heap[above];
        at = above;
    }
    forest->heap[at] = (uint16_t)node;
}

static uint32_t pop(struct forest *forest) {
    uint32_t top = forest->heap[0], node = forest->heap[--forest->size], at = 0;
    for (;;) {
        uint32_t below = 2 * at + 1;
        if (below >= forest->size) break;
        if (below + 1 < forest->size && is_less(forest, forest->heap[below + 1], forest->heap[below])) below++;
        if (!is_less(forest, forest->heap[below], node)) break;
        forest->heap[at] = forest->heap[below];
        at = below;
    }
    forest->heap[at] = (uint16_t)node;
    return top;
}

/* Joins the trees to a single one; the number of nodes. */
static uint32_t join_trees(struct forest *forest, uint32_t nodes) {
    while (forest->size > 1) {
        uint32_t a = pop(forest), b = pop(forest);
        forest->weights[nodes] = forest->weights[a] + forest->weights[b];
        forest->parents[a] = forest->parents[b] = (uint16_t)nodes;
        push(forest, nodes++);
    }
    return nodes;
}

/* The lengths without a limit; the greatest of them. */
static uint32_t lengths_by_tree(struct forest *forest, struct code *code, const uint32_t *weights, uint32_t symbols) {
    static uint8_t depths[MOST_NODES];
    forest->size = 0;
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        code->lengths[symbol] = 0;
        forest->weights[symbol] = weights[symbol];
        if (weights[symbol]) push(forest, symbol);
    }
    if (forest->size < 2) {
        if (forest->size) code->lengths[forest->heap[0]] = 1;
        return forest->size;
    }
    uint32_t nodes = join_trees(forest, symbols), greatest = 0;
    depths[nodes - 1] = 0;
    for (uint32_t node = nodes - 1; node-- > 0;) {
        if (node < symbols && !weights[node]) continue;
        depths[node] = (uint8_t)(depths[forest->parents[node]] + 1);
        if (node >= symbols) continue;
        code->lengths[node] = depths[node];
        if (depths[node] > greatest) greatest = depths[node];
    }
    return greatest;
}

void make_lengths(struct code *code, const uint32_t *frequencies, uint32_t symbols, uint32_t limit) {
    struct forest *forest = allocate(sizeof(struct forest));
    uint32_t *weights = allocate(symbols * sizeof(uint32_t));
    for (uint32_t symbol = 0; symbol < symbols; symbol++) weights[symbol] = frequencies[symbol];
    while (lengths_by_tree(forest, code, weights, symbols) > limit)
        for (uint32_t symbol = 0; symbol < symbols; symbol++) weights[symbol] = (weights[symbol] + 1) / 2;
    release(weights);
    release(forest);
}

static uint16_t reversed(uint32_t bits, uint32_t length) {
    uint32_t result = 0;
    for (; length; length--, bits >>= 1) result = result << 1 | (bits & 1);
    return (uint16_t)result;
}

void make_bits(struct code *code, uint32_t symbols) {
    uint32_t counts[MOST_LENGTH + 1] = {0}, next[MOST_LENGTH + 1], bits = 0;
    for (uint32_t symbol = 0; symbol < symbols; symbol++) counts[code->lengths[symbol]]++;
    counts[0] = 0;
    for (uint32_t length = 1; length <= MOST_LENGTH; length++) {
        bits = (bits + counts[length - 1]) << 1;
        next[length] = bits;
    }
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        uint32_t length = code->lengths[symbol];
        code->bits[symbol] = length ? reversed(next[length]++, length) : 0;
    }
}

int make_decoder(struct decoder *decoder, const struct code *code, uint32_t symbols) {
    uint32_t offsets[MOST_LENGTH + 2];
    memset(decoder, 0, sizeof(struct decoder));
    for (uint32_t symbol = 0; symbol < symbols; symbol++) decoder->counts[code->lengths[symbol]]++;
    decoder->counts[0] = 0;
    int32_t left = 1;
    offsets[1] = 0;
    for (uint32_t length = 1; length <= MOST_LENGTH; length++) {
        left = left * 2 - decoder->counts[length];
        if (left < 0) return 0;
        offsets[length + 1] = offsets[length] + decoder->counts[length];
    }
    for (uint32_t symbol = 0; symbol < symbols; symbol++) {
        uint32_t length = code->lengths[symbol];
        if (!length) continue;
        decoder->symbols[offsets[length]++] = (uint16_t)symbol;
        if (length > FAST_BITS) continue;
        for (uint32_t bits = code->bits[symbol]; bits < 1u << FAST_BITS; bits += 1u << length)
            decoder->fast[bits] = (uint16_t)(symbol << 4 | length);
    }
    return 1;
}

int32_t read_symbol(const struct decoder *decoder, struct reader *reader) {
    fill(reader, MOST_LENGTH);
    uint32_t found = decoder->fast[reader->held & ((1u << FAST_BITS) - 1)];
    if (found) {
        skip_bits(reader, found & 15);
        return (int32_t)(found >> 4);
    }
    uint32_t bits = 0, first = 0, index = 0;
    for (uint32_t length = 1; length <= MOST_LENGTH; length++) {
        bits = bits << 1 | (reader->held >> (length - 1) & 1);
        uint32_t count = decoder->counts[length];
        if (bits - first < count) {
            skip_bits(reader, length);
            return decoder->symbols[index + bits - first];
        }
        index += count;
        first = (first + count) << 1;
    }
    return -1;
}
