//! Ctrl-C during a fit.
//!
//! The first one asks the fit to stop behind its step, so that nothing is lost; a second one, and
//! one while no fit runs, ends the program as always.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::SIGINT;
use signal_hook::flag::{register, register_conditional_default};

/// What the handler of the signal, which is the whole process's, and the fits that run share.
struct Shared {
    /// Whether Ctrl-C does what it does without a handler.
    ends_program: Arc<AtomicBool>,
    /// Whether Ctrl-C was pressed since the first of the fits that run began.
    asked: Arc<AtomicBool>,
    fits: AtomicUsize,
}

impl Shared {
    fn new() -> io::Result<Self> {
        let ends_program = Arc::new(AtomicBool::new(true));
        let asked = Arc::new(AtomicBool::new(false));
        // In this order they run: a first Ctrl-C finds the condition unmet, and then sees to it
        // that it is met by a second.
        register_conditional_default(SIGINT, Arc::clone(&ends_program))?;
        register(SIGINT, Arc::clone(&asked))?;
        register(SIGINT, Arc::clone(&ends_program))?;
        Ok(Self { ends_program, asked, fits: AtomicUsize::new(0) })
    }
}

/// A fit that Ctrl-C stops, as long as this lives.
pub(super) struct Interrupt(Option<&'static Shared>);

impl Interrupt {
    /// Where the system allows no handler, Ctrl-C ends the program.
    pub fn new() -> Self {
        static SHARED: OnceLock<Option<Shared>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Shared::new().ok()).as_ref();
        if let Some(shared) = shared
            && shared.fits.fetch_add(1, Ordering::SeqCst) == 0
        {
            shared.asked.store(false, Ordering::SeqCst);
            shared.ends_program.store(false, Ordering::SeqCst);
        }
        Self(shared)
    }

    /// Whether the fit is to stop.
    pub fn asked(&self) -> bool {
        self.0.is_some_and(|shared| shared.asked.load(Ordering::Relaxed))
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        if let Some(shared) = self.0
            && shared.fits.fetch_sub(1, Ordering::SeqCst) == 1
        {
            shared.ends_program.store(true, Ordering::SeqCst);
        }
    }
}
