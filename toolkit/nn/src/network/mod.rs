//! A network as a value: what a user writes, sweeps, stores and compares.

mod from_dfdx;
mod summary;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use from_dfdx::Describe;
pub use summary::{Row, Summary};

use crate::NnError;
use crate::layer::{AnyLayer, Kinds, Layer};
use crate::plan::Planned;
use crate::sample::Sample;

/// A network as a value. It knows its layers and their options; its widths follow when it meets
/// data.
///
/// ```
/// use trainbook_nn::layer::Sequential;
/// use trainbook_nn::{Network, Sample};
///
/// let net = Network::from(Sequential::new().linear(64).relu().linear(10));
/// let same = Network::from_json(&net.to_json()?)?;
/// assert_eq!(net, same);
/// assert_eq!(net.summary(&Sample::numbers([784]))?.parameters(), 784 * 64 + 64 + 64 * 10 + 10);
/// # Ok::<(), trainbook_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Network(AnyLayer);

impl Network {
    /// The network that a type of dfdx's layers describes, such as
    /// `(Linear<784, 64>, ReLU, Linear<64, 10>)`.
    pub fn of<N: Describe>() -> Self {
        Self(N::describe())
    }

    /// Reads a network that has no layers but this library's; a layer of another program's stays a
    /// record of itself, and is named when the network is used.
    ///
    /// # Errors
    /// The text is not a network; the message says what is wrong with it.
    pub fn from_json(text: &str) -> Result<Self, NnError> {
        Self::read(text, &Kinds::standard())
    }

    /// Reads a network that may have layers of the program's own.
    ///
    /// # Errors
    /// The text is not a network; the message says what is wrong with it.
    pub fn read(text: &str, kinds: &Kinds) -> Result<Self, NnError> {
        let json = serde_json::from_str(text).map_err(|e| NnError::NetworkText(e.to_string()))?;
        kinds.layer(json).map(Self).map_err(NnError::NetworkText)
    }

    /// The network as JSON, indented.
    ///
    /// # Errors
    /// A layer of the program's own cannot be written.
    pub fn to_json(&self) -> Result<String, NnError> {
        serde_json::to_string_pretty(&self.0).map_err(|e| NnError::NetworkText(e.to_string()))
    }

    /// The layer that is the network, usually a [`Sequential`](crate::layer::Sequential).
    pub fn layer(&self) -> &AnyLayer {
        &self.0
    }

    /// Fits the network to samples like `input`.
    ///
    /// # Errors
    /// It does not fit: the message names the layer, its place, and both shapes.
    pub fn plan(&self, input: &Sample) -> Result<Planned, NnError> {
        Planned::new(&self.0, input)
    }

    /// What the network comes to on samples like `input`: a table of layers, shapes, parameters and
    /// cost.
    ///
    /// # Errors
    /// It does not fit.
    pub fn summary(&self, input: &Sample) -> Result<Summary, NnError> {
        Ok(Summary::new(&self.plan(input)?))
    }
}

impl From<AnyLayer> for Network {
    fn from(layer: AnyLayer) -> Self {
        Self(layer)
    }
}

impl<L: Layer> From<L> for Network {
    fn from(layer: L) -> Self {
        Self(AnyLayer::new(layer))
    }
}

/// The layers, one behind the other: `Linear 64 → Relu → Linear 10`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

trainbook_core::shown_as_text!(Network);
