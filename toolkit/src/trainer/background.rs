//! A fit in a thread of its own, and the handle by which one asks it and stops it.
//!
//! ```text
//! Trainer ─ fit_in_background ─▸ Training            the thread:  Stack::on ─▸ Witness
//!                                  status, plot ◂──────────────── Watch ◂───────┘ tells, never waits
//!                                  stop ───────────────────────▸ Watch ─────────▸ Flow::Stop
//!                                  join ─▸ (Trainer, Result<Run, Error>)
//! ```
//!
//! A trainer is in one thread's hands, so the handle takes it and gives it back. There is no `?` on
//! that way: in a notebook a cell whose `?` fails loses the variables that it was to make, and the
//! trainer would go with them.

use std::io::Write as _;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Trainer;
use super::length::Length;
use super::run::Run;
use super::training_status::{TrainingState, TrainingStatus};
use super::unwound::unwound;
use super::watch::{Watch, Witness};
use crate::Error;
use crate::display::{self, Bundle};

/// The trainer and what its fit came to.
type Ended = (Trainer, Result<Run, Error>);

/// A fit that runs in the background; see [`Trainer::fit_in_background`].
///
/// As the result of a notebook cell it shows its [`status`](Self::status). Dropping it stops the fit
/// behind its step and waits for it, so that no thread trains on that nobody has a handle of; its run
/// says so. In a notebook that happens too when another variable takes its name.
#[must_use = "a fit in the background is stopped when its handle is dropped"]
pub struct Training {
    watch: Arc<Watch>,
    work: Work,
}

#[cfg_attr(feature = "cuda", allow(dead_code, reason = "no thread trains there"))]
enum Work {
    Runs(JoinHandle<Ended>),
    /// It could not begin.
    Kept(Box<Ended>),
    GivenBack,
}

impl Work {
    fn wait(self) -> Ended {
        match self {
            Self::Runs(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Self::Kept(ended) => *ended,
            Self::GivenBack => {
                resume_unwind(Box::new("only `join` takes it, which takes the rest"))
            }
        }
    }
}

impl Trainer {
    /// Trains as [`fit`](Self::fit) does, to the same bits, in a thread of its own, so that other
    /// cells of a notebook can run meanwhile. Takes the trainer, which [`join`](Training::join) gives
    /// back.
    ///
    /// ```no_run
    /// # use trainbook::prelude::*;
    /// # fn main() -> Result<(), Error> {
    /// # let digits = Dataset::csv("digits.csv")?.target(Column::last())?;
    /// # let trainer = Trainer::classifier(&digits, Sequential::new().linear(10)).build()?;
    /// let training = trainer.fit_in_background(Epochs(50));
    /// println!("{}", training.status());
    /// let (trainer, run) = training.join();
    /// let run = run?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It shows no rows of progress, which would stand below other cells; [`Training::status`] and
    /// [`Training::plot`] show where it is, and warnings are kept there. (What a callback of the
    /// user's prints is printed, and so is what Rust says of a panic.) Several fits may run at once,
    /// in one store too; they share the processor. Ctrl-C, the kernel's "interrupt" and the stop file
    /// stop all fits that run behind their step, whether somebody waits for them or not;
    /// `trainbook runs stop RUN` stops one.
    ///
    /// Everything in a trainer can move to another thread, for which nothing was asked that was not
    /// before: a [`Callback`](crate::callbacks::Callback) is `Send`, layers, losses and augmentations
    /// are `Send + Sync`. A closure that holds an `Rc` is refused where it is given to the trainer;
    /// what is to be looked at from outside goes into an `Arc<Mutex<…>>` or through a channel.
    ///
    /// # Errors
    /// None here: whatever goes wrong, [`join`](Training::join) tells, with the trainer. In a build
    /// with CUDA that is always an error, because a CUDA stream belongs to the thread that made it.
    pub fn fit_in_background(self, length: impl Into<Length>) -> Training {
        let watch = Arc::new(Watch::new());
        let work = start(self, length.into(), &watch);
        if let Work::Kept(ended) = &work {
            watch.end(&ended.1);
        }
        Training { watch, work }
    }

