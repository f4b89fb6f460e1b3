//! The widest instructions that the processor has, chosen while the program runs: it is compiled
//! for processors of every age.

/// Runs `f`, compiled also for AVX2. What `f` does to numbers beside each other is then done to
/// eight at a time, not four; each is computed as before, so the bits are the same.
///
/// `f` must be `#[inline(always)]`, and so must what it calls: only what becomes part of this
/// function is compiled for AVX2.
#[inline(always)]
pub fn wide<R>(f: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(f)
}

/// The square of the Euclidean distance between two points. It is summed in eight parts, so that
/// the bits are the same on every processor.
///
/// ```
/// assert_eq!(trainbook_core::simd::squared_distance(&[1.0, 2.0], &[4.0, -2.0]), 25.0);
/// ```
pub fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    wide(
        #[inline(always)]
        || {
            let (a, last_of_a) = a.as_chunks::<8>();
            let (b, last_of_b) = b.as_chunks::<8>();
            let mut sums = [0.0; 8];
            for (x, y) in a.iter().zip(b) {
                for lane in 0..8 {
                    sums[lane] += (x[lane] - y[lane]) * (x[lane] - y[lane]);
                }
            }
            for (sum, (x, y)) in sums.iter_mut().zip(last_of_a.iter().zip(last_of_b)) {
                *sum += (x - y) * (x - y);
            }
            let [a, b, c, d, e, f, g, h] = sums;
            ((a + e) + (c + g)) + ((b + f) + (d + h))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::squared_distance;

    #[test]
    fn every_coordinate_counts_once() {
        for len in 0..40 {
            let a: Vec<f32> = (0..len).map(|at| at as f32).collect();
            for at in 0..len {
                let mut b = a.clone();
                b[at] += 1.0 + at as f32;
                assert_eq!(squared_distance(&a, &b), (1.0 + at as f32).powi(2), "{at} of {len}");
            }
            let origin = vec![0.0; len];
            let squares: f32 = a.iter().map(|x| x * x).sum();
            assert_eq!(squared_distance(&a, &origin), squares);
        }
    }

    #[test]
    fn eight_parts_are_summed_each_in_its_order() {
        let large = 2.0_f32.powi(24);
        let at = |places: &[(usize, f32)]| {
            let mut point = vec![0.0; 24];
            places.iter().for_each(|(at, square)| point[*at] = square.sqrt());
            squared_distance(&point, &[0.0; 24])
        };
        // Behind a large square of its part a small one is lost; two in another part are not.
        assert_eq!(at(&[(0, large), (8, 1.0), (16, 1.0)]), large);
        assert_eq!(at(&[(0, large), (9, 1.0), (17, 1.0)]), large + 2.0);
    }
}
