//! Every layer, with weights as if trained and no two sizes equal: exported with the full check,
//! checked again, run once more, and left in a folder for `tests/python/check_layers.py`.

use dfdx::nn::modules::*;
use dfdx::nn::{Module, builders as b};
use dfdx::prelude::{Const, Cpu, Rank2, Rank3, Rank4, Tensor};
use dfdx::tensor_ops::{Bilinear, NearestNeighbor};
use trainbook_nn::onnx::{ToOnnx, graph_on};
use trainbook_onnx::{
    Array, BATCH, Comparison, Dim, Element, ExportOptions, Graph, Head, MEMORY, Numbers, SEQUENCE,
    SecondOpinion, Session, Value, Verifier, check, export_with,
};

use super::folder::{Folder, record};
use super::network::{Input, Output, Tensors, by_row, forward, normal, trained};

type T<S> = Tensor<S, f32, Cpu>;
/// `[batch, N]`
type Rows<const N: usize> = T<(usize, Const<N>)>;
/// `[batch, sequence, N]`
type Tokens<const N: usize> = T<(usize, usize, Const<N>)>;
/// `[batch, C, H, W]`
type Images<const C: usize, const H: usize, const W: usize> =
    T<(usize, Const<C>, Const<H>, Const<W>)>;

fn value(name: &str, dims: &[Dim]) -> Value {
    Value::f32(name, [&[BATCH.into()], dims].concat())
}

fn rows(width: usize) -> Vec<Value> {
    vec![value("input", &[width.into()])]
}

fn tokens(width: usize) -> Vec<Value> {
    vec![value("input", &[SEQUENCE.into(), width.into()])]
}

fn images(channels: usize, height: usize, width: usize) -> Vec<Value> {
    vec![value("input", &[channels.into(), height.into(), width.into()])]
}

/// Collects what is wrong, so that one bad layer does not hide another.
struct Matrix {
    folder: Folder,
    models: usize,
    wrong: Vec<String>,
}

type Forward<'a> = &'a dyn Fn(&[Array]) -> Vec<Vec<f32>>;

impl Matrix {
    /// A layer whose batch size is free.
    fn layer<I: Input, M: Module<I> + ToOnnx>(
        &mut self,
        name: &str,
        inputs: Vec<Value>,
        (model, tensors): (M, Tensors),
    ) where
        M::Output: Output,
    {
        self.prove(name, &inputs, &["output"], &model, &tensors, &|arrays| {
            forward::<I, M>(&model, arrays)
        });
    }

    /// A layer whose batch size is part of its type.
    fn single<I: Input, M: Module<I> + ToOnnx>(
        &mut self,
        name: &str,
        inputs: Vec<Value>,
        (model, tensors): (M, Tensors),
    ) where
        M::Output: Output,
    {
        self.prove(name, &inputs, &["output"], &model, &tensors, &|arrays| {
            by_row::<I, M>(&model, arrays)
        });
    }

    fn prove(
        &mut self,
        name: &str,
        inputs: &[Value],
        outputs: &[&str],
        model: &dyn ToOnnx,
        tensors: &Tensors,
        forward: Forward,
    ) {
        let graph = graph_on(inputs, outputs, model).map_err(|e| e.to_string());
        self.prove_graph(name, graph, tensors, forward);
    }

    fn prove_graph(
        &mut self,
        name: &str,
        graph: Result<Graph, String>,
        tensors: &Tensors,
        forward: Forward,
    ) {
        self.models += 1;
        if let Err(reason) = graph.and_then(|graph| self.try_prove(name, &graph, tensors, forward))
        {
            self.wrong.push(format!("{name}: {reason}"));
        }
    }

