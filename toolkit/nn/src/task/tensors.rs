//! Walks over the tensors of a dfdx network.
//!
//! dfdx visits every tensor with a visitor that is generic over its shape. Each visitor here does
//! one thing, in visiting order, so that "the third tensor" means the same everywhere.

use dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorMut, ViewTensorName,
    ViewTensorRef,
};
use dfdx::prelude::{Gradients, Shape, Tensor};
use trainbook_callbacks::TensorInfo;

use super::backend::{Backend, Buffer};
use crate::NnError;

/// A tensor of the network: where it sits, its shape, and whether it is trained or only carried
/// along.
#[derive(Clone, Debug)]
pub struct Slot {
    pub info: TensorInfo,
    pub trained: bool,
}

/// Every tensor of `module`.
pub fn slots<M: TensorCollection<f32, D>, D: Backend>(module: &M) -> Vec<Slot> {
    struct Collect(Vec<Slot>);
    impl<D: Backend> TensorVisitor<f32, D> for Collect {
        type Viewer = (ViewTensorRef, ViewTensorName);
        type Err = std::convert::Infallible;
        type E2 = f32;
        type D2 = D;
        fn visit<S: Shape>(
            &mut self,
            options: TensorOptions<S, f32, D>,
            (tensor, name): (&Tensor<S, f32, D>, String),
        ) -> Result<Option<Tensor<S, f32, D>>, Self::Err> {
            use dfdx::prelude::HasShape;
            let shape = tensor.shape().concrete().into_iter().collect();
            self.0.push(Slot {
                info: TensorInfo { name, shape },
                trained: options.do_gradient_update,
            });
            Ok(None)
        }
    }
    let mut collect = Collect(Vec::new());
    let Ok(_) =
        M::iter_tensors(&mut RecursiveWalker { m: (module, String::new()), f: &mut collect });
    collect.0
}

/// The values of every tensor of `module`.
pub fn read<M: TensorCollection<f32, D>, D: Backend>(module: &M) -> Vec<Vec<f32>> {
    struct Read(Vec<Vec<f32>>);
    impl<D: Backend> TensorVisitor<f32, D> for Read {
        type Viewer = ViewTensorRef;
        type Err = std::convert::Infallible;
        type E2 = f32;
        type D2 = D;
        fn visit<S: Shape>(
            &mut self,
            _: TensorOptions<S, f32, D>,
            tensor: &Tensor<S, f32, D>,
        ) -> Result<Option<Tensor<S, f32, D>>, Self::Err> {
            self.0.push(tensor.as_vec());
            Ok(None)
        }
    }
    let mut read = Read(Vec::new());
    let Ok(_) = M::iter_tensors(&mut RecursiveWalker { m: module, f: &mut read });
    read.0
}

/// Replaces every tensor of `module` by what `values` returns for its place. The lengths must
/// already have been checked.
pub fn write<M: TensorCollection<f32, D>, D: Backend>(
    module: &mut M,
    values: impl FnMut(usize) -> Option<Vec<f32>>,
) {
    struct Write<F>(F, usize);
    impl<D: Backend, F: FnMut(usize) -> Option<Vec<f32>>> TensorVisitor<f32, D> for Write<F> {
        type Viewer = ViewTensorMut;
        type Err = std::convert::Infallible;
        type E2 = f32;
        type D2 = D;
        fn visit<S: Shape>(
            &mut self,
            _: TensorOptions<S, f32, D>,
            tensor: &mut Tensor<S, f32, D>,
        ) -> Result<Option<Tensor<S, f32, D>>, Self::Err> {
            if let Some(values) = (self.0)(self.1) {
                tensor.copy_from(&values);
            }
            self.1 += 1;
            Ok(None)
        }
    }
    let Ok(_) = M::iter_tensors(&mut RecursiveWalker { m: module, f: &mut Write(values, 0) });
}

/// Lends the gradient of every trained tensor, with its number among the trained ones.
pub fn each_gradient<M, D, F>(
    module: &M,
    gradients: &mut Gradients<f32, D>,
    each: F,
) -> Result<(), NnError>
where
    M: TensorCollection<f32, D>,
    D: Backend,
    F: FnMut(usize, &mut Buffer<D>) -> Result<(), NnError>,
{
    struct Each<'a, D: Backend, F>(&'a mut Gradients<f32, D>, F, usize);
    impl<D: Backend, F: FnMut(usize, &mut Buffer<D>) -> Result<(), NnError>> TensorVisitor<f32, D>
        for Each<'_, D, F>
    {
        type Viewer = ViewTensorRef;
        type Err = NnError;
        type E2 = f32;
        type D2 = D;
        fn visit<S: Shape>(
            &mut self,
            options: TensorOptions<S, f32, D>,
            tensor: &Tensor<S, f32, D>,
        ) -> Result<Option<Tensor<S, f32, D>>, NnError> {
            if options.do_gradient_update {
                let buffer = self
                    .0
                    .get_or_alloc_mut(tensor)
                    .map_err(|e| NnError::device("allocate a gradient", &e))?;
                (self.1)(self.2, buffer)?;
                self.2 += 1;
            }
            Ok(None)
        }
    }
    M::iter_tensors(&mut RecursiveWalker { m: module, f: &mut Each(gradients, each, 0) }).map(drop)
}
