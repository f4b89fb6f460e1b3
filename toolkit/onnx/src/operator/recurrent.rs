//! LSTM and GRU, as ONNX lays them out: `[sequence, batch, features]`, and directions before the
//! batch in what comes out.

use super::Operand;
use crate::value::{BATCH, Dim};

/// A recurrent operator; its activations are sigmoid and tanh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Recurrent {
    pub cell: Cell,
    pub hidden: usize,
    pub direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Cell {
    /// Gates in the order input, output, forget, cell.
    Lstm,
    /// Gates in the order update, reset, hidden.
    Gru {
        /// Whether the reset gate is applied behind the product with the recurrent weights.
        linear_before_reset: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) enum Direction {
    Forward,
    Reverse,
    Both,
}

impl Cell {
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru { .. } => 3,
        }
    }

    /// The hidden state, and an LSTM's cell.
    pub fn states(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru { .. } => 1,
        }
    }
}

impl Recurrent {
    /// Whether each direction starts at the end.
    pub fn directions(&self) -> &'static [bool] {
        match self.direction {
            Direction::Forward => &[false],
            Direction::Reverse => &[true],
            Direction::Both => &[false, true],
        }
    }

    /// All that it can give: every step, the last hidden states, and an LSTM's last cells.
    ///
    /// Its inputs are x, weights of the input, recurrent weights, biases of both, lengths (which
    /// must be left out), and initial states.
    pub(super) fn shapes(&self, x: &[Dim], others: &[Operand]) -> Option<Vec<Vec<Dim>>> {
        let [steps, batch @ Dim::Named(name), Dim::Fixed(features)] = x else { return None };
        let [weight, recurrent, more @ ..] = others else { return None };
        if name != BATCH || *steps == *batch {
            return None;
        }
        let (directions, hidden) = (self.directions().len(), self.hidden);
        let gates = self.cell.gates().checked_mul(hidden)?;
        let is = |operand: &Operand, shape: &[usize]| {
            operand.shape.iter().map(Dim::size).eq(shape.iter().copied().map(Some))
        };
        let weights_fit = is(weight, &[directions, gates, *features])
            && is(recurrent, &[directions, gates, hidden]);
        let state = vec![directions.into(), batch.clone(), hidden.into()];
        let more_fit = more.iter().enumerate().all(|(i, operand)| match i {
            _ if !operand.is_given() => true,
            0 => is(operand, &[directions, gates * 2]),
            2.. if i < 2 + self.cell.states() => *operand.shape == *state,
            _ => false,
        });
        if !weights_fit || !more_fit {
            return None;
        }
        let every = vec![steps.clone(), directions.into(), batch.clone(), hidden.into()];
        Some([vec![every], vec![state; self.cell.states()]].concat())
    }
}
