#ifndef LAPSE_ALLOCATION_COUNT_H
#define LAPSE_ALLOCATION_COUNT_H

#include <stdint.h>

/// How often this process has asked for memory so far, in all its threads: in Swift, in C, in the libraries.
uint64_t lapse_allocation_count(void);

#endif
