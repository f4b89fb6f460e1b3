// What gradients go through on a CUDA device: one pass over the device's memory for each, in a fixed
// order, so that the same gradients give the same bits. Compiled where the device is, without headers
// of CUDA; `program.rs` compiles the same text with the machine's C compiler. Who includes
// it defines KERNEL, and f16_to_f32 and f32_to_f16 on the bits of a number of 16 bits.

#define EACH(i, n)                                                      \
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); \
         i += (size_t)blockDim.x * gridDim.x)

// x ← factor · x
KERNEL scale(size_t n, float *x, float factor) {
    EACH(i, n) x[i] *= factor;
}

// x ← min(max(x, −limit), limit); NaN stays NaN
KERNEL clamp(size_t n, float *x, float limit) {
    EACH(i, n) {
        float v = x[i];
        if (v > limit) x[i] = limit;
        if (v < -limit) x[i] = -limit;
    }
}

// One row of five for each thread: the sum of squares of what it has seen, its largest absolute value,
// and how many zeros, NaN and infinities there were.
KERNEL statistics(size_t n, const float *x, double *rows) {
    double squares = 0.0, largest = 0.0, zeros = 0.0, nans = 0.0, infinities = 0.0;
    EACH(i, n) {
        double v = (double)x[i], size = v < 0.0 ? -v : v;
        squares += v * v;
        if (size > largest) largest = size;
        if (v == 0.0) zeros += 1.0;
        if (v != v) nans += 1.0;
        // The largest of f32
        if (size > 3.4028234663852886e38) infinities += 1.0;
    }
    double *row = rows + 5 * ((size_t)blockIdx.x * blockDim.x + threadIdx.x);
    row[0] = squares;
    row[1] = largest;
    row[2] = zeros;
    row[3] = nans;
    row[4] = infinities;
}

// Makes fewer rows of many: one for each thread, of every row that many further on.
KERNEL fold(size_t many, const double *rows, double *fewer) {
    size_t thread = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    double *into = fewer + 5 * thread;
    for (int k = 0; k < 5; k += 1) into[k] = 0.0;
    EACH(at, many) {
        const double *row = rows + 5 * at;
        into[0] += row[0];
        if (row[1] > into[1]) into[1] = row[1];
        for (int k = 2; k < 5; k += 1) into[k] += row[k];
    }
}

// sum ← sum + factor · x
KERNEL add_scaled(size_t n, float *sum, const float *x, float factor) {
    EACH(i, n) sum[i] += x[i] * factor;
}

// sum ← sum + factor · x, of an x of 16 bits
KERNEL add_widened(size_t n, float *sum, const unsigned short *x, float factor) {
    EACH(i, n) sum[i] += f16_to_f32(x[i]) * factor;
}

// sum ← sum + x, in a sum of 16 bits
KERNEL add_narrowed(size_t n, unsigned short *sum, const float *x) {
    EACH(i, n) sum[i] = f32_to_f16(f16_to_f32(sum[i]) + x[i]);
}