    fn try_prove(
        &self,
        name: &str,
        graph: &Graph,
        tensors: &Tensors,
        forward: Forward,
    ) -> Result<(), String> {
        for (tensor, numbers) in tensors {
            let kept = graph.weights().find(|(name, ..)| name == tensor);
            if kept.is_none_or(|(_, _, kept)| kept != numbers) {
                return Err(format!("the file does not hold dfdx's tensor {tensor:?}"));
            }
        }
        let inputs = graph.inputs();
        let folder = self.folder.model(name);
        let path = folder.join("model.onnx");
        let forward_ok = |arrays: &[Array]| Ok(forward(arrays));
        let report = export_with(&path, graph, &forward_ok, &ExportOptions::default())
            .map_err(|e| e.to_string())?;
        let free = inputs.iter().any(|input| input.row_len().is_none());
        assert_eq!(report.comparison.comparisons, if free { 180 } else { 60 }, "{name}");
        check(&path, &Verifier::default()).map_err(|e| e.to_string())?;
        let Comparison { max_abs_diff, margin_used, second_opinion, .. } = &report.comparison;
        println!("{name:<24} {max_abs_diff:.1e} margin used {margin_used:.3}, {second_opinion:?}");
        // tract takes the logarithm of a softmax that has become 0.
        let differs = name.starts_with("LogSoftmax");
        match second_opinion {
            None if cfg!(feature = "tract") => panic!("{name} got no second opinion"),
            None => {}
            Some(SecondOpinion::Agrees { .. }) => assert!(!differs, "{name}: {second_opinion:?}"),
            Some(SecondOpinion::Declined { .. }) => panic!("{name}: {second_opinion:?}"),
            Some(SecondOpinion::Differs { .. }) => assert!(differs, "{name}: {second_opinion:?}"),
        }

        let session = Session::open(&path, None).map_err(|e| e.to_string())?;
        for (number, (batch, sequence, memory)) in
            [(1, 6, 4), (3, 2, 7), (5, 9, 2)].into_iter().enumerate()
        {
            let arrays: Vec<Array> =
                (0..).zip(inputs).map(|(i, v)| recorded(v, i, [batch, sequence, memory])).collect();
            let found = session.run(&arrays).map_err(|e| e.to_string())?;
            let wanted = forward(&arrays);
            let exact = graph.evaluate_f64_on(&arrays).map_err(|e| e.to_string())?;
            for ((found, wanted), exact) in found.iter().zip(&wanted).zip(&exact) {
                let classes: Vec<f32> =
                    found.integers().iter().map(|&class| class as f32).collect();
                for ((found, wanted), exact) in
                    found.floats().iter().chain(&classes).zip(wanted).zip(exact)
                {
                    let near = 1e-4 * (1.0 + exact.abs());
                    if (found - wanted).abs() > near as f32
                        || (f64::from(*wanted) - exact).abs() > near
                    {
                        return Err(format!("ONNX Runtime {found}, dfdx {wanted}, f64 {exact}"));
                    }
                }
            }
            let outputs = found.iter().zip(wanted).map(|(found, wanted)| match found.numbers {
                Numbers::F32(_) => Array::f32(found.shape.clone(), wanted),
                Numbers::I64(_) => Array::i64(
                    found.shape.clone(),
                    wanted.iter().map(|&class| class as i64).collect(),
                ),
            });
            let outputs: Vec<Array> = outputs.collect();
            let given: Vec<_> =
                graph.inputs().iter().map(|v| v.name.as_str()).zip(&arrays).collect();
            let returned: Vec<_> =
                graph.outputs().iter().map(|v| v.name.as_str()).zip(&outputs).collect();
            record(&folder, number, &given, &returned);
        }
        Ok(())
    }
}

