//! Layer → graph.

use super::builder::GraphBuilder;
use super::graph::{Graph, INPUT};
use super::value::{BATCH, MAX_WIDTH, Value, Values};
use crate::Error;

impl Graph {
    /// The graph of what `layer` adds for inputs of `width` features, with its output named
    /// `output_name`.
    ///
    /// With `normalization` = `(offset, scale)`, each of length `width`, the graph takes raw
    /// features and begins with `(input − offset) · scale`.
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if a layer cannot be expressed; [`Error::Setting`] for a width of 0,
    /// an output name that is empty or already in use, or a normalisation of the wrong length.
    pub fn build(
        width: usize,
        output_name: &str,
        layer: impl FnOnce(&mut GraphBuilder, &Value) -> Result<Value, Error>,
        normalization: Option<(&[f32], &[f32])>,
    ) -> Result<Self, Error> {
        if width == 0 || width > MAX_WIDTH {
            return Err(Error::Setting {
                setting: "width",
                value: width.to_string(),
                expected: format!("between 1 and {MAX_WIDTH}"),
            });
        }
        let input = Value::f32(INPUT, [BATCH.into(), width.into()]);
        let mut builder = GraphBuilder::default();
        builder.input(&input);
        let mut value = input.clone();
        if let Some((offset, scale)) = normalization {
            for (setting, statistic) in
                [("normalization offset", offset), ("normalization scale", scale)]
            {
                if statistic.len() != width {
                    return Err(Error::Setting {
                        setting,
                        value: format!("{} numbers", statistic.len()),
                        expected: format!("{width} numbers, one per feature"),
                    });
                }
            }
            let scope = "normalize";
            let offset = builder.weight(scope, "offset", &[width], offset.to_vec())?;
            let scale = builder.weight(scope, "scale", &[width], scale.to_vec())?;
            value = builder.node(scope, "Sub", &[&value.name, &offset], &[])?;
            value = builder.node(scope, "Mul", &[&value.name, &scale], &[])?;
        }
        let output = layer(&mut builder, &value)?;
        builder.finish(vec![input], vec![output], &[output_name])
    }

    /// The graph of what `layer` adds for inputs of any rank: `inputs` has one value, or as many as
    /// the tuple of tensors that the layer takes, and `outputs` names what it returns.
    ///
    /// ```
    /// use trainbook_onnx::{BATCH, Graph, OnnxError, SEQUENCE, Value, Values};
    ///
    /// let input = Value::f32("input", [BATCH.into(), SEQUENCE.into(), 4.into()]);
    /// let graph = Graph::build_on(&[input.clone()], &["weights", "values"], |graph, _| {
    ///     let weights = graph.node("0", "Softmax", &[&input.name], &[])?;
    ///     let values = graph.node("1", "Tanh", &[&input.name], &[])?;
    ///     Ok(Values::Tuple(vec![Values::One(weights), Values::One(values)]))
    /// })?;
    /// assert_eq!(graph.signature(), "input [batch, sequence, 4] → weights [batch, sequence, 4], values [batch, sequence, 4]");
    /// # Ok::<(), OnnxError>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoOnnxForm`] if a layer cannot be expressed; [`Error::Setting`] for no input, input
    /// names that are equal or empty, or output names that are too few, too many, empty or in use.
    pub fn build_on(
        inputs: &[Value],
        outputs: &[&str],
        layer: impl FnOnce(&mut GraphBuilder, &Values) -> Result<Values, Error>,
    ) -> Result<Self, Error> {
        let mut builder = GraphBuilder::default();
        for input in inputs {
            if input.name.is_empty() || builder.has(&input.name) {
                return Err(Error::Setting {
                    setting: "input name",
                    value: format!("{:?}", input.name),
                    expected: "a name that no other input has".into(),
                });
            }
            builder.input(input);
        }
        let given = match inputs {
            [input] => Values::One(input.clone()),
            _ => Values::Tuple(inputs.iter().cloned().map(Values::One).collect()),
        };
        let returned = layer(&mut builder, &given)?.flatten();
        builder.finish(inputs.to_vec(), returned, outputs)
    }
}
