//! Inputs and what the trainer made of them, kept with a file so that anybody can prove it again.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::array::{Array, Numbers, Wire};
use super::engine::Loaded;
use super::forward::Forward;
use super::graph::Graph;
use super::mismatch::index;
use super::reference::{self, Margined, outputs_of, widen};
use super::value::{Element, Value};
use crate::Error;

/// The metadata entry with a few rows, if they are small.
pub const GOLDEN: &str = "trainbook.golden";
/// The most rows in a file's metadata.
const ROWS: usize = 3;
/// The most bytes of numbers in a file's metadata.
const BYTES: usize = 1 << 16;

/// Inputs, and the outputs that the trainer computed for them, in the order of the graph's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Golden {
    pub inputs: Vec<Array>,
    pub outputs: Vec<Array>,
}

/// How close a file still is to what was recorded with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoldenReport {
    /// Where they were: "metadata", or a folder's name.
    pub place: String,
    /// How many rows were run again.
    pub rows: usize,
    /// The largest |recorded − computed now|.
    pub max_abs_diff: f64,
}

/// The number that is farthest from what was recorded.
pub(super) struct Farthest {
    pub place: String,
    pub recorded: f64,
    pub found: f64,
}

impl Farthest {
    /// NaN is farther than any number.
    pub fn difference(&self) -> f64 {
        let difference = (self.recorded - self.found).abs();
        if difference.is_nan() { f64::INFINITY } else { difference }
    }
}

/// As JSON holds an array.
#[derive(Serialize, Deserialize)]
struct Stored {
    name: String,
    element: Element,
    shape: Vec<usize>,
    /// Base64 of the little-endian numbers.
    data: String,
}

#[derive(Serialize, Deserialize)]
struct StoredGolden {
    inputs: Vec<Stored>,
    outputs: Vec<Stored>,
}

impl Golden {
    /// What the trainer makes of `inputs`.
    pub fn record(graph: &Graph, inputs: Vec<Array>, forward: &Forward<'_>) -> Result<Self, Error> {
        let no_form = |reason| Error::NoOnnxForm { layer: "the model".into(), reason };
        let exact = outputs_of(graph, reference::evaluate(graph, widen(&inputs)).map_err(no_form)?);
        let found = forward(&inputs)?;
        #[allow(clippy::cast_possible_truncation, reason = "classes are small whole numbers")]
        let outputs =
            graph.outputs().iter().zip(exact).zip(found).map(|((output, exact), numbers)| Array {
                shape: exact.shape,
                numbers: match output.element {
                    Element::F32 => Numbers::F32(numbers),
                    // No graph returns bool.
                    Element::I64 | Element::Bool => {
                        Numbers::I64(numbers.iter().map(|&number| number as i64).collect())
                    }
                },
            });
        let outputs = outputs.collect();
        Ok(Self { inputs, outputs })
    }

    /// As many of the first rows as a file's metadata has room for; `None` if not one fits.
    pub fn for_metadata(&self, graph: &Graph) -> Option<String> {
        let arrays = || self.inputs.iter().chain(&self.outputs);
        let bytes_of_row: usize =
            arrays().map(|array| array.bytes().len() / array.shape[0].max(1)).sum();
        let rows = arrays()
            .map(|array| array.shape[0])
            .min()
            .unwrap_or(0)
            .min(ROWS)
            .min(BYTES / bytes_of_row.max(1));
        if rows == 0 {
            return None;
        }
        let stored = |arrays: &[Array], values: &[Value]| {
            let named = arrays.iter().zip(values);
            named.map(|(array, value)| Stored::of(&array.first_rows(rows), &value.name)).collect()
        };
        let stored = StoredGolden {
            inputs: stored(&self.inputs, graph.inputs()),
            outputs: stored(&self.outputs, graph.outputs()),
        };
        serde_json::to_string(&stored).ok()
    }

    /// # Errors
    /// The reason, if the text is not what [`for_metadata`](Self::for_metadata) gives for such a
    /// graph.
    pub fn from_metadata(text: &str, graph: &Graph) -> Result<Self, String> {
        let stored: StoredGolden =
            serde_json::from_str(text).map_err(|e| format!("{GOLDEN} cannot be read: {e}"))?;
        let arrays = |stored: Vec<Stored>| {
            stored.into_iter().map(Stored::array).collect::<Result<Vec<_>, _>>()
        };
        let golden = Self { inputs: arrays(stored.inputs)?, outputs: arrays(stored.outputs)? };
        golden.fits(graph)?;
        Ok(golden)
    }

