/* Data that looks like what is compressed. */
#ifndef TEXT_H
#define TEXT_H

#include "memory.h"

/* Writes `length` bytes: sentences, tables of numbers, and noise. */
void write_text(uint8_t *data, uint32_t length);

#endif
