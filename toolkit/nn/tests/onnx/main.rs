//! Models with asymmetric weights, exported and checked, damaged and mutated.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy excuses only the test functions themselves"
)]

mod files;
mod heads;
mod layers;
mod mutants;
mod policy;
// The messages as trainbook-onnx has them: which fields there are is stated once.
#[allow(dead_code, reason = "not all are looked at")]
#[path = "../../../onnx/src/proto.rs"]
mod proto;
mod ranks;
mod shipped;
#[cfg(feature = "tract")]
mod tract;

use std::path::PathBuf;

use dfdx::prelude::*;
use sha2::{Digest as _, Sha256};
use trainbook_core::random::{Seed, Stream};
use trainbook_nn::onnx::{ToOnnx, graph_of};
use trainbook_onnx::{
    ExportOptions, ExportReport, ForwardError, Graph, Numbers, OnnxError, export,
};

/// `[batch, N]`.
type Rows<const N: usize> = Tensor<(usize, Const<N>), f32, Cpu>;

fn device() -> Cpu {
    Cpu::seed_from_u64(7)
}

fn normal(index: u64, len: usize) -> Vec<f32> {
    let mut draws = Stream::new(Seed(1), "onnx test").at(0, index);
    (0..len).map(|_| draws.normal() as f32).collect()
}

fn random<const N: usize>(index: u64) -> Tensor<Rank1<N>, f32, Cpu> {
    device().tensor(normal(index, N))
}

/// Positive and far from 1.
fn spread<const N: usize>(index: u64) -> Tensor<Rank1<N>, f32, Cpu> {
    random(index).square() * 2.0 + 0.1
}

fn batch_norm<const N: usize>() -> modules::BatchNorm1D<N, f32, Cpu> {
    let mut layer = device().build_module::<builders::BatchNorm1D<N>, f32>();
    (layer.scale, layer.bias) = (random(1), random(2));
    // Not ONNX's default, so that one that is left out shows.
    layer.epsilon = 3e-2;
    (layer.running_mean, layer.running_var) = (random(3), spread(4));
    layer
}

fn layer_norm<const N: usize>() -> modules::LayerNorm1D<N, f32, Cpu> {
    let mut layer = device().build_module::<builders::LayerNorm1D<N>, f32>();
    (layer.gamma, layer.beta) = (random(5), random(6));
    layer.epsilon = 2e-2;
    layer
}

/// The forward pass of `model`, on raw rows.
fn forward<'a, const I: usize, const O: usize>(
    model: &'a impl Module<Rows<I>, Output = Rows<O>>,
    normalization: Option<(&'a [f32], &'a [f32])>,
) -> impl Fn(&[f32], usize) -> Result<Vec<f32>, ForwardError> + 'a {
    move |rows, n| {
        let mut rows = rows.to_vec();
        if let Some((offset, scale)) = normalization {
            for (i, x) in rows.iter_mut().enumerate() {
                *x = (*x - offset[i % I]) * scale[i % I];
            }
        }
        Ok(model.forward(device().tensor_from_vec(rows, (n, Const::<I>))).as_vec())
    }
}

/// In hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder with nothing but what the test puts there.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("model.onnx")
    }

    fn names(&self) -> Vec<String> {
        let entries = self.0.path().read_dir().unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// Two linear layers of different widths, normalised input, every kind of layer that carries
/// weights.
fn wide_model() -> impl ToOnnx + Module<Rows<5>, Output = Rows<3>> {
    type Deep = (builders::Linear<5, 7>, LeakyReLU<f32>, builders::Linear<7, 4>);
    let (first, leaky, second) = device().build_module::<Deep, f32>();
    (
        (first, leaky, batch_norm::<7>()),
        second,
        layer_norm::<4>(),
        device().build_module::<builders::Linear<4, 3>, f32>(),
    )
}

const OFFSET: [f32; 5] = [3.0, -2.0, 0.5, 10.0, 0.0];
const SCALE: [f32; 5] = [0.5, 2.0, 1.5, 0.1, 3.0];

fn wide_graph(model: &impl ToOnnx) -> Graph {
    graph_of(5, "logits", model, Some((&OFFSET, &SCALE))).unwrap()
}

fn wide_samples() -> Vec<f32> {
    normal(9, 50 * 5).iter().enumerate().map(|(i, x)| x / SCALE[i % 5] + OFFSET[i % 5]).collect()
}

/// The wide model under the given name, or the reason why not.
fn export_wide(folder: &Folder, edit: impl FnOnce(&mut Graph)) -> Result<ExportReport, OnnxError> {
    let model = wide_model();
    let mut graph = wide_graph(&model);
    edit(&mut graph);
    let options = ExportOptions {
        metadata: [("trainbook.run_id".to_owned(), "run-1".to_owned())].into(),
        samples: Numbers::F32(wide_samples()),
        ..ExportOptions::default()
    };
    export(&folder.file(), &graph, &forward(&model, Some((&OFFSET, &SCALE))), &options)
}
