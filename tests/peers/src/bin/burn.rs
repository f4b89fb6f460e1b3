//! burn's side of `cargo xtask peers`, on its backend for processors, Flex.

use anyhow::{Result, bail};
use burn::module::{Initializer, Module, Param};
use burn::nn::activation::ActivationConfig;
use burn::nn::attention::generate_autoregressive_mask;
use burn::nn::conv::{Conv1d, Conv1dConfig, Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{AdaptiveAvgPool1dConfig, MaxPool1dConfig, MaxPool2dConfig};
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{
    BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, PaddingConfig2d,
};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::{Bool, Device, Distribution, Int, Tensor, TensorData};
use peers::{
    FEATURES, HEADS, HIDDEN, LENGTH, RATE, SEQUENCES, Step, VOCABULARY, WEIGHT_DECAY, draws,
};

fn main() -> Result<()> {
    peers::serve("burn 0.22.1 (Flex)", make)
}

fn make(name: &str) -> Result<Step> {
    let device = &Device::flex().autodiff();
    match name {
        "mlp" => step(Mlp::new(device), normal([128, 784], device), classes(128, 10, device)),
        "norm-mlp" => step(NormMlp::new(device), normal([64, 64], device), classes(64, 10, device)),
        "digits-cnn" => {
            step(Cnn::new(8, device), normal([64, 1, 8, 8], device), classes(64, 10, device))
        }
        "mnist-cnn" => {
            step(Cnn::new(28, device), normal([64, 1, 28, 28], device), classes(64, 10, device))
        }
        "series-cnn" => {
            step(SeriesCnn::new(device), normal([64, 1, 64], device), classes(64, 3, device))
        }
        "transformer" => {
            let len = SEQUENCES * LENGTH;
            let x = TensorData::new(draws(len, VOCABULARY), [SEQUENCES, LENGTH]);
            let x = Tensor::<2, Int>::from_data(x, device);
            step(Transformer::new(device), x, classes(len, VOCABULARY, device))
        }
        _ => bail!("there is no such model"),
    }
}

fn normal<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn classes(len: usize, classes: usize, device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(draws(len, classes), [len]), device)
}

/// A network from a batch to logits.
trait Network: Module + 'static {
    type Input: Clone + 'static;
    fn forward(&self, x: Self::Input) -> Tensor<2>;
}

fn step<N: Network>(network: N, x: N::Input, targets: Tensor<1, Int>) -> Result<Step> {
    let loss: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&targets.device());
    let mut optimizer =
        AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(WEIGHT_DECAY as f32).init();
    let mut network = Some(network);
    Ok(Box::new(move || {
        let Some(mut moved) = network.take() else { bail!("the step before failed") };
        let loss = loss.forward(moved.forward(x.clone()), targets.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &moved);
        moved = optimizer.step(RATE, moved, gradients);
        loss.into_scalar::<f32>();
        network = Some(moved);
        Ok(())
    }))
}

#[derive(Module, Debug)]
struct Mlp {
    layers: [Linear; 3],
}

impl Mlp {
    fn new(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self { layers: [linear(784, 512), linear(512, 256), linear(256, 10)] }
    }
}

impl Network for Mlp {
    type Input = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, second, third] = &self.layers;
        third.forward(relu(second.forward(relu(first.forward(x)))))
    }
}

#[derive(Module, Debug)]
struct NormMlp {
    layers: [Linear; 3],
    norms: [BatchNorm; 2],
}

impl NormMlp {
    fn new(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let norm = || BatchNormConfig::new(128).init(device);
        Self {
            layers: [linear(64, 128), linear(128, 128), linear(128, 10)],
            norms: [norm(), norm()],
        }
    }
}

impl Network for NormMlp {
    type Input = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [first, second, third] = &self.layers;
        let x = relu(self.norms[0].forward(first.forward(x)));
        third.forward(relu(self.norms[1].forward(second.forward(x))))
    }
}

#[derive(Module, Debug)]
struct Cnn {
    convolutions: [Conv2d; 2],
    layers: [Linear; 2],
}

impl Cnn {
    fn new(side: usize, device: &Device) -> Self {
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self {
            convolutions: [conv(1, 16), conv(16, 32)],
            layers: [linear(32 * (side / 4) * (side / 4), 64), linear(64, 10)],
        }
    }
}

impl Network for Cnn {
    type Input = Tensor<4>;

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let x = pool.forward(relu(self.convolutions[0].forward(x)));
        let x = pool.forward(relu(self.convolutions[1].forward(x)));
        self.layers[1].forward(relu(self.layers[0].forward(x.flatten(1, 3))))
    }
}

#[derive(Module, Debug)]
struct SeriesCnn {
    convolutions: [Conv1d; 2],
    last: Linear,
}

impl SeriesCnn {
    fn new(device: &Device) -> Self {
        let conv = |from, to| Conv1dConfig::new(from, to, 5).init(device);
        Self {
            convolutions: [conv(1, 16), conv(16, 32)],
            last: LinearConfig::new(32, 3).init(device),
        }
    }
}

impl Network for SeriesCnn {
    type Input = Tensor<3>;

    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let pool = MaxPool1dConfig::new(2).with_stride(2).init();
        let x = pool.forward(relu(self.convolutions[0].forward(x)));
        let x = relu(self.convolutions[1].forward(x));
        self.last.forward(AdaptiveAvgPool1dConfig::new(1).init().forward(x).flatten(1, 2))
    }
}

#[derive(Module, Debug)]
struct Transformer {
    characters: Embedding,
    positions: Param<Tensor<2>>,
    blocks: TransformerEncoder,
    norm: LayerNorm,
    head: Linear,
    mask: Tensor<3, Bool>,
}

impl Transformer {
    fn new(device: &Device) -> Self {
        let small = Initializer::Normal { mean: 0.0, std: 0.02 };
        Self {
            characters: EmbeddingConfig::new(VOCABULARY, FEATURES).init(device),
            positions: small.init([LENGTH, FEATURES], device),
            blocks: TransformerEncoderConfig::new(FEATURES, HIDDEN, HEADS, 2)
                .with_dropout(0.0)
                .with_norm_first(true)
                .with_activation(ActivationConfig::Relu)
                .init(device),
            norm: LayerNormConfig::new(FEATURES).init(device),
            head: LinearConfig::new(FEATURES, VOCABULARY).init(device),
            mask: generate_autoregressive_mask(SEQUENCES, LENGTH, device),
        }
    }
}

impl Network for Transformer {
    type Input = Tensor<2, Int>;

    fn forward(&self, x: Tensor<2, Int>) -> Tensor<2> {
        let x = self.characters.forward(x) + self.positions.val().unsqueeze::<3>();
        let x = TransformerEncoderInput::new(x).mask_attn(self.mask.clone());
        let x = self.norm.forward(self.blocks.forward(x));
        self.head.forward(x).flatten(0, 1)
    }
}
