// In place of dfdx's kernels of the same names and parameters: what adds up numbers of many threads
// does it in an order that the lengths alone decide, where dfdx's adds them as they come. Besides,
// those which dfdx would compile where it runs, for which it looks for headers of CUDA; and the way
// back from what is looked up by a table.
//
// It is compiled once for each type of numbers, f16 where HALF is defined. Who includes it defines which
// parts it wants: the driver compiles again what dfdx looks for under several names. KERNEL, DEVICE,
// SHARED, BARRIER and ROLLED, for loops to be left as they are, are the language's; f16_to_f32 and
// f32_to_f16 work on the bits of a number of 16.
//
// As in dfdx's, elements are counted in 32 bits: 64 take several times as long to divide.

// `number`, the `other` type that there is, conversions between a number and float and from float to
// the other, and names of kernels that dfdx has for several types.
#ifdef HALF
typedef unsigned short number;
typedef float other;
#define WIDE(v) f16_to_f32(v)
#define NARROW(v) f32_to_f16(v)
#define OTHER(v) (v)
#define NAMED(name) name##_f16
#define SUM_FORWARD sum_to_fwd_amp_f16
#else
typedef float number;
typedef unsigned short other;
#define WIDE(v) (v)
#define NARROW(v) (v)
#define OTHER(v) f32_to_f16(v)
#define NAMED(name) name##_f32
#define SUM_FORWARD sum_to_fwd_f32
#endif

#define EVERY(i, n)                                                                     \
    for (unsigned int i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned int)(n); \
         i += blockDim.x * gridDim.x)

// Of a block, which is as large as all of dfdx's.
#define THREADS 128

// Where the element is that stands at `i` when these dimensions are gone through in order.
DEVICE unsigned int place(unsigned int i, size_t dims, const size_t *dim, const size_t *stride) {
    unsigned int at = 0;
    ROLLED for (size_t d = dims; d > 0; d -= 1) {
        unsigned int size = (unsigned int)dim[d - 1];
        at += i % size * (unsigned int)stride[d - 1];
        i /= size;
    }
    return at;
}

// Threads that share a sum of so many numbers.
DEVICE unsigned int team_for(unsigned int numbers) {
    unsigned int team = 1;
    while (team < THREADS && team * 8 < numbers) team *= 2;
    return team;
}

// Sums of n numbers, `many` that stand behind each other to each sum. TERM is the i-th number; STORE puts
// `sum` in its place `at`.
#define SUMS(n, many, TERM, STORE)                                                     \
    SHARED float parts[THREADS];                                                       \
    const unsigned int length = (unsigned int)(many), ends = (unsigned int)(n) / length; \
    const unsigned int team = team_for(length), teams = THREADS / team;                \
    const unsigned int mate = threadIdx.x % team;                                      \
    ROLLED for (unsigned int first = blockIdx.x * teams; first < ends;                 \
                first += gridDim.x * teams) {                                          \
        const unsigned int at = first + threadIdx.x / team;                            \
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};                                      \
        if (at < ends) {                                                               \
            unsigned int k = mate;                                                     \
            ROLLED for (; k + 3 * team < length; k += 4 * team)                        \
                for (unsigned int part = 0; part < 4; part += 1) {                     \
                    const unsigned int i = at * length + k + part * team;              \
                    sums[part] += TERM;                                                \
                }                                                                      \
            ROLLED for (; k < length; k += team) {                                     \
                const unsigned int i = at * length + k;                                \
                sums[0] += TERM;                                                       \
            }                                                                          \
        }                                                                              \
        float sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);                         \
        if (team > 1) {                                                                \
            parts[threadIdx.x] = sum;                                                  \
            ROLLED for (unsigned int half = team / 2; half > 0; half /= 2) {           \
                BARRIER();                                                             \
                if (mate < half) parts[threadIdx.x] += parts[threadIdx.x + half];      \
            }                                                                          \
            sum = parts[threadIdx.x];                                                  \
            BARRIER();                                                                 \
        }                                                                              \
        if (mate == 0 && at < ends) STORE;                                             \
    }

#ifdef OF_SUMS
// out ← Σ x, where `info` has the dimensions and strides in which what is added up stands together;
// `times` is how often each stands for what is broadcast.
KERNEL SUM_FORWARD(size_t n, size_t dims, number times, size_t many, const size_t *info,
                   const number *x, number *out) {
    const float weight = WIDE(times);
    SUMS(n, many, WIDE(x[place(i, dims, info, info + dims)]) * weight, out[at] = NARROW(sum))
}

