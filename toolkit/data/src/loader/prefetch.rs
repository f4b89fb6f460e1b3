//! Batches that a thread reads ahead.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;

use super::{Batches, Loader, LoaderPosition, check};
use crate::{Batch, DataError};

/// A [`Loader`] whose batches a thread reads ahead, made by [`Loader::prefetch`]. Batches are the
/// same, bit for bit; what it changes is when they are read. Buffers go round: the one that
/// [`next`](Batches::next) is given is filled again later. Dropping it waits for the thread, which at
/// most reads the batch at hand to its end.
#[derive(Debug)]
pub struct Prefetch {
    /// `None` while dropped: the thread ends when it hears nothing more.
    ends: Option<Ends>,
    thread: Option<JoinHandle<()>>,
    batches_per_epoch: usize,
    position: LoaderPosition,
    /// Which order the batches that are wanted follow; those of earlier ones are thrown away.
    order: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// No batch follows before an epoch is started.
    Over,
    /// The thread has the order to read.
    Reading,
    /// A batch could not be read; the next call tries again.
    Failed,
}

/// Our ends of the channels.
#[derive(Debug)]
struct Ends {
    orders: Sender<Order>,
    answers: Receiver<Answer>,
    used: Sender<Batch>,
}

struct Order {
    number: u64,
    from: LoaderPosition,
}

struct Answer {
    order: u64,
    /// `None` at the end of the epoch.
    batch: Result<Option<Batch>, DataError>,
}

impl Prefetch {
    pub(super) fn new(loader: Loader, batches: usize) -> Result<Self, DataError> {
        let (orders, orders_there) = channel();
        let (answers_there, answers) = sync_channel(batches);
        let (used, used_there) = channel();
        let batches_per_epoch = loader.batches_per_epoch();
        let thread = std::thread::Builder::new()
            .name("prefetch".to_owned())
            .spawn(move || serve(loader, &orders_there, &answers_there, &used_there))
            .map_err(|error| DataError::Refused {
                action: "read ahead in",
                reason: format!("the system gives no thread: {error}"),
            })?;
        Ok(Self {
            ends: Some(Ends { orders, answers, used }),
            thread: Some(thread),
            batches_per_epoch,
            position: LoaderPosition::default(),
            order: 0,
            state: State::Over,
        })
    }

    /// See [`Loader::position`]: batches count that were handed out, not those read ahead.
    pub fn position(&self) -> LoaderPosition {
        self.position
    }

    fn go(&mut self, from: LoaderPosition) {
        self.order += 1;
        self.position = from;
        self.state = State::Reading;
        if let Some(ends) = &self.ends {
            // A thread that is gone is noticed when its answer is missing.
            let _ = ends.orders.send(Order { number: self.order, from });
        }
    }
}

/// As [`Loader`]'s. After an error or a panic of the source the next call of
/// [`next`](Batches::next) tries that batch again.
impl Batches for Prefetch {
    fn batches_per_epoch(&self) -> usize {
        self.batches_per_epoch
    }

    fn start(&mut self, epoch: u64) {
        self.go(LoaderPosition { epoch, batch: 0 });
    }

    fn resume(&mut self, position: LoaderPosition) -> Result<(), DataError> {
        check(position, self.batches_per_epoch)?;
        self.go(position);
        Ok(())
    }

    fn next(&mut self, batch: &mut Batch) -> Result<bool, DataError> {
        match self.state {
            State::Over => return Ok(false),
            State::Failed => self.go(self.position),
            State::Reading => {}
        }
        let gone = || DataError::Refused {
            action: "read ahead in",
            reason: "the thread that reads is gone; make the loader again".to_owned(),
        };
        let ends = self.ends.as_ref().ok_or_else(gone)?;
        loop {
            let answer = ends.answers.recv().map_err(|_| gone())?;
            match answer.batch {
                // Of an epoch that was left early. A buffer is all that it still is.
                Ok(Some(old)) if answer.order != self.order => {
                    let _ = ends.used.send(old);
                }
                _ if answer.order != self.order => {}
                Ok(Some(next)) => {
                    let _ = ends.used.send(std::mem::replace(batch, next));
                    self.position.batch += 1;
                    return Ok(true);
                }
                Ok(None) => {
                    self.state = State::Over;
                    return Ok(false);
                }
                Err(error) => {
                    self.state = State::Failed;
                    return Err(error);
                }
            }
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.ends = None;
        if let Some(thread) = self.thread.take() {
            // Panics of the source were caught and handed over as errors.
            let _ = thread.join();
        }
    }
}

/// Follows orders until there is nobody who gives any.
fn serve(
    mut loader: Loader,
    orders: &Receiver<Order>,
    answers: &SyncSender<Answer>,
    used: &Receiver<Batch>,
) {
    let mut waiting = orders.recv().ok();
    while let Some(order) = waiting.take() {
        let mut begun = loader.resume(order.from).err();
        waiting = loop {
            match orders.try_recv() {
                Ok(newer) => break Some(newer),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {}
            }
            let mut batch = used.try_recv().unwrap_or_default();
            let read = match begun.take() {
                Some(error) => Err(error),
                None => catch_unwind(AssertUnwindSafe(|| loader.next(&mut batch)))
                    .unwrap_or_else(|panic| Err(panicked(panic.as_ref()))),
            };
            let go_on = matches!(read, Ok(true));
            let batch = read.map(|there_is| there_is.then_some(batch));
            if answers.send(Answer { order: order.number, batch }).is_err() {
                return;
            }
            if !go_on {
                break orders.recv().ok();
            }
        };
    }
}

fn panicked(panic: &(dyn Any + Send)) -> DataError {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("without a message");
    DataError::Refused { action: "read", reason: format!("its source panicked: {text}") }
}
