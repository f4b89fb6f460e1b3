// Runs one kernel on the processor: its arrays come from the standard input, each behind its length in
// bytes, and the one that is asked for goes to the standard output.
// Arguments: the kernel, blocks, threads of a block, the array that is asked for, and the kernel's
// numbers. With -DHALF the numbers of arrays are f16.
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    unsigned int x;
} dimensions;
static dimensions blockIdx, blockDim, gridDim;
static _Thread_local dimensions threadIdx;
static pthread_barrier_t barrier;

#define KERNEL static void
#define DEVICE static inline
#define SHARED static
#define BARRIER() pthread_barrier_wait(&barrier)
#define ROLLED

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

#define OF_SUMS
#define OF_ADD
#define OF_SUB
#define OF_MUL
#define OF_DIV
#define OF_SHAPES
#define OF_TWO
#define OF_REST

#include "gradients.cu"
#include "operations.cu"

static const char *name;
static double numbers[8];
static struct {
    void *memory;
    size_t bytes;
} arrays[8];

// The i-th number as a length, as one of f32, and the i-th array, which is not there if it has no bytes.
#define N(i) ((size_t)numbers[i])
#define F(i) ((float)numbers[i])
#define A(i) (arrays[i].memory)
#define IS(kernel) (strcmp(name, #kernel) == 0)

static void call(void) {
    nothing op = {0};
    if (IS(scale)) scale(N(0), A(0), F(1));
    else if (IS(clamp)) clamp(N(0), A(0), F(1));
    else if (IS(add_scaled)) add_scaled(N(0), A(0), A(1), F(1));
    else if (IS(add_widened)) add_widened(N(0), A(0), A(1), F(1));
    else if (IS(add_narrowed)) add_narrowed(N(0), A(0), A(1));
    else if (IS(statistics)) statistics(N(0), A(0), A(1));
    else if (IS(fold)) fold(N(0), A(0), A(1));
    else if (IS(sum_to_fwd)) SUM_FORWARD(N(0), N(1), NARROW(F(2)), N(3), A(0), A(1), A(2));
    else if (IS(sum_to_bwd)) NAMED(sum_to_bwd)(N(0), N(1), NARROW(F(2)), A(0), A(1), A(2));
#define OPERATION(of)                                                          \
    else if (IS(b##of##_fwd))                                                  \
        NAMED(b##of##_fwd)(op, N(0), N(1), A(0), A(1), A(2), A(3));            \
    else if (IS(b##of##_bwd_lhs))                                              \
        NAMED(b##of##_bwd_lhs)(op, N(0), N(1), A(0), A(1), A(3), N(2), A(2), A(4)); \
    else if (IS(b##of##_bwd_rhs))                                              \
        NAMED(b##of##_bwd_rhs)(op, N(0), N(1), A(0), A(1), A(2), A(3), N(2), A(4));
    OPERATION(add)
    OPERATION(sub)
    OPERATION(mul)
    OPERATION(div)
    else if (IS(reshape_fwd)) reshape_fwd(N(0), N(1), N(2), A(0), A(1), A(2));
    else if (IS(reshape_bwd)) reshape_bwd(N(0), N(1), N(2), A(0), A(1), A(2));
    else if (IS(fwd)) fwd(A(0), A(1), A(2), A(3));
    else if (IS(bwd)) bwd(A(0), A(1), A(2), A(3));
    else if (IS(stack_bwd)) stack_bwd(N(0), A(0), A(1));
    else if (IS(kernel)) kernel(N(0), A(0), A(1));
    else if (IS(give_back)) give_back(N(0), N(1), N(2), N(3), A(0), A(1), A(2), A(3));
    else exit(3);
}

static void *thread(void *number) {
    threadIdx.x = (unsigned int)(uintptr_t)number;
    call();
    return NULL;
}

// Those which wait for each other need threads; for the others one after the other does.
static void run_block(void) {
    if (strcmp(name, "sum_to_fwd") != 0 && strstr(name, "_bwd_lhs") == NULL &&
        strstr(name, "_bwd_rhs") == NULL) {
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x += 1) call();
        return;
    }
    pthread_t threads[THREADS];
    if (blockDim.x != THREADS || pthread_barrier_init(&barrier, NULL, THREADS) != 0) exit(4);
    for (uintptr_t i = 0; i < THREADS; i += 1)
        if (pthread_create(&threads[i], NULL, thread, (void *)i) != 0) exit(4);
    for (size_t i = 0; i < THREADS; i += 1) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
}

int main(int count, char **arguments) {
    if (count < 5 || count > 13) return 2;
    name = arguments[1];
    gridDim.x = (unsigned int)atoi(arguments[2]);
    blockDim.x = (unsigned int)atoi(arguments[3]);
    const size_t asked = (size_t)atoi(arguments[4]);
    for (int i = 5; i < count; i += 1) numbers[i - 5] = strtod(arguments[i], NULL);
    uint64_t bytes;
    for (size_t i = 0; fread(&bytes, sizeof bytes, 1, stdin) == 1; i += 1) {
        if (i == 8) return 2;
        arrays[i].bytes = (size_t)bytes;
        arrays[i].memory = bytes == 0 ? NULL : malloc((size_t)bytes);
        if (fread(arrays[i].memory, 1, (size_t)bytes, stdin) != bytes) return 2;
    }
    for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x += 1) run_block();
    return fwrite(A(asked), 1, arrays[asked].bytes, stdout) == arrays[asked].bytes ? 0 : 2;
}
