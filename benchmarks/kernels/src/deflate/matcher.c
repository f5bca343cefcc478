/* Places are in chains, one for each hash of three bytes, the last place first. */
#include "matcher.h"

#define HASH_BITS 12
#define MOST_TRIES 24

static uint32_t hash(const uint8_t *bytes) {
    return (bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16) * 2654435761u >> (32 - HASH_BITS);
}

void open_matcher(struct matcher *matcher, const uint8_t *data, uint32_t length) {
    matcher->data = data;
    matcher->length = length;
    matcher->heads = allocate(sizeof(int32_t) << HASH_BITS);
    matcher->previous = allocate(sizeof(int32_t) * WINDOW);
    for (uint32_t i = 0; i < 1u << HASH_BITS; i++) matcher->heads[i] = -1;
}

void close_matcher(struct matcher *matcher) {
    release(matcher->heads);
    release(matcher->previous);
}

struct match find_match(const struct matcher *matcher, uint32_t at) {
    struct match best = {0, 0};
    uint32_t most = matcher->length - at < MOST_MATCH ? matcher->length - at : MOST_MATCH;
    if (most < LEAST_MATCH) return best;
    const uint8_t *here = matcher->data + at;
    uint32_t best_length = LEAST_MATCH - 1;
    int32_t place = matcher->heads[hash(here)];
    for (uint32_t tries = 0; tries < MOST_TRIES && place >= 0 && at - (uint32_t)place <= WINDOW; tries++) {
        const uint8_t *there = matcher->data + place;
        if (there[best_length] == here[best_length]) {
            uint32_t length = 0;
            while (length < most && there[length] == here[length]) length++;
            if (length > best_length) {
                best_length = length;
                best = (struct match){length, at - (uint32_t)place};
                if (length == most) break;
            }
        }
        place = matcher->previous[(uint32_t)place % WINDOW];
    }
    return best;
}

void insert_place(struct matcher *matcher, uint32_t at) {
    if (at + LEAST_MATCH > matcher->length) return;
    int32_t *head = &matcher->heads[hash(matcher->data + at)];
    matcher->previous[at % WINDOW] = *head;
    *head = (int32_t)at;
}
