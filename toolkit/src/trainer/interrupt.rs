//! Ctrl-C during a fit, and the stop file by which a notebook's kernel passes on an interrupt.
//!
//! The first Ctrl-C asks the fit to stop behind its step, so that nothing is lost; a second one, and
//! one while no fit runs, ends the program as always.
//!
//! The stop file is named by `TRAINBOOK_STOP_FILE`. While fits run, this process holds its lock
//! shared: by that others know. A file that is no longer empty asks them to stop, as Ctrl-C does.
//! The first fit empties it, and one that begins beside others passes over what stands in it, so that
//! none hears what was meant for another. (The other side, and why it is so, is in the documentation of
//! `trainbook-kernel`.)

use std::cell::Cell;
use std::env;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::SigId;
use signal_hook::consts::SIGINT;
use signal_hook::flag::{register, register_conditional_default};
use signal_hook::low_level::unregister;

/// The environment variable that names the stop file.
const STOP_FILE: &str = "TRAINBOOK_STOP_FILE";

/// How long another may have the stop file's lock.
const PATIENCE: Duration = Duration::from_secs(1);

/// Files by which others ask are looked at at most this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Says when to look at such a file again.
pub(crate) struct Seldom(Cell<Instant>);

impl Seldom {
    /// At first it is time.
    pub fn new() -> Self {
        Self(Cell::new(Instant::now()))
    }

    /// Whether it is time to look, which it then is not for a while.
    pub fn is_time(&self) -> bool {
        let now = Instant::now();
        let is_time = now >= self.0.get();
        if is_time {
            self.0.set(now + LOOK_EVERY);
        }
        is_time
    }
}

/// What the handler of the signal, which is the whole process's, and the fits that run share.
struct Shared {
    /// Whether Ctrl-C does what it does without a handler.
    ends_program: Arc<AtomicBool>,
    /// How many fits run; held while one begins or ends.
    fits: Mutex<usize>,
}

impl Shared {
    fn new() -> io::Result<Self> {
        let ends_program = Arc::new(AtomicBool::new(true));
        // In this order they run: a first Ctrl-C finds the condition unmet, and then sees to it
        // that it is met by a second.
        register_conditional_default(SIGINT, Arc::clone(&ends_program))?;
        register(SIGINT, Arc::clone(&ends_program))?;
        Ok(Self { ends_program, fits: Mutex::default() })
    }

    /// A fit begins: whatever was asked of others, a first Ctrl-C asks it too. The flag that it sets.
    fn begin(&self) -> Option<(SigId, Arc<AtomicBool>)> {
        let mut fits = self.fits.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = Arc::new(AtomicBool::new(false));
        let flag = register(SIGINT, Arc::clone(&asked)).ok()?;
        *fits += 1;
        self.ends_program.store(false, Ordering::SeqCst);
        Some((flag, asked))
    }

    fn end(&self, flag: SigId) {
        let mut fits = self.fits.lock().unwrap_or_else(PoisonError::into_inner);
        unregister(flag);
        *fits = fits.saturating_sub(1);
        if *fits == 0 {
            self.ends_program.store(true, Ordering::SeqCst);
        }
    }
}

/// The stop file, which is the whole process's too.
struct StopFile {
    path: PathBuf,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    fits: usize,
    /// Open and locked as long as fits run.
    file: Option<Arc<File>>,
}

impl StopFile {
    fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), held: Mutex::default() }
    }

    fn named() -> Option<&'static Self> {
        static NAMED: OnceLock<Option<StopFile>> = OnceLock::new();
        let named = || env::var_os(STOP_FILE).filter(|path| !path.is_empty()).map(StopFile::new);
        NAMED.get_or_init(named).as_ref()
    }

    /// Says that a fit begins. The file, unless it cannot be opened: then nobody can ask, which is
    /// told.
    fn begin(&self) -> Option<Arc<File>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.fits == 0 {
            held.file = self
                .open()
                .inspect_err(|error| {
                    let path = self.path.display();
                    eprintln!(
                        "warning: interrupts cannot stop the fit: failed to open {path}: {error}"
                    );
                })
                .ok()
                .map(Arc::new);
        }
        held.fits += 1;
        held.file.clone()
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&self.path)?;
        // Whoever looks whether a fit runs has the lock for a moment only; if it hangs, a fit does not.
        let began = Instant::now();
        while let Err(error) = file.try_lock_shared() {
            match error {
                TryLockError::WouldBlock if began.elapsed() < PATIENCE => {
                    std::thread::sleep(PATIENCE / 100);
                }
                error => return Err(error.into()),
            }
        }
        file.set_len(0)?;
        Ok(file)
    }

    /// Says that a fit has ended.
    fn end(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.fits = held.fits.saturating_sub(1);
        if held.fits == 0 {
            held.file = None;
        }
    }
}

