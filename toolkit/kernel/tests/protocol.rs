//! Both sides of the stop file against each other: the trainer's, which cannot be built here without
//! all that trains, is taken from its file.

#[path = "../../src/trainer/interrupt.rs"]
mod interrupt;

use std::time::{Duration, Instant};

use interrupt::Interrupt;
use trainbook_kernel::{STOP_FILE, StopFile};

/// The file is read from the environment once a process, so all is one test, played by a process of
/// its own.
#[test]
fn what_the_kernel_asks_the_trainer_hears() {
    let Some(path) = std::env::var_os(STOP_FILE) else {
        let folder = tempfile::tempdir().unwrap();
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["what_the_kernel_asks_the_trainer_hears", "--exact", "--nocapture"])
            .env(STOP_FILE, folder.path().join("stop"))
            .status()
            .unwrap();
        assert!(status.success());
        return;
    };
    let stop = StopFile::new(path);
    assert!(!stop.ask().unwrap(), "no fit runs");

    let fit = Interrupt::new();
    assert!(!fit.asked());
    assert!(stop.ask().unwrap());
    let began = Instant::now();
    while !fit.asked() {
        assert!(began.elapsed() < Duration::from_secs(10), "the fit never heard of it");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(fit);

    assert!(!stop.ask().unwrap(), "no fit runs any more");
    let next = Interrupt::new();
    std::thread::sleep(Duration::from_millis(600));
    assert!(!next.asked(), "it was meant for another");
    drop(next);

    // What a look costs: nothing beside a step.
    let fit = Interrupt::new();
    let began = Instant::now();
    let looks = 1_000_000;
    let heard = (0..looks).filter(|_| fit.asked()).count();
    let each = began.elapsed() / looks;
    assert_eq!(heard, 0);
    println!("a look takes {each:?}");
}
