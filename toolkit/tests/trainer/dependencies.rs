//! What outputs depend on, and the layer in which samples come together that should not.

use serde::{Deserialize, Serialize};
use trainbook::nn::Plan;
use trainbook::nn::dfdx::prelude::{Axes2, HasShape, PermuteTo, ReshapeTo};
use trainbook::nn::layer::{AnyLayer, Fault, Layer, Misfit};
use trainbook::nn::on_dfdx::{Backend, Flow as Values, Pass, Real};
use trainbook::prelude::*;

use crate::support::clouds;

/// Reads the numbers of a batch column by column, as a forgotten transposition does.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mixer;

impl Layer for Mixer {
    const KIND: &'static str = "Mixer";

    fn plan(&self, _: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        Ok(input.clone())
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        _: &mut Pass<'_, E, D>,
        x: Values<E, D>,
    ) -> Result<Values<E, D>, Fault> {
        let x = x.rows()?;
        let (rows, width) = *x.shape();
        let turned = x.try_permute::<_, Axes2<1, 0>>()?;
        Values::of(turned.try_reshape_like(&(rows, width))?)
    }
}

fn check(net: impl Into<Network>) -> Dependencies {
    let trainer = Trainer::classifier(&clouds(), net).seed(1).quiet().build().unwrap();
    let before = trainer.state_hash().unwrap();
    let found = trainer.dependency_check().unwrap();
    assert_eq!(trainer.state_hash().unwrap(), before);
    found
}

#[test]
fn samples_that_stand_alone_pass() {
    let found = check(Sequential::new().linear(8).layer_norm().relu().dropout(0.5).linear(3));
    assert!(found.is_sound() && found.by_design.is_empty(), "{found}");
    assert_eq!(found.to_string(), "each of 6 samples depends on itself alone");

    let found = check(Sequential::new().linear(8).batch_norm().relu().linear(3));
    assert!(found.is_sound(), "{found}");
    assert_eq!(found.by_design, ["1 (BatchNorm)"]);
    assert!(found.to_string().ends_with("in training 1 (BatchNorm) mixes them, as it should"));

    let text = "so much of what we do is words, and words are letters in a row. ".repeat(5);
    let data = Dataset::text_of("a text", &text).characters(8, 3).unwrap();
    let vocabulary = data.vocabulary_size();
    let net = Sequential::new().embedding(vocabulary, 8).gru(8).linear(vocabulary);
    let trainer = Trainer::classifier(&data, net).seed(1).quiet().build().unwrap();
    let found = trainer.dependency_check().unwrap();
    assert!(found.is_sound(), "{found}");
}

#[test]
fn the_layer_that_mixes_samples_is_named() {
    let found = check(Sequential::new().linear(8).relu().with(Mixer).linear(3));
    assert!(!found.is_sound());
    assert_eq!(found.leaks.len(), 1, "{found}");
    assert_eq!(found.leaks[0].layer, "2 (Mixer)");
    assert!(!found.leaks[0].training_only && found.leaks[0].from != found.leaks[0].to);
    assert!(found.to_string().contains("- 2 (Mixer) mixes them: what it gives for"), "{found}");
    // Also behind a layer that mixes them by design.
    let found = check(Sequential::new().linear(8).batch_norm().with(Mixer).linear(3));
    assert_eq!(
        (found.leaks[0].layer.as_str(), &found.by_design[..]),
        ("2 (Mixer)", &["1 (BatchNorm)".to_owned()][..])
    );
}

#[test]
fn a_network_that_makes_nothing_of_its_inputs_is_named() {
    let zero = AnyLayer::new(layer::Linear::new(8)).init(Init::truncated_normal().gain(1e-30));
    let found = check(Sequential::new().with(zero).relu().linear(3));
    assert!(!found.is_sound() && found.deaf.len() == 6, "{found}");
    assert!(found.to_string().contains("do not change with their inputs"), "{found}");
}
