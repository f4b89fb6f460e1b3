//! Whole fits on a CUDA device. Built with the feature `cuda`, for `cargo xtask cuda`.

#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

use trainbook::history::Store;
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

fn digits() -> Dataset {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../notebooks/data/digits.csv.gz");
    let digits = Dataset::csv(path).unwrap().target(Column::last()).unwrap();
    let digits = digits.normalize(Normalize::divide_by(16.0)).unwrap();
    digits.split(Split::stratified(0.8, 0.1, 0.1), Seed(7)).unwrap()
}

fn builder(digits: &Dataset) -> TrainerBuilder {
    let net = Sequential::new().linear(128).relu().dropout(0.1).linear(64).relu().linear(10);
    Trainer::classifier(digits, net)
        .seed(7)
        .device(Device::cuda(0))
        .quiet()
        .with(LrSchedule::one_cycle(3e-3))
        .with(NanGuard::new())
        .with(Clip::global_norm(1.0))
}

#[test]
fn digits_are_learned_in_both_precisions() {
    let digits = digits();
    for precision in [Precision::F32, Precision::Mixed] {
        let mut trainer = builder(&digits).precision(precision).build().unwrap();
        let run = trainer.fit(Epochs(30)).unwrap();
        let accuracy = run.evaluate(Part::Test).unwrap().metric("accuracy").unwrap();
        println!("{precision}: {accuracy}");
        assert!(accuracy > 0.95, "{precision}: {accuracy}");
    }
}

#[test]
fn a_fit_goes_on_where_it_was_stopped() {
    let digits = digits();
    for precision in [Precision::F32, Precision::Mixed] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let of = || builder(&digits).precision(precision).store(&store);
        let stop = on_step_end(|step| {
            let there = step.counters.updates_attempted == 70;
            Ok(if there { Flow::stop("there") } else { Flow::Continue })
        });
        of().with(stop).build().unwrap().fit(Epochs(3)).unwrap();
        let run = of().build().unwrap().resume_last().unwrap();
        let whole = of().build().unwrap().fit(Epochs(3)).unwrap();
        let first = store.runs().unwrap().last().unwrap().id.to_string();
        let losses = |id: &str| store.run(id).unwrap().series["loss"].clone();
        let (before, behind) = (losses(&first), losses(run.id().unwrap().as_str()));
        assert_eq!(before.len(), 70);
        assert_eq!(behind.first().unwrap().0, 71);
        // As if nothing had been, to the last bit.
        assert_eq!(behind, losses(whole.id().unwrap().as_str())[70..], "{precision}");
    }
}
