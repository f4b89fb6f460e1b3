//! Networks written as types of dfdx's layers compute what dfdx's own modules do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so")]

use dfdx::nn::modules;
use dfdx::prelude::*;
use trainbook_nn::trial::Trial;
use trainbook_nn::{Context, Describe, Kind, Network, Sample};

/// Walks a module, in order, and puts the next values into every tensor.
struct Copy<'a>(&'a [Vec<f32>], usize);

impl TensorVisitor<f32, Cpu> for Copy<'_> {
    type Viewer = ViewTensorMut;
    type Err = std::convert::Infallible;
    type E2 = f32;
    type D2 = Cpu;

    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, f32, Cpu>,
        tensor: &mut Tensor<S, f32, Cpu>,
    ) -> Result<Option<Tensor<S, f32, Cpu>>, Self::Err> {
        tensor.copy_from(&self.0[self.1]);
        self.1 += 1;
        Ok(None)
    }
}

/// Numbers between −1 and 1 that look random.
fn numbers(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 + seed * 101 + 11) % 97) as f32 / 48.5 - 1.0).collect()
}

/// Compares dfdx's module with our layer's host form, on `input` of the shape `S`.
fn compare<N, S>(input: Vec<f32>)
where
    N: Describe + BuildOnDevice<Cpu, f32>,
    S: ConstShape,
    N::Built: TensorCollection<f32, Cpu> + Module<Tensor<S, f32, Cpu>>,
    <N::Built as Module<Tensor<S, f32, Cpu>>>::Output: AsVec,
{
    let taken = Cpu::default().tensor_from_vec(input.clone(), S::default());
    let input = input.into_iter().map(f64::from).collect();
    compare_on::<N, S, f32>(taken, input, Kind::Numbers);
}

/// The same for indices.
fn compare_indices<N, S>(input: Vec<usize>)
where
    N: Describe + BuildOnDevice<Cpu, f32>,
    S: ConstShape,
    N::Built: TensorCollection<f32, Cpu> + Module<Tensor<S, usize, Cpu>>,
    <N::Built as Module<Tensor<S, usize, Cpu>>>::Output: AsVec,
{
    let taken = Cpu::default().tensor_from_vec(input.clone(), S::default());
    let input = input.into_iter().map(|i| i as f64).collect();
    compare_on::<N, S, usize>(taken, input, Kind::Indices);
}

fn compare_on<N, S, T>(taken: Tensor<S, T, Cpu>, input: Vec<f64>, kind: Kind)
where
    N: Describe + BuildOnDevice<Cpu, f32>,
    S: ConstShape,
    T: Unit,
    N::Built: TensorCollection<f32, Cpu> + Module<Tensor<S, T, Cpu>>,
    <N::Built as Module<Tensor<S, T, Cpu>>>::Output: AsVec,
{
    let shape: Vec<usize> = S::default().concrete().into_iter().collect();
    let network = Network::of::<N>();
    let mut trial =
        Trial::new(network.layer(), &Sample { shape: shape[1..].to_vec(), kind, padding: None })
            .unwrap();
    let mut values: Vec<Vec<f32>> = Vec::new();
    for (i, slot) in trial.planned.layout.slots().iter().enumerate() {
        let mut own = numbers(slot.len(), i);
        if slot.name.ends_with("running_var") {
            own.iter_mut().for_each(|v| *v += 1.5);
        }
        trial.values[slot.range()].iter_mut().zip(&own).for_each(|(into, v)| *into = f64::from(*v));
        // dfdx has queries, keys and values apart: weight, bias, weight, bias, weight, bias.
        if slot.name.ends_with("in_proj_weight") {
            values.extend(own.chunks(own.len() / 3).map(<[f32]>::to_vec));
        } else if slot.name.ends_with("in_proj_bias") {
            let first = values.len() - 3;
            for (i, bias) in own.chunks(own.len() / 3).enumerate() {
                values.insert(first + 2 * i + 1, bias.to_vec());
            }
        } else {
            values.push(own);
        }
    }
    let mut module = N::try_build_on_device(&Cpu::default()).unwrap();
    let mut copy = Copy(&values, 0);
    <N::Built as TensorCollection<f32, Cpu>>::iter_tensors(&mut RecursiveWalker {
        m: &mut module,
        f: &mut copy,
    })
    .unwrap();
    assert_eq!(copy.1, values.len(), "{network}: number of tensors");
    let theirs = module.forward(taken).values();
    let ours =
        trial.on_host(&input, shape[0], Context::EVALUATION, &vec![0.0; theirs.len()]).unwrap();
    assert_eq!(ours.output.len(), theirs.len(), "{network}: number of elements");
    for (i, (ours, theirs)) in ours.output.iter().zip(&theirs).enumerate() {
        let theirs = f64::from(*theirs);
        assert!(
            (ours - theirs).abs() <= 1e-6 * (1.0 + theirs.abs()),
            "{network}, element {i}: {ours}, and dfdx has {theirs}"
        );
    }
}

