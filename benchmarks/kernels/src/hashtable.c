/* Counts n random words (at most 2**18), of which most occur more than once, in a hash table with linear probing, and
   adds up each word times the square of its count: memory at places that look like chance. */
#include "kernel.h"

#define MOST (1u << 18)

struct entry {
    uint32_t key; /* 0: none */
    uint32_t count;
};

static struct entry entries[MOST];

static struct entry *find(uint32_t key, uint32_t mask) {
    uint32_t at = key * 2654435769u >> 14;
    for (;;) {
        struct entry *entry = &entries[at & mask];
        if (entry->key == key || entry->key == 0) return entry;
        at++;
    }
}

KERNEL uint64_t run(uint32_t n) {
    require(n >= 1 && n <= MOST);
    uint32_t size = 1;
    while (size < n) size <<= 1;
    for (uint32_t i = 0; i < size; i++) entries[i].key = entries[i].count = 0;
    uint32_t state = 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t key = (next_random(&state) >> 8) % (n / 2 + 1) * 8 + 5;
        struct entry *entry = find(key, size - 1);
        entry->key = key;
        entry->count++;
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; i < size; i++) sum += (uint64_t)entries[i].key * entries[i].count * entries[i].count;
    return sum;
}