// The way back: dx ← dx + times · dy, with the dimensions, and x's and y's strides.
KERNEL NAMED(sum_to_bwd)(size_t n, size_t dims, number times, const size_t *info, number *dx,
                         const number *dy) {
    const size_t *dim = info, *of_x = info + dims, *of_y = info + 2 * dims;
    const float weight = WIDE(times);
    EVERY(i, n) {
        // y has in memory what x has of the axes that are kept, one behind the other.
        unsigned int at = 0, whole = 1;
        ROLLED for (size_t d = dims; d > 0; d -= 1)
            if (of_x[d - 1] != 0 && of_y[d - 1] != 0) {
                const unsigned int size = (unsigned int)dim[d - 1];
                at += i / (unsigned int)of_x[d - 1] % size * whole;
                whole *= size;
            }
        dx[i] = NARROW(WIDE(dx[i]) + WIDE(dy[at]) * weight);
    }
}
#endif

// An operation on two tensors of one shape, either of which may be broadcast. `nothing` is what dfdx
// hands over as the operation; where it hands over no tensor, that is where the result stands.
//
// On the way back, what is behind each other in the order of `info` belongs to one element of the
// tensor whose gradient it is. There are no tensors where an operation needs none.
typedef struct {
    char none;
} nothing;

#define BINARY(NAME, VALUE, BY_X, BY_Y)                                                        \
    KERNEL NAMED(b##NAME##_fwd)(nothing op, size_t n, size_t dims, const size_t *info,         \
                                const number *lhs, const number *rhs, number *out) {           \
        (void)op;                                                                              \
        EVERY(i, n) {                                                                          \
            const float x = WIDE(lhs ? lhs[place(i, dims, info, info + dims)] : out[i]);       \
            const float y = WIDE(rhs ? rhs[place(i, dims, info, info + 2 * dims)] : out[i]);   \
            out[i] = NARROW(VALUE);                                                            \
        }                                                                                      \
    }                                                                                          \
    DEVICE float NAMED(NAME##_by_x)(float x, float y) {                                        \
        (void)x, (void)y;                                                                      \
        return BY_X;                                                                           \
    }                                                                                          \
    DEVICE float NAMED(NAME##_by_y)(float x, float y) {                                        \
        (void)x, (void)y;                                                                      \
        return BY_Y;                                                                           \
    }                                                                                          \
    KERNEL NAMED(b##NAME##_bwd_lhs)(nothing op, size_t n, size_t dims, const size_t *info,     \
                                    const number *lhs, number *dx, size_t many,                \
                                    const number *rhs, const number *dout) {                   \
        (void)op;                                                                              \
        const size_t *of_out = info + dims, *of_y = info + 2 * dims;                           \
        SUMS(n, many,                                                                          \
             NAMED(NAME##_by_x)(lhs ? WIDE(lhs[at]) : 0.0f,                                    \
                                rhs ? WIDE(rhs[place(i, dims, info, of_y)]) : 0.0f) *          \
                 WIDE(dout[place(i, dims, info, of_out)]),                                     \
             dx[at] = NARROW(WIDE(dx[at]) + sum))                                              \
    }                                                                                          \
    KERNEL NAMED(b##NAME##_bwd_rhs)(nothing op, size_t n, size_t dims, const size_t *all,      \
                                    const number *lhs, const number *rhs, number *dy,          \
                                    size_t many, const number *dout) {                         \
        (void)op;                                                                              \
        const size_t *info = all + 3 * dims, *of_out = info + dims, *of_x = info + 2 * dims;   \
        SUMS(n, many,                                                                          \
             NAMED(NAME##_by_y)(lhs ? WIDE(lhs[place(i, dims, info, of_x)]) : 0.0f,            \
                                rhs ? WIDE(rhs[at]) : 0.0f) *                                  \
                 WIDE(dout[place(i, dims, info, of_out)]),                                     \
             dy[at] = NARROW(WIDE(dy[at]) + sum))                                              \
    }

#ifdef OF_ADD
BINARY(add, x + y, 1.0f, 1.0f)
#endif
#ifdef OF_SUB
BINARY(sub, x - y, 1.0f, -1.0f)
#endif
#ifdef OF_MUL
BINARY(mul, x * y, y, x)
#endif
#ifdef OF_DIV
BINARY(div, x / y, 1.0f / y, -x / (y * y))
#endif

#if defined(OF_SHAPES) || defined(OF_TWO)
// What the i-th element that a tensor has in memory gets back: the sum of the gradients of all that it
// stands for, in order, several where it is broadcast. They are the tensor's elements in order, with so
// many of another in front of them along one axis, and behind.
DEVICE float of_uses(unsigned int i, size_t dims, const size_t *dim, const size_t *stride,
                     size_t axis, unsigned int front, unsigned int behind, const number *dout) {
    unsigned int times = 1;
    ROLLED for (size_t d = 0; d < dims; d += 1)
        if (stride[d] == 0) times *= (unsigned int)dim[d];
    float sum = 0.0f;
    ROLLED for (unsigned int k = 0; k < times; k += 1) {
        unsigned int at = 0, whole = 1, rest = k;
        ROLLED for (size_t d = dims; d > 0; d -= 1) {
            const unsigned int size = (unsigned int)dim[d - 1], step = (unsigned int)stride[d - 1];
            const unsigned int along = step == 0 ? rest % size : i / step % size;
            if (step == 0) rest /= size;
            at += (along + (d - 1 == axis ? front : 0)) * whole;
            whole *= size + (d - 1 == axis ? front + behind : 0);
        }
        sum += WIDE(dout[at]);
    }
    return sum;
}

