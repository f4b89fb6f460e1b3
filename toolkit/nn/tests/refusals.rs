//! Bad input is refused with an error of one line, and never with a panic; random networks either
//! do not fit or compute the same in every form.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value as Json, json};
use trainbook_core::array::Array;
use trainbook_core::batch::{Batch, Targets};
use trainbook_core::random::Seed;
use trainbook_nn::layer::{
    AnyLayer, Combine, Conv2d, Embedding, Gru, Kinds, Layer, Linear, MaxPool2d, MultiHeadAttention,
    Parallel, Repeat, Residual, Sequential, TransformerEncoderLayer,
};
use trainbook_nn::optim::{AdamW, Optimizer};
use trainbook_nn::task::{Loss, Recipe, Task};
use trainbook_nn::trial::{Outcome, Trial};
use trainbook_nn::{Context, Network, NnError, Sample};

/// The error, after asserting that it is one line that says all of this.
#[track_caller]
fn says<T>(result: Result<T, NnError>, parts: &[&str]) {
    let Err(error) = result else { panic!("it should be refused: {parts:?}") };
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[track_caller]
fn misfit(layer: impl Layer, sample: Sample, parts: &[&str]) {
    says(Network::from(layer).plan(&sample), parts);
}

fn task(layer: impl Layer, input: Sample, loss: Loss) -> Result<Box<dyn Task>, NnError> {
    let recipe = Recipe {
        optimizer: Optimizer::from(AdamW::default()),
        seed: Seed(1),
        ..Recipe::new(Network::from(layer), input, loss)
    };
    recipe.task_on_dfdx()?;
    recipe.task()
}

fn batch(input: Array, targets: Targets) -> Batch {
    let samples = (0..input.rows()).collect();
    Batch { input, targets, samples, weights: None, mixed: None }
}

#[test]
fn shapes_deep_inside() {
    let block = Residual::new(Sequential::new().linear(4).relu().linear(3));
    let net = Sequential::new().linear(4).named("body", Repeat::new(2, block));
    misfit(net, Sample::numbers([7]), &["Residual (layer body.0)", "[4]", "[3]"]);
    let inner = Parallel::new(Combine::Add).named("a", Linear::new(2).in_features(9));
    let net = Sequential::new().relu().named("deep", Sequential::new().relu().with(inner));
    misfit(net, Sample::numbers([5]), &["Linear (layer deep.1.a)", "shape [5]", "9 features"]);
    let net = Sequential::new().linear(4).with(Conv2d::new(2, 3));
    misfit(net, Sample::numbers([5]), &["Conv2d (layer 1)", "shape [4]", "height, width"]);
}

#[test]
fn zeros_and_what_does_not_divide() {
    misfit(Linear::new(0), Sample::numbers([3]), &["Linear", "[3]", "at least 1"]);
    misfit(Conv2d::new(2, 0), Sample::numbers([1, 4, 4]), &["Conv2d", "[1, 4, 4]", "kernel"]);
    misfit(MaxPool2d::new(0), Sample::numbers([1, 4, 4]), &["MaxPool2d", "[1, 4, 4]", "kernel"]);
    misfit(Gru::new(0), Sample::numbers([4, 2]), &["Gru", "[4, 2]", "hidden_size"]);
    for heads in [0, 4] {
        let sample = Sample::numbers([5, 6]);
        misfit(MultiHeadAttention::new(heads), sample.clone(), &["num_heads", "6 features"]);
        misfit(
            Sequential::new().with(TransformerEncoderLayer::new(heads, 8)),
            sample,
            &["MultiHeadAttention (layer 0.self_attn)", "[5, 6]", "num_heads"],
        );
    }
    misfit(Sequential::new().embedding(0, 4), Sample::indices([3]), &["num_embeddings"]);
}

#[test]
fn indices_and_numbers() {
    misfit(Linear::new(2), Sample::indices([3]), &["Linear", "[3] of indices", "Embedding"]);
    misfit(Embedding::new(9, 4), Sample::numbers([3]), &["Embedding", "[3]", "takes indices"]);
    let net = Sequential::new().learned_positions(4);
    misfit(net, Sample::numbers([5, 2]), &["LearnedPositions (layer 0)", "[5, 2]", "4"]);
}

#[test]
fn names_that_do_not_exist() {
    for (wrong, right) in [("Lienar", "Linear"), ("relu", "Relu"), ("Conv2D", "Conv2d")] {
        let text = json!({"layer": "Sequential", "layers": [{"layer": wrong}]}).to_string();
        let net = Network::from_json(&text).unwrap();
        let nearest = format!("the nearest is `{right}`");
        says(net.plan(&Sample::numbers([3])), &["(layer 0)", wrong, &nearest]);
    }
    let text = r#"{"layer": "Linear", "out_features": 3, "biass": false}"#;
    says(Network::from_json(text), &["Linear", "biass", "bias"]);
    says(Network::from_json(r#"{"layer": "Linear"}"#), &["Linear", "out_features"]);
    says(Network::from_json(r#"{"layer": "Linear", "out_features": -1}"#), &["Linear", "-1"]);
    for (kind, json) in [("Relu", json!({"slope": 1})), ("Tanh", json!({"x": 2}))] {
        let mut json = json;
        json["layer"] = kind.into();
        says(Network::from_json(&json.to_string()), &[kind]);
    }
    says(Network::from_json("3"), &["not 3"]);
    says(Network::from_json(""), &["read the network"]);
}

#[test]
fn damaged_text() {
    let block = Sequential::new().named("a", Conv2d::new(3, 3)).batch_norm().relu().dropout(0.5);
    let net = Network::from(
        Sequential::new()
            .with(Residual::new(Repeat::new(2, block)))
            .max_pool2d(2)
            .flatten()
            .linear(10),
    );
    let text = serde_json::to_string(&net).unwrap();
    let sample = Sample::numbers([1, 8, 8]);
    for (at, _) in text.char_indices() {
        let mut damaged = text.clone();
        damaged.remove(at);
        match Network::from_json(&damaged) {
            Err(error) => assert!(!error.to_string().contains('\n')),
            Ok(read) => {
                // Another network, and a whole one.
                assert_eq!(Network::from_json(&read.to_json().unwrap()).unwrap(), read);
                if let Err(error) = read.plan(&sample) {
                    assert!(!error.to_string().contains('\n'));
                }
            }
        }
    }
}

#[test]
fn data_that_does_not_fit() {
    let classes = |classes: &[u32]| Targets::Classes(classes.to_vec());
    let mut task = task(Linear::new(3), Sample::numbers([2]), Loss::cross_entropy()).unwrap();
    let x = || Array::f32([2, 2], vec![1.0; 4]);
    assert!(task.forward_backward(&batch(x(), classes(&[0, 2]))).is_ok());
    says(task.forward_backward(&batch(x(), classes(&[0, 3]))), &["3"]);
    says(task.forward_backward(&batch(x(), classes(&[0]))), &["1", "2"]);
    says(task.forward_backward(&batch(x(), Targets::Values(vec![0.0; 2]))), &["class"]);
    let wide = Array::f32([2, 5], vec![1.0; 10]);
    says(task.model().predict(&wide), &["[2]", "[5]"]);
    says(task.forward_backward(&batch(wide, classes(&[0, 1]))), &["[2]", "[5]"]);
    says(task.model().predict(&Array::i64([1, 2], vec![0, 1])), &["[2]", "indices"]);
    says(task.model().predict(&Array::f32([3, 2], vec![1.0; 4])), &["4 numbers"]);
    says(task.model().predict(&Array::f32(Vec::<usize>::new(), Vec::new())), &["[2]"]);
    let none = || Array::f32([0, 2], Vec::new());
    says(task.model().predict(&none()), &["no samples", "[2]"]);
    says(task.forward_backward(&batch(none(), classes(&[]))), &["no samples", "[2]"]);
}

#[test]
fn indices_out_of_range() {
    let net = Sequential::new().embedding(5, 4).learned_positions(3).flatten().linear(2);
    let task = task(net, Sample::indices([3]), Loss::cross_entropy()).unwrap();
    says(task.model().predict(&Array::i64([1, 3], vec![0, 4, 5])), &["Embedding", "5"]);
    says(task.model().predict(&Array::i64([1, 3], vec![0, 4, -1])), &["-1"]);
    says(task.model().predict(&Array::i64([1, 4], vec![0; 4])), &["[3]", "[4]"]);
}

#[test]
fn weights_that_are_no_numbers() {
    let net = Sequential::new().linear(4).batch_norm().relu().linear(3);
    let mut task = task(net, Sample::numbers([2]), Loss::cross_entropy()).unwrap();
    let mut weights = task.snapshot().unwrap();
    weights.0.iter_mut().flatten().for_each(|w| *w = f32::NAN);
    task.restore(&weights).unwrap();
    let x = Array::f32([2, 2], vec![1.0; 4]);
    let _ = task.model().predict(&x);
    let loss = task.loss_of(&batch(x, Targets::Classes(vec![0, 1])));
    assert!(loss.is_err() || loss.unwrap().is_nan());
}

/// A network of no layers has nothing to train; it gives what it gets.
#[test]
fn no_layers() {
    let mut task = task(Sequential::new(), Sample::numbers([2]), Loss::cross_entropy()).unwrap();
    let x = Array::f32([1, 2], vec![1.0, 2.0]);
    assert_eq!(task.model().predict(&x).unwrap(), x);
    task.forward_backward(&batch(x, Targets::Classes(vec![0]))).unwrap();
    task.update(&0.1.into()).unwrap();
}

/// Splitmix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn real(&mut self) -> f64 {
        f64::from(((self.next() >> 40) as f32 / 8_388_608.0) - 1.0)
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    fn layers(&mut self, depth: usize) -> Json {
        let len = 1 + self.below(3);
        json!({"layer": "Sequential", "layers": (0..len).map(|_| self.layer(depth)).collect::<Vec<_>>()})
    }

    fn layer(&mut self, depth: usize) -> Json {
        const PLAIN: [&str; 29] = [
            "Abs",
            "Cos",
            "Elu",
            "Gelu",
            "HardSwish",
            "LeakyRelu",
            "Mish",
            "Relu",
            "Selu",
            "Sigmoid",
            "Silu",
            "Sin",
            "Softplus",
            "Square",
            "Tanh",
            "Flatten",
            "GlobalAvgPool",
            "GlobalMaxPool",
            "GlobalMinPool",
            "Identity",
            "LayerNorm",
            "RmsNorm",
            "BatchNorm",
            "SinusoidalPositions",
            "LogSoftmax",
            "Softmax",
            "Flatten",
            "Relu",
            "PRelu",
        ];
        let (out, kernel, stride) = (1 + self.below(5), self.below(4), self.below(3));
        let (padding, dilation, groups) = (self.below(3), 1 + self.below(2), 1 + self.below(2));
        let (heads, bias) = (1 + self.below(3), self.coin());
        match self.below(if depth == 0 { 32 } else { 37 }) {
            0..10 => json!({"layer": PLAIN[self.below(PLAIN.len())]}),
            10..13 => json!({"layer": "Linear", "out_features": out, "bias": bias}),
            13 | 14 => json!({"layer": "Conv1d", "out_channels": out, "kernel_size": kernel,
                "stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": bias}),
            15 | 16 => json!({"layer": "Conv2d", "out_channels": out,
                "kernel_size": [kernel, self.below(4)], "stride": [1 + stride, 1],
                "padding": [padding, 0], "dilation": dilation, "groups": groups, "bias": bias}),
            17 => json!({"layer": "ConvTranspose2d", "out_channels": out, "kernel_size": kernel,
                "stride": [stride, 1], "padding": padding, "output_padding": self.below(2),
                "dilation": dilation, "groups": groups, "bias": bias}),
            18 | 19 => json!({"layer": (["MaxPool1d", "MaxPool2d"])[self.below(2)],
                "kernel_size": kernel, "stride": stride, "padding": self.below(2), "dilation": dilation}),
            20 | 21 => json!({"layer": (["AvgPool1d", "AvgPool2d"])[self.below(2)],
                "kernel_size": kernel, "stride": stride, "padding": self.below(2), "count_include_pad": bias}),
            22 => json!({"layer": (["AdaptiveAvgPool1d", "AdaptiveAvgPool2d"])[self.below(2)],
                "output_size": self.below(4)}),
            23 => json!({"layer": "GroupNorm", "num_groups": groups}),
            24 => json!({"layer": "MultiHeadAttention", "num_heads": heads, "causal": bias,
                "memory": if bias { 0 } else { self.below(3) }}),
            25 if bias => json!({"layer": "TransformerEncoderLayer", "num_heads": heads,
                "dim_feedforward": out, "norm_first": self.coin(), "causal": self.coin()}),
            25 => {
                json!({"layer": "TransformerDecoderLayer", "num_heads": heads, "memory": self.below(3),
                "dim_feedforward": out, "norm_first": self.coin(), "causal": self.coin()})
            }
            26 | 27 => json!({"layer": (["Gru", "Lstm"])[self.below(2)], "hidden_size": out,
                "bidirectional": bias, "return_sequences": self.coin()}),
            28 => json!({"layer": "LearnedPositions", "max_length": self.below(6)}),
            29 => json!({"layer": "Upsample", "scale_factor": self.below(3),
                "mode": (["nearest", "bilinear"])[self.below(2)], "align_corners": self.coin()}),
            30 if bias => json!({"layer": "Slice", "start": self.below(3) as i64 - 1,
                "dim": self.below(2)}),
            30 if self.coin() => json!({"layer": "CategoricalEmbedding", "tables": [
                {"feature": self.below(4), "num_embeddings": out, "embedding_dim": self.below(4)}]}),
            30 => json!({"layer": "Reshape", "shape": [self.below(4), -1]}),
            31 => {
                json!({"layer": (["Dropout", "ChannelDropout"])[self.below(2)], "p": 0.25 * self.below(5) as f64})
            }
            32 | 33 => json!({"layer": "Residual", "f": self.layers(depth - 1)}),
            34 | 35 => json!({"layer": "Parallel", "combine": (["add", "concat"])[self.below(2)],
                "branches": [self.layer(depth - 1), self.layer(depth - 1)]}),
            _ => json!({"layer": "Repeat", "times": self.below(3), "f": self.layer(depth - 1)}),
        }
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, v| most.max(v.abs()))
}

/// Whether `a` is `b` within what f32 loses, for which `c`, the same in f64, is the measure.
fn close(what: &str, a: &[f64], b: &[f64], c: &[f64]) -> Result<(), String> {
    if a.len() != b.len() {
        return Err(format!("{what}: {} elements, not {}", a.len(), b.len()));
    }
    let apart =
        |a: &[f64], b: &[f64]| a.iter().zip(b).fold(0.0, |d: f64, (a, b)| d.max((a - b).abs()));
    let allowed = (1e-4 * (1.0 + largest(b))).max(20.0 * apart(b, c));
    if apart(a, b) <= allowed { Ok(()) } else { Err(format!("{what}: {} apart", apart(a, b))) }
}

/// Whether it fits and could be compared.
fn all_forms_agree(seed: u64, pools: &[rayon::ThreadPool; 2]) -> Result<Option<bool>, String> {
    let mut draws = Draws(seed);
    let layer: AnyLayer = match Kinds::standard().layer(draws.layers(2)) {
        Ok(layer) => layer,
        Err(reason) => return Err(format!("does not read: {reason}")),
    };
    let mut shape: Vec<usize> = (0..=draws.below(3)).map(|_| 1 + draws.below(6)).collect();
    let mut sample = Sample::numbers(shape.clone());
    let mut network = Sequential::new();
    if shape.len() == 1 && draws.below(3) == 0 {
        network = network.embedding(5, 4);
        sample = Sample::indices(std::mem::take(&mut shape));
    }
    let network: AnyLayer = network.with(layer).into();
    let rows = 1 + draws.below(3);
    let text = format!("{network} on {rows} × {sample}");
    let mut trial = match Trial::new(&network, &sample) {
        Ok(trial) => trial,
        Err(error @ NnError::Misfit { .. }) => {
            let line = error.to_string();
            return if line.contains('\n') { Err(format!("{text}: {line}")) } else { Ok(None) };
        }
        Err(other) => return Err(format!("{text}: {other}")),
    };
    trial.values.iter_mut().for_each(|v| *v = draws.real());
    for slot in trial.planned.layout.slots().iter().filter(|s| s.name.ends_with("running_var")) {
        trial.values[slot.range()].iter_mut().for_each(|v| *v = v.abs() + 0.5);
    }
    let len = rows * sample.size();
    let input: Vec<f64> = match sample.kind {
        trainbook_nn::Kind::Numbers => (0..len).map(|_| draws.real()).collect(),
        trainbook_nn::Kind::Indices => (0..len).map(|_| draws.below(5) as f64).collect(),
    };
    let upstream: Vec<f64> =
        (0..rows * trial.planned.root.output.size()).map(|_| draws.real()).collect();
    let training = draws.coin();
    let samples: Vec<usize> = (0..rows).collect();
    let context = Context { training, seed: Seed(seed), update: 1, samples: &samples };
    let fail = |e: NnError| format!("{text}: {e}");
    let on_host = || trial.on_host(&input, rows, context, &upstream);
    let host = pools[0].install(on_host);
    let again = pools[1].install(on_host);
    let narrow = trial.on_dfdx::<f32>(&input, rows, context, &upstream);
    let (host, again, narrow) = match (host, again, narrow) {
        (Err(_), Err(_), Err(_)) => return Ok(None),
        (host, again, narrow) => (host.map_err(fail)?, again.map_err(fail)?, narrow.map_err(fail)?),
    };
    let wide = trial.on_dfdx::<f64>(&input, rows, context, &upstream).map_err(fail)?;
    let bits = |o: &Outcome| -> Vec<u64> {
        let buffers = o.buffers.iter().flat_map(|(_, values)| values);
        let all = o.output.iter().chain(&o.input_gradient).chain(&o.gradients).chain(buffers);
        all.map(|v| v.to_bits()).collect()
    };
    if bits(&host) != bits(&again) {
        return Err(format!("{text}: 1 and 3 threads differ"));
    }
    if host.shape != narrow.shape || host.shape[1..] != trial.planned.root.output.shape {
        return Err(format!("{text}: shapes {:?} and {:?}", host.shape, narrow.shape));
    }
    let tame = |o: &Outcome| {
        o.output.iter().chain(&o.input_gradient).chain(&o.gradients).all(|v| v.abs() < 1e6)
    };
    if !tame(&narrow) || !tame(&wide) {
        return Ok(Some(false));
    }
    let parts = [
        ("output", &host.output, &narrow.output, &wide.output),
        ("input's gradient", &host.input_gradient, &narrow.input_gradient, &wide.input_gradient),
        ("gradients", &host.gradients, &narrow.gradients, &wide.gradients),
    ];
    for (what, host, narrow, wide) in parts {
        close(what, host, narrow, wide).map_err(|reason| format!("{text}: {reason}"))?;
    }
    Ok(Some(true))
}

#[test]
fn random_networks_do_not_fit_or_agree() {
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let pools = [pool(1), pool(3)];
    let (mut compared, mut wild, mut wrong) = (0, 0, Vec::new());
    for seed in 0..2000 {
        match catch_unwind(AssertUnwindSafe(|| all_forms_agree(seed, &pools))) {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(true))) => compared += 1,
            Ok(Ok(Some(false))) => wild += 1,
            Ok(Err(reason)) => wrong.push(format!("seed {seed}: {reason}")),
            Err(panic) => wrong.push(format!(
                "seed {seed}: panic {:?} in {}",
                panic.downcast_ref::<String>(),
                Kinds::standard().layer(Draws(seed).layers(2)).unwrap()
            )),
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 400 && wild < 100, "{compared} compared, {wild} too large to compare");
}

/// Sizes that no memory holds are refused where they are planned; they do not overflow.
#[test]
fn sizes_beyond_all_memory() {
    let most = usize::MAX / 2;
    let layers = [
        json!({"layer": "Linear", "out_features": most}),
        json!({"layer": "Conv1d", "out_channels": most, "kernel_size": 1}),
        json!({"layer": "Conv1d", "out_channels": 2, "kernel_size": most}),
        json!({"layer": "Conv1d", "out_channels": 2, "kernel_size": 1, "padding": most}),
        json!({"layer": "Conv1d", "out_channels": 2, "kernel_size": 3, "dilation": most}),
        json!({"layer": "MaxPool1d", "kernel_size": most, "padding": most}),
        json!({"layer": "AvgPool1d", "kernel_size": most, "padding": most}),
        json!({"layer": "AdaptiveAvgPool1d", "output_size": most}),
        json!({"layer": "Gru", "hidden_size": most}),
        json!({"layer": "Lstm", "hidden_size": most}),
        json!({"layer": "LearnedPositions", "max_length": most}),
        json!({"layer": "Reshape", "shape": [i64::MAX, i64::MAX]}),
        json!({"layer": "Reshape", "shape": [i64::MAX, -1]}),
        json!({"layer": "TransformerEncoderLayer", "num_heads": 1, "dim_feedforward": most}),
        json!({"layer": "PRelu", "num_parameters": most}),
        json!({"layer": "GroupNorm", "num_groups": most}),
    ];
    let images = [
        json!({"layer": "Upsample", "scale_factor": most}),
        json!({"layer": "Conv2d", "out_channels": most, "kernel_size": 3}),
        json!({"layer": "ConvTranspose2d", "out_channels": 2, "kernel_size": 3, "stride": most}),
        json!({"layer": "ConvTranspose2d", "out_channels": 2, "kernel_size": most}),
        json!({"layer": "ConvTranspose2d", "out_channels": 2, "kernel_size": 3, "padding": most}),
    ];
    let all = layers.map(|l| (l, vec![4, 4])).into_iter();
    let all = all.chain(images.map(|l| (l, vec![4, 4, 4])));
    for (json, shape) in all {
        let net = Network::from_json(&json.to_string()).unwrap();
        let kind = json["layer"].as_str().unwrap();
        says(net.plan(&Sample::numbers(shape)), &[kind, "at most 16777216"]);
    }
}
