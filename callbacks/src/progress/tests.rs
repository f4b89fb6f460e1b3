//! The output, line by line.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Progress;
use crate::fake::Fake;
use crate::{CallbackError, EarlyStopping, LrSchedule, Stack, on_epoch_end};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A fit whose every step takes this long; the clock stands still otherwise.
fn timed(step: Duration) -> (Fake, Page, Arc<AtomicU64>) {
    let (page, reads) = (Page::default(), Arc::new(AtomicU64::new(0)));
    let mut progress = Progress::to(Box::new(page.clone()));
    let steps = Arc::new(AtomicU64::new(0));
    let (counted, counting) = (reads.clone(), steps.clone());
    progress.clock = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        step * u32::try_from(steps.load(Ordering::Relaxed)).unwrap()
    });
    let mut fake = Fake::with(progress);
    fake.loss = Box::new(move |n| {
        counting.store(n, Ordering::Relaxed);
        0.5
    });
    (fake, page, reads)
}

#[test]
fn one_aligned_row_per_epoch() {
    let page = Page::default();
    let mut stack = Stack::new();
    stack.push(Progress::to(Box::new(page.clone())));
    stack.push(LrSchedule::step(3e-3, 1, 0.1));
    stack.push(EarlyStopping::on("val_loss").patience(1));
    let mut fake = Fake::new(stack);
    fake.metrics = Box::new(|epoch| {
        let losses = [(2.25, 1.75), (0.004, f64::NAN), (123456.0, 1.5)][epoch as usize];
        vec![
            ("train_loss", losses.0),
            ("val_loss", [2.0, 1.5, 1.75][epoch as usize]),
            ("val_accuracy", 0.5),
            ("a_rather_long_name", losses.1),
        ]
    });
    fake.seconds = Box::new(|epoch| [0.25, 12.5, 1234.0][epoch as usize]);
    fake.fit(10);
    assert_eq!(
        page.text(),
        "\
epoch  train_loss    val_loss  val_accuracy  a_rather_long_name  learning_rate  seconds
    1      2.2500      2.0000        0.5000              1.7500        3.00e-3      0.2
    2     4.00e-3      1.5000        0.5000                 NaN        3.00e-4     12.5
    3      1.23e5      1.7500        0.5000              1.5000        3.00e-5   1234.0
ended after 3 epochs, 9 updates: early_stopping (EarlyStopping): val_loss has not improved for 1 check; best 1.5000 in epoch 2
"
    );
}

#[test]
fn every_ending_is_told() {
    let page = Page::default();
    let mut stack = Stack::new();
    stack.push(Progress::to(Box::new(page.clone())));
    stack.push(on_epoch_end(|epoch| {
        if epoch.counters.epoch < 1 {
            Ok(Default::default())
        } else {
            Err(CallbackError::custom("no"))
        }
    }));
    let mut fake = Fake::new(stack).batches(1);
    fake.fit(1);
    fake.fit(1);
    assert_eq!(
        page.text(),
        "\
epoch  train_loss  learning_rate  seconds
    1      1.0000         1.00e0      1.0
ended after 1 epoch, 1 update: completed
epoch  train_loss  learning_rate  seconds
    2      1.0000         1.00e0      1.0
failed after 1 epoch, 2 updates: run callback on_epoch_end: no
"
    );
}

#[test]
fn a_long_epoch_gives_signs_of_life() {
    let (fake, page, _) = timed(Duration::from_secs(4));
    fake.batches(7).fit(1);
    assert_eq!(
        page.text(),
        "\
epoch  train_loss  learning_rate  seconds
    1  … batch 3 of 7, loss 0.5000, 12 s
    1  … batch 6 of 7, loss 0.5000, 24 s
    1      1.0000         1.00e0      1.0
ended after 1 epoch, 7 updates: completed
"
    );
}

#[test]
fn fast_steps_seldom_read_the_clock() {
    let (fake, page, reads) = timed(Duration::from_micros(500));
    fake.batches(1600).fit(1);
    assert_eq!(
        reads.load(Ordering::Relaxed),
        3 + 100,
        "when the fit and the epoch start, at every 16th step, and when the epoch ends"
    );
    assert_eq!(page.text().lines().count(), 3);
}

#[test]
fn slow_steps_read_it_every_time() {
    let (fake, page, reads) = timed(Duration::from_millis(20));
    fake.batches(600).fit(1);
    assert_eq!(reads.load(Ordering::Relaxed), 3 + 600);
    assert!(
        page.text().contains("\n    1  … batch 500 of 600, loss 0.5000, 10 s\n"),
        "{}",
        page.text()
    );
}

