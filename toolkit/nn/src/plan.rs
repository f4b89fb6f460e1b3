//! What a network comes to on samples of one shape: its tree of layers, every tensor, every cost.

use serde_json::Value as Json;
use trainbook_core::array::{Array, Numbers};

use crate::NnError;
use crate::begin::Begin;
use crate::init::Init;
use crate::layer::{AnyLayer, Autocast, Kinds};
use crate::misfit::Misfit;
use crate::parameters::{Layout, Role, Slot};
use crate::sample::{Kind, PaddingIndex, Sample};

/// A layer in its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it is, for example "2" or "encoder.0.attention"; empty for the network itself.
    pub path: String,
    /// What it is.
    pub layer: AnyLayer,
    /// What it takes.
    pub input: Sample,
    /// What it gives.
    pub output: Sample,
    /// Its own tensors, as numbers of slots, in the order in which the layer declared them.
    pub slots: Vec<usize>,
    /// Its parts, in the order in which the layer declared them.
    pub children: Vec<Node>,
    /// Floating-point operations for one sample, its parts' not included; an addition and a
    /// multiplication are two.
    pub flops: u64,
    /// Whether anything in front of it is trained, so that its input needs a gradient.
    pub behind_trained: bool,
    /// Whether it takes what the layer takes that it is a part of, not what the part before it
    /// gives.
    pub branch: bool,
}

/// A network that fits its data: the root of the tree and the layout of all tensors.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The network.
    pub root: Node,
    /// Its tensors.
    pub layout: Layout,
}

impl Planned {
    /// Fits `layer` to samples like `input`.
    ///
    /// # Errors
    /// It does not fit: the message names the layer, its place, and both shapes.
    pub fn new(layer: &AnyLayer, input: &Sample) -> Result<Self, NnError> {
        Self::fit(layer, input, false)
    }

    /// The same as if something in front of it were trained, so that it gives a gradient in its
    /// input.
    #[cfg(feature = "trial")]
    pub(crate) fn behind_trained(layer: &AnyLayer, input: &Sample) -> Result<Self, NnError> {
        Self::fit(layer, input, true)
    }

    fn fit(layer: &AnyLayer, input: &Sample, behind_trained: bool) -> Result<Self, NnError> {
        let mut slots = Vec::new();
        let root = Plan::fit(layer, String::new(), input, &mut slots, behind_trained, None)
            .map_err(|misfit| {
                let (layer, place, sample) = misfit.place.unwrap_or_default();
                NnError::Misfit { layer, place, sample, reason: misfit.reason }
            })?;
        set_following(&root, 1.0, &mut slots);
        Ok(Self { root, layout: Layout::new(slots) })
    }

    /// Whether these are samples such as the network was fitted to, one behind the other.
    ///
    /// # Errors
    /// They are others, or there are none.
    pub(crate) fn check_input(&self, input: &Array) -> Result<(), NnError> {
        let sample = &self.root.input;
        let kind = match input.numbers {
            Numbers::F32(_) => Kind::Numbers,
            Numbers::I64(_) => Kind::Indices,
        };
        if input.shape.first() == Some(&0) {
            return Err(NnError::Data {
                action: "use",
                reason: format!(
                    "there are no samples; the network takes at least one, of shape {sample}"
                ),
            });
        }
        let shape: Vec<usize> = input.shape.iter().skip(1).copied().collect();
        let found = Sample { shape, kind, padding: None };
        let len = input.shape.iter().product::<usize>();
        if found == *sample && input.len() == len && !input.shape.is_empty() {
            return Ok(());
        }
        Err(NnError::Data {
            action: "use",
            reason: format!(
                "the network takes samples of shape {sample}, and these are {} numbers in samples \
                 of shape {found}",
                input.len()
            ),
        })
    }

    /// The index that stands for nothing among those that the network begins with, if it begins with
    /// indices and knows of one.
    pub fn padding(&self) -> Option<PaddingIndex> {
        fn first(node: &Node) -> Option<PaddingIndex> {
            node.children.iter().find_map(first).or(node.output.padding)
        }
        first(&self.root)
    }

    /// Floating-point operations for one sample, forward.
    pub fn flops(&self) -> u64 {
        fn sum(node: &Node) -> u64 {
            node.flops + node.children.iter().map(sum).sum::<u64>()
        }
        sum(&self.root)
    }
}

/// The gain of the first activation in a layer in front of which nothing has weights, 1 where
/// weights come first or branches disagree, and `None` where there is neither.
fn first_gain(node: &Node, slots: &[Slot]) -> Option<f64> {
    if let Some(gain) = node.layer.layer().gain() {
        return Some(gain);
    }
    if node.slots.iter().any(|&slot| slots[slot].role == Role::Weight) {
        return Some(1.0);
    }
    let mut found: Option<f64> = None;
    for child in &node.children {
        match (found, first_gain(child, slots)) {
            (None, gain) => found = gain,
            (Some(gain), Some(other)) if gain == other => {}
            (Some(_), _) => return Some(1.0),
        }
        if found.is_some() && !child.branch {
            break;
        }
    }
    found
}

/// Tells the tensors of a layer what gain follows, where `following` is what follows the layer.
fn set_following(node: &Node, following: f64, slots: &mut [Slot]) {
    for &slot in &node.slots {
        slots[slot].following = following;
    }
    let mut behind = following;
    for child in node.children.iter().rev() {
        if child.branch {
            set_following(child, following, slots);
        } else {
            set_following(child, behind, slots);
            behind = first_gain(child, slots).unwrap_or(behind);
        }
    }
}

