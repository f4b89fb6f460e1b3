//! A metric of somebody else's.

use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trainbook_callbacks::Direction;
use trainbook_core::batch::{TargetKind, Targets};

use crate::{Measure, Tally};

/// A metric of somebody else's. Writes itself as its name, direction and what it takes. Read again
/// it is one that this program lacks: its value is then NaN.
#[derive(Clone, Debug)]
pub struct Custom {
    measure: Arc<dyn Measure>,
    missing: bool,
}

impl Custom {
    pub(super) fn new(measure: Arc<dyn Measure>) -> Self {
        Self { measure, missing: false }
    }

    pub(super) fn measure(&self) -> &dyn Measure {
        &*self.measure
    }

    /// Whether this program lacks it.
    pub fn is_missing(&self) -> bool {
        self.missing
    }
}

impl PartialEq for Custom {
    /// Whether both are the same object.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.measure, &other.measure)
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Custom", 3)?;
        fields.serialize_field("name", &self.measure.name())?;
        fields.serialize_field("direction", &self.measure.direction())?;
        fields.serialize_field("takes", &self.measure.takes())?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self { measure: Arc::new(Missing::deserialize(from)?), missing: true })
    }
}

/// A metric that another program had.
#[derive(Debug, Deserialize)]
struct Missing {
    name: String,
    direction: Direction,
    takes: TargetKind,
}

impl Measure for Missing {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn takes(&self) -> TargetKind {
        self.takes
    }

    fn begin(&self, _: usize) -> Box<dyn Tally> {
        Box::new(Unknown)
    }
}

struct Unknown;

impl Tally for Unknown {
    fn add(&mut self, _: &[f32], _: &Targets, _: Option<&[f32]>) {}

    fn value(&self) -> f64 {
        f64::NAN
    }
}
