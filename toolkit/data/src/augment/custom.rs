//! A step that the program brings.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trainbook_core::random::Draws;

use super::Change;
use crate::DataError;

type Closure = dyn Fn(&mut [f32], &[usize], &mut Draws) + Send + Sync;

/// A step that the program brings. Writes itself as its name. Read again it is missing, until the
/// program gives it by [`Augment::provide`](super::Augment::provide).
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    name: String,
    #[serde(skip)]
    change: Option<Arc<Closure>>,
}

impl Custom {
    pub(super) fn new<F>(name: &str, change: F) -> Self
    where
        F: Fn(&mut [f32], &[usize], &mut Draws) + Send + Sync + 'static,
    {
        Self { name: name.to_owned(), change: Some(Arc::new(change)) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this program lacks it.
    pub fn is_missing(&self) -> bool {
        self.change.is_none()
    }
}

impl Change for Custom {
    fn check(&self, _: &[usize]) -> Result<(), DataError> {
        if self.is_missing() {
            let reason = format!(
                "this program does not have the step {}; give it by Augment::provide",
                self.name
            );
            return Err(DataError::Refused { action: "augment", reason });
        }
        Ok(())
    }

    fn change(&self, row: &mut [f32], shape: &[usize], draws: &mut Draws) {
        if let Some(change) = &self.change {
            change(row, shape, draws);
        }
    }
}

impl PartialEq for Custom {
    /// Whether both are the same object, or missing under the same name.
    fn eq(&self, other: &Self) -> bool {
        match (&self.change, &other.change) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => self.name == other.name,
            _ => false,
        }
    }
}

/// Without the closure.
impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom")
            .field("name", &self.name)
            .field("is_missing", &self.is_missing())
            .finish()
    }
}
