//! candle's side of `cargo xtask peers`.

use anyhow::{Result, bail};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::{
    AdamW, BatchNorm, Conv1dConfig, Conv2dConfig, Linear, Module, ModuleT, Optimizer, ParamsAdamW,
    VarBuilder, VarMap, batch_norm, conv1d, conv2d, linear, loss, ops,
};
use peers::{
    FEATURES, HEADS, HIDDEN, LENGTH, RATE, SEQUENCES, Step, VOCABULARY, WEIGHT_DECAY, draws,
};

type Forward = Box<dyn Fn(&Tensor) -> candle_core::Result<Tensor>>;

fn main() -> Result<()> {
    peers::serve("candle 0.11.1", make)
}

fn make(name: &str) -> Result<Step> {
    let device = Device::Cpu;
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &device);
    let normal = |shape: &[usize]| Tensor::randn(0.0_f32, 1.0, shape, &device);
    let (forward, x, targets, classes): (Forward, Tensor, usize, usize) = match name {
        "mlp" => (mlp(&vb)?, normal(&[128, 784])?, 128, 10),
        "norm-mlp" => (norm_mlp(&vb)?, normal(&[64, 64])?, 64, 10),
        "digits-cnn" => (cnn(&vb, 8)?, normal(&[64, 1, 8, 8])?, 64, 10),
        "mnist-cnn" => (cnn(&vb, 28)?, normal(&[64, 1, 28, 28])?, 64, 10),
        "series-cnn" => (series_cnn(&vb)?, normal(&[64, 1, 64])?, 64, 3),
        "transformer" => {
            let len = SEQUENCES * LENGTH;
            let x = Tensor::from_vec(draws(len, VOCABULARY), (SEQUENCES, LENGTH), &device)?;
            (transformer(&vb)?, x, len, VOCABULARY)
        }
        _ => bail!("there is no such model"),
    };
    let targets = Tensor::from_vec(draws(targets, classes), targets, &device)?;
    let parameters = ParamsAdamW { lr: RATE, weight_decay: WEIGHT_DECAY, ..Default::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), parameters)?;
    Ok(Box::new(move || {
        let loss = loss::cross_entropy(&forward(&x)?, &targets)?;
        optimizer.backward_step(&loss)?;
        loss.to_scalar::<f32>()?;
        Ok(())
    }))
}

fn mlp(vb: &VarBuilder<'_>) -> Result<Forward> {
    let first = linear(784, 512, vb.pp("0"))?;
    let second = linear(512, 256, vb.pp("1"))?;
    let third = linear(256, 10, vb.pp("2"))?;
    Ok(Box::new(move |x| {
        let x = first.forward(x)?.relu()?;
        third.forward(&second.forward(&x)?.relu()?)
    }))
}

fn norm_mlp(vb: &VarBuilder<'_>) -> Result<Forward> {
    let layer = |name: &str, inputs| -> Result<(Linear, BatchNorm)> {
        let vb = vb.pp(name);
        Ok((linear(inputs, 128, vb.pp("linear"))?, batch_norm(128, 1e-5, vb.pp("norm"))?))
    };
    let (first, second) = (layer("0", 64)?, layer("1", 128)?);
    let third = linear(128, 10, vb.pp("2"))?;
    Ok(Box::new(move |x| {
        let x = first.1.forward_t(&first.0.forward(x)?, true)?.relu()?;
        let x = second.1.forward_t(&second.0.forward(&x)?, true)?.relu()?;
        third.forward(&x)
    }))
}

fn cnn(vb: &VarBuilder<'_>, side: usize) -> Result<Forward> {
    let padded = Conv2dConfig { padding: 1, ..Default::default() };
    let first = conv2d(1, 16, 3, padded, vb.pp("0"))?;
    let second = conv2d(16, 32, 3, padded, vb.pp("1"))?;
    let third = linear(32 * (side / 4) * (side / 4), 64, vb.pp("2"))?;
    let fourth = linear(64, 10, vb.pp("3"))?;
    Ok(Box::new(move |x| {
        let x = first.forward(x)?.relu()?.max_pool2d(2)?;
        let x = second.forward(&x)?.relu()?.max_pool2d(2)?;
        fourth.forward(&third.forward(&x.flatten_from(1)?)?.relu()?)
    }))
}