// How many elements a tensor has in memory.
DEVICE unsigned int held(size_t dims, const size_t *dim, const size_t *stride) {
    unsigned int count = 1;
    ROLLED for (size_t d = 0; d < dims; d += 1)
        if (stride[d] != 0) count *= (unsigned int)dim[d];
    return count;
}
#endif

#ifdef OF_SHAPES
// The same elements in order, in another shape.
KERNEL reshape_fwd(size_t n, size_t x_dims, size_t dims, const size_t *info, const number *x,
                   number *out) {
    const size_t *shape = info + 2 * x_dims;
    EVERY(i, n)
    out[place(i, dims, shape, shape + dims)] = x[place(i, x_dims, info, info + x_dims)];
}

KERNEL reshape_bwd(size_t n, size_t x_dims, size_t dims, const size_t *info, number *dx,
                   const number *dout) {
    (void)dims;
    const size_t *stride = info + x_dims;
    EVERY(i, n) dx[i] = NARROW(WIDE(dx[i]) + of_uses(i, x_dims, info, stride, x_dims, 0, 0, dout));
}
#endif

#ifdef OF_TWO
// Two tensors behind each other along an axis. `info`: the length of the result, dimensions, the axis,
// and the dimensions and strides of each.
KERNEL fwd(const size_t *info, const number *x, const number *y, number *out) {
    const size_t dims = info[1], axis = info[2];
    const size_t *a = info + 3, *of_a = a + dims, *b = of_a + dims, *of_b = b + dims;
    EVERY(i, info[0]) {
        unsigned int rest = i, in_a = 0, in_b = 0, from_b = 0;
        ROLLED for (size_t d = dims; d > 0; d -= 1) {
            const unsigned int left = (unsigned int)a[d - 1];
            const unsigned int right = d - 1 == axis ? (unsigned int)b[d - 1] : 0;
            unsigned int along = rest % (left + right);
            rest /= left + right;
            in_a += along * (unsigned int)of_a[d - 1];
            if (right > 0 && along >= left) {
                from_b = 1;
                along -= left;
            }
            in_b += along * (unsigned int)of_b[d - 1];
        }
        out[i] = from_b ? y[in_b] : x[in_a];
    }
}

// The way back.
KERNEL bwd(const size_t *info, number *dx, number *dy, const number *dout) {
    const size_t dims = info[1], axis = info[2];
    const size_t *a = info + 3, *of_a = a + dims, *b = of_a + dims, *of_b = b + dims;
    const unsigned int left = held(dims, a, of_a), right = held(dims, b, of_b);
    const unsigned int front = (unsigned int)a[axis], behind = (unsigned int)b[axis];
    EVERY(i, left) dx[i] = NARROW(WIDE(dx[i]) + of_uses(i, dims, a, of_a, axis, 0, behind, dout));
    EVERY(i, right) dy[i] = NARROW(WIDE(dy[i]) + of_uses(i, dims, b, of_b, axis, front, 0, dout));
}
#endif

#ifdef OF_REST
// sum ← sum + x: the way back from tensors that were stacked.
KERNEL stack_bwd(size_t n, const number *x, number *sum) {
    EVERY(i, n) sum[i] = NARROW(WIDE(sum[i]) + WIDE(x[i]));
}

// Numbers as those of the other type.
KERNEL kernel(size_t n, const number *x, other *out) {
    EVERY(i, n) out[i] = OTHER(WIDE(x[i]));
}

// The way back from elements that a table named: the k-th of `source` was taken for the places
// `places[starts[k]..starts[k + 1]]` of `taken`. There are `n / (source · inner)` such sources behind each
// other, and of what is taken an element is `inner` numbers.
KERNEL give_back(size_t n, size_t source, size_t taken, size_t inner, const size_t *starts,
                 const size_t *places, number *dx, const number *dy) {
    EVERY(i, n) {
        const unsigned int wide = (unsigned int)inner, sources = (unsigned int)source;
        const unsigned int k = i / wide % sources, block = i / wide / sources;
        float sum = 0.0f;
        ROLLED for (size_t at = starts[k]; at < starts[k + 1]; at += 1)
            sum += WIDE(dy[(block * taken + places[at]) * inner + i % wide]);
        dx[i] = NARROW(WIDE(dx[i]) + sum);
    }
}
#endif
