//! The book's example of a network of any rank, run.

use dfdx::prelude::*;
use trainbook_nn::onnx::graph_on;
use trainbook_onnx::{Array, BATCH, ExportOptions, OnnxError, SEQUENCE, Value, export_with};

#[rustfmt::skip]
fn example(folder: &std::path::Path) -> Result<(), OnnxError> {
    let dev = Cpu::default();
    let path = folder.join("tokens.onnx");
    // From here on as in the book.
    let model = dev.build_module::<(Embedding<50, 16>, TransformerEncoder<16, 4, 32, 2>, Linear<16, 5>), f32>();
    let tokens = Value::i64("tokens", [BATCH.into(), SEQUENCE.into()]);
    let graph = graph_on(&[tokens], &["scores"], &model)?;
    assert_eq!(graph.signature(), "tokens [batch, sequence] of int64 → scores [batch, sequence, 5]");
    let forward = |inputs: &[Array]| {
        let indices = inputs[0].integers().iter().map(|&index| index as usize).collect();
        let x = dev.tensor_from_vec(indices, (inputs[0].shape[0], inputs[0].shape[1]));
        Ok(vec![model.forward(x).as_vec()])
    };
    export_with(&path, &graph, &forward, &ExportOptions::default())?;
    // To here.
    Ok(())
}

#[test]
fn onnx_example_of_the_book_is_this_one_and_runs() {
    let source = include_str!("book.rs");
    let code =
        source.split("as in the book.\n").nth(1).unwrap().split("    // To here").next().unwrap();
    let code: Vec<&str> =
        code.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    let book = include_str!("../../../../book/src/export.md");
    assert!(
        book.contains(&code.join("\n")),
        "book/src/export.md has another example than this file"
    );

    let folder = tempfile::tempdir().unwrap();
    example(folder.path()).unwrap();
    let report = trainbook_onnx::check(
        folder.path().join("tokens.onnx"),
        &trainbook_onnx::Verifier::default(),
    )
    .unwrap();
    assert_eq!((report.input_width, report.output_width), (0, 0), "a row's length is not known");
    assert!(report.to_string().contains("tokens [batch, sequence] of int64"), "{report}");
}
