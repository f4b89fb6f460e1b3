//! The simplest things that could work.

use crate::data::Dataset;
use crate::nn::Network;
use crate::nn::layer::Sequential;
use crate::trainer::Trainer;

/// The simplest first.
pub(super) const NAMES: [&str; 4] = ["constant", "zero_input", "linear", "mlp"];
/// Hidden units of the two-layer network.
const HIDDEN: usize = 64;

/// Something simple to be trained.
pub(super) struct Simple {
    pub name: &'static str,
    pub data: Dataset,
    /// What is trained, or why there is nothing.
    pub network: Result<Network, String>,
    /// Whether it is the trainer's own network.
    pub is_own: bool,
}

/// Those that are simpler than this trainer's network.
pub(super) fn all(trainer: &Trainer) -> [Simple; 3] {
    let own = trainer.network().clone();
    let (data, blank) = (trainer.data.clone(), trainer.data.clone().without_inputs());
    let linear = network(trainer, None);
    let mlp = network(trainer, Some(HIDDEN));
    [
        Simple { name: NAMES[1], data: blank, network: Ok(own), is_own: true },
        Simple { name: NAMES[2], data: data.clone(), network: linear, is_own: false },
        Simple { name: NAMES[3], data, network: mlp, is_own: false },
    ]
}

/// A linear network with the trainer's outputs, or one with a hidden layer.
fn network(trainer: &Trainer, hidden: Option<usize>) -> Result<Network, String> {
    let planned = trainer.task.model().planned();
    let (input, output) = (&planned.root.input.shape, &planned.root.output.shape);
    let data = &trainer.data;
    let width = output.last().copied().unwrap_or(1);
    let first = hidden.unwrap_or(width);
    let behind = |net: Sequential| match hidden {
        Some(_) => net.relu().linear(width),
        None => net,
    };
    let net = Sequential::new();
    let net = match (data.is_of_indices(), &input[..], &output[..]) {
        (true, [length], [positions, _]) if length == positions => {
            behind(net.embedding(data.vocabulary_size(), first))
        }
        (true, [_], [_]) => {
            behind(net.embedding(data.vocabulary_size(), first).position_avg_pool())
        }
        (false, [_], [_]) => behind(net.linear(first)),
        (false, [_, _, ..], [_]) => behind(net.flatten().linear(first)),
        (false, [length, _], [positions, _]) if length == positions => behind(net.linear(first)),
        _ => {
            return Err(format!(
                "from samples of shape {input:?} to outputs of shape {output:?} nothing is linear"
            ));
        }
    };
    Ok(net.into())
}