/// Where a layer declares what it needs.
pub struct Plan<'a> {
    slots: &'a mut Vec<Slot>,
    path: String,
    own: Vec<usize>,
    children: Vec<Node>,
    flops: u64,
    /// Whether what the layer itself gets depends on something trained.
    entered_behind_trained: bool,
    /// Whether what its next part gets does.
    behind_trained: bool,
    /// How the weights of the layer and its parts begin.
    init: Option<Init>,
    /// Whether the layer computes with f16 copies of its parameters under mixed precision.
    half: bool,
}

impl Plan<'_> {
    fn fit(
        layer: &AnyLayer,
        path: String,
        input: &Sample,
        slots: &mut Vec<Slot>,
        behind_trained: bool,
        init: Option<Init>,
    ) -> Result<Node, Misfit> {
        let mut plan = Plan {
            slots,
            path,
            own: Vec::new(),
            children: Vec::new(),
            flops: 0,
            entered_behind_trained: behind_trained,
            behind_trained,
            init: layer.own_init().or(init),
            half: layer.layer().autocast() == Autocast::Half,
        };
        let output = check_sizes(layer)
            .and_then(|()| match layer.own_init().and_then(Init::fault) {
                Some(fault) => Err(Misfit::new(fault)),
                None => Ok(()),
            })
            .and_then(|()| layer.layer().plan(&mut plan, input))
            .map_err(|mut misfit| {
                misfit.place.get_or_insert_with(|| {
                    (layer.kind().to_owned(), plan.path.clone(), input.to_string())
                });
                misfit
            })?;
        let Plan { path, own, children, flops, .. } = plan;
        Ok(Node {
            path,
            layer: layer.clone(),
            input: input.clone(),
            output,
            slots: own,
            children,
            flops,
            behind_trained,
            branch: false,
        })
    }

    /// Declares a trained tensor. It is the layer's number 0, 1, … in the order of declaration.
    pub fn parameter(
        &mut self,
        name: &str,
        shape: impl Into<Vec<usize>>,
        role: Role,
        begin: Begin,
    ) {
        self.own.push(self.slots.len());
        self.slots.push(Slot {
            name: join(&self.path, name),
            shape: shape.into(),
            role,
            begin,
            init: self.init,
            following: 1.0,
            half: self.half && role != Role::Buffer,
            offset: 0,
        });
    }

    /// Declares a tensor that is carried along and not trained, such as a running mean; counted
    /// with the parameters.
    pub fn buffer(&mut self, name: &str, shape: impl Into<Vec<usize>>, begin: Begin) {
        self.parameter(name, shape, Role::Buffer, begin);
    }

    /// Fits a part of the layer to samples like `input` and returns what it gives. It is the
    /// layer's part number 0, 1, … in the order of declaration. Without a name of its own it is
    /// called `name`.
    ///
    /// # Errors
    /// The part does not fit.
    pub fn part(&mut self, name: &str, layer: &AnyLayer, input: &Sample) -> Result<Sample, Misfit> {
        let behind = self.behind_trained;
        self.fit_part(name, layer, input, behind, false)
    }

    /// The same for a part that takes the layer's own input, not what the part before it gives.
    ///
    /// # Errors
    /// The part does not fit.
    pub fn branch(
        &mut self,
        name: &str,
        layer: &AnyLayer,
        input: &Sample,
    ) -> Result<Sample, Misfit> {
        let behind = self.entered_behind_trained;
        self.fit_part(name, layer, input, behind, true)
    }

    fn fit_part(
        &mut self,
        name: &str,
        layer: &AnyLayer,
        input: &Sample,
        behind: bool,
        branch: bool,
    ) -> Result<Sample, Misfit> {
        let name = layer.name().unwrap_or(name);
        let path = join(&self.path, name);
        if self.children.iter().any(|child| child.path == path) {
            return Err(Misfit::new(format!("two of its parts are called `{name}`")));
        }
        let before = self.slots.len();
        let mut node = Self::fit(layer, path, input, self.slots, behind, self.init)?;
        node.branch = branch;
        let output = node.output.clone();
        self.children.push(node);
        self.behind_trained |= self.slots[before..].iter().any(Slot::is_trained);
        Ok(output)
    }

    /// Adds the floating-point operations for one sample, forward: an addition and a multiplication
    /// are two.
    pub fn flops(&mut self, operations: usize) {
        self.flops += operations as u64;
    }
}

/// The largest number that an option of a standard layer may have: far beyond every network, and
/// small enough for the products of a few of them.
const LARGEST: u64 = 1 << 24;

/// Whether the layer's sizes are such as can be multiplied. Only of the standard layers it is known
/// that their whole numbers are sizes.
fn check_sizes(layer: &AnyLayer) -> Result<(), Misfit> {
    fn too_large(option: &Json) -> Option<&Json> {
        match option {
            Json::Number(number) => {
                let size = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
                size.is_some_and(|size| size > LARGEST).then_some(option)
            }
            Json::Array(several) => several.iter().find_map(too_large),
            _ => None,
        }
    }
    let Ok(Json::Object(options)) = layer.layer().options() else { return Ok(()) };
    match options.iter().find_map(|(name, option)| Some((name, too_large(option)?))) {
        Some((name, size)) if Kinds::standard().names().any(|kind| kind == layer.kind()) => {
            Err(Misfit::new(format!("its {name} must be at most {LARGEST}, not {size}")))
        }
        _ => Ok(()),
    }
}

/// "a" and "b" as "a.b"; nothing and "b" as "b".
fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
