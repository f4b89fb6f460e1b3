//! Networks as if trained, and dfdx tensors out of arrays and back.

use std::convert::Infallible;

use dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorMut, ViewTensorName,
};
use dfdx::nn::{BuildOnDevice, Module};
use dfdx::prelude::{Cpu, Shape, Tensor, TensorFromVec, Unit};
use trainbook_core::random::Seed;
use trainbook_core::random::Stream;
use trainbook_onnx::{Array, Numbers};

pub fn device() -> Cpu {
    Cpu::seed_from_u64(7)
}

/// Keyed by what they are for.
pub fn normal(name: &'static str, index: u64, len: usize) -> Vec<f32> {
    let mut draws = Stream::new(Seed(1), name).at(0, index);
    (0..len).map(|_| draws.normal() as f32).collect()
}

/// What a walk over a network's tensors gives: name and numbers, in dfdx's order.
pub type Tensors = Vec<(String, Vec<f32>)>;

/// A network whose every tensor is random, asymmetric and far from what it starts with: no scale is
/// 1, no bias 0, no running mean 0 and no running variance 1.
pub fn trained<N, M>() -> (M, Tensors)
where
    N: BuildOnDevice<Cpu, f32, Built = M>,
    M: TensorCollection<f32, Cpu>,
{
    struct Train(Tensors);
    impl TensorVisitor<f32, Cpu> for Train {
        type Viewer = (ViewTensorMut, ViewTensorName);
        type Err = Infallible;
        type E2 = f32;
        type D2 = Cpu;
        fn visit<S: Shape>(
            &mut self,
            _: TensorOptions<S, f32, Cpu>,
            (tensor, name): (&mut Tensor<S, f32, Cpu>, String),
        ) -> Result<Option<Tensor<S, f32, Cpu>>, Infallible> {
            let last = *name.rsplit('.').collect::<Vec<_>>().first().unwrap();
            let numbers = normal("weights", self.0.len() as u64, tensor.as_vec().len());
            let numbers: Vec<f32> = numbers
                .into_iter()
                .map(|x| match last {
                    "running_var" => 0.2 + 2.0 * x * x,
                    "scale" | "gamma" => 0.3 + x,
                    "weight" => 0.6 * x,
                    _ => x,
                })
                .collect();
            tensor.copy_from(&numbers);
            self.0.push((name, numbers));
            Ok(None)
        }
    }
    let mut model = N::try_build_on_device(&device()).unwrap();
    let mut train = Train(Vec::new());
    let walked =
        M::iter_tensors(&mut RecursiveWalker { m: (&mut model, String::new()), f: &mut train });
    assert!(walked.is_ok());
    (model, train.0)
}

/// A dfdx tensor, or a tuple of them, out of the graph's inputs.
pub trait Input: Sized {
    fn read(arrays: &[Array]) -> Self;
}

/// One array of the numbers that a tensor holds.
pub trait Numeric: Unit {
    fn numbers(array: &Array) -> Vec<Self>;
}

impl Numeric for f32 {
    fn numbers(array: &Array) -> Vec<f32> {
        array.floats().to_vec()
    }
}

impl Numeric for usize {
    fn numbers(array: &Array) -> Vec<usize> {
        array.integers().iter().map(|&index| usize::try_from(index).unwrap()).collect()
    }
}

fn tensor<S: Shape, E: Numeric>(array: &Array) -> Tensor<S, E, Cpu>
where
    Cpu: TensorFromVec<E>,
{
    let mut sizes = S::Concrete::default();
    for (i, &size) in array.shape.iter().enumerate() {
        sizes[i] = size;
    }
    device().tensor_from_vec(E::numbers(array), S::from_concrete(&sizes).unwrap())
}

impl<S: Shape, E: Numeric> Input for Tensor<S, E, Cpu>
where
    Cpu: TensorFromVec<E>,
{
    fn read(arrays: &[Array]) -> Self {
        tensor(&arrays[0])
    }
}

impl<A: Shape, B: Shape> Input for (Tensor<A, f32, Cpu>, Tensor<B, f32, Cpu>) {
    fn read(arrays: &[Array]) -> Self {
        (tensor(&arrays[0]), tensor(&arrays[1]))
    }
}

impl<A: Shape, B: Shape, C: Shape> Input
    for (Tensor<A, f32, Cpu>, Tensor<B, f32, Cpu>, Tensor<C, f32, Cpu>)
{
    fn read(arrays: &[Array]) -> Self {
        (tensor(&arrays[0]), tensor(&arrays[1]), tensor(&arrays[2]))
    }
}

/// What a network returns, tensor after tensor.
pub trait Output {
    fn lists(self) -> Vec<Vec<f32>>;
}

impl<S: Shape> Output for Tensor<S, f32, Cpu> {
    fn lists(self) -> Vec<Vec<f32>> {
        vec![self.as_vec()]
    }
}

impl<A: Output, B: Output> Output for (A, B) {
    fn lists(self) -> Vec<Vec<f32>> {
        [self.0.lists(), self.1.lists()].concat()
    }
}

impl<A: Output, B: Output, C: Output> Output for (A, B, C) {
    fn lists(self) -> Vec<Vec<f32>> {
        [self.0.lists(), self.1.lists(), self.2.lists()].concat()
    }
}

/// dfdx's own forward pass in evaluation mode.
pub fn forward<I: Input, M: Module<I>>(model: &M, arrays: &[Array]) -> Vec<Vec<f32>>
where
    M::Output: Output,
{
    model.forward(I::read(arrays)).lists()
}

/// The same for a network whose batch size is part of its type: row by row.
pub fn by_row<I: Input, M: Module<I>>(model: &M, arrays: &[Array]) -> Vec<Vec<f32>>
where
    M::Output: Output,
{
    let mut outputs: Vec<Vec<f32>> = Vec::new();
    for row in 0..arrays[0].shape[0] {
        let one: Vec<Array> = arrays.iter().map(|array| one_row(array, row)).collect();
        let found = forward::<I, M>(model, &one);
        outputs.resize(found.len(), Vec::new());
        outputs.iter_mut().zip(found).for_each(|(output, found)| output.extend(found));
    }
    outputs
}

fn one_row(array: &Array, row: usize) -> Array {
    let len: usize = array.shape[1..].iter().product();
    let shape = [&[1], &array.shape[1..]].concat();
    match &array.numbers {
        Numbers::F32(numbers) => Array::f32(shape, numbers[row * len..][..len].to_vec()),
        Numbers::I64(numbers) => Array::i64(shape, numbers[row * len..][..len].to_vec()),
    }
}
