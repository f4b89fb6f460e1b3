// Runs one kernel of `kernels.cu` on the processor, thread after thread: its arrays come from the
// standard input, the one that it writes goes to the standard output.
// Arguments: the kernel, blocks, threads of a block, numbers, and what it is told besides.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    unsigned int x;
} dimensions;
static dimensions blockIdx, blockDim, gridDim, threadIdx;

#define KERNEL static void

static float f16_to_f32(unsigned short bits) {
    _Float16 half;
    memcpy(&half, &bits, sizeof half);
    return (float)half;
}

static unsigned short f32_to_f16(float wide) {
    _Float16 half = (_Float16)wide;
    unsigned short bits;
    memcpy(&bits, &half, sizeof bits);
    return bits;
}

#include "kernels.cu"

#define LAUNCH(blocks, threads, call)                                        \
    for (gridDim.x = (blocks), blockDim.x = (threads), blockIdx.x = 0;       \
         blockIdx.x < gridDim.x; blockIdx.x += 1)                            \
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x += 1) call

static void *array(size_t bytes) {
    void *memory = calloc(1, bytes + 1);
    if (memory == NULL || fread(memory, 1, bytes, stdin) != bytes) exit(2);
    return memory;
}

int main(int count, char **arguments) {
    if (count != 6) return 2;
    const char *name = arguments[1];
    unsigned int blocks = (unsigned int)atoi(arguments[2]), threads = (unsigned int)atoi(arguments[3]);
    size_t n = (size_t)atoll(arguments[4]);
    float by = strtof(arguments[5], NULL);
    void *into = array(n * (strcmp(name, "add_narrowed") == 0 ? 2 : 4));
    size_t written = n * 4;
    if (strcmp(name, "scale") == 0) {
        LAUNCH(blocks, threads, scale(n, into, by));
    } else if (strcmp(name, "clamp") == 0) {
        LAUNCH(blocks, threads, clamp(n, into, by));
    } else if (strcmp(name, "add_scaled") == 0) {
        float *x = array(n * 4);
        LAUNCH(blocks, threads, add_scaled(n, into, x, by));
    } else if (strcmp(name, "add_widened") == 0) {
        unsigned short *x = array(n * 2);
        LAUNCH(blocks, threads, add_widened(n, into, x, by));
    } else if (strcmp(name, "add_narrowed") == 0) {
        float *x = array(n * 4);
        LAUNCH(blocks, threads, add_narrowed(n, into, x));
        written = n * 2;
    } else if (strcmp(name, "statistics") == 0) {
        size_t many = (size_t)blocks * threads, few = 32;
        double *rows = calloc(many, 40), *fewer = calloc(few, 40);
        LAUNCH(blocks, threads, statistics(n, into, rows));
        LAUNCH(1, (unsigned int)few, fold(many, rows, fewer));
        return fwrite(fewer, 40, few, stdout) == few ? 0 : 2;
    } else {
        return 2;
    }
    return fwrite(into, 1, written, stdout) == written ? 0 : 2;
}
