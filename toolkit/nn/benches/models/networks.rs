//! Six networks whose training step is measured, and their batches: in one place for criterion
//! (`cargo bench -p trainbook-nn --bench models`) and for `cargo xtask peers`.
//!
//! The same networks stand in `tests/python/peers_pytorch.py` and `tests/peers/`.

use trainbook_core::array::Array;
use trainbook_core::batch::{Batch, Targets};
use trainbook_core::random::{Seed, Stream};
use trainbook_nn::layer::{
    Conv1d, Conv2d, LayerNorm, LearnedPositions, Sequential, TransformerEncoderLayer,
};
use trainbook_nn::loss::Loss;
use trainbook_nn::task::{Device, Precision, Recipe, Task};
use trainbook_nn::{Init, NnError, Sample};

/// A network and the batch that it is trained on, again and again.
pub struct Model {
    /// Its name in tables.
    pub name: &'static str,
    network: fn() -> Sequential,
    input: Input,
    batch: usize,
    classes: u32,
}

/// What one sample is.
#[derive(Clone, Copy)]
enum Input {
    Numbers(&'static [usize]),
    /// So many characters, each with the next one as its class.
    Characters(usize),
}

/// Characters of the vocabulary, and positions of a sequence.
const VOCABULARY: u32 = 65;
const LENGTH: usize = 64;

/// All of them.
pub const MODELS: [Model; 6] = [
    Model { name: "mlp", network: mlp, input: Input::Numbers(&[784]), batch: 128, classes: 10 },
    Model {
        name: "norm-mlp",
        network: norm_mlp,
        input: Input::Numbers(&[64]),
        batch: 64,
        classes: 10,
    },
    Model {
        name: "digits-cnn",
        network: cnn,
        input: Input::Numbers(&[1, 8, 8]),
        batch: 64,
        classes: 10,
    },
    Model {
        name: "mnist-cnn",
        network: cnn,
        input: Input::Numbers(&[1, 28, 28]),
        batch: 64,
        classes: 10,
    },
    Model {
        name: "series-cnn",
        network: series_cnn,
        input: Input::Numbers(&[1, 64]),
        batch: 64,
        classes: 3,
    },
    Model {
        name: "transformer",
        network: transformer,
        input: Input::Characters(LENGTH),
        batch: 16,
        classes: VOCABULARY,
    },
];

fn mlp() -> Sequential {
    Sequential::new().linear(512).relu().linear(256).relu().linear(10)
}

fn norm_mlp() -> Sequential {
    let net = Sequential::new().linear(128).batch_norm().relu();
    net.linear(128).batch_norm().relu().linear(10)
}

/// The accuracy example's.
fn cnn() -> Sequential {
    let conv = |filters| Conv2d::new(filters, 3).padding(1);
    let net = Sequential::new().with(conv(16)).relu().max_pool2d(2);
    net.with(conv(32)).relu().max_pool2d(2).flatten().linear(64).relu().linear(10)
}

/// The accuracy example's for waves.
fn series_cnn() -> Sequential {
    let net = Sequential::new().with(Conv1d::new(16, 5)).relu().max_pool1d(2);
    net.with(Conv1d::new(32, 5)).relu().global_avg_pool().linear(3)
}

/// The accuracy example's language model: two causal blocks with the norm in front.
fn transformer() -> Sequential {
    let block = || TransformerEncoderLayer::new(4, 256).norm_first().causal().dropout(0.0);
    Sequential::new()
        .embedding(VOCABULARY as usize, 128)
        .with(LearnedPositions::new(LENGTH))
        .with(block())
        .with(block())
        .with(LayerNorm::new())
        .linear(VOCABULARY as usize)
}

impl Model {
    /// The network with its first weights, ready to be trained with AdamW and cross-entropy.
    ///
    /// # Errors
    /// The network does not fit its batch; there is no such device.
    pub fn task(&self, device: Device, precision: Precision) -> Result<Box<dyn Task>, NnError> {
        Recipe {
            init: Init::xavier_uniform(),
            seed: Seed(1),
            device,
            precision,
            ..Recipe::new(
                (self.network)(),
                match self.input {
                    Input::Numbers(shape) => Sample::numbers(shape),
                    Input::Characters(length) => Sample::indices([length]),
                },
                Loss::cross_entropy(),
            )
        }
        .task()
    }

    /// A batch of normal numbers or uniform characters, with uniform classes.
    pub fn batch(&self) -> Batch {
        let mut draws = Stream::new(Seed(1), "benchmark").at(0, 0);
        let (input, targets) = match self.input {
            Input::Numbers(shape) => {
                let shape: Vec<usize> = std::iter::once(self.batch).chain(shape.to_vec()).collect();
                let len = shape.iter().product();
                let numbers = (0..len).map(|_| draws.normal() as f32).collect();
                (Array::f32(shape, numbers), self.batch)
            }
            Input::Characters(length) => {
                let len = self.batch * length;
                let mut character = || draws.below(VOCABULARY.into()) as i64;
                (Array::i64([self.batch, length], (0..len).map(|_| character()).collect()), len)
            }
        };
        let mut class = || draws.below(self.classes.into()) as u32;
        let targets = Targets::Classes((0..targets).map(|_| class()).collect());
        Batch { input, targets, samples: (0..self.batch).collect(), weights: None, mixed: None }
    }
}

/// One step of training; returns the loss.
///
/// # Errors
/// Those of the task.
pub fn step(task: &mut dyn Task, batch: &Batch) -> Result<f32, NnError> {
    let loss = task.loss_of(batch)?;
    task.update(&1e-3.into())?;
    Ok(loss)
}

/// Has everything computed by two threads, as the peers are told to.
///
/// # Errors
/// The threads cannot be started, or were already.
pub fn use_two_threads() -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global()
}