/// Keyed by the input's place, not by the layer.
fn recorded(value: &Value, index: u64, [batch, sequence, memory]: [usize; 3]) -> Array {
    let size = |dim: &Dim| match dim {
        Dim::Fixed(size) => *size,
        Dim::Named(name) => match name.as_str() {
            BATCH => batch,
            SEQUENCE => sequence,
            name => {
                assert_eq!(name, MEMORY);
                memory
            }
        },
    };
    let shape: Vec<usize> = value.shape.iter().map(size).collect();
    let numbers = normal("inputs", 10 * batch as u64 + index, shape.iter().product());
    match value.element {
        Element::F32 => Array { shape, numbers: Numbers::F32(numbers) },
        Element::Bool => panic!("a graph takes no bool"),
        Element::I64 => Array {
            shape,
            numbers: Numbers::I64(numbers.iter().map(|x| (x.abs() * 1e4) as i64 % 11).collect()),
        },
    }
}

/// A layer without tensors.
fn plain<M>(model: M) -> (M, Tensors) {
    (model, Tensors::new())
}

#[test]
fn onnx_of_every_layer_computes_what_dfdx_computes() {
    let mut m = Matrix { folder: Folder::new("onnx-layers"), models: 0, wrong: Vec::new() };
    linear(&mut m);
    heads(&mut m);
    normalization(&mut m);
    activations(&mut m);
    image_layers(&mut m);
    compositions(&mut m);
    attention(&mut m);
    assert!(
        m.wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        m.wrong.len(),
        m.models,
        m.wrong.join("\n")
    );
    assert!(m.models >= 60, "only {} models", m.models);
    m.folder.finish(m.models);
}

fn heads(m: &mut Matrix) {
    for (name, head) in [
        ("head-softmax", Head { softmax: true, class: false }),
        ("head-class", Head { softmax: false, class: true }),
        ("head-both", Head { softmax: true, class: true }),
    ] {
        let (model, tensors) = trained::<b::Linear<5, 4>, _>();
        let graph = graph_on(&rows(5), &["logits"], &model).and_then(|graph| graph.with_head(head));
        let with_head =
            |arrays: &[Array]| head.apply(forward::<Rows<5>, _>(&model, arrays).remove(0), 4);
        m.prove_graph(name, graph.map_err(|e| e.to_string()), &tensors, &with_head);
    }
}

fn linear(m: &mut Matrix) {
    m.layer::<Rows<5>, _>("Linear-2d", rows(5), trained::<b::Linear<5, 3>, _>());
    m.layer::<Tokens<5>, _>("Linear-3d", tokens(5), trained::<b::Linear<5, 3>, _>());
    m.layer::<Tokens<6>, _>("Linear-3d-square", tokens(6), trained::<b::Linear<6, 6>, _>());
    m.layer::<Rows<5>, _>("UnbiasedLinear-2d", rows(5), trained::<b::UnbiasedLinear<5, 3>, _>());
    m.layer::<Tokens<5>, _>(
        "UnbiasedLinear-3d",
        tokens(5),
        trained::<b::UnbiasedLinear<5, 3>, _>(),
    );
    let indices = |dims: &[Dim]| vec![Value::i64("input", [&[BATCH.into()], dims].concat())];
    type Indices<S> = Tensor<S, usize, Cpu>;
    m.layer::<Indices<(usize, usize)>, _>(
        "Embedding",
        indices(&[SEQUENCE.into()]),
        trained::<b::Embedding<11, 4>, _>(),
    );
    m.layer::<Indices<(usize,)>, _>(
        "Embedding-1d",
        indices(&[]),
        trained::<b::Embedding<11, 4>, _>(),
    );
    m.layer::<Indices<(usize, Const<7>)>, _>(
        "Embedding-fixed",
        indices(&[7.into()]),
        trained::<b::Embedding<13, 4>, _>(),
    );
    m.layer::<Indices<(usize, usize)>, _>(
        "Embedding-Linear",
        indices(&[SEQUENCE.into()]),
        trained::<(b::Embedding<11, 4>, b::Linear<4, 6>, ReLU, b::LayerNorm1D<6>), _>(),
    );
}