/// candle has no pool over a length; on an image of height 1 it is the same.
fn series_cnn(vb: &VarBuilder<'_>) -> Result<Forward> {
    let first = conv1d(1, 16, 5, Conv1dConfig::default(), vb.pp("0"))?;
    let second = conv1d(16, 32, 5, Conv1dConfig::default(), vb.pp("1"))?;
    let third = linear(32, 3, vb.pp("2"))?;
    Ok(Box::new(move |x| {
        let x = first.forward(x)?.relu()?;
        let x = x.unsqueeze(2)?.max_pool2d((1, 2))?.squeeze(2)?;
        third.forward(&second.forward(&x)?.relu()?.mean(D::Minus1)?)
    }))
}

/// Queries, keys and values, the output, and the feed-forward part.
struct Block {
    norms: [[Tensor; 2]; 2],
    qkv: Linear,
    output: Linear,
    inner: Linear,
    outer: Linear,
}

fn norm(vb: VarBuilder<'_>) -> candle_core::Result<[Tensor; 2]> {
    let ones = candle_nn::Init::Const(1.0);
    Ok([
        vb.get_with_hints(FEATURES, "weight", ones)?,
        vb.get_with_hints(FEATURES, "bias", candle_nn::Init::Const(0.0))?,
    ])
}

/// The form that has a derivative: candle's faster one has none.
fn normalized(x: &Tensor, [weight, bias]: &[Tensor; 2]) -> candle_core::Result<Tensor> {
    ops::layer_norm_slow(x, weight, bias, 1e-5)
}

impl Block {
    fn new(vb: VarBuilder<'_>) -> candle_core::Result<Self> {
        Ok(Self {
            norms: [norm(vb.pp("norm1"))?, norm(vb.pp("norm2"))?],
            qkv: linear(FEATURES, 3 * FEATURES, vb.pp("qkv"))?,
            output: linear(FEATURES, FEATURES, vb.pp("output"))?,
            inner: linear(FEATURES, HIDDEN, vb.pp("inner"))?,
            outer: linear(HIDDEN, FEATURES, vb.pp("outer"))?,
        })
    }

    /// `mask` is 0 where a position sees another, else −∞.
    fn forward(&self, x: &Tensor, mask: &Tensor) -> candle_core::Result<Tensor> {
        let head = FEATURES / HEADS;
        let qkv = self.qkv.forward(&normalized(x, &self.norms[0])?)?;
        let qkv = qkv.reshape((SEQUENCES, LENGTH, 3, HEADS, head))?.permute((2, 0, 3, 1, 4))?;
        let part = |i| qkv.get(i)?.contiguous();
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let scores = (q.matmul(&k.t()?)? * (1.0 / (head as f64).sqrt()))?;
        let weights = ops::softmax(&scores.broadcast_add(mask)?, D::Minus1)?;
        let merged = weights.matmul(&v)?.transpose(1, 2)?.reshape((SEQUENCES, LENGTH, FEATURES))?;
        let x = (x + self.output.forward(&merged)?)?;
        let inner = self.inner.forward(&normalized(&x, &self.norms[1])?)?.relu()?;
        &x + self.outer.forward(&inner)?
    }
}

fn transformer(vb: &VarBuilder<'_>) -> Result<Forward> {
    let characters = candle_nn::embedding(VOCABULARY, FEATURES, vb.pp("characters"))?;
    let small = candle_nn::Init::Randn { mean: 0.0, stdev: 0.02 };
    let positions = vb.get_with_hints((LENGTH, FEATURES), "positions", small)?;
    let blocks = [Block::new(vb.pp("0"))?, Block::new(vb.pp("1"))?];
    let last = norm(vb.pp("norm"))?;
    let head = linear(FEATURES, VOCABULARY, vb.pp("head"))?;
    let hidden = (0..LENGTH * LENGTH)
        .map(|i| if i % LENGTH > i / LENGTH { f32::NEG_INFINITY } else { 0.0 })
        .collect::<Vec<f32>>();
    let mask = Tensor::from_vec(hidden, (1, 1, LENGTH, LENGTH), &Device::Cpu)?;
    Ok(Box::new(move |x| {
        let mut x = characters.forward(x)?.broadcast_add(&positions)?;
        for block in &blocks {
            x = block.forward(&x, &mask)?;
        }
        head.forward(&normalized(&x, &last)?)?.flatten(0, 1)
    }))
}
