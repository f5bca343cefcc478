/* An allocator that takes the first block that is large enough, splits it, and joins blocks that are free again. */
#include "memory.h"

#define PAGE 65536u
#define ALIGNMENT 16u

struct block {
    size_t size; /* without this header */
    struct block *next, *previous; /* in the order of their addresses */
    uint32_t taken;
};

_Static_assert(sizeof(struct block) == ALIGNMENT, "what follows the header is aligned");

extern unsigned char __heap_base; /* where the linker says that free memory begins */

static struct block *first, *last;

static size_t rounded(size_t bytes) { return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

static uintptr_t end_of(const struct block *block) { return (uintptr_t)(block + 1) + block->size; }

/* A new block behind the last one. */
static struct block *append(size_t size) {
    struct block *block = (struct block *)(last ? end_of(last) : rounded((uintptr_t)&__heap_base));
    uintptr_t end = (uintptr_t)(block + 1) + size, memory = __builtin_wasm_memory_size(0) * PAGE;
    require(end > (uintptr_t)block);
    if (end > memory) require(__builtin_wasm_memory_grow(0, (end - memory + PAGE - 1) / PAGE) != (size_t)-1);
    *block = (struct block){.size = size, .previous = last};
    if (last)
        last->next = block;
    else
        first = block;
    last = block;
    return block;
}

/* Makes what a block has beyond `size` a block of its own, if that is worth it. */
static void split(struct block *block, size_t size) {
    if (block->size < size + sizeof(struct block) + ALIGNMENT) return;
    struct block *rest = (struct block *)((uintptr_t)(block + 1) + size);
    *rest = (struct block){.size = block->size - size - sizeof(struct block), .next = block->next, .previous = block};
    if (rest->next)
        rest->next->previous = rest;
    else
        last = rest;
    block->next = rest;
    block->size = size;
}

/* Makes a block and the next one a single one. */
static void join(struct block *block) {
    struct block *next = block->next;
    block->size += sizeof(struct block) + next->size;
    block->next = next->next;
    if (block->next)
        block->next->previous = block;
    else
        last = block;
}

void *allocate(size_t bytes) {
    size_t size = rounded(bytes);
    require(size >= bytes);
    struct block *block = first;
    while (block && (block->taken || block->size < size)) block = block->next;
    if (!block) block = append(size);
    split(block, size);
    block->taken = 1;
    return block + 1;
}

void release(void *place) {
    struct block *block = (struct block *)place - 1;
    require(block->taken == 1);
    block->taken = 0;
    if (block->next && !block->next->taken) join(block);
    if (block->previous && !block->previous->taken) join(block->previous);
}

int all_released(void) { return first == last && !(first && first->taken); }

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

int memcmp(const void *first_bytes, const void *second_bytes, size_t bytes) {
    const uint8_t *a = first_bytes, *b = second_bytes;
    for (; bytes; bytes--, a++, b++)
        if (*a != *b) return *a - *b;
    return 0;
}