fn normalization(m: &mut Matrix) {
    m.layer::<Rows<5>, _>("BatchNorm1D-2d", rows(5), trained::<b::BatchNorm1D<5>, _>());
    let channels_first = vec![value("input", &[5.into(), SEQUENCE.into()])];
    m.layer::<T<(usize, Const<5>, usize)>, _>(
        "BatchNorm1D-3d",
        channels_first,
        trained::<b::BatchNorm1D<5>, _>(),
    );
    m.layer::<Images<3, 4, 5>, _>(
        "BatchNorm2D",
        images(3, 4, 5),
        trained::<b::BatchNorm2D<3>, _>(),
    );
    let (mut model, tensors) = trained::<b::BatchNorm2D<3>, _>();
    model.epsilon = 0.25;
    m.layer::<Images<3, 4, 5>, _>("BatchNorm2D-epsilon", images(3, 4, 5), (model, tensors));
    m.layer::<Rows<5>, _>("LayerNorm1D-2d", rows(5), trained::<b::LayerNorm1D<5>, _>());
    m.layer::<Tokens<5>, _>("LayerNorm1D-3d", tokens(5), trained::<b::LayerNorm1D<5>, _>());
    let (mut model, tensors) = trained::<b::LayerNorm1D<5>, _>();
    model.epsilon = 0.25;
    m.layer::<Tokens<5>, _>("LayerNorm1D-epsilon", tokens(5), (model, tensors));
    m.layer::<Images<3, 4, 5>, _>("Bias2D", images(3, 4, 5), trained::<b::Bias2D<3>, _>());
}

fn activations(m: &mut Matrix) {
    macro_rules! each {
        ($($name:literal $model:expr),+ $(,)?) => {$(
            m.layer::<Rows<6>, _>(concat!($name, "-2d"), rows(6), plain($model));
            m.layer::<Tokens<6>, _>(concat!($name, "-3d"), tokens(6), plain($model));
        )+};
    }
    #[allow(deprecated, reason = "the old name of FastGeLU is a layer of dfdx too")]
    let gelu = GeLU;
    each! {
        "ReLU" ReLU, "LeakyReLU" LeakyReLU::<f32>::default(), "LeakyReLU-negative" LeakyReLU(-0.3_f32),
        "Sigmoid" Sigmoid, "Tanh" Tanh, "FastGeLU" FastGeLU, "AccurateGeLU" AccurateGeLU, "GeLU" gelu, "Sin" Sin,
        "Cos" Cos, "Square" Square, "Abs" Abs, "Softmax" Softmax, "LogSoftmax" LogSoftmax,
    }
    // Only where their input is bounded: e¹⁰⁰ is no f32, and −1 has no root.
    each! { "Exp" (Tanh, Exp), "Ln" (Tanh, Exp, Ln), "Sqrt" (Sigmoid, Sqrt), "Dropout" (Dropout { p: 0.7 }, Tanh) }
    each! { "DropoutOneIn" (Tanh, DropoutOneIn::<2>), "nothing" () }
    m.layer::<Images<2, 3, 4>, _>("Softmax-4d", images(2, 3, 4), plain(Softmax));
    m.layer::<Images<2, 3, 4>, _>("ReLU-4d", images(2, 3, 4), plain(ReLU));
    m.single::<T<Rank2<1, 6>>, _>("PReLU-2d", rows(6), trained::<b::PReLU, _>());
    let fixed = |channels: usize| vec![value("input", &[channels.into(), 5.into()])];
    m.single::<T<Rank3<1, 3, 5>>, _>("PReLU-3d", fixed(3), trained::<b::PReLU, _>());
    m.single::<T<Rank2<1, 6>>, _>("PReLU1D-2d", rows(6), trained::<b::PReLU1D<Const<6>>, _>());
    m.single::<T<Rank3<1, 3, 5>>, _>("PReLU1D-3d", fixed(3), trained::<b::PReLU1D<Const<3>>, _>());
    m.single::<T<Rank4<1, 3, 4, 5>>, _>(
        "PReLU1D-4d",
        images(3, 4, 5),
        trained::<b::PReLU1D<Const<3>>, _>(),
    );
}

