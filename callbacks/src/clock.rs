//! How long ago something was, for callbacks that go by time.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tells how long ago some fixed moment was. By default, by the system's clock that never goes back.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// One of the user's own.
    pub fn of(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    pub fn now(&self) -> Duration {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        let start = Instant::now();
        Self(Arc::new(move || start.elapsed()))
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// A clock in milliseconds that a test sets.
#[cfg(test)]
#[derive(Clone, Default)]
pub(crate) struct Hands(Arc<std::sync::atomic::AtomicU64>);

#[cfg(test)]
impl Hands {
    pub fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, std::sync::atomic::Ordering::Relaxed);
    }

    /// To 0.
    pub fn turn_back(&self) {
        self.0.store(0, std::sync::atomic::Ordering::Relaxed);
    }

    pub fn clock(&self) -> impl Fn() -> Duration + Send + Sync + 'static {
        let hands = self.clone();
        move || Duration::from_millis(hands.0.load(std::sync::atomic::Ordering::Relaxed))
    }
}
