/* Memory that is taken and given back. */
#ifndef MEMORY_H
#define MEMORY_H

#include "../kernel.h"

/* At least so many bytes, aligned to 16; traps if the linear memory cannot grow enough. */
void *allocate(size_t bytes);

/* Gives back what `allocate` gave. */
void release(void *place);

/* Whether everything was given back. */
int all_released(void);

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *first, const void *second, size_t bytes);

#endif