fn image_layers(m: &mut Matrix) {
    m.layer::<Images<3, 4, 5>, _>("AvgPoolGlobal", images(3, 4, 5), plain(AvgPoolGlobal));
    m.layer::<Images<3, 4, 5>, _>("MaxPoolGlobal", images(3, 4, 5), plain(MaxPoolGlobal));
    m.layer::<Images<3, 4, 5>, _>("MinPoolGlobal", images(3, 4, 5), plain(MinPoolGlobal));
    type Nearest<const H: usize, const W: usize> = Upscale2D<H, W, NearestNeighbor>;
    type Linear2<const H: usize, const W: usize> = Upscale2D<H, W, Bilinear>;
    m.layer::<Images<3, 4, 5>, _>(
        "Upscale2D-nearest",
        images(3, 4, 5),
        plain(Nearest::<9, 7>::default()),
    );
    // One of the sizes for which ONNX's Resize rounds another way.
    m.layer::<Images<1, 2, 3>, _>(
        "Upscale2D-nearest-82",
        images(1, 2, 3),
        plain(Nearest::<82, 3>::default()),
    );
    m.layer::<Images<3, 4, 5>, _>(
        "Upscale2D-bilinear",
        images(3, 4, 5),
        plain(Linear2::<9, 7>::default()),
    );
    m.layer::<Images<2, 1, 3>, _>(
        "Upscale2D-bilinear-1",
        images(2, 1, 3),
        plain(Linear2::<4, 11>::default()),
    );
    m.layer::<Images<2, 3, 4>, _>(
        "Upscale2D-bilinear-same",
        images(2, 3, 4),
        plain(Linear2::<3, 4>::default()),
    );
    m.single::<T<Rank2<1, 12>>, _>(
        "Reshape-rows",
        rows(12),
        plain(b::Reshape::<Rank3<1, 3, 4>>::default()),
    );
    m.single::<T<Rank4<1, 2, 3, 4>>, _>(
        "Reshape-images",
        images(2, 3, 4),
        plain(b::Reshape::<Rank2<1, 24>>::default()),
    );
    type Net = (b::Bias2D<3>, b::BatchNorm2D<3>, ReLU, AvgPoolGlobal, b::Linear<3, 4>);
    m.layer::<Images<3, 4, 5>, _>("image-network", images(3, 4, 5), trained::<Net, _>());
}

fn compositions(m: &mut Matrix) {
    type Block<const N: usize> = (b::Linear<N, 4>, ReLU, b::Linear<4, N>);
    m.layer::<Rows<6>, _>("Residual-2d", rows(6), trained::<Residual<Block<6>>, _>());
    m.layer::<Tokens<6>, _>("Residual-3d", tokens(6), trained::<Residual<Block<6>>, _>());
    type Two = GeneralizedResidual<(b::Linear<6, 4>, Tanh), b::UnbiasedLinear<6, 4>>;
    m.layer::<Tokens<6>, _>("GeneralizedResidual", tokens(6), trained::<Two, _>());
    m.layer::<Rows<6>, _>(
        "Repeated",
        rows(6),
        trained::<Repeated<(b::Linear<6, 6>, Tanh), 3>, _>(),
    );
    type Three =
        (b::Linear<5, 4>, (b::Linear<5, 3>, ReLU, b::Linear<3, 4>), b::UnbiasedLinear<5, 4>);
    type Sum = AddInto<(Tanh, b::Linear<4, 4>, Sigmoid)>;
    m.layer::<Rows<5>, _>("SplitInto-AddInto", rows(5), trained::<(SplitInto<Three>, Sum), _>());
    type Nested = (
        SplitInto<(SplitInto<(b::Linear<5, 4>, b::Linear<5, 4>)>, Three2)>,
        AddInto<(AddInto<(Tanh, ReLU)>, Sin)>,
    );
    type Three2 = b::UnbiasedLinear<5, 4>;
    m.layer::<Rows<5>, _>("SplitInto-nested", rows(5), trained::<Nested, _>());
    let (model, tensors) =
        trained::<SplitInto<(b::Linear<5, 3>, DropoutOneIn<2>, b::Linear<5, 7>)>, _>();
    m.prove("SplitInto", &rows(5), &["small", "same", "large"], &model, &tensors, &|arrays| {
        forward::<Rows<5>, _>(&model, arrays)
    });
    let two = vec![value("left", &[2.into()]), value("right", &[3.into()])];
    m.layer::<(Rows<2>, Rows<3>), _>(
        "AddInto",
        two,
        trained::<AddInto<(b::Linear<2, 5>, b::Linear<3, 5>)>, _>(),
    );
    type Six = (b::Linear<5, 6>, Tanh, b::BatchNorm1D<6>, Sin, b::LayerNorm1D<6>, b::Linear<6, 2>);
    m.layer::<Rows<5>, _>("tuple-of-6", rows(5), trained::<Six, _>());
}

