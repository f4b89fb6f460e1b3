//! Inputs that are no numbers, and rows that depend on their place.

use dfdx::prelude::*;
use trainbook_nn::onnx::graph_of;
use trainbook_onnx::{ExportOptions, export};

use super::{Folder, device, export_wide, forward, wide_graph, wide_model};

/// dfdx's ReLU makes 0 of NaN, ONNX Runtime's passes it on.
#[test]
fn nan_through_relu_is_reported_and_not_refused() {
    let model = device().build_module::<(builders::Linear<3, 4>, ReLU), f32>();
    let graph = graph_of(3, "values", &model, None).unwrap();
    let folder = Folder::new();
    let report =
        export(&folder.file(), &graph, &forward::<3, 4>(&model, None), &ExportOptions::default())
            .unwrap();
    let nan = report.comparison.policy.iter().find(|difference| difference.input == "NaN").unwrap();
    assert_eq!(
        (nan.output.as_str(), nan.trainer.as_str(), nan.runtime.as_str()),
        ("values[0, 0]", "0", "NaN")
    );
    let text = report.to_string();
    assert!(text.contains("note          on inputs of NaN"), "{text}");
    assert_eq!(
        text.matches("values[0, 0] is 0 in the trainer and NaN in the file").count(),
        1,
        "{text}"
    );

    // Without a ReLU both sides pass NaN on.
    let model = device().build_module::<builders::Linear<3, 4>, f32>();
    let graph = graph_of(3, "values", &model, None).unwrap();
    let report =
        export(&folder.file(), &graph, &forward::<3, 4>(&model, None), &ExportOptions::default())
            .unwrap();
    assert_eq!(report.comparison.policy, []);
}

#[test]
fn a_trainer_that_looks_at_the_place_of_a_row_is_refused() {
    let model = wide_model();
    let predict = forward(&model, Some((&super::OFFSET, &super::SCALE)));
    let folder = Folder::new();
    // Wrong only where the rows come in reverse: the first row of a full batch is another one
    // there.
    let first = std::cell::RefCell::new(Vec::new());
    let dependent = |rows: &[f32], n: usize| {
        let mut output = predict(rows, n)?;
        if n == 33 {
            let mut first = first.borrow_mut();
            let known: &mut Vec<f32> = &mut first;
            let reversed = !known.is_empty() && known[..5] == rows[32 * 5..];
            *known = rows.to_vec();
            if reversed && rows[..5] != rows[32 * 5..] {
                output[0] += 1e-2;
            }
        }
        Ok(output)
    };
    let error = export(&folder.file(), &wide_graph(&model), &dependent, &ExportOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("(in reverse order) inputs, batch 33"), "{error}");
    assert_eq!(folder.names(), [] as [&str; 0]);
    export_wide(&folder, |_| {}).unwrap();
}
