//! Layers made of layers, and layers that do nothing once training is over.

use dfdx::nn::modules::{Dropout, DropoutOneIn, Residual};

use crate::Error;
use crate::onnx::layer::join;
use crate::onnx::{GraphBuilder, ToOnnx, Value};

/// `f(x) + x`.
impl<F: ToOnnx> ToOnnx for Residual<F> {
    fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error> {
        let inner = self.0.to_onnx(graph, &join(scope, "0"), input)?;
        if inner.shape != input.shape {
            return Err(Error::NoOnnxForm {
                layer: format!("Residual {scope}"),
                reason: format!("its inner layer turns the shape {:?} into {:?}", input.shape, inner.shape),
            });
        }
        graph.node(scope, "Add", &[&inner.name, &input.name], &[])
    }
}

impl ToOnnx for Dropout {
    fn to_onnx(&self, _: &mut GraphBuilder, _: &str, input: &Value) -> Result<Value, Error> {
        Ok(input.clone())
    }
}

impl<const N: usize> ToOnnx for DropoutOneIn<N> {
    fn to_onnx(&self, _: &mut GraphBuilder, _: &str, input: &Value) -> Result<Value, Error> {
        Ok(input.clone())
    }
}

/// The model that returns its input.
impl ToOnnx for () {
    fn to_onnx(&self, _: &mut GraphBuilder, _: &str, input: &Value) -> Result<Value, Error> {
        Ok(input.clone())
    }
}

macro_rules! tuples {
    ($($layer:ident $index:tt),+) => {
        impl<$($layer: ToOnnx),+> ToOnnx for ($($layer,)+) {
            fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, Error> {
                let value = input.clone();
                $(let value = self.$index.to_onnx(graph, &join(scope, stringify!($index)), &value)?;)+
                Ok(value)
            }
        }
    };
}

// As many as dfdx has.
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