fn attention(m: &mut Matrix) {
    m.layer::<Tokens<6>, _>(
        "MultiHeadAttention",
        tokens(6),
        trained::<b::MultiHeadAttention<6, 2>, _>(),
    );
    m.layer::<Tokens<5>, _>(
        "MultiHeadAttention-sizes",
        tokens(5),
        trained::<b::MultiHeadAttention<5, 2, 6, 4>, _>(),
    );
    let fixed = vec![value("input", &[7.into(), 6.into()])];
    m.layer::<T<(usize, Const<7>, Const<6>)>, _>(
        "MultiHeadAttention-fixed",
        fixed,
        trained::<b::MultiHeadAttention<6, 3>, _>(),
    );
    let three = vec![
        value("query", &[SEQUENCE.into(), 6.into()]),
        value("key", &[MEMORY.into(), 6.into()]),
        value("value", &[MEMORY.into(), 6.into()]),
    ];
    m.layer::<(Tokens<6>, Tokens<6>, Tokens<6>), _>(
        "MultiHeadAttention-3",
        three,
        trained::<b::MultiHeadAttention<6, 2, 4, 8>, _>(),
    );
    m.layer::<Tokens<6>, _>(
        "TransformerEncoderBlock",
        tokens(6),
        trained::<b::TransformerEncoderBlock<6, 2, 5>, _>(),
    );
    m.layer::<Tokens<6>, _>(
        "TransformerEncoder",
        tokens(6),
        trained::<b::TransformerEncoder<6, 3, 5, 2>, _>(),
    );
    let two = |first: &str, first_len: &str, second: &str, second_len: &str| {
        vec![
            value(first, &[first_len.into(), 6.into()]),
            value(second, &[second_len.into(), 6.into()]),
        ]
    };
    type Pair = (Tokens<6>, Tokens<6>);
    let inputs = two("target", SEQUENCE, "memory_values", MEMORY);
    m.layer::<Pair, _>(
        "TransformerDecoderBlock",
        inputs.clone(),
        trained::<b::TransformerDecoderBlock<6, 2, 5>, _>(),
    );
    m.layer::<Pair, _>(
        "TransformerDecoder",
        inputs,
        trained::<b::TransformerDecoder<6, 2, 5, 2>, _>(),
    );
    let inputs = two("source", MEMORY, "target", SEQUENCE);
    m.layer::<Pair, _>("Transformer", inputs, trained::<b::Transformer<6, 2, 1, 2, 5>, _>());
    type Classifier =
        (b::Linear<4, 6>, b::TransformerEncoder<6, 2, 5, 1>, b::Linear<6, 3>, LogSoftmax);
    m.layer::<Tokens<4>, _>("tokens-classifier", tokens(4), trained::<Classifier, _>());
}
