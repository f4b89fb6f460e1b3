//! Every callback there is, for the laws that hold for all of them, and a fit for them.

#![allow(dead_code)] // each test file uses a part

use trainbook_callbacks::schedule::{
    Anneal, Cyclic, Decay, Mode, OneCycle, StableDecay, ThresholdMode,
};
use trainbook_callbacks::{
    ActivationMonitor, Activity, Answer, Budget, Callback, Checkpoint, Clip, EarlyStopping,
    FixSeed, Flow, GradientMonitor, LossScaleMonitor, LrSchedule, NanGuard, PredictionLog,
    Progress, Recorder, ReduceOnPlateau, Resource, Snapshot, StepScale, WeightAverage, after,
    every, on_after_update, on_batch_start, on_change_gradients, on_checkpoint_written,
    on_epoch_end, on_epoch_start, on_final_gradients, on_fit_end, on_fit_start, on_raw_gradients,
    on_setup, on_step_end, on_validated, on_validation_end, on_validation_start, when,
};

use crate::support::Fake;

pub type Make = fn() -> Box<dyn Callback>;

/// Every public callback, in every kind that it has, and every function that makes one.
pub const CALLBACKS: &[(&str, Make)] = &[
    ("FixSeed", || Box::new(FixSeed::new(7))),
    ("LrSchedule constant", || Box::new(LrSchedule::constant(0.1))),
    ("LrSchedule one_cycle", || Box::new(LrSchedule::one_cycle(0.1).warmup(3))),
    ("LrSchedule cosine", || Box::new(LrSchedule::cosine(0.1).min_lr(0.01))),
    ("LrSchedule step", || Box::new(LrSchedule::step(0.1, 2, 0.5))),
    ("LrSchedule one_cycle with options", || {
        let curve = OneCycle::to(0.1).pct_start(0.25).div_factor(10.0).final_div_factor(100.0);
        Box::new(LrSchedule::of(curve.anneal(Anneal::Linear).three_phase()))
    }),
    ("LrSchedule multi_step", || Box::new(LrSchedule::multi_step(0.1, [2, 4], 0.5))),
    ("LrSchedule exponential", || Box::new(LrSchedule::exponential(0.1, 0.5))),
    ("LrSchedule linear", || Box::new(LrSchedule::linear(0.1).min_lr(0.01))),
    ("LrSchedule polynomial", || Box::new(LrSchedule::polynomial(0.1, 2.0).min_lr(0.01))),
    ("LrSchedule restarts", || Box::new(LrSchedule::cosine_with_restarts(0.1, 1, 2).min_lr(0.01))),
    ("LrSchedule cyclic", || Box::new(LrSchedule::cyclic(0.01, 0.1, 4))),
    ("LrSchedule cyclic with options", || {
        let curve = Cyclic::between(0.01, 0.1).up(3).down(5).mode(Mode::ExpRange { gamma: 0.9 });
        Box::new(LrSchedule::of(curve))
    }),
    ("LrSchedule one_cycle with momentum", || {
        Box::new(LrSchedule::of(OneCycle::to(0.1).cycle_momentum(0.85, 0.95)).warmup(2))
    }),
    ("LrSchedule cyclic with momentum", || {
        Box::new(LrSchedule::of(Cyclic::between(0.01, 0.1).up(3).cycle_momentum(0.8, 0.9)))
    }),
    ("LrSchedule for a group", || Box::new(LrSchedule::cosine(0.1).for_group("encoder"))),
    ("LrSchedule inverse_sqrt", || Box::new(LrSchedule::inverse_sqrt(0.1, 4))),
    ("LrSchedule warmup_stable_decay", || Box::new(LrSchedule::warmup_stable_decay(0.1, 4))),
    ("LrSchedule stable_decay with options", || {
        let curve = StableDecay::at(0.1).decay_share(0.5).decay(Decay::OneMinusSqrt);
        Box::new(LrSchedule::of(curve).min_lr(0.01))
    }),
    ("ReduceOnPlateau", || {
        Box::new(ReduceOnPlateau::on("val_loss").patience(1).factor(0.5).cooldown(1).warmup(8))
    }),
    ("ReduceOnPlateau up", || {
        let plateau = ReduceOnPlateau::on("val_loss").maximize().patience(0).factor(0.5);
        Box::new(plateau.threshold(0.3).threshold_mode(ThresholdMode::Absolute).min_lr(0.1))
    }),
    // A limit on time has a test of its own, with a clock of its own, in `budget_tests.rs`.
    ("Budget", || Box::new(Budget::steps(20).or_epochs(7).or_stop_file("no such file"))),
    ("Clip global_norm", || Box::new(Clip::global_norm(2.0))),
    ("Clip percentile", || Box::new(Clip::percentile(60.0).history(6))),
    ("Clip value", || Box::new(Clip::value(2.0))),
    ("ActivationMonitor", || Box::new(every(2, ActivationMonitor::new()))),
    ("GradientMonitor", || Box::new(every(2, GradientMonitor::new()))),
    ("GradientMonitor with options", || {
        Box::new(every(2, GradientMonitor::new().after_clipping().ratios()))
    }),
    ("GradientMonitor ratios", || Box::new(GradientMonitor::new().ratios())),
    ("LossScaleMonitor", || Box::new(LossScaleMonitor::new())),
    ("NanGuard", || Box::new(NanGuard::new())),
    ("NanGuard skip", || Box::new(NanGuard::new().skip_up_to(3))),
    ("EarlyStopping", || Box::new(EarlyStopping::on("val_loss").patience(4))),
    ("EarlyStopping min_epochs", || {
        Box::new(EarlyStopping::on("val_loss").patience(1).min_epochs(5))
    }),
    ("EarlyStopping restore", || {
        Box::new(EarlyStopping::on("val_loss").patience(4).restore_best())
    }),
    ("EarlyStopping up", || {
        Box::new(EarlyStopping::on("val_loss").maximize().min_delta(0.1).patience(6).restore_best())
    }),
    ("Checkpoint best", || Box::new(Checkpoint::best("val_loss"))),
    ("Checkpoint last", || Box::new(Checkpoint::last())),
    ("Checkpoint steps", || Box::new(Checkpoint::every_steps(5))),
    // So short that every step is due; others have a test of their own in `checkpoint_tests.rs`.
    ("Checkpoint minutes", || Box::new(Checkpoint::every_minutes(1e-9))),
    ("Checkpoint best keep", || Box::new(Checkpoint::best("val_loss").keep(3))),
    ("Checkpoint last keep", || Box::new(Checkpoint::last().keep(2))),
    ("Checkpoint steps keep", || Box::new(Checkpoint::every_steps(2).keep(2))),
    ("Checkpoint every", || Box::new(Checkpoint::every_epochs(2))),
    ("WeightAverage ema", || Box::new(WeightAverage::ema(0.8).every(2))),
    ("WeightAverage swa", || Box::new(WeightAverage::swa(2))),
    ("PredictionLog", || Box::new(PredictionLog::of([3, 14]))),
    ("Recorder", || Box::new(Recorder::new())),
    ("Progress", || Box::new(Progress::to(Box::new(std::io::sink())))),
    ("a vector", || {
        Box::new(vec![
            Box::new(Clip::global_norm(2.0)) as Box<dyn Callback>,
            Box::new(Checkpoint::best("val_loss")),
        ])
    }),
    ("an option", || Box::new(Some(EarlyStopping::on("val_loss")))),
    ("after", || Box::new(after(7, WeightAverage::ema(0.8)))),
    ("after in an epoch", || Box::new(after(10, Clip::global_norm(2.0)))),
    ("when", || Box::new(when(|at| at.epoch % 3 != 1, Clip::global_norm(2.0)))),
    ("when of epochs", || Box::new(when(|at| at.epoch > 1, Checkpoint::best("val_loss")))),
    ("on_setup", || {
        Box::new(on_setup(|setup| {
            setup.set_seed(7);
            Ok(())
        }))
    }),
    ("on_fit_start", || {
        Box::new(
            on_fit_start(|fit| {
                let late = fit.counters.epoch >= EPOCHS;
                Ok(if late { Flow::stop("late") } else { Flow::Continue })
            })
            .writes(Resource::Stop),
        )
    }),
    ("on_epoch_start", || {
        Box::new(
            on_epoch_start(|epoch| {
                epoch.log.push("begun", epoch.counters.epoch as f64);
                Ok(Flow::Continue)
            })
            .logs("begun"),
        )
    }),
    ("on_batch_start", || {
        Box::new(
            on_batch_start(|batch| {
                batch.set_learning_rate(1.0 / (2.0 + batch.counters.updates_applied as f64));
                Ok(Flow::Continue)
            })
            .writes(Resource::LearningRate),
        )
    }),
    ("on_raw_gradients", || {
        Box::new(
            on_raw_gradients(|step| {
                let large = step.gradients.global_norm()? > 4.0;
                Ok(if large { Flow::SkipUpdate } else { Flow::Continue })
            })
            .reads(Resource::Gradients)
            .writes(Resource::Stop),
        )
    }),
    ("on_change_gradients", || {
        Box::new(on_change_gradients(|step| {
            step.gradients.scale(0.5)?;
            Ok(Flow::Continue)
        }))
    }),
    ("on_final_gradients", || {
        Box::new(
            on_final_gradients(|step| {
                for tensor in step.gradients.stats()? {
                    step.log.push("largest/any", tensor.max_abs.into());
                }
                Ok(Flow::Continue)
            })
            .reads(Resource::Gradients)
            .writes(Resource::step_metrics_under("largest")),
        )
    }),
    ("on_after_update", || {
        Box::new(
            on_after_update(|update| {
                let mut sum = 0.0;
                update.weights.each(&mut |_, values| sum += values.iter().sum::<f32>())?;
                update.log.push("sum", sum.into());
                Ok(Flow::Continue)
            })
            .reads(Resource::Weights)
            .logs("sum"),
        )
    }),
    ("on_step_end", || {
        Box::new(
            on_step_end(|step| {
                let last = step.counters.updates_applied == 20;
                Ok(if last { Flow::EndEpoch } else { Flow::Continue })
            })
            .writes(Resource::Stop),
        )
    }),
    ("on_validation_start", || {
        Box::new(
            on_validation_start(|validation| {
                validation.weights.snapshot()?;
                Ok(Flow::Continue)
            })
            .reads(Resource::Weights),
        )
    }),
    ("on_validated", || {
        Box::new(
            on_validated(|validated| {
                let loss = validated.metric("val_loss").ok_or("no such metric")?;
                validated.log.push("twice", 2.0 * loss);
                Ok(Flow::Continue)
            })
            .logs("twice"),
        )
    }),
    ("on_validation_end", || {
        Box::new(
            on_validation_end(|validation| {
                validation.weights.snapshot()?;
                Ok(Flow::Continue)
            })
            .reads(Resource::Weights),
        )
    }),
    ("on_epoch_end", || {
        Box::new(
            on_epoch_end(|epoch| {
                let metric = |name| epoch.metric(name).ok_or("no such metric");
                epoch.log.push("gap", metric("val_loss")? - metric("train_loss")?);
                Ok(Flow::Continue)
            })
            .reads(Resource::metric("val_loss"))
            .reads(Resource::metric("train_loss"))
            .logs("gap"),
        )
    }),
    ("on_checkpoint_written", || {
        Box::new(on_checkpoint_written(|written| {
            written.run.store().get_object(&written.object)?;
            Ok(())
        }))
    }),
    ("on_fit_end", || {
        Box::new(
            on_fit_end(|fit| fit.restore(&Snapshot(vec![vec![-1.0]]))).writes(Resource::Weights),
        )
    }),
];

