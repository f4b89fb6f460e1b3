//! A layer of any type, as a value.

use std::fmt::Debug;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};
use trainbook_onnx::Value;

use super::{Autocast, Fault, Kinds, Layer, Misfit};
use crate::host::HostLayer;
use crate::init::Init;
#[cfg(any(feature = "trial", feature = "cuda"))]
use crate::on_dfdx::Half;
use crate::on_dfdx::{Backend, Flow, Pass, Real};
use crate::onnx_form::OnnxPass;
use crate::plan::Plan;
use crate::sample::Sample;

/// A layer of any type, with a name and a way in which its weights begin if it has been given them.
/// Reads and writes itself as a JSON object whose `layer` is the kind, beside `name` and `init`:
/// `{"layer": "Linear", "init": "orthogonal", "out_features": 10}`.
#[derive(Clone, Debug)]
pub struct AnyLayer {
    name: Option<String>,
    init: Option<Init>,
    layer: Arc<dyn DynLayer>,
}

/// [`Layer::forward`] on one device and in one precision, which a layer behind a pointer can still do.
pub(crate) trait Computes<E: Real, D: Backend<E>> {
    fn compute(&self, pass: &mut Pass<'_, E, D>, x: Flow<E, D>) -> Result<Flow<E, D>, Fault>;
}

impl<L: Layer, E: Real, D: Backend<E>> Computes<E, D> for L {
    fn compute(&self, pass: &mut Pass<'_, E, D>, x: Flow<E, D>) -> Result<Flow<E, D>, Fault> {
        self.forward(pass, x)
    }
}

impl<E: Real, D: Backend<E>> Computes<E, D> for Missing {
    fn compute(&self, _: &mut Pass<'_, E, D>, _: Flow<E, D>) -> Result<Flow<E, D>, Fault> {
        Err(Fault::new(self.reason()))
    }
}

/// What a build for tests of layers has besides; another has nothing.
#[cfg(feature = "trial")]
pub(crate) trait OnTrial: Computes<f64, Cpu> + Computes<Half, Cpu> {}
#[cfg(feature = "trial")]
impl<T: Computes<f64, Cpu> + Computes<Half, Cpu>> OnTrial for T {}
#[cfg(not(feature = "trial"))]
pub(crate) trait OnTrial {}
#[cfg(not(feature = "trial"))]
impl<T> OnTrial for T {}

/// What a build with CUDA has besides; another has nothing.
#[cfg(feature = "cuda")]
pub(crate) trait OnCuda: Computes<f32, Cuda> + Computes<Half, Cuda> {}
#[cfg(feature = "cuda")]
impl<T: Computes<f32, Cuda> + Computes<Half, Cuda>> OnCuda for T {}
#[cfg(not(feature = "cuda"))]
pub(crate) trait OnCuda {}
#[cfg(not(feature = "cuda"))]
impl<T> OnCuda for T {}

/// What [`Layer`] comes to behind a pointer. Implemented for every layer.
pub(crate) trait DynLayer:
    Computes<f32, Cpu> + OnTrial + OnCuda + Debug + Send + Sync
{
    fn kind(&self) -> &str;
    fn options(&self) -> Result<Json, serde_json::Error>;
    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit>;
    fn host(&self) -> Option<&dyn HostLayer>;
    fn autocast(&self) -> Autocast;
    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault>;
    fn gain(&self) -> Option<f64>;
    fn flat(&self) -> Option<fn(f32) -> bool>;
    fn note(&self) -> String;
    fn text(&self) -> String;
}

use dfdx::tensor::Cpu;
#[cfg(feature = "cuda")]
use dfdx::tensor::Cuda;

impl<L: Layer> DynLayer for L {
    fn kind(&self) -> &str {
        L::KIND
    }

    fn options(&self) -> Result<Json, serde_json::Error> {
        serde_json::to_value(self)
    }

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        Layer::plan(self, plan, input)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Layer::host(self)
    }

    fn autocast(&self) -> Autocast {
        Layer::autocast(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        Layer::onnx(self, pass, x)
    }

    fn gain(&self) -> Option<f64> {
        Layer::gain(self)
    }

    fn flat(&self) -> Option<fn(f32) -> bool> {
        Layer::flat(self)
    }

    fn note(&self) -> String {
        Layer::note(self)
    }

    fn text(&self) -> String {
        Layer::text(self)
    }
}

/// A layer of which only the record is here: another program had it.
#[derive(Debug)]
struct Missing {
    kind: String,
    options: Json,
}

impl Missing {
    fn reason(&self) -> String {
        let nearest = Kinds::standard().nearest(&self.kind).unwrap_or("none");
        format!(
            "there is no layer `{}` here, and the nearest is `{nearest}`; a program that has it can read the network with `Kinds::standard().with::<…>()`",
            self.kind
        )
    }
}

impl DynLayer for Missing {
    fn kind(&self) -> &str {
        &self.kind
    }

    fn options(&self) -> Result<Json, serde_json::Error> {
        Ok(self.options.clone())
    }

