/* An interpreter inside the interpreter: a register machine of twelve operations, a `br_table` in a loop. Its program
   mixes the primes up to n, which it finds by division, into one number. */
#include "kernel.h"

enum operation { STOP, LOAD, MOVE, INCREMENT, ADD, MULTIPLY, REMAINDER, SHIFT, XOR, GO, LESS, ZERO };
enum register_name { LIMIT, NUMBER, DIVISOR, SQUARE, REST, MIX, REGISTERS };
enum label { NEXT = 2, TRY = 4, PRIME = 10, COUNT = 14, END = 16 };

struct instruction {
    uint8_t operation;
    uint8_t target; /* a register or a label */
    uint8_t first;  /* a register or a number */
    uint8_t second;
};

static const struct instruction program[] = {
    {LOAD, NUMBER, 2},
    {LOAD, MIX, 0},
    /* NEXT */ {LESS, END, LIMIT, NUMBER},
    {LOAD, DIVISOR, 2},
    /* TRY */ {MULTIPLY, SQUARE, DIVISOR, DIVISOR},
    {LESS, PRIME, NUMBER, SQUARE},
    {REMAINDER, REST, NUMBER, DIVISOR},
    {ZERO, COUNT, REST},
    {INCREMENT, DIVISOR, 1},
    {GO, TRY},
    /* PRIME */ {MOVE, REST, NUMBER},
    {SHIFT, REST, 5},
    {XOR, MIX, MIX, REST},
    {ADD, MIX, MIX, NUMBER},
    /* COUNT */ {INCREMENT, NUMBER, 1},
    {GO, NEXT},
    /* END */ {STOP, MIX},
};

static uint32_t registers[REGISTERS];

static uint32_t interpret(const struct instruction *code) {
    uint32_t at = 0;
    for (;;) {
        struct instruction i = code[at++];
        switch (i.operation) {
        case STOP: return registers[i.target];
        case LOAD: registers[i.target] = i.first; break;
        case MOVE: registers[i.target] = registers[i.first]; break;
        case INCREMENT: registers[i.target] += i.first; break;
        case ADD: registers[i.target] = registers[i.first] + registers[i.second]; break;
        case MULTIPLY: registers[i.target] = registers[i.first] * registers[i.second]; break;
        case REMAINDER: registers[i.target] = registers[i.first] % registers[i.second]; break;
        case SHIFT: registers[i.target] <<= i.first & 31; break;
        case XOR: registers[i.target] = registers[i.first] ^ registers[i.second]; break;
        case GO: at = i.target; break;
        case LESS:
            if (registers[i.first] < registers[i.second]) at = i.target;
            break;
        case ZERO:
            if (registers[i.first] == 0) at = i.target;
            break;
        default: __builtin_trap();
        }
    }
}

KERNEL uint32_t run(uint32_t n) {
    registers[LIMIT] = n;
    return interpret(program);
}
