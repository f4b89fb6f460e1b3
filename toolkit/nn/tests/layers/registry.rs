//! Every layer of the library's list, exported with the full check in ONNX Runtime, on the cases
//! that PyTorch's numbers are for; and left in a folder that Python checks afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use trainbook_nn::layer::Kinds;
use trainbook_nn::trial::Trial;
use trainbook_nn::{Context, Sample};
use trainbook_onnx::{Array, ExportOptions, export_with};

use crate::folder::{Folder, record};

#[derive(Deserialize)]
struct Numbers {
    shape: Vec<usize>,
    data: Vec<f64>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    layer: serde_json::Value,
    training: bool,
    input: Option<Numbers>,
    indices: Option<Numbers>,
    #[serde(default)]
    parameters: BTreeMap<String, Numbers>,
}

/// Kinds without numbers of PyTorch's: they compute nothing in evaluation, or only put others
/// together; and kinds that do not take every number, behind one that gives them what they take.
const OTHERS: [(&str, &str, &[usize]); 14] = [
    ("ChannelDropout", r#"{"layer": "ChannelDropout"}"#, &[3, 4]),
    ("Dropout", r#"{"layer": "Dropout"}"#, &[3]),
    ("Exp", r#"{"layer": "Sequential", "layers": [{"layer": "Tanh"}, {"layer": "Exp"}]}"#, &[2, 3]),
    ("Flatten", r#"{"layer": "Flatten"}"#, &[2, 3]),
    ("GlobalMaxPool", r#"{"layer": "GlobalMaxPool"}"#, &[2, 3, 4]),
    ("GlobalMinPool", r#"{"layer": "GlobalMinPool"}"#, &[2, 3, 4]),
    ("Identity", r#"{"layer": "Identity"}"#, &[3]),
    (
        "Ln",
        r#"{"layer": "Sequential", "layers":
            [{"layer": "Tanh"}, {"layer": "Exp"}, {"layer": "Ln"}]}"#,
        &[2, 3],
    ),
    (
        "Parallel",
        r#"{"layer": "Parallel", "combine": "concat",
            "branches": [{"layer": "Linear", "out_features": 2}, {"layer": "Tanh"}]}"#,
        &[5],
    ),
    (
        "Repeat",
        r#"{"layer": "Repeat", "times": 2, "f": {"layer": "Linear", "out_features": 5}}"#,
        &[5],
    ),
    ("Reshape", r#"{"layer": "Reshape", "shape": [3, -1]}"#, &[2, 6]),
    (
        "Residual",
        r#"{"layer": "Residual", "f": {"layer": "Sequential", "layers":
            [{"layer": "Conv2d", "out_channels": 2, "kernel_size": [3, 3], "padding": "same"},
             {"layer": "Relu"}]}}"#,
        &[2, 5, 4],
    ),
    ("Sequential", r#"{"layer": "Sequential", "layers": [{"layer": "Tanh"}]}"#, &[3]),
    (
        "Sqrt",
        r#"{"layer": "Sequential", "layers": [{"layer": "Square"}, {"layer": "Sqrt"}]}"#,
        &[2, 3],
    ),
];

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/layers");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &Path| -> Vec<Case> {
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let mut cases: Vec<Case> = paths.iter().flat_map(|path| read(path)).collect();
    // PyTorch's cases of a sequence are of what its layers tell each other.
    let other = |case: &Case| OTHERS.iter().any(|(kind, ..)| case.layer["layer"] == *kind);
    cases.retain(|case| case.layer["layer"] == "Sequential" || !other(case));
    for (kind, layer, shape) in OTHERS {
        let shape = [&[3], shape].concat();
        let data = (0..shape.iter().product()).map(|i: usize| (i as f64 * 1.3).sin()).collect();
        cases.push(Case {
            name: kind.to_owned(),
            layer: serde_json::from_str(layer).unwrap(),
            training: false,
            input: Some(Numbers { shape, data }),
            indices: None,
            parameters: BTreeMap::new(),
        });
    }
    cases
}

#[test]
fn onnx_of_every_kind_computes_what_the_layer_computes() {
    let folder = Folder::new("onnx-networks");
    let (mut models, mut wrong, mut seen) = (0, Vec::new(), BTreeSet::new());
    for case in cases().iter().filter(|case| !case.training) {
        let kind = match case.layer["layer"].as_str().unwrap() {
            "Sequential" => case.name.as_str(),
            kind => kind,
        };
        seen.insert(kind.to_owned());
        models += 1;
        if let Err(error) = prove(&folder, kind, case) {
            wrong.push(format!("{kind} {}: {error}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {models} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let missing: Vec<_> = Kinds::standard().names().filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "no case exports {missing:?}");
    folder.finish(models);
}

fn prove(folder: &Folder, kind: &str, case: &Case) -> Result<(), String> {
    let layer = Kinds::standard().layer(case.layer.clone())?;
    let (numbers, sample) = match (&case.input, &case.indices) {
        (Some(numbers), _) => (numbers, Sample::numbers(&numbers.shape[1..])),
        (None, Some(indices)) => (indices, Sample::indices(&indices.shape[1..])),
        (None, None) => return Err("it has no input".to_owned()),
    };
    let mut trial = Trial::new(&layer, &sample).map_err(|e| e.to_string())?;
    for slot in trial.planned.layout.slots().to_vec() {
        let into = &mut trial.values[slot.range()];
        match case.parameters.get(&slot.name) {
            Some(given) => into.copy_from_slice(&given.data),
            None => into.iter_mut().enumerate().for_each(|(i, v)| *v = (i as f64 * 0.7).sin()),
        }
    }
    let run = |input: &[f64], rows: usize| {
        let outcome = trial.forward_on_host(input, rows, Context::EVALUATION);
        let (shape, output) = outcome.map_err(|e| e.to_string())?;
        Ok::<_, String>((shape, output.iter().map(|v| *v as f32).collect::<Vec<f32>>()))
    };
    let graph = trial.graph().map_err(|e| e.to_string())?;
    let forward = |arrays: &[Array]| {
        let input = arrays[0].widen();
        Ok(vec![run(&input, arrays[0].shape[0])?.1])
    };
    let path = folder.model(&format!("{kind}-{}", case.name));
    let indices = case.indices.is_some();
    let array = |data: &[f64], shape: Vec<usize>| match indices {
        true => Array::i64(shape, data.iter().map(|v| *v as i64).collect()),
        false => Array::f32(shape, data.iter().map(|v| *v as f32).collect()),
    };
    let options = ExportOptions {
        samples: array(&numbers.data, numbers.shape.clone()).numbers,
        ..ExportOptions::default()
    };
    export_with(&path.join("model.onnx"), &graph, &forward, &options).map_err(|e| e.to_string())?;
    let doubled = [numbers.data.as_slice(), &numbers.data].concat();
    for (number, data) in [numbers.data.clone(), doubled].into_iter().enumerate() {
        let rows = numbers.shape[0] * (number + 1);
        let shape = [&[rows], &numbers.shape[1..]].concat();
        let (output_shape, output) = run(&data, rows)?;
        let input = array(&data, shape);
        let output = Array::f32(output_shape, output);
        record(&path, number, &[("input", &input)], &[("output", &output)]);
    }
    Ok(())
}
