/* A search tree of n random keys, and the sum of each key times its place in their order: pointers that are followed,
   recursion, and memory that grows when it is full, which only the largest tree of an instance so far can bring about. */
#include "kernel.h"

#define PAGE 65536u

struct node {
    uint32_t key;
    struct node *left, *right;
};

extern unsigned char __heap_base; /* where the linker says that free memory begins */

static struct node *free_node;

static struct node *new_node(uint32_t key) {
    struct node *node = free_node++;
    if ((uintptr_t)free_node > __builtin_wasm_memory_size(0) * PAGE)
        require(__builtin_wasm_memory_grow(0, 1) != (size_t)-1);
    node->key = key;
    node->left = node->right = NULL;
    return node;
}

static void insert(struct node *node, uint32_t key) {
    for (;;) {
        struct node **next = key < node->key ? &node->left : &node->right;
        if (!*next) {
            *next = new_node(key);
            return;
        }
        node = *next;
    }
}

struct total {
    uint32_t place;
    uint64_t sum;
};

static void add_up(const struct node *node, struct total *total) {
    while (node) {
        add_up(node->left, total);
        total->place++;
        total->sum += (uint64_t)node->key * total->place;
        node = node->right;
    }
}

KERNEL uint64_t run(uint32_t n) {
    require(n >= 1);
    uint32_t state = 7;
    free_node = (struct node *)&__heap_base;
    struct node *root = new_node(next_random(&state));
    for (uint32_t i = 1; i < n; i++) insert(root, next_random(&state));
    struct total total = {0, 0};
    add_up(root, &total);
    return total.sum;
}
