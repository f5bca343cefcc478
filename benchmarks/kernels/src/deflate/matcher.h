/* Where bytes occurred before. */
#ifndef MATCHER_H
#define MATCHER_H

#include "memory.h"

#define LEAST_MATCH 3u
#define MOST_MATCH 258u
#define WINDOW 32768u

struct match {
    uint32_t length, distance; /* length 0: none */
};

struct matcher {
    const uint8_t *data;
    uint32_t length;
    int32_t *heads;    /* by hash: the last place with it, or -1 */
    int32_t *previous; /* by place modulo WINDOW: the place before it with the same hash, or -1 */
};

void open_matcher(struct matcher *matcher, const uint8_t *data, uint32_t length);
void close_matcher(struct matcher *matcher);
/* The longest of some matches of what begins at a place; of matches alike, the nearest. */
struct match find_match(const struct matcher *matcher, uint32_t at);
/* Makes a place one that can be found; all are made so in their order. */
void insert_place(struct matcher *matcher, uint32_t at);

#endif
