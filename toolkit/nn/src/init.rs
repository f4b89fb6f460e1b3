//! How the weights of a network or a layer begin.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the weights of a network, or of one layer of it, are drawn where the layer does not say
/// otherwise: a scheme, and a gain where it is not the scheme's own. The default is what PyTorch's
/// layers begin with. Scales and shifts of normalisation layers begin at one and zero.
///
/// With fan-in and fan-out the numbers of inputs and outputs of a unit and g the gain, drawn from
/// the stream `weights`, keyed by the tensor's name:
///
/// | | bound of the uniform | deviation of the normal | own g | biases | source |
/// |---|---|---|---|---|---|
/// | PyTorch | g √(3 / fan-in) = 1 / √fan-in | | √⅓ | ±1 / √fan-in | `kaiming_uniform_(a=√5)` |
/// | Kaiming | g √(3 / fan-in) | g √(1 / fan-in) | √2 | 0 | He et al. 2015, arXiv:1502.01852 |
/// | Xavier | g √(6 / (fan-in + fan-out)) | g √(2 / (fan-in + fan-out)) | 1 | 0 | Glorot and Bengio 2010 |
/// | LeCun | g √(3 / fan-in) | g √(1 / fan-in) | 1 | 0 | LeCun et al. 1998, "Efficient BackProp" |
/// | orthogonal | rows (or columns) of length g | | 1 | 0 | Saxe et al. 2014, arXiv:1312.6120 |
/// | truncated normal | | 0.02 g, cut off at two deviations | 1 | 0 | BERT, GPT-2 |
///
/// In JSON `"xavier_uniform"`, or with a gain `{"scheme": "xavier_uniform", "gain": 1.667}`, where
/// the gain may be `"following"`.
///
/// ```
/// use trainbook_nn::{Gain, Init};
///
/// let init = Init::xavier_uniform().gain(5.0 / 3.0);
/// assert_eq!(init.to_string(), "XavierUniform, gain 1.667");
/// let old: Init = serde_json::from_str("\"kaiming_uniform\"")?;
/// assert_eq!(old, Init::kaiming_uniform());
/// assert_eq!(Init::orthogonal().gain(Gain::Following).gain, Some(Gain::Following));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Init {
    /// From what distribution.
    pub scheme: Scheme,
    /// What the deviation is multiplied by; without it, the scheme's own.
    pub gain: Option<Gain>,
}

/// From what distribution weights are drawn; the table is at [`Init`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// What PyTorch's layer of the same name begins with: linear layers and convolutions uniform in
    /// ±1 / √fan-in, their biases too; attention as said there. The default.
    #[default]
    #[serde(rename = "pytorch")]
    PyTorch,
    /// For networks of ReLUs.
    KaimingUniform,
    /// For networks of ReLUs.
    KaimingNormal,
    /// For networks of tanh or sigmoid.
    XavierUniform,
    /// For networks of tanh or sigmoid.
    XavierNormal,
    /// For networks of SELU, and layers without an activation behind them.
    LecunUniform,
    /// For networks of SELU, and layers without an activation behind them.
    LecunNormal,
    /// Rows (or columns, where there are more rows) that are orthogonal to each other and of length
    /// 1.
    Orthogonal,
    /// Normal with deviation 0.02, cut off at two deviations: for transformers.
    TruncatedNormal,
}

/// By what the deviation of weights is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gain {
    /// The gain of the activation that follows the layer, [`Layer::gain`]: the first one behind it
    /// in front of which nothing else has weights. Where nothing follows, or weights do, 1.
    ///
    /// [`Layer::gain`]: crate::layer::Layer::gain
    Following,
    /// This number. Positive.
    #[serde(untagged)]
    Value(f64),
}

impl From<f64> for Gain {
    fn from(gain: f64) -> Self {
        Self::Value(gain)
    }
}

/// [`Init`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "how weights begin is the name of a scheme such as \"kaiming_uniform\", or \
                 {\"scheme\": …, \"gain\": …} with a number or \"following\""
)]
enum Written {
    Scheme(Scheme),
    WithGain(WithGain),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WithGain {
    scheme: Scheme,
    gain: Gain,
}

impl From<Written> for Init {
    fn from(written: Written) -> Self {
        match written {
            Written::Scheme(scheme) => scheme.into(),
            Written::WithGain(WithGain { scheme, gain }) => Self { scheme, gain: Some(gain) },
        }
    }
}

impl From<Init> for Written {
    fn from(Init { scheme, gain }: Init) -> Self {
        match gain {
            None => Self::Scheme(scheme),
            Some(gain) => Self::WithGain(WithGain { scheme, gain }),
        }
    }
}

impl From<Scheme> for Init {
    fn from(scheme: Scheme) -> Self {
        Self { scheme, gain: None }
    }
}

/// Makes a function of each scheme.
macro_rules! schemes {
    ($($name:ident: $scheme:ident;)+) => {
        impl Init {
            $(
                #[doc = concat!("[`Scheme::", stringify!($scheme), "`] with its own gain.")]
                pub const fn $name() -> Self {
                    Self { scheme: Scheme::$scheme, gain: None }
                }
            )+
        }
    };
}

schemes! {
    pytorch: PyTorch;
    kaiming_uniform: KaimingUniform;
    kaiming_normal: KaimingNormal;
    xavier_uniform: XavierUniform;
    xavier_normal: XavierNormal;
    lecun_uniform: LecunUniform;
    lecun_normal: LecunNormal;
    orthogonal: Orthogonal;
    truncated_normal: TruncatedNormal;
}

impl Init {
    /// The same with another gain: a number, or [`Gain::Following`].
    #[must_use]
    pub fn gain(mut self, gain: impl Into<Gain>) -> Self {
        self.gain = Some(gain.into());
        self
    }

    /// What is wrong with it, if anything is.
    pub(crate) fn fault(self) -> Option<String> {
        match self.gain {
            Some(Gain::Value(gain)) if !(gain.is_finite() && gain > 0.0) => {
                Some(format!("the gain of its weights must be a positive number, not {gain}"))
            }
            _ => None,
        }
    }

    /// Its gain in front of an activation of gain `following`.
    pub(crate) fn factor(self, following: f64) -> f64 {
        match self.gain {
            Some(Gain::Value(gain)) => gain,
            Some(Gain::Following) => following,
            None => match self.scheme {
                Scheme::PyTorch => (1.0_f64 / 3.0).sqrt(),
                Scheme::KaimingUniform | Scheme::KaimingNormal => std::f64::consts::SQRT_2,
                _ => 1.0,
            },
        }
    }
}

/// "XavierUniform, gain 1.667".
impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.scheme)?;
        match self.gain {
            None => Ok(()),
            Some(Gain::Following) => f.write_str(", gain following"),
            Some(Gain::Value(gain)) => write!(f, ", gain {}", (gain * 1e3).round() / 1e3),
        }
    }
}