    fn plan(&self, _: &mut Plan<'_>, _: &Sample) -> Result<Sample, Misfit> {
        Err(Misfit::new(self.reason()))
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        None
    }

    fn autocast(&self) -> Autocast {
        Autocast::Half
    }

    fn onnx(&self, _: &mut OnnxPass<'_>, _: &Value) -> Result<Value, Fault> {
        Err(Fault::new(self.reason()))
    }

    fn gain(&self) -> Option<f64> {
        None
    }

    fn flat(&self) -> Option<fn(f32) -> bool> {
        None
    }

    fn note(&self) -> String {
        "missing".to_owned()
    }

    fn text(&self) -> String {
        format!("{} (missing)", self.kind)
    }
}

impl AnyLayer {
    /// This layer.
    pub fn new(layer: impl Layer) -> Self {
        Self { name: None, init: None, layer: Arc::new(layer) }
    }

    /// The same under a name, which replaces its number in the names of its parameters.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same, whose weights, its parts' too, begin so and not as the network's. A part that has
    /// been given another way keeps it.
    ///
    /// ```
    /// use trainbook_nn::layer::{AnyLayer, Linear, Sequential};
    /// use trainbook_nn::Init;
    ///
    /// let last = AnyLayer::new(Linear::new(10)).init(Init::xavier_uniform());
    /// let net = Sequential::new().linear(64).tanh().with(last);
    /// ```
    #[must_use]
    pub fn init(mut self, init: impl Into<Init>) -> Self {
        self.init = Some(init.into());
        self
    }

    /// How its weights begin, if it has been given a way.
    pub fn own_init(&self) -> Option<Init> {
        self.init
    }

    /// Its name, if it has been given one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it is, for example "Conv2d".
    pub fn kind(&self) -> &str {
        self.layer.kind()
    }

    /// What a table shows beside its kind.
    pub fn note(&self) -> String {
        let Some(init) = self.init else { return self.layer.note() };
        match self.layer.note() {
            note if note.is_empty() => format!("init {init}"),
            note => format!("{note}, init {init}"),
        }
    }

    pub(crate) fn layer(&self) -> &dyn DynLayer {
        &*self.layer
    }

    /// Reads a layer; one that `kinds` does not have becomes a record of itself, which plans and
    /// computes nothing.
    pub(super) fn from_json(json: Json, kinds: &Kinds) -> Result<Self, String> {
        let Json::Object(mut options) = json else {
            return Err(format!(
                "a layer is an object such as {{\"layer\": \"Relu\"}}, not {json}"
            ));
        };
        let kind = match options.remove("layer") {
            Some(Json::String(kind)) => kind,
            Some(other) => {
                return Err(format!("a layer's \"layer\" is a name such as \"Relu\", not {other}"));
            }
            None => return Err("an object without \"layer\" is not a layer".to_owned()),
        };
        let name = match options.remove("name") {
            None | Some(Json::Null) => None,
            Some(Json::String(name)) => Some(name),
            Some(other) => return Err(format!("the name of a layer is text, not {other}")),
        };
        let init = match options.remove("init") {
            None | Some(Json::Null) => None,
            Some(init) => {
                Some(serde_json::from_value(init).map_err(|error| format!("{kind}: {error}"))?)
            }
        };
        let options = if options.is_empty() { Json::Null } else { Json::Object(options) };
        let layer = match kinds.read(&kind) {
            Some(read) => read(options).map_err(|reason| format!("{kind}: {reason}"))?,
            None => Arc::new(Missing { kind, options }),
        };
        Ok(Self { name, init, layer })
    }

    fn to_json(&self) -> Result<Json, serde_json::Error> {
        let mut object = Map::new();
        object.insert("layer".to_owned(), self.kind().into());
        if let Some(name) = &self.name {
            object.insert("name".to_owned(), name.as_str().into());
        }
        if let Some(init) = self.init {
            object.insert("init".to_owned(), serde_json::to_value(init)?);
        }
        match self.layer.options()? {
            Json::Object(options) => object.extend(options),
            Json::Null => {}
            other => {
                return Err(serde_json::Error::custom(format!(
                    "the options of {} are not an object: {other}",
                    self.kind()
                )));
            }
        }
        Ok(Json::Object(object))
    }
}

impl<L: Layer> From<L> for AnyLayer {
    fn from(layer: L) -> Self {
        Self::new(layer)
    }
}

impl PartialEq for AnyLayer {
    /// Whether both are written alike.
    fn eq(&self, other: &Self) -> bool {
        matches!((self.to_json(), other.to_json()), (Ok(a), Ok(b)) if a == b)
    }
}

impl Serialize for AnyLayer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyLayer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        Kinds::current(|kinds| Self::from_json(json, kinds)).map_err(D::Error::custom)
    }
}

/// "Linear 64", or for a sequence "Linear 64 → Relu → Linear 10".
impl std::fmt::Display for AnyLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.layer.text())
    }
}
