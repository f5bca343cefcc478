/* What all kernels share. There is no C library: only what the compiler itself brings. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* The one function of a kernel, which the module exports as `run`. */
#define KERNEL __attribute__((export_name("run")))

/* A call that stays a call: neither inlined nor turned into a loop. */
#define CALL __attribute__((noinline, disable_tail_calls))

/* Traps if n is not what the kernel has memory for. */
static inline void require(int condition) {
    if (!condition) __builtin_trap();
}

/* The next of a sequence of numbers that look like chance: a linear congruential generator modulo 2**32. */
static inline uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state;
}

/* Byte i of the message that is copied and hashed. */
static inline uint8_t message_byte(uint32_t i) { return (uint8_t)(i * 7 + 3); }

static inline uint32_t rotl32(uint32_t x, uint32_t by) { return x << (by & 31) | x >> (-by & 31); }
static inline uint32_t rotr32(uint32_t x, uint32_t by) { return x >> (by & 31) | x << (-by & 31); }
static inline uint64_t rotr64(uint64_t x, uint32_t by) { return x >> (by & 63) | x << (-by & 63); }

#endif
