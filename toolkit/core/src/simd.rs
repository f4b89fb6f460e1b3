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
