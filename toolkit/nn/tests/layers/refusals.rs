//! What has no exact form is refused, with the reason, and so is a graph that another input does
//! not fit.

use dfdx::nn::builders as b;
use dfdx::nn::modules::*;
use dfdx::prelude::{Const, Rank2, Rank3};
use dfdx::tensor_ops::Bilinear;
use trainbook_nn::onnx::{ToOnnx, graph_on};
use trainbook_onnx::{Attribute, BATCH, Dim, GraphBuilder, OnnxError, SEQUENCE, Value};

use super::network::trained;

fn input(dims: &[Dim]) -> Value {
    Value::f32("input", [&[BATCH.into()], dims].concat())
}

fn refused(inputs: &[Value], layer: &dyn ToOnnx) -> String {
    let error = graph_on(inputs, &["output"], layer).unwrap_err();
    assert!(matches!(error, OnnxError::NoOnnxForm { .. }), "{error}");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn onnx_refuses_ranks_and_sizes_that_a_layer_does_not_take() {
    let sequence = || Dim::from(SEQUENCE);
    let linear = trained::<b::Linear<5, 3>, _>().0;
    says(
        &refused(&[input(&[sequence(), 4.into()])], &linear),
        &["Linear", "[batch, _, 5]", "[batch, sequence, 4]"],
    );
    says(
        &refused(&[input(&[2.into(), 3.into(), 5.into()])], &linear),
        &["[batch, 5] or [batch, _, 5]"],
    );
    says(&refused(&[Value::i64("input", [BATCH.into(), 5.into()])], &linear), &["of int64"]);
    says(
        &refused(&[input(&[5.into()])], &trained::<b::BatchNorm2D<5>, _>().0),
        &["BatchNorm2D", "[batch, 5, _, _]"],
    );
    says(&refused(&[input(&[3.into(), 4.into()])], &trained::<b::Bias2D<3>, _>().0), &["Bias2D"]);
    says(
        &refused(&[input(&[3.into(), 4.into()])], &AvgPoolGlobal),
        &["AvgPoolGlobal", "[batch, _, _, _]"],
    );
    says(
        &refused(&[input(&[7.into()])], &trained::<b::Embedding<11, 4>, _>().0),
        &["Embedding", "int64"],
    );
    says(
        &refused(&[input(&[6.into()])], &trained::<b::MultiHeadAttention<6, 2>, _>().0),
        &["MultiHeadAttention"],
    );
    says(
        &refused(&[input(&[3.into()])], &trained::<b::PReLU1D<Const<4>>, _>().0),
        &["PReLU1D", "[batch, 4]"],
    );
}

#[test]
fn onnx_refuses_a_reshape_that_mixes_rows() {
    let mixing = b::Reshape::<Rank2<2, 3>>::default();
    says(
        &refused(&[input(&[6.into()])], &(mixing,)),
        &["Reshape 0", "mixes the rows", "multiply to 6"],
    );
    let free = b::Reshape::<Rank3<1, 2, 3>>::default();
    says(&refused(&[input(&[SEQUENCE.into(), 6.into()])], &free), &["Reshape", "fixed"]);
    // Whatever its first size: that one is the batch.
    let graph =
        graph_on(&[input(&[6.into()])], &["output"], &b::Reshape::<Rank3<33, 2, 3>>::default())
            .unwrap();
    assert_eq!(graph.signature(), "input [batch, 6] → output [batch, 2, 3]");
}

#[test]
fn onnx_refuses_what_dfdx_upscales_to_nan_or_panics_on() {
    let image = input(&[2.into(), 1.into(), 3.into()]);
    says(
        &refused(std::slice::from_ref(&image), &Upscale2D::<1, 6, Bilinear>::default()),
        &["Upscale2D", "NaN"],
    );
    says(&refused(&[image], &Upscale2D::<4, 2>::default()), &["Upscale2D", "at most 4 × 2"]);
    let free = input(&[2.into(), SEQUENCE.into(), 3.into()]);
    says(&refused(&[free], &Upscale2D::<4, 6>::default()), &["fixed size"]);
}

#[test]
fn onnx_refuses_tuples_where_one_tensor_is_needed_and_the_other_way_round() {
    let rows = [input(&[5.into()])];
    let split = trained::<SplitInto<(b::Linear<5, 3>, b::Linear<5, 3>)>, _>().0;
    says(&refused(&rows, &(split.clone(), ReLU)), &["the layer 1", "a tuple of 2"]);
    says(
        &refused(&rows, &trained::<AddInto<(b::Linear<5, 3>, b::Linear<5, 3>)>, _>().0),
        &["AddInto", "a tuple of 2"],
    );
    says(
        &refused(&rows, &trained::<b::TransformerDecoder<6, 2, 5, 1>, _>().0),
        &["targets and memory"],
    );
    let decoder = trained::<(b::Linear<5, 6>, b::TransformerDecoderBlock<6, 2, 5>), _>().0;
    says(&refused(&rows, &decoder), &["TransformerDecoderBlock 1", "[batch, 6]"]);
    let different = GeneralizedResidual { f: trained::<b::Linear<5, 3>, _>().0, r: ReLU };
    says(&refused(&rows, &different), &["GeneralizedResidual", "shapes differ"]);
    for names in
        [&["one"][..], &["one", "two", "three"], &["one", "one"], &["one", ""], &["one", "input"]]
    {
        let error = graph_on(&rows, names, &split).unwrap_err();
        assert!(matches!(error, OnnxError::Setting { .. }), "{names:?}: {error}");
    }
    let twice = [input(&[5.into()]), input(&[5.into()])];
    assert!(matches!(
        graph_on(&twice, &["output"], &split),
        Err(OnnxError::Setting { setting: "input name", .. })
    ));
}

/// Operators that would let one row of the batch see another, or whose input says nothing about its
/// range.
#[test]
fn onnx_refuses_nodes_that_mix_rows() {
    type Add = fn(&mut GraphBuilder, &Value) -> Result<Value, OnnxError>;
    struct Layer(Add);
    impl ToOnnx for Layer {
        fn to_onnx(
            &self,
            graph: &mut GraphBuilder,
            _: &str,
            input: &Value,
        ) -> Result<Value, OnnxError> {
            (self.0)(graph, input)
        }
    }
    let bad: [Add; 8] = [
        |g, x| {
            let last = [("perm", Attribute::Ints(vec![1, 2, 0]))];
            let turned = g.node("", "Transpose", &[&x.name], &last)?;
            g.node("", "Softmax", &[&turned.name], &[("axis", Attribute::Int(-1))])
        },
        |g, x| g.node("", "ReduceMean", &[&x.name], &[("axes", Attribute::Ints(vec![0]))]),
        |g, x| g.node("", "ReduceMean", &[&x.name], &[("axes", Attribute::Ints(vec![-1]))]),
        |g, x| g.node("", "Softmax", &[&x.name], &[("axis", Attribute::Int(1))]),
        |g, x| {
            let shape = g.integers("", "shape", vec![-1, 6])?;
            g.node("", "Reshape", &[&x.name, &shape], &[])
        },
        |g, x| {
            let picked = g.integers("", "picked", vec![0, 0])?;
            g.node("", "Gather", &[&x.name, &picked], &[("axis", Attribute::Int(0))])
        },
        |g, x| {
            let picked = g.integers("", "picked", vec![0, 2])?;
            g.node("", "Gather", &[&x.name, &picked], &[("axis", Attribute::Int(1))])
        },
        |g, x| {
            let weight = g.weight("", "weight", &[2, 2, 3], vec![0.5; 12])?;
            g.node("", "Add", &[&x.name, &weight], &[])
        },
    ];
    for (i, add) in bad.into_iter().enumerate() {
        let text = refused(&[input(&[2.into(), 3.into()])], &Layer(add));
        assert!(text.contains("the node"), "{i}: {text}");
    }
    let unused = [input(&[5.into()]), Value::i64("tokens", [BATCH.into(), 5.into()])];
    struct First;
    impl ToOnnx for First {
        fn to_onnx(
            &self,
            graph: &mut GraphBuilder,
            _: &str,
            input: &Value,
        ) -> Result<Value, OnnxError> {
            graph.node("", "Relu", &[&input.name], &[])
        }

        fn to_onnx_values(
            &self,
            graph: &mut GraphBuilder,
            scope: &str,
            input: &trainbook_onnx::Values,
        ) -> Result<trainbook_onnx::Values, OnnxError> {
            Ok(self.to_onnx(graph, scope, &input.clone().flatten()[0])?.into())
        }
    }
    says(&refused(&unused, &First), &["nothing says which integers \"tokens\" may hold"]);
}
