//! Which layers can be read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{AnyLayer, DynLayer, Layer};

type Read = fn(Json) -> Result<Arc<dyn DynLayer>, String>;

/// The layers that a program can read: [`Kinds::standard`], and its own. There is no global list.
#[derive(Clone, Debug, Default)]
pub struct Kinds(BTreeMap<&'static str, Read>);

thread_local! {
    /// Those with which this thread is reading at the moment. Layers within layers are read by
    /// serde, which carries no context.
    static READING: RefCell<Vec<Kinds>> = const { RefCell::new(Vec::new()) };
}

impl Kinds {
    /// None at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// These and one more. It replaces one of the same name.
    #[must_use]
    pub fn with<L: Layer>(mut self) -> Self {
        self.0.insert(L::KIND, |options| {
            let options = if options.is_null() && !is_unit::<L>() {
                Json::Object(Default::default())
            } else {
                options
            };
            match serde_json::from_value::<L>(options) {
                Ok(layer) => Ok(Arc::new(layer)),
                Err(error) => Err(error.to_string()),
            }
        });
        self
    }

    /// Their names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// The name that is written most like this one.
    pub(super) fn nearest(&self, kind: &str) -> Option<&'static str> {
        trainbook_core::nearest::nearest(kind, self.names())
    }

    pub(super) fn read(&self, kind: &str) -> Option<Read> {
        self.0.get(kind).copied()
    }

    /// Reads a layer with these kinds and no others.
    ///
    /// # Errors
    /// What is read is no layer; says why.
    pub fn layer(&self, json: Json) -> Result<AnyLayer, String> {
        self.reading(|| AnyLayer::from_json(json, self))
    }

    /// Lets everything that `read` reads know these kinds and no others.
    pub fn reading<R>(&self, read: impl FnOnce() -> R) -> R {
        /// Takes the kinds away again, also when reading panics.
        struct Reading;
        impl Drop for Reading {
            fn drop(&mut self) {
                READING.with_borrow_mut(Vec::pop);
            }
        }
        READING.with_borrow_mut(|stack| stack.push(self.clone()));
        let _reading = Reading;
        read()
    }

    pub(super) fn current<R>(with: impl FnOnce(&Self) -> R) -> R {
        let current = READING.with_borrow(|stack| stack.last().cloned());
        with(&current.unwrap_or_else(Self::standard))
    }
}

/// Whether serde writes this layer as a unit (`struct Relu;`), which it then also reads as one.
fn is_unit<L: Layer>() -> bool {
    serde_json::from_value::<L>(Json::Null).is_ok()
}
