//! Where a fit speaks: on the screen, or, in the background, to whoever asks.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trainbook_callbacks::{Callback, Effects, Flow, Moment, Progress, Reply};

use super::watch::Watch;

/// Where the trainer's own lines go. A callback that a user has added writes where it wants to.
#[derive(Clone, Default)]
pub(super) struct Voice {
    /// Whether the [`Screen`] shows nothing.
    muted: Arc<AtomicBool>,
    /// Who keeps warnings, in the background.
    kept: Option<Arc<Watch>>,
}

impl Voice {
    /// Speaks to `watch` from now on.
    pub fn keep(&mut self, watch: Arc<Watch>) {
        self.muted.store(true, Ordering::Relaxed);
        self.kept = Some(watch);
    }

    /// Speaks on the screen again.
    pub fn show(&mut self) {
        self.muted.store(false, Ordering::Relaxed);
        self.kept = None;
    }

    /// Progress that is shown as long as this speaks on the screen.
    pub fn screen(&self, progress: Progress) -> Screen {
        Screen { progress, muted: Arc::clone(&self.muted) }
    }

    /// Says loudly what went wrong without ending the fit.
    pub fn warn(&self, text: &str) {
        match &self.kept {
            Some(watch) => watch.warn(text),
            None => eprintln!("warning: {text}"),
        }
    }
}

/// The trainer's own progress.
pub(super) struct Screen {
    progress: Progress,
    muted: Arc<AtomicBool>,
}

impl Callback for Screen {
    fn name(&self) -> Cow<'static, str> {
        self.progress.name()
    }

    fn effects(&self) -> Effects {
        self.progress.effects()
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        if self.muted.load(Ordering::Relaxed) {
            return Ok(Flow::Continue);
        }
        self.progress.on(moment)
    }
}
