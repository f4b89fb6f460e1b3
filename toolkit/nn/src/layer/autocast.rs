//! What layers compute in under mixed precision.

/// What a layer computes in under mixed precision ([`Precision::Mixed`](crate::task::Precision)).
///
/// | | layers | input, output and their gradients | parameters |
/// |---|---|---|---|
/// | [`Half`](Self::Half) | all that say nothing: `Linear`, convolutions, attention, pooling, … | f16 | f16 |
/// | [`FullInside`](Self::FullInside) | normalisations | f16 | f32 |
/// | [`Full`](Self::Full) | `Softmax`, `LogSoftmax`, `Exp`, `Ln`, `Square`, `Softplus` | f32 | f32 |
/// | [`Unchanged`](Self::Unchanged) | `Sequential`, `Repeat`, `Flatten`, `Reshape`, `Slice`, `Identity` | as they are | |
///
/// Sums inside a layer are f32 in each. The layers of `Full` are those of PyTorch's list ("CUDA ops
/// that autocast to float32" in the documentation of `torch.amp`). There normalisations give f32,
/// embeddings are f32, and what stands on no list computes in what it is given; here all of these
/// give f16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autocast {
    /// What goes in and comes out is f16, and so is the copy of its parameters that it computes with.
    Half,
    /// What goes in and comes out is f16; its parameters, and what it computes of them, are f32.
    FullInside,
    /// It computes in f32 and hands f32 on.
    Full,
    /// It computes nothing itself: its parts do, or it hands on numbers that it gets.
    Unchanged,
}