    /// # Errors
    /// The reason, if these are not inputs and outputs of such a graph.
    pub fn fits(&self, graph: &Graph) -> Result<(), String> {
        let fits = |arrays: &[Array], values: &[Value]| {
            Array::expect(arrays, values)
                .map_err(|e| format!("what was recorded does not fit the graph: {e}"))
        };
        fits(&self.inputs, graph.inputs())?;
        fits(&self.outputs, graph.outputs())?;
        let rows = self.inputs[0].shape[0];
        match self.outputs.iter().find(|output| output.shape[0] != rows) {
            None => Ok(()),
            Some(output) => {
                Err(format!("{rows} rows were recorded, but {} of outputs", output.shape[0]))
            }
        }
    }

    pub fn rows(&self) -> usize {
        self.inputs.first().map_or(0, |input| input.shape[0])
    }

    /// The output that is farthest from what the graph gives in f64 today, without any engine.
    ///
    /// # Errors
    /// The reason, if the graph cannot be evaluated.
    pub fn farthest(&self, graph: &Graph) -> Result<Option<Farthest>, String> {
        let exact = outputs_of(graph, reference::evaluate(graph, widen(&self.inputs))?);
        let mut farthest: Option<Farthest> = None;
        for ((output, recorded), Margined { shape, values, .. }) in
            graph.outputs().iter().zip(&self.outputs).zip(&exact)
        {
            for (at, (recorded, &found)) in recorded.widen().into_iter().zip(values).enumerate() {
                let here = Farthest { place: String::new(), recorded, found };
                if farthest.as_ref().is_none_or(|far| here.difference() > far.difference()) {
                    farthest = Some(Farthest {
                        place: format!("{}[{}]", output.name, index(at, shape)),
                        ..here
                    });
                }
            }
        }
        Ok(farthest)
    }

    /// Runs the recorded inputs again: every output must be within the margin of the f64 evaluation
    /// both as it was recorded and as the engine gives it now. `place` is where they were recorded.
    ///
    /// # Errors
    /// What `refuse` makes of the reason, or what the engine fails with.
    pub fn check(
        &self,
        place: &str,
        graph: &Graph,
        (engine, patience): (&Loaded, f64),
        refuse: &dyn Fn(String) -> Error,
    ) -> Result<GoldenReport, Error> {
        let exact =
            outputs_of(graph, reference::evaluate(graph, widen(&self.inputs)).map_err(refuse)?);
        let found = engine.run(&self.inputs)?;
        let mut max_abs_diff = 0.0_f64;
        for (output, recorded) in self.outputs.iter().enumerate() {
            let now = found.get(output).map(Array::widen).unwrap_or_default();
            let recorded = recorded.widen();
            let name = &graph.outputs()[output].name;
            if recorded.len() != now.len() || recorded.len() != exact[output].values.len() {
                return Err(refuse(format!(
                    "{} numbers of {name} are recorded, and {} come out",
                    recorded.len(),
                    now.len()
                )));
            }
            for (at, (recorded, now)) in recorded.iter().zip(&now).enumerate() {
                let (exact_value, margin) = exact[output].number(at);
                let inside = (recorded - exact_value).abs() <= margin
                    && (now - exact_value).abs() <= patience * margin;
                if !inside {
                    let index = index(at, &exact[output].shape);
                    return Err(refuse(format!(
                        "{name}[{index}] is {now} where {recorded} was recorded in its {place}: they differ by {:.3e}, f32 rounding explains \
                         {margin:.3e} for each",
                        (now - recorded).abs()
                    )));
                }
                max_abs_diff = max_abs_diff.max((recorded - now).abs());
            }
        }
        Ok(GoldenReport { place: place.to_owned(), rows: self.rows(), max_abs_diff })
    }
}

impl Stored {
    fn of(array: &Array, name: &str) -> Self {
        let data = BASE64_STANDARD.encode(array.bytes());
        Self { name: name.to_owned(), element: array.element(), shape: array.shape.clone(), data }
    }

    fn array(self) -> Result<Array, String> {
        let Self { name, element, shape, data } = self;
        let bytes = BASE64_STANDARD
            .decode(data)
            .map_err(|e| format!("the numbers of {name:?} cannot be read: {e}"))?;
        Array::from_bytes(element, shape, &bytes).ok_or_else(|| {
            format!(
                "{} bytes of {} do not fill the shape of {name:?}",
                bytes.len(),
                element.described()
            )
        })
    }
}
