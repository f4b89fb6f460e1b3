//! Layers made of layers, and layers that do nothing once training is over.

use dfdx::nn::modules::{
    AddInto, Dropout, DropoutOneIn, GeneralizedResidual, Repeated, Residual, SplitInto,
};
use trainbook_onnx::{GraphBuilder, OnnxError, Value, Values, join};

use super::named;
use crate::onnx::ToOnnx;
use crate::onnx::layer::{one, through_values};

/// `f(x) + x`.
impl<F: ToOnnx> ToOnnx for Residual<F> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        let inner = self.0.to_onnx(graph, &join(scope, "0"), input)?;
        if inner.shape != input.shape {
            return Err(OnnxError::NoOnnxForm {
                layer: named("Residual", scope),
                reason: format!("its inner layer turns {input} into {inner}"),
            });
        }
        graph.node(scope, "Add", &[&inner.name, &input.name], &[])
    }
}

/// `f(x) + r(x)`.
impl<F: ToOnnx, R: ToOnnx> ToOnnx for GeneralizedResidual<F, R> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        through_values(self, graph, scope, input)
    }

    fn to_onnx_values(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        let f = self.f.to_onnx_values(graph, &join(scope, "f"), input)?;
        let r = self.r.to_onnx_values(graph, &join(scope, "r"), input)?;
        sum("GeneralizedResidual", graph, scope, &[f, r])
    }
}

/// Layer after layer, with weights of their own.
impl<T: ToOnnx, const N: usize> ToOnnx for Repeated<T, N> {
    fn to_onnx(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Value,
    ) -> Result<Value, OnnxError> {
        through_values(self, graph, scope, input)
    }

    fn to_onnx_values(
        &self,
        graph: &mut GraphBuilder,
        scope: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        let mut values = input.clone();
        for (i, layer) in self.modules.iter().enumerate() {
            values = layer.to_onnx_values(graph, &join(scope, &i.to_string()), &values)?;
        }
        Ok(values)
    }
}

impl ToOnnx for Dropout {
    fn to_onnx(&self, _: &mut GraphBuilder, _: &str, input: &Value) -> Result<Value, OnnxError> {
        Ok(input.clone())
    }
}

impl<const N: usize> ToOnnx for DropoutOneIn<N> {
    fn to_onnx(&self, _: &mut GraphBuilder, _: &str, input: &Value) -> Result<Value, OnnxError> {
        Ok(input.clone())
    }
}

/// The model that returns its input.
impl ToOnnx for () {
    fn to_onnx(&self, _: &mut GraphBuilder, _: &str, input: &Value) -> Result<Value, OnnxError> {
        Ok(input.clone())
    }

    fn to_onnx_values(
        &self,
        _: &mut GraphBuilder,
        _: &str,
        input: &Values,
    ) -> Result<Values, OnnxError> {
        Ok(input.clone())
    }
}

macro_rules! tuples {
    ($($layer:ident $index:tt),+) => {
        /// One layer after the other.
        impl<$($layer: ToOnnx),+> ToOnnx for ($($layer,)+) {
            fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, OnnxError> {
                through_values(self, graph, scope, input)
            }

            fn to_onnx_values(&self, graph: &mut GraphBuilder, scope: &str, input: &Values) -> Result<Values, OnnxError> {
                let values = input.clone();
                $(let values = self.$index.to_onnx_values(graph, &join(scope, stringify!($index)), &values)?;)+
                Ok(values)
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

macro_rules! heads {
    ($($layer:ident $index:tt),+) => {
        /// Each layer on the same input.
        impl<$($layer: ToOnnx),+> ToOnnx for SplitInto<($($layer,)+)> {
            fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, OnnxError> {
                through_values(self, graph, scope, input)
            }

            fn to_onnx_values(&self, graph: &mut GraphBuilder, scope: &str, input: &Values) -> Result<Values, OnnxError> {
                let scope = join(scope, "0");
                Ok(Values::Tuple(vec![
                    $(self.0.$index.to_onnx_values(graph, &join(&scope, stringify!($index)), input)?,)+
                ]))
            }
        }

        /// The sum of each layer on its own input.
        impl<$($layer: ToOnnx),+> ToOnnx for AddInto<($($layer,)+)> {
            fn to_onnx(&self, graph: &mut GraphBuilder, scope: &str, input: &Value) -> Result<Value, OnnxError> {
                through_values(self, graph, scope, input)
            }

            fn to_onnx_values(&self, graph: &mut GraphBuilder, scope: &str, input: &Values) -> Result<Values, OnnxError> {
                let heads = [$(stringify!($layer)),+].len();
                let parts = match input {
                    Values::Tuple(parts) if parts.len() == heads => parts,
                    _ => return Err(OnnxError::NoOnnxForm {
                        layer: named("AddInto", scope),
                        reason: format!("it takes a tuple of {heads} tensors"),
                    }),
                };
                let inner = join(scope, "0");
                let results = [
                    $(self.0.$index.to_onnx_values(graph, &join(&inner, stringify!($index)), &parts[$index])?,)+
                ];
                sum("AddInto", graph, scope, &results)
            }
        }
    };
}

heads!(A 0, B 1);
heads!(A 0, B 1, C 2);
heads!(A 0, B 1, C 2, D 3);
heads!(A 0, B 1, C 2, D 3, E 4);
heads!(A 0, B 1, C 2, D 3, E 4, F 5);

/// `a + (b + (c + …))`, in dfdx's order.
fn sum(
    layer: &str,
    graph: &mut GraphBuilder,
    scope: &str,
    parts: &[Values],
) -> Result<Values, OnnxError> {
    let mut parts = parts.iter().rev().map(|part| one(scope, part));
    let Some(last) = parts.next() else {
        return Err(OnnxError::NoOnnxForm {
            layer: named(layer, scope),
            reason: "it adds nothing".into(),
        });
    };
    let mut total = last?.clone();
    for part in parts {
        let part = part?;
        if part.shape != total.shape {
            let reason = format!("it adds {part} and {total}, whose shapes differ");
            return Err(OnnxError::NoOnnxForm { layer: named(layer, scope), reason });
        }
        total = graph.node(scope, "Add", &[&part.name, &total.name], &[])?;
    }
    Ok(Values::One(total))
}
