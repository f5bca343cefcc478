/* Sentences of words that are made up, some of which occur far more often than others; records of which little changes
   from one to the next; and noise, which cannot be compressed. */
#include "text.h"

#define WORDS 256u
#define MOST_LETTERS 12u
#define RECORD 12u

static const char consonants[] = "tnshrdlcmwfgypbvk";
static const char vowels[] = "eaoiu";

struct source {
    uint8_t *data;
    uint32_t length, at, state;
    uint8_t words[WORDS][MOST_LETTERS];
    uint8_t letters[WORDS];
};

/* A number less than `limit`, which is at most 2**16. */
static uint32_t below(struct source *source, uint32_t limit) { return (next_random(&source->state) >> 16) * limit >> 16; }

static void put(struct source *source, uint32_t byte) {
    if (source->at < source->length) source->data[source->at++] = (uint8_t)byte;
}

static void make_words(struct source *source) {
    for (uint32_t word = 0; word < WORDS; word++) {
        uint32_t letters = 2 + below(source, MOST_LETTERS - 2);
        source->letters[word] = (uint8_t)letters;
        for (uint32_t i = 0; i < letters; i++)
            source->words[word][i] = (uint8_t)(i % 2 ? vowels[below(source, sizeof vowels - 1)]
                                                     : consonants[below(source, sizeof consonants - 1)]);
    }
}

static void put_sentence(struct source *source) {
    uint32_t words = 4 + below(source, 12);
    for (uint32_t i = 0; i < words; i++) {
        /* The product of two numbers is small more often than it is great. */
        uint32_t word = below(source, WORDS) * below(source, WORDS) >> 8;
        for (uint32_t letter = 0; letter < source->letters[word]; letter++) {
            uint32_t byte = source->words[word][letter];
            put(source, i == 0 && letter == 0 ? byte - 32 : byte);
        }
        put(source, i + 1 < words ? ' ' : '.');
    }
    put(source, '\n');
}

static void put_records(struct source *source) {
    uint32_t records = 8 + below(source, 32), key = below(source, 65536), value = 0;
    for (uint32_t i = 0; i < records; i++) {
        key += 1 + below(source, 3);
        value += below(source, 16);
        for (uint32_t byte = 0; byte < RECORD; byte++)
            put(source, byte < 4 ? key >> 8 * byte : byte == 4 ? value : byte == 8 ? 7 : 0);
    }
}

static void put_noise(struct source *source) {
    uint32_t bytes = 6000 + below(source, 6000);
    for (uint32_t i = 0; i < bytes; i++) put(source, below(source, 256));
}

void write_text(uint8_t *data, uint32_t length) {
    struct source *source = allocate(sizeof(struct source));
    source->data = data;
    source->length = length;
    source->at = 0;
    source->state = 2025;
    make_words(source);
    while (source->at < length) {
        uint32_t kind = below(source, 256);
        if (kind == 0)
            put_noise(source);
        else if (kind < 20)
            put_records(source);
        else
            put_sentence(source);
    }
    release(source);
}