/// A fit that Ctrl-C or the stop file stops, as long as this lives.
pub(crate) struct Interrupt {
    shared: Option<&'static Shared>,
    /// Set by a Ctrl-C since this fit began.
    signal: Option<(SigId, Arc<AtomicBool>)>,
    stop_file: Option<&'static StopFile>,
    /// The stop file, open.
    open: Option<Arc<File>>,
    /// How long it was when this fit began: what was written before was meant for others.
    before: u64,
    look: Seldom,
}

impl Interrupt {
    /// Where the system allows no handler, Ctrl-C ends the program.
    pub fn new() -> Self {
        static SHARED: OnceLock<Option<Shared>> = OnceLock::new();
        Self::with(SHARED.get_or_init(|| Shared::new().ok()).as_ref(), StopFile::named())
    }

    fn with(shared: Option<&'static Shared>, stop_file: Option<&'static StopFile>) -> Self {
        let open = stop_file.and_then(StopFile::begin);
        let before = open.as_deref().map_or(0, length);
        let signal = shared.and_then(Shared::begin);
        Self { shared, signal, stop_file, open, before, look: Seldom::new() }
    }

    /// Whether the fit is to stop.
    pub fn asked(&self) -> bool {
        self.signal.as_ref().is_some_and(|(_, asked)| asked.load(Ordering::Relaxed))
            || self.open.as_deref().is_some_and(|file| self.asked_by(file))
    }

    fn asked_by(&self, file: &File) -> bool {
        self.look.is_time() && length(file) > self.before
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // Before others hear that no fit runs.
        self.open = None;
        if let Some(stop_file) = self.stop_file {
            stop_file.end();
        }
        if let (Some(shared), Some((flag, _))) = (self.shared, self.signal.take()) {
            shared.end(flag);
        }
    }
}

fn length(file: &File) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon(interrupt: &Interrupt) -> bool {
        let began = Instant::now();
        while !interrupt.asked() {
            if began.elapsed() > 4 * LOOK_EVERY {
                return false;
            }
            std::thread::sleep(LOOK_EVERY / 10);
        }
        true
    }

    #[test]
    fn a_line_in_the_stop_file_stops_the_fits_that_run_and_no_later_one() {
        let path = env::temp_dir().join(format!("trainbook-stop-{}", std::process::id()));
        let stop_file: &'static StopFile = Box::leak(Box::new(StopFile::new(&path)));
        let is_free = || match File::open(&path).unwrap().try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => panic!("{error}"),
        };
        std::fs::write(&path, "for another\n").unwrap();
        let first = Interrupt::with(None, Some(stop_file));
        assert!(!soon(&first));
        let second = Interrupt::with(None, Some(stop_file));
        assert!(!is_free());

        std::fs::write(&path, "stop\n").unwrap();
        assert!(soon(&first));
        assert!(soon(&second));
        let later = Interrupt::with(None, Some(stop_file));
        assert!(!soon(&later), "what was asked before it began was meant for others");
        std::fs::write(&path, "stop\nstop\n").unwrap();
        assert!(soon(&later));
        drop(later);
        drop(first);
        assert!(!is_free(), "the second still runs");
        drop(second);
        assert!(is_free());

        let third = Interrupt::with(None, Some(stop_file));
        assert!(!soon(&third));
        drop(third);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn who_holds_the_lock_for_ever_holds_up_no_fit() {
        let path = env::temp_dir().join(format!("trainbook-held-{}", std::process::id()));
        let holder = File::create(&path).unwrap();
        holder.lock().unwrap();
        let stop_file: &'static StopFile = Box::leak(Box::new(StopFile::new(&path)));
        let fit = Interrupt::with(None, Some(stop_file));
        assert!(fit.open.is_none() && !fit.asked());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_stop_file_that_cannot_be_opened_stops_nothing() {
        let nowhere: &'static StopFile = Box::leak(Box::new(StopFile::new("/nowhere/at/all")));
        let fit = Interrupt::with(None, Some(nowhere));
        assert!(!fit.asked());
    }
}
