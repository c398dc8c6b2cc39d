/* Counts what a program takes from malloc and its kin: preload it, and the last line on stderr is the number. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_ulong count;
/* dlsym itself takes memory before it has found who gives it. */
static char first[4096];
static size_t first_used;

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

void *malloc(size_t size) {
    REAL(void *, malloc, size_t);
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return real(size);
}

void *calloc(size_t number, size_t size) {
    static void *(*real)(size_t, size_t);
    static int searching;
    if (!real) {
        if (searching) {
            void *place = first + first_used;
            first_used += (number * size + 15) & ~(size_t)15;
            return first_used <= sizeof first ? place : NULL;
        }
        searching = 1;
        real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    }
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return real(number, size);
}

void *realloc(void *old, size_t size) {
    REAL(void *, realloc, void *, size_t);
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return real(old, size);
}

int posix_memalign(void **place, size_t alignment, size_t size) {
    REAL(int, posix_memalign, void **, size_t, size_t);
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return real(place, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    REAL(void *, aligned_alloc, size_t, size_t);
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return real(alignment, size);
}

void free(void *place) {
    REAL(void, free, void *);
    if ((char *)place < first || (char *)place >= first + sizeof first) real(place);
}

__attribute__((destructor)) static void tell(void) {
    fprintf(stderr, "allocations: %lu\n", atomic_load(&count));
}