    /// The fit, as the thread does it.
    #[cfg_attr(feature = "cuda", allow(dead_code, reason = "no thread trains there"))]
    fn fit_watched(&mut self, length: Length, watch: &Arc<Watch>) -> Result<Run, Error> {
        self.voice.keep(Arc::clone(watch));
        self.stack.observe(Some(Box::new(Witness::new(Arc::clone(watch)))));
        let outcome = unwound(|| self.fit(length));
        self.stack.observe(None);
        self.voice.show();
        outcome
    }
}

#[cfg(not(feature = "cuda"))]
fn start(trainer: Trainer, length: Length, watch: &Arc<Watch>) -> Work {
    use std::sync::mpsc::{SendError, sync_channel};

    use super::interrupt::Interrupt;

    let thread_gone = "the thread that was to train is gone";
    // The trainer follows when the thread is there: what a thread that cannot be had was to do is lost.
    let (give, take) = sync_channel::<Trainer>(1);
    // From here on Ctrl-C is the fit's, and not only when the thread has come to it.
    let interrupt = Interrupt::new();
    let watched = Arc::clone(watch);
    let thread = std::thread::Builder::new().name("trainbook-fit".to_owned()).spawn(move || {
        let Ok(mut trainer) = take.recv() else { resume_unwind(Box::new(thread_gone)) };
        let outcome = trainer.fit_watched(length, &watched);
        drop(interrupt);
        watched.end(&outcome);
        (trainer, outcome)
    });
    let kept = |trainer, reason| Work::Kept(Box::new((trainer, Err(Error::Background(reason)))));
    match thread {
        Ok(thread) => match give.send(trainer) {
            Ok(()) => Work::Runs(thread),
            Err(SendError(trainer)) => kept(trainer, thread_gone.to_owned()),
        },
        Err(error) => kept(trainer, format!("the system gives no thread for it: {error}")),
    }
}

#[cfg(feature = "cuda")]
fn start(trainer: Trainer, _: Length, _: &Arc<Watch>) -> Work {
    let reason = "in a build with CUDA a trainer stays in its thread, as CUDA's streams do; \
                  `fit` trains here"
        .to_owned();
    Work::Kept(Box::new((trainer, Err(Error::Background(reason)))))
}

impl Training {
    /// Where the fit is, from what it tells at the end of each step. Never waits for a step, and
    /// holds none up.
    pub fn status(&self) -> TrainingStatus {
        self.watch.status()
    }

    /// The curves so far, as a notebook shows them: with a store as the run is shown from there, a
    /// fifth of a second behind; otherwise loss, validation and learning rate over the status. (Of a
    /// fit without a store their points are kept in memory, 32 bytes a step.) Holds no step up.
    pub fn plot(&self) -> Bundle {
        let Some((store, run)) = self.watch.recorded() else {
            return display::training::plot(&self.status(), &self.watch.series());
        };
        match store.run(run.as_str()) {
            Ok(record) => display::run(&record, &store.past(&record)),
            Err(error) => Bundle::from_text(&format!("{}\nfailed to {error}", self.status())),
        }
    }

    /// Asks the fit to stop behind its step, and does not wait. One that has not begun trains
    /// nothing. The run says `interrupted: asked by Training::stop` and can be
    /// [resumed](Trainer::resume), as after Ctrl-C; one that has ended stays as it is.
    pub fn stop(&self) {
        self.watch.stop("asked by Training::stop");
    }

    /// Whether the fit has ended, so that [`join`](Self::join) does not wait.
    pub fn is_finished(&self) -> bool {
        let thread_is_gone = matches!(&self.work, Work::Runs(thread) if thread.is_finished());
        let told = !matches!(self.status().state, TrainingState::Running | TrainingState::Stopping);
        told || thread_is_gone
    }

    /// Waits for the fit, and gives back the trainer, whatever became of the fit: it can go on, and
    /// be resumed or exported. Warnings of the fit are written to standard error. Ctrl-C and the
    /// kernel's "interrupt" stop the fit behind its step, as with [`fit`](Trainer::fit).
    ///
    /// The run's error is that of `fit`; or the system gave no thread for it
    /// ([`Error::Background`]). A panic, of a callback for example, is one of them.
    #[must_use = "the trainer is lost if nobody takes it"]
    pub fn join(mut self) -> (Trainer, Result<Run, Error>) {
        let ended = std::mem::replace(&mut self.work, Work::GivenBack).wait();
        let TrainingStatus { warnings, more_warnings, .. } = self.status();
        // Where nobody listens, the trainer is given back all the same.
        let mut err = std::io::stderr().lock();
        for text in &warnings {
            let _ = writeln!(err, "warning: {text}");
        }
        if more_warnings > 0 {
            let _ = writeln!(err, "warning: and {more_warnings} more");
        }
        ended
    }

    /// Shows the [`status`](Self::status) as the result of a notebook cell.
    pub fn evcxr_display(&self) {
        self.status().evcxr_display();
    }
}

impl std::fmt::Display for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.status(), f)
    }
}

impl std::fmt::Debug for Training {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Training").field(&self.status()).finish()
    }
}

impl Drop for Training {
    fn drop(&mut self) {
        if let Work::Runs(thread) = std::mem::replace(&mut self.work, Work::GivenBack) {
            self.watch.stop("its handle was dropped");
            // What it came to stands in the store.
            let _ = thread.join();
        }
    }
}
