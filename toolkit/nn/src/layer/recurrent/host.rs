//! A sequence on the processor's memory.

use rayon::prelude::*;

use super::cell::{Cell, Step};
use super::{Options, TENSORS};
use crate::host::{HostPass, HostTensor, Matrix, gemm};
use crate::layer::Fault;

/// Operations of one step from which on its samples are divided among threads.
const WORTH: usize = 1 << 15;

/// Samples of one share; depends on sizes alone.
fn share<C: Cell>(batch: usize, hidden: usize) -> usize {
    let cost = C::FLOPS * hidden;
    if batch * cost < WORTH { batch } else { (WORTH / 4 / cost.max(1)).max(1) }
}

/// Between `[batch, steps, width]` and `[steps, batch, width]`.
fn turn(from: &[f32], into: &mut [f32], outer: usize, inner: usize, width: usize) {
    for i in 0..outer {
        for j in 0..inner {
            into[(j * outer + i) * width..][..width]
                .copy_from_slice(&from[(i * inner + j) * width..][..width]);
        }
    }
}

/// What a sequence is on the way: its sizes.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    steps: usize,
    features: usize,
    hidden: usize,
    rows: usize,
}

impl Sizes {
    fn new<C: Cell>(options: Options, shape: &[usize]) -> Result<Self, Fault> {
        match *shape {
            [batch, steps, features] => {
                let hidden = options.hidden;
                Ok(Self { batch, steps, features, hidden, rows: C::GATES * hidden })
            }
            _ => Err(Fault::new("it takes [sequence, features]")),
        }
    }

    /// The steps in the order of a direction.
    fn order(self, direction: usize) -> Box<dyn DoubleEndedIterator<Item = usize>> {
        if direction == 0 { Box::new(0..self.steps) } else { Box::new((0..self.steps).rev()) }
    }

    /// Which step is before this one.
    fn before(self, step: usize, direction: usize) -> Option<usize> {
        if direction == 0 {
            step.checked_sub(1)
        } else {
            Some(step + 1).filter(|i| *i < self.steps)
        }
    }
}

pub(super) fn forward<C: Cell>(
    options: Options,
    pass: &mut HostPass<'_>,
    x: HostTensor,
) -> Result<HostTensor, Fault> {
    let sizes = Sizes::new::<C>(options, &x.shape)?;
    let Sizes { batch, steps, features, hidden, rows } = sizes;
    let directions = options.directions();
    let width = directions * hidden;
    let (block, all) = (batch * hidden, batch * steps);
    let mut inputs = pass.memory(all * features);
    turn(x.numbers(), &mut inputs, batch, steps, features);
    pass.free(x);
    let sequences = options.sequences;
    let mut y = pass.memory(if sequences { all * width } else { batch * width });
    let nothing = pass.zeros(block);
    for direction in 0..directions {
        let first = TENSORS * direction;
        let mut gates = pass.memory(all * rows);
        let bias = pass.parameter(first + 2);
        gates.chunks_exact_mut(rows).for_each(|row| row.copy_from_slice(bias));
        let weight = Matrix::new(pass.parameter(first), rows, features);
        gemm(Matrix::new(&inputs, all, features), weight.t(), &mut gates, true);
        let weight = Matrix::new(pass.parameter(first + 1), rows, hidden);
        let bias = pass.parameter(first + 3);
        let mut noted = pass.memory(all * hidden);
        let mut states = pass.memory(all * hidden);
        let mut sums = pass.memory(batch * rows);
        for step in sizes.order(direction) {
            let before = sizes.before(step, direction);
            let (state_before, state) = two(&mut states, before, step, block, &nothing);
            let (noted_before, noted) = two(&mut noted, before, step, block, &nothing);
            sums.chunks_exact_mut(rows).for_each(|row| row.copy_from_slice(bias));
            if before.is_some() {
                gemm(Matrix::new(state_before, batch, hidden), weight.t(), &mut sums, true);
            }
            let gates = &mut gates[step * batch * rows..][..batch * rows];
            let share = share::<C>(batch, hidden);
            // One share is the whole step where it is not worth more.
            gates
                .par_chunks_mut(share * rows)
                .zip(noted.par_chunks_mut(share * hidden))
                .zip(state.par_chunks_mut(share * hidden))
                .enumerate()
                .for_each(|(i, ((gates, noted), state))| {
                    let samples = gates
                        .chunks_exact_mut(rows)
                        .zip(noted.chunks_exact_mut(hidden))
                        .zip(state.chunks_exact_mut(hidden));
                    for (j, ((gates, noted), state)) in samples.enumerate() {
                        let sample = i * share + j;
                        let at = sample * hidden..(sample + 1) * hidden;
                        C::step(
                            gates,
                            &sums[sample * rows..][..rows],
                            &state_before[at.clone()],
                            &noted_before[at],
                            noted,
                            state,
                        );
                    }
                });
            pass.round(state);
        }
        let last = if direction == 0 { steps - 1 } else { 0 };
        for (sample, into) in y.chunks_exact_mut(y_row(sequences, steps) * width).enumerate() {
            for (i, into) in into.chunks_exact_mut(width).enumerate() {
                let step = if sequences { i } else { last };
                into[direction * hidden..][..hidden]
                    .copy_from_slice(&states[step * block + sample * hidden..][..hidden]);
            }
        }
        pass.free_memory(sums);
        for (values, width) in [(gates, rows), (noted, hidden), (states, hidden)] {
            pass.save(HostTensor::new(vec![steps, batch, width], values));
        }
    }
    pass.free_memory(nothing);
    pass.save(HostTensor::new(vec![steps, batch, features], inputs));
    let shape = if sequences { vec![batch, steps, width] } else { vec![batch, width] };
    Ok(HostTensor::new(shape, y))
}

