//! What tract says of itself, and of what is no model.

use super::super::tract::{Model, NAME};
use crate::Error;

#[test]
fn the_version_that_it_states_is_the_pinned_one() {
    let manifest = include_str!("../../../../Cargo.toml");
    let version = NAME.strip_prefix("tract ").unwrap();
    assert!(manifest.contains(&format!("tract-onnx = {{ version = \"={version}\"")));
}

#[test]
fn what_tract_does_not_load_is_told_in_one_line() {
    let error = Model::load("x.onnx".as_ref(), b"no model").err().unwrap();
    assert!(matches!(error, Error::OnnxFile { .. }), "{error}");
    assert!(
        error.to_string().contains("tract says: ") && !error.to_string().contains('\n'),
        "{error}"
    );
}