trait AsVec {
    fn values(self) -> Vec<f32>;
}

impl<S: Shape> AsVec for Tensor<S, f32, Cpu> {
    fn values(self) -> Vec<f32> {
        self.as_vec()
    }
}

fn wide(len: usize) -> Vec<f32> {
    numbers(len, 5).into_iter().map(|v| 4.0 * v).collect()
}

#[test]
fn activations() {
    compare::<modules::Abs, Rank2<4, 7>>(wide(28));
    compare::<modules::AccurateGeLU, Rank2<4, 7>>(wide(28));
    compare::<modules::Cos, Rank2<4, 7>>(wide(28));
    compare::<modules::Exp, Rank2<4, 7>>(wide(28));
    compare::<modules::FastGeLU, Rank2<4, 7>>(wide(28));
    compare::<modules::ReLU, Rank2<4, 7>>(wide(28));
    compare::<modules::Sigmoid, Rank2<4, 7>>(wide(28));
    compare::<modules::Sin, Rank2<4, 7>>(wide(28));
    compare::<modules::Square, Rank2<4, 7>>(wide(28));
    compare::<modules::Tanh, Rank4<2, 3, 2, 3>>(wide(36));
    #[allow(deprecated, reason = "dfdx keeps it, and old models have it")]
    compare::<modules::GeLU, Rank2<4, 7>>(wide(28));
    let positive = || wide(28).into_iter().map(|v| v + 4.5).collect::<Vec<f32>>();
    compare::<modules::Ln, Rank2<4, 7>>(positive());
    compare::<modules::Sqrt, Rank2<4, 7>>(positive());
}

#[test]
fn over_the_last_dimension() {
    compare::<modules::Softmax, Rank2<4, 7>>(wide(28));
    compare::<modules::Softmax, Rank3<2, 3, 5>>(wide(30));
    compare::<modules::LogSoftmax, Rank2<4, 7>>(wide(28));
    compare::<modules::LogSoftmax, Rank3<2, 3, 5>>(wide(30));
}

#[test]
fn learned_slopes() {
    compare::<builders::PReLU, Rank2<4, 7>>(wide(28));
    compare::<builders::PReLU, Rank4<2, 3, 2, 2>>(wide(24));
    compare::<builders::PReLU1D<Const<7>>, Rank2<4, 7>>(wide(28));
    compare::<builders::PReLU1D<Const<3>>, Rank3<2, 3, 4>>(wide(24));
    compare::<builders::PReLU1D<Const<3>>, Rank4<2, 3, 2, 2>>(wide(24));
}

#[test]
fn products() {
    compare::<builders::Linear<7, 3>, Rank2<4, 7>>(wide(28));
    compare::<builders::Linear<5, 2>, Rank3<2, 3, 5>>(wide(30));
    compare::<builders::UnbiasedLinear<7, 3>, Rank2<4, 7>>(wide(28));
}

