//! The schedule before training against the rates of the fit.

use trainbook::callbacks::schedule::OneCycle;
use trainbook::prelude::*;

use crate::support::{BATCHES, builder, clouds};

#[test]
fn the_preview_is_what_the_fit_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let curve = OneCycle::to(2e-2).cycle_momentum(0.85, 0.95);
    let mut trainer = builder(&data, 1)
        .parameter_groups([ParameterGroup::new("2.*").rate(0.5)])
        .with(LrSchedule::of(curve).warmup(4))
        .with(LrSchedule::cosine(1e-3).for_group("2.*"))
        .store(&store)
        .build()
        .unwrap();
    // A fit before moves the trainer's counters, which the next one begins from.
    trainer.fit(Steps(3)).unwrap();
    let before = trainer.state_hash().unwrap();
    let preview = trainer.preview_schedule(Epochs(6));
    assert_eq!(trainer.state_hash().unwrap(), before);
    assert_eq!((preview.updates, preview.remark.as_deref()), (6 * BATCHES, None));

    let run = trainer.fit(Epochs(6)).unwrap();
    let record = store.run(run.id().unwrap()).unwrap();
    let did = |name: &str| record.series[name].iter().map(|p| p.1).collect::<Vec<_>>();
    let values = |points: &[(u64, f64)]| points.iter().map(|p| p.1).collect::<Vec<_>>();
    assert_eq!(values(&preview.learning_rate.points), did("learning_rate"));
    assert_eq!(values(&preview.momentum), did("momentum"));
    let [group] = &preview.groups[..] else { panic!("{preview:?}") };
    assert_eq!(group.name, "learning_rate/2.*");
    assert_eq!(values(&group.points), did("learning_rate/2.*"));

    let text = preview.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "30 updates");
    assert_eq!(
        lines[1],
        "learning_rate 1.60e-4 at first, 2.00e-2 at most, from update 12 on, 8.00e-8 at last"
    );
    assert!(lines[2].starts_with("learning_rate/2.* 1.00e-3 at first"), "{text}");
    assert_eq!(lines[3], "momentum between 0.850 and 0.950");
    let html = preview.view().html;
    assert!(html.contains("Learning rate of 30 updates") && html.contains("momentum"), "{html}");
}

#[test]
fn without_a_schedule_the_rate_is_the_optimisers_and_who_sets_it_later_is_named() {
    let data = clouds();
    let preview = |trainer: trainbook::trainer::TrainerBuilder| {
        trainer.build().unwrap().preview_schedule(Steps(7))
    };
    let constant = preview(builder(&data, 1).learning_rate(3e-3));
    assert_eq!(constant.to_string(), "7 updates\nlearning_rate 3.00e-3 at every update");
    let plateau = ReduceOnPlateau::on("val_loss");
    let plateau = preview(builder(&data, 1).learning_rate(3e-3).with(plateau)).to_string();
    assert!(
        plateau
            .ends_with("ReduceOnPlateau sets the rate once the fit runs; this is where it begins"),
        "{plateau}"
    );
    let own = on_batch_start(|batch| {
        batch.set_learning_rate(0.5);
        Ok(Flow::Continue)
    });
    let own = preview(builder(&data, 1).with(own.writes(Resource::LearningRate))).to_string();
    assert!(own.contains("on_batch_start sets the rate once the fit runs"), "{own}");
    // Several as one count too.
    let several: Vec<Box<dyn Callback>> = vec![Box::new(LrSchedule::linear(1e-2))];
    let several = preview(builder(&data, 1).with(several));
    assert_eq!((several.learning_rate.points[0], several.remark), ((0, 1e-2), None));
    // A fit that does nothing has nothing to show.
    let trainer = builder(&data, 1).build().unwrap();
    assert_eq!(trainer.preview_schedule(Epochs(0)).to_string(), "0 updates");
}