/// How many rows of the output a sample has.
fn y_row(sequences: bool, steps: usize) -> usize {
    if sequences { steps } else { 1 }
}

/// The block of the step before, or nothing where there is none, and that of this step.
fn two<'a>(
    values: &'a mut [f32],
    before: Option<usize>,
    step: usize,
    block: usize,
    nothing: &'a [f32],
) -> (&'a [f32], &'a mut [f32]) {
    match before {
        None => (nothing, &mut values[step * block..][..block]),
        Some(before) if before < step => {
            let (early, late) = values.split_at_mut(step * block);
            (&early[before * block..][..block], &mut late[..block])
        }
        Some(before) => {
            let (early, late) = values.split_at_mut(before * block);
            (&late[..block], &mut early[step * block..][..block])
        }
    }
}

pub(super) fn backward<C: Cell>(
    options: Options,
    pass: &mut HostPass<'_>,
    gradient: HostTensor,
) -> Result<HostTensor, Fault> {
    let inputs = pass.saved()?;
    let [steps, batch, features] = inputs.shape[..] else {
        return Err(Fault::new("its backward takes up what its forward did not put aside"));
    };
    let sizes = Sizes::new::<C>(options, &[batch, steps, features])?;
    let Sizes { hidden, rows, .. } = sizes;
    let (directions, sequences) = (options.directions(), options.sequences);
    let width = directions * hidden;
    let (block, all) = (batch * hidden, batch * steps);
    let nothing = pass.zeros(block);
    let wanted = pass.wants_input_gradient();
    let mut dx = pass.memory(if wanted { all * features } else { 0 });
    for direction in (0..directions).rev() {
        let first = TENSORS * direction;
        let (states, noted, gates) = (pass.saved()?, pass.saved()?, pass.saved()?);
        let mut input_sums = pass.memory(all * rows);
        let mut recurrent_sums = pass.memory(if C::ONE_GRADIENT { 0 } else { all * rows });
        let recurrent = Matrix::new(pass.parameter(first + 1), rows, hidden);
        let mut dh = pass.zeros(block);
        let mut carried = pass.zeros(block);
        let share = share::<C>(batch, hidden);
        let last = if direction == 0 { steps - 1 } else { 0 };
        for step in sizes.order(direction).rev() {
            let from = gradient.numbers();
            if sequences || step == last {
                let row = if sequences { step } else { 0 };
                for (sample, dh) in dh.chunks_exact_mut(hidden).enumerate() {
                    let at = (sample * y_row(sequences, steps) + row) * width + direction * hidden;
                    dh.iter_mut().zip(&from[at..]).for_each(|(dh, g)| *dh += g);
                }
            }
            let before = sizes.before(step, direction);
            let range = |at: usize| at * block..(at + 1) * block;
            let state_before = before.map_or(&nothing[..], |at| &states.numbers()[range(at)]);
            let noted_before = before.map_or(&nothing[..], |at| &noted.numbers()[range(at)]);
            let noted_now = &noted.numbers()[step * block..][..block];
            let gates_now = &gates.numbers()[step * batch * rows..][..batch * rows];
            let sums = &mut input_sums[step * batch * rows..][..batch * rows];
            let others: &mut [f32] = if C::ONE_GRADIENT {
                &mut []
            } else {
                &mut recurrent_sums[step * batch * rows..][..batch * rows]
            };
            let mut shares: Vec<&mut [f32]> = others.chunks_mut(share * rows).collect();
            shares.resize_with(batch.div_ceil(share.max(1)), Default::default);
            sums.par_chunks_mut(share * rows)
                .zip(shares)
                .zip(dh.par_chunks_mut(share * hidden))
                .zip(carried.par_chunks_mut(share * hidden))
                .enumerate()
                .for_each(|(i, (((sums, others), dh), carried))| {
                    let samples = sums
                        .chunks_exact_mut(rows)
                        .zip(dh.chunks_exact_mut(hidden))
                        .zip(carried.chunks_exact_mut(hidden));
                    for (j, ((sums, dh), carried)) in samples.enumerate() {
                        let sample = i * share + j;
                        let at = sample * hidden..(sample + 1) * hidden;
                        let step = Step {
                            gates: &gates_now[sample * rows..][..rows],
                            noted: &noted_now[at.clone()],
                            noted_before: &noted_before[at.clone()],
                            before: &state_before[at],
                        };
                        let other: &mut [f32] =
                            if C::ONE_GRADIENT { &mut [] } else { &mut others[j * rows..][..rows] };
                        C::back(&step, dh, carried, sums, other);
                    }
                });
            pass.round(sums);
            if !C::ONE_GRADIENT {
                pass.round(&mut recurrent_sums[step * batch * rows..][..batch * rows]);
            }
            if before.is_some() {
                let from = if C::ONE_GRADIENT { &input_sums } else { &recurrent_sums };
                let from = &from[step * batch * rows..][..batch * rows];
                gemm(Matrix::new(from, batch, rows), recurrent, &mut dh, true);
                pass.round(&mut dh);
            }
        }
        pass.free_memory(dh);
        pass.free_memory(carried);
        let of_states = if C::ONE_GRADIENT { &input_sums } else { &recurrent_sums };
        let sums = Matrix::new(&input_sums, all, rows);
        gemm(sums.t(), Matrix::new(inputs.numbers(), all, features), pass.gradient(first), true);
        // Every step but the first of this direction has a state before it.
        let rest = (steps - 1) * batch;
        let (later, earlier) = if direction == 0 {
            (&of_states[batch * rows..], &states.numbers()[..rest * hidden])
        } else {
            (&of_states[..rest * rows], &states.numbers()[block..])
        };
        if rest > 0 {
            let later = Matrix::new(later, rest, rows);
            gemm(later.t(), Matrix::new(earlier, rest, hidden), pass.gradient(first + 1), true);
        }
        for (number, sums) in [(first + 2, &input_sums), (first + 3, of_states)] {
            let bias = pass.gradient(number);
            for row in sums.chunks_exact(rows) {
                bias.iter_mut().zip(row).for_each(|(b, g)| *b += g);
            }
        }
        if wanted {
            let weight = Matrix::new(pass.parameter(first), rows, features);
            gemm(sums, weight, &mut dx, direction + 1 < directions);
        }
        for tensor in [states, noted, gates] {
            pass.free(tensor);
        }
        pass.free_memory(input_sums);
        pass.free_memory(recurrent_sums);
    }
    pass.free_memory(nothing);
    pass.free(inputs);
    pass.free(gradient);
    if !wanted {
        return Ok(HostTensor::none());
    }
    let mut turned = pass.memory(all * features);
    turn(&dx, &mut turned, steps, batch, features);
    pass.free_memory(dx);
    Ok(HostTensor::new(vec![batch, steps, features], turned))
}