#[test]
fn layers_of_layers() {
    type Block = (builders::Linear<6, 6>, modules::Tanh);
    compare::<(builders::Linear<7, 6>, modules::ReLU, builders::Linear<6, 3>), Rank2<4, 7>>(
        numbers(28, 3),
    );
    compare::<modules::Residual<Block>, Rank2<4, 6>>(numbers(24, 3));
    compare::<
        modules::GeneralizedResidual<builders::Linear<6, 2>, builders::UnbiasedLinear<6, 2>>,
        Rank2<4, 6>,
    >(numbers(24, 3));
    compare::<modules::Repeated<Block, 3>, Rank2<4, 6>>(numbers(24, 3));
    compare::<modules::Repeated<modules::Residual<Block>, 2>, Rank2<4, 6>>(numbers(24, 3));
}

#[test]
fn normalisations() {
    compare::<builders::BatchNorm1D<7>, Rank2<4, 7>>(wide(28));
    compare::<builders::BatchNorm1D<3>, Rank3<2, 3, 5>>(wide(30));
    compare::<builders::BatchNorm2D<3>, Rank4<2, 3, 2, 3>>(wide(36));
    compare::<builders::LayerNorm1D<7>, Rank2<4, 7>>(wide(28));
    compare::<builders::LayerNorm1D<5>, Rank3<2, 3, 5>>(wide(30));
}

/// dfdx's running statistics after one batch, against ours.
#[test]
fn running_statistics() {
    let device = Cpu::default();
    let input = wide(36);
    let mut theirs = builders::BatchNorm2D::<3>::try_build_on_device(&device).unwrap();
    let x: Tensor<Rank4<2, 3, 2, 3>, f32, Cpu> =
        device.tensor_from_vec(input.clone(), Default::default());
    theirs.forward_mut(x.leaky_trace());
    let network = Network::of::<builders::BatchNorm2D<3>>();
    let mut trial = Trial::new(network.layer(), &Sample::numbers([3, 2, 3])).unwrap();
    for slot in trial.planned.layout.slots() {
        let value = if slot.name == "weight" || slot.name == "running_var" { 1.0 } else { 0.0 };
        trial.values[slot.range()].fill(value);
    }
    let input: Vec<f64> = input.into_iter().map(f64::from).collect();
    let training = Context { training: true, ..Context::EVALUATION };
    let ours = trial.on_host(&input, 2, training, &[0.0; 36]).unwrap();
    assert_eq!(ours.buffers.len(), 2);
    for (slot, ours) in ours.buffers {
        let theirs = match trial.planned.layout.slots()[slot].name.as_str() {
            "running_mean" => theirs.running_mean.as_vec(),
            _ => theirs.running_var.as_vec(),
        };
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - f64::from(theirs)).abs() < 1e-6, "{ours}, and dfdx has {theirs}");
        }
    }
}

#[test]
fn dropout() {
    compare::<modules::Dropout, Rank2<4, 7>>(wide(28));
    compare::<modules::DropoutOneIn<4>, Rank2<4, 7>>(wide(28));
    assert_eq!(Network::of::<modules::Dropout>().to_string(), "Dropout 0.5");
    assert_eq!(Network::of::<modules::DropoutOneIn<4>>().to_string(), "Dropout 0.25");
}

#[test]
fn global_pooling() {
    compare::<modules::AvgPoolGlobal, Rank4<2, 3, 2, 3>>(wide(36));
    compare::<modules::MaxPoolGlobal, Rank4<2, 3, 2, 3>>(wide(36));
    compare::<modules::MinPoolGlobal, Rank4<2, 3, 2, 3>>(wide(36));
}

#[test]
fn attention() {
    compare::<builders::MultiHeadAttention<6, 2>, Rank3<2, 5, 6>>(numbers(60, 3));
    compare::<builders::TransformerEncoderBlock<6, 3, 8>, Rank3<2, 5, 6>>(numbers(60, 3));
    compare::<builders::TransformerEncoder<6, 2, 8, 2>, Rank3<2, 5, 6>>(numbers(60, 3));
}

#[test]
fn indices() {
    type Encoder = (builders::Embedding<9, 6>, builders::TransformerEncoder<6, 2, 8, 1>);
    let tokens = || (0..8).map(|i| i * 5 % 9).collect::<Vec<usize>>();
    compare_indices::<builders::Embedding<9, 6>, Rank2<2, 4>>(tokens());
    compare_indices::<Encoder, Rank2<2, 4>>(tokens());
}