/// How the names of those begin that a record cannot make again.
pub const UNRECORDED: &[&str] = &["Recorder", "Progress", "LossScaleMonitor", "when", "on_"];

pub const EPOCHS: u64 = 8;

/// A fit with a bit of everything: large gradients, a few NaNs, a loss that falls and rises.
pub fn fake(make: Make) -> Fake {
    fake_of(make())
}

/// The same with a callback that is there already.
pub fn fake_of(callback: impl Callback + 'static) -> Fake {
    let mut fake = Fake::with(callback);
    fake.gradients = Box::new(|step| match step {
        // Two in a row around the end of the third epoch.
        9 | 10 => vec![vec![f32::NAN], vec![1.0, 0.0]],
        17 => vec![vec![f32::INFINITY], vec![1.0, 0.0]],
        _ => vec![vec![step as f32 % 5.0], vec![0.0, -1.0]],
    });
    fake.activity = Box::new(|step| {
        let (kind, flat) = ("Relu".to_owned(), 0.5);
        let silent = vec![step % 3 != 0, true];
        vec![Activity { layer: "1".to_owned(), kind, mean: 0.25, std: 1.0, flat, silent }]
    });
    fake.predictions = Box::new(|epoch, row| {
        let sure = 1.0 / (row as f64 + epoch as f64 + 2.0);
        Ok(Answer::Classes { probabilities: vec![1.0 - sure, sure], targets: vec![1] })
    });
    // An overflow in every fourth step, where nobody is shown the gradients.
    fake.scale =
        Box::new(|step| Some(StepScale { scale: 0.75, overflowed: step.is_multiple_of(4) }));
    fake.validate_every = Some(2);
    fake.validations = Box::new(|batches| vec![("val_loss", 3.0 - 0.05 * batches as f64)]);
    fake.metrics = Box::new(|epoch| {
        vec![
            ("train_loss", 1.0),
            ("val_loss", [3.0, 2.5, 2.0, 2.25, 1.5, 1.75, 1.75, 1.75][epoch as usize]),
        ]
    });
    fake
}
