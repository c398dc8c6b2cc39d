#ifndef LAPSE_ALLOCATION_COUNT_H
#define LAPSE_ALLOCATION_COUNT_H

#include <stdint.h>

/// How often the calling thread has asked for memory so far: in Swift, in C, in the libraries.
uint64_t lapse_allocation_count(void);

#endif