#[test]
fn a_closed_pipe_does_not_end_the_fit() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let mut fake = Fake::with(Progress::to(Box::new(Closed)));
    fake.fit(2);
    assert_eq!((fake.counters.epoch, fake.seen.error), (2, None));
}

#[test]
fn no_sign_of_life_comes_with_the_last_batch_and_warnings_come_at_once() {
    // Ten seconds are over just as the epoch is.
    let (fake, page, _) = timed(Duration::from_secs(5));
    fake.batches(2).fit(1);
    assert!(!page.text().contains('…'), "{}", page.text());

    let page = Page::default();
    let mut stack = Stack::new();
    stack.push(Progress::to(Box::new(page.clone())));
    stack.push(crate::on_step_end(|step| {
        if step.counters.updates_applied == 2 {
            step.log.warn("of a step");
        }
        Ok(crate::Flow::Continue)
    }));
    stack.push(on_epoch_end(|epoch| {
        epoch.log.warn("of an epoch");
        Ok(crate::Flow::Continue)
    }));
    Fake::new(stack).fit(1);
    let lines: Vec<String> = page.text().lines().map(str::to_owned).collect();
    assert!(lines.contains(&"warning: of a step".to_owned()), "{lines:?}");
    assert!(lines.contains(&"warning: of an epoch".to_owned()), "{lines:?}");
}

#[test]
fn a_step_of_just_a_millisecond_is_not_slow() {
    let (fake, _, reads) = timed(super::SLOW_STEP);
    fake.batches(160).fit(1);
    assert_eq!(reads.load(Ordering::Relaxed), 3 + 10);
}

/// The epochs that have a row.
fn rows(page: &Page) -> Vec<u64> {
    let rows = page.text();
    let rows = rows.lines().filter(|line| !line.contains('…'));
    rows.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

#[test]
fn rows_of_a_long_fit_thin_out_and_the_last_is_there_whatever_ends_it() {
    let fast = || timed(Duration::from_micros(1));
    let (fake, page, _) = fast();
    fake.batches(1).fit(1_000);
    let rows_of_all = rows(&page);
    assert_eq!(rows_of_all[..12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30]);
    assert_eq!((rows_of_all.len(), rows_of_all.last()), (37, Some(&1_000)));

    // A fit that goes on counts its own epochs, under the trainer's numbers.
    let (fake, page, _) = fast();
    let mut fake = fake.batches(1);
    fake.fit(3);
    fake.fit(57);
    assert_eq!(rows(&page)[3..14], [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15]);

    let (page, mut stack) = (Page::default(), Stack::new());
    stack.push(Progress::to(Box::new(page.clone())));
    stack.push(EarlyStopping::on("val_loss").patience(1_000));
    let mut fake = Fake::new(stack).batches(1);
    fake.metrics = Box::new(|epoch| vec![("val_loss", (epoch as f64 - 56.0).abs())]);
    fake.fit(1_000_000);
    let rows = rows(&page);
    assert_eq!(rows[rows.len() - 3..], [900, 1_000, 1_057]);
    let text = page.text();
    let [.., row, ending] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(row.starts_with(" 1057 ") && ending.starts_with("ended after 1057"), "{text}");
}

#[test]
fn no_length_of_steps_or_of_the_fit_writes_many_lines() {
    for (step, batches, epochs) in [
        (Duration::from_millis(1), 100, 1_000), // a minute and a half
        (Duration::from_secs(1), 900, 100),     // a day
        (Duration::from_secs(30), 60_480, 1),   // an epoch of three weeks
        (Duration::from_secs(60), 60, 60),
        (Duration::from_secs(3_600), 1, 1_000),
    ] {
        let (fake, page, _) = timed(step);
        fake.batches(batches).fit(epochs);
        let text = page.text();
        let lines = text.lines().count();
        assert!((20..=66).contains(&lines), "{step:?} {batches} {epochs}: {lines}\n{text}");
    }
}

#[test]
fn an_epoch_that_ends_after_a_silence_has_a_row() {
    // Of 100 epochs the 11th has none by itself; here each takes 6 seconds.
    let (fake, page, _) = timed(Duration::from_secs(6));
    fake.batches(1).fit(100);
    assert_eq!(rows(&page)[9..14], [10, 14, 15, 20, 25]);
}
