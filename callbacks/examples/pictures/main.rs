//! Draws the pictures of the book's pages on callbacks. What they show the callbacks have done, in the
//! loop without a model that the tests have too; `chart.rs` draws it.
//!
//! `cargo run -p trainbook-callbacks --example pictures` writes `book/src/images/callbacks/*.svg`.

mod chart;
#[path = "../../tests/support/mod.rs"]
pub(crate) mod support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chart::{BLUE, Chart, Drawn, GREEN, GREY, ORANGE, Points, Series, draw};
use support::{Fake, tensors};
use trainbook_callbacks::schedule::{Anneal, Cyclic, Decay, Mode, OneCycle, StableDecay};
use trainbook_callbacks::{
    ActivationMonitor, Activity, Answer, Budget, Callback, Checkpoint, Clip, EarlyStopping, Flow,
    GradientMonitor, Horizon, LossScaleMonitor, LrSchedule, NanGuard, PredictionLog, Progress,
    Recorder, ReduceOnPlateau, Stack, StepScale, WeightAverage, after, every, on_step_end, when,
};
use trainbook_store::{RunStart, Store};

fn main() -> Drawn {
    let folder = folder();
    std::fs::create_dir_all(&folder)?;
    for (name, picture) in all()? {
        std::fs::write(folder.join(format!("{name}.svg")), picture)?;
    }
    Ok(())
}

/// Where the book has them.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src/images/callbacks")
}

/// Every picture, by its name.
pub fn all() -> Drawn<Vec<(&'static str, String)>> {
    Ok(vec![
        ("lr-schedule", lr_schedule(0)?),
        ("lr-schedule-more", lr_schedule(6)?),
        ("lr-schedule-options", lr_schedule_options()?),
        ("reduce-on-plateau", reduce_on_plateau()?),
        ("nan-guard", nan_guard()?),
        ("clip", clip()?),
        ("gradient-monitor", gradient_monitor()?),
        ("activation-monitor", activation_monitor()?),
        ("prediction-log", prediction_log()?),
        ("loss-scale-monitor", loss_scale_monitor()?),
        ("weight-average", weight_average()?),
        ("early-stopping", early_stopping()?),
        ("checkpoint", checkpoint()?),
        ("budget", budget()?),
        ("recorder", recorder()?),
        ("wrappers", wrappers()?),
    ])
}

/// Values under the numbers 1, 2, … of their steps or epochs.
fn numbered(values: impl IntoIterator<Item = f64>) -> Points {
    values.into_iter().enumerate().map(|(at, value)| (at as f64 + 1.0, value)).collect()
}

/// Numbers in [-1, 1) that look like noise and are the same everywhere.
fn noise(at: u64) -> f64 {
    let bits = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (bits >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// A validation loss that falls and then rises.
pub fn val_loss(epoch: u64) -> f64 {
    let at = epoch as f64;
    0.3 + 0.9 * (-at / 6.0).exp() + 0.0008 * at * at + 0.03 * noise(epoch)
}

fn horizon(epochs: u64, updates_per_epoch: u64) -> Horizon {
    let batches_per_epoch = updates_per_epoch;
    Horizon { epochs, batches_per_epoch, updates_per_epoch, first_update: 0, limit: None }
}

/// The rates of a fit of 10 epochs of 10 updates.
fn preview(schedule: &LrSchedule) -> Points {
    let rates = schedule.preview(horizon(10, 10), 100);
    rates.into_iter().map(|(step, rate)| (step as f64, rate)).collect()
}

/// Six of the curves, from this one on.
fn lr_schedule(first: usize) -> Drawn<String> {
    let curves = [
        ("constant(1e-3)", LrSchedule::constant(1e-3)),
        ("linear(1e-3)", LrSchedule::linear(1e-3)),
        ("polynomial(1e-3, 2.0)", LrSchedule::polynomial(1e-3, 2.0)),
        ("cosine(1e-3)", LrSchedule::cosine(1e-3)),
        ("cosine_with_restarts(1e-3, 1, 2)", LrSchedule::cosine_with_restarts(1e-3, 1, 2)),
        ("step(1e-3, 3, 0.5)", LrSchedule::step(1e-3, 3, 0.5)),
        ("multi_step(1e-3, [4, 8], 0.3)", LrSchedule::multi_step(1e-3, [4, 8], 0.3)),
        ("exponential(1e-3, 0.8)", LrSchedule::exponential(1e-3, 0.8)),
        ("one_cycle(1e-3)", LrSchedule::one_cycle(1e-3)),
        ("cyclic(1e-4, 1e-3, 15)", LrSchedule::cyclic(1e-4, 1e-3, 15)),
        ("inverse_sqrt(1e-3, 20)", LrSchedule::inverse_sqrt(1e-3, 20)),
        ("warmup_stable_decay(1e-3, 15)", LrSchedule::warmup_stable_decay(1e-3, 15)),
    ];
    let charts = curves.map(|(title, schedule)| Chart {
        title: title.to_owned(),
        series: vec![Series::line("", BLUE, preview(&schedule))],
        ..Chart::default()
    });
    draw(&charts[first..first + 6], 3, 140)
}

fn lr_schedule_options() -> Drawn<String> {
    let pairs = [
        (
            "A rise in front",
            ("cosine(1e-3)", LrSchedule::cosine(1e-3)),
            (".min_lr(2e-4).warmup(20)", LrSchedule::cosine(1e-3).min_lr(2e-4).warmup(20)),
        ),
        (
            "OneCycle",
            ("OneCycle::to(1e-3)", LrSchedule::one_cycle(1e-3)),
            (
                ".anneal(Anneal::Linear).three_phase()",
                LrSchedule::of(OneCycle::to(1e-3).anneal(Anneal::Linear).three_phase()),
            ),
        ),
        (
            "Cyclic",
            (
                ".up(10).down(20).mode(Mode::Triangular2)",
                LrSchedule::of(Cyclic::between(1e-4, 1e-3).up(10).down(20).mode(Mode::Triangular2)),
            ),
            ("", LrSchedule::constant(1e-4)),
        ),
        (
            "StableDecay",
            ("StableDecay::at(1e-3)", LrSchedule::of(StableDecay::at(1e-3))),
            (
                ".decay_share(0.5).decay(OneMinusSqrt)",
                LrSchedule::of(StableDecay::at(1e-3).decay_share(0.5).decay(Decay::OneMinusSqrt)),
            ),
        ),
    ];
    let charts = pairs.map(|(title, (first, plain), (second, other))| {
        let lines = [(first, BLUE, plain), (second, ORANGE, other)];
        let lines = lines.into_iter().filter(|(name, ..)| !name.is_empty());
        let series = lines.map(|(name, colour, of)| Series::line(name, colour, preview(&of)));
        Chart { title: title.to_owned(), x: "update", series: series.collect(), ..Chart::default() }
    });
    draw(&charts, 2, 190)
}

fn reduce_on_plateau() -> Drawn<String> {
    let plateau = ReduceOnPlateau::on("val_loss").patience(2).factor(0.5).cooldown(2).warmup(20);
    let mut fake = Fake::with(plateau).batches(10);
    let metric = |epoch: u64| {
        let falls = [1.0, 0.8, 0.65, 0.55, 0.5, 0.47, 0.45];
        // Flat from the seventh epoch on, and once more better in the fifteenth.
        let at = (epoch as usize).min(6);
        falls[at] - if epoch >= 14 { 0.1 } else { 0.0 }
    };
    fake.metrics = Box::new(move |epoch| vec![("val_loss", metric(epoch))]);
    fake.settings.learning_rate = 1e-3;
    fake.fit(24);
    let rates = fake.seen.learning_rates.iter().enumerate();
    let charts = [
        Chart {
            title: "val_loss at the end of each epoch".to_owned(),
            series: vec![Series::line("", BLUE, numbered((0..24).map(metric)))],
            ..Chart::default()
        },
        Chart {
            title: "the rate of each step".to_owned(),
            x: "epoch",
            series: vec![Series::line(
                "",
                ORANGE,
                rates.map(|(step, rate)| (step as f64 / 10.0, *rate)).collect(),
            )],
            ..Chart::default()
        },
    ];
    draw(&charts, 1, 160)
}

fn nan_guard() -> Drawn<String> {
    let bad = |step: u64| matches!(step, 8 | 15 | 16 | 26..=29);
    let mut fake = Fake::with(NanGuard::new().skip_up_to(2)).batches(40);
    fake.gradients =
        Box::new(move |step| vec![vec![if bad(step) { f32::NAN } else { 1.0 }], vec![1.0, 0.0]]);
    fake.fit(1);
    let mut applied = 0.0;
    let counts: Vec<f64> = fake
        .seen
        .applied
        .iter()
        .map(|was| {
            applied += f64::from(u8::from(*was));
            applied
        })
        .collect();
    let steps = numbered(counts);
    let these = |wanted: bool| {
        let pairs = steps.iter().zip(&fake.seen.applied);
        pairs.filter(|(_, applied)| **applied == wanted).map(|(at, _)| *at).collect()
    };
    let end = fake.seen.reason.map(|reason| reason.kind.to_string()).unwrap_or_default();
    let chart = Chart {
        title: "NanGuard::new().skip_up_to(2): updates applied".to_owned(),
        x: "step",
        events: vec![(steps.len() as f64, format!("stop: {end}"))],
        series: vec![
            Series::dots("update applied", BLUE, these(true)),
            Series::rings("NaN gradient, update left out", ORANGE, these(false)),
        ],
        ..Chart::default()
    };
    draw(&[chart], 1, 240)
}

/// The norms before and behind a callback that changes gradients, over 80 steps.
fn norms(clip: Clip) -> (Points, Points) {
    let gradient = |step: u64| {
        let spike = if step % 17 == 5 { 3.0 } else { 0.0 };
        let size = 0.4 + 1.2 * (-(step as f64) / 25.0).exp() + 0.25 * noise(step) + spike;
        vec![vec![0.6 * size as f32], vec![0.0, -0.8 * size as f32]]
    };
    let norm = |tensors: &Vec<Vec<f32>>| {
        tensors.iter().flatten().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
    };
    let mut fake = Fake::with(clip).batches(80);
    fake.gradients = Box::new(gradient);
    fake.fit(1);
    (
        numbered((1..=80).map(|step| norm(&gradient(step)))),
        numbered(fake.seen.gradients.iter().map(norm)),
    )
}

fn clip() -> Drawn<String> {
    let kinds = [
        ("Clip::global_norm(1.0)", Clip::global_norm(1.0)),
        ("Clip::value(1.0): each element", Clip::value(1.0)),
        ("Clip::percentile(50.0).history(20)", Clip::percentile(50.0).history(20)),
    ];
    let charts = kinds.map(|(title, clip)| {
        let (before, behind) = norms(clip);
        Chart {
            title: title.to_owned(),
            x: "step",
            series: vec![
                Series::line("norm before", GREY, before),
                Series::line("norm behind it", BLUE, behind),
            ],
            ..Chart::default()
        }
    });
    draw(&charts, 1, 170)
}

/// A network whose gradients vanish on their way back, watched for an epoch of 60 steps.
fn vanishing() -> Fake {
    let mut fake = Fake::with(GradientMonitor::new()).batches(60);
    fake.tensors = tensors([("0.weight", &[2, 1]), ("2.weight", &[2, 1]), ("4.weight", &[2, 1])]);
    fake.gradients = Box::new(|step| {
        let layer = |depth: u64| {
            let size = 10_f64.powf(-2.0 * depth as f64 + 0.4 * noise(3 * step + depth));
            vec![0.6 * size as f32, 0.8 * size as f32]
        };
        vec![layer(2), layer(1), layer(0)]
    });
    fake.fit(1);
    fake
}

fn gradient_monitor() -> Drawn<String> {
    let fake = vanishing();
    let logs = |name: &str| numbered(fake.seen.step_metric(name).into_iter().map(f64::log10));
    let chart = Chart {
        title: "log10 of gradient_norm/<tensor>".to_owned(),
        x: "step",
        series: vec![
            Series::line("0.weight", ORANGE, logs("gradient_norm/0.weight")),
            Series::line("2.weight", GREEN, logs("gradient_norm/2.weight")),
            Series::line("4.weight", BLUE, logs("gradient_norm/4.weight")),
        ],
        ..Chart::default()
    };
    draw(&[chart], 1, 240)
}

/// What the monitor of `gradient_monitor` warns of.
pub fn gradient_warning() -> String {
    vanishing().seen.warnings.concat()
}

/// A ReLU of 64 units, some of which die on the way, over ten epochs of 20 steps: each lives in some
/// steps, until its time has come.
fn dying() -> Fake {
    let mut fake = Fake::with(every(2, ActivationMonitor::new())).batches(20);
    fake.activity = Box::new(|step| {
        let silent = (0..64).map(|unit| {
            let end = 220.0 + 200.0 * noise(unit);
            step as f64 > end || noise(64 * step + unit) > -0.2
        });
        let silent: Vec<bool> = silent.collect();
        let flat = silent.iter().filter(|silent| **silent).count() as f64 / 64.0;
        let (layer, kind) = ("1".to_owned(), "Relu".to_owned());
        vec![Activity { layer, kind, mean: 1.0 - flat, std: 0.5, flat, silent }]
    });
    fake.fit(10);
    fake
}

fn activation_monitor() -> Drawn<String> {
    let fake = dying();
    let flat = fake.seen.step_metric("flat_share/1").into_iter().enumerate();
    let dead = fake.seen.epoch_metric("dead_units/1");
    let series = vec![
        Series::line(
            "flat_share/1",
            GREY,
            flat.map(|(at, share)| (2.0 * at as f64 + 1.0, share)).collect(),
        ),
        Series::dots(
            "dead_units/1",
            ORANGE,
            dead.into_iter()
                .zip(1..)
                .map(|(share, epoch)| (20.0 * f64::from(epoch), share))
                .collect(),
        ),
    ];
    let title = "a ReLU whose units die".to_owned();
    draw(&[Chart { title, x: "step", series, ..Chart::default() }], 1, 240)
}

/// What the monitor of `activation_monitor` warns of.
pub fn activation_warning() -> String {
    dying().seen.warnings.concat()
}

/// Six rows of which the network becomes sure at different times, and of one now and then.
fn prediction_log() -> Drawn<String> {
    const ROWS: [usize; 6] = [3, 14, 15, 92, 65, 35];
    let mut fake = Fake::with(PredictionLog::of(ROWS)).batches(1);
    fake.predictions = Box::new(|epoch, row| {
        let (at, late) = (epoch as f64, 2.0 + (row % 7) as f64 * 1.5);
        let wavers = if row == 35 { 2.2 } else { 0.15 };
        let logit = (0.5 * (at - late)).min(3.5) + wavers * noise(row as u64 * 1_000 + epoch);
        let right = 1.0 / (1.0 + (-logit).exp());
        Ok(Answer::Classes { probabilities: vec![1.0 - right, right], targets: vec![1] })
    });
    fake.fit(30);
    let series = ROWS.into_iter().map(|row| {
        let values = numbered(fake.seen.epoch_metric(&format!("probability/{row}")));
        if row == 35 {
            Series::dots("probability/35", ORANGE, values)
        } else {
            Series::line(if row == 3 { "five other rows" } else { "" }, BLUE, values)
        }
    });
    let title = "the probability of the right class".to_owned();
    draw(&[Chart { title, x: "epoch", series: series.collect(), ..Chart::default() }], 1, 240)
}

fn loss_scale_monitor() -> Drawn<String> {
    // The engine's rule with shorter times, played from a list of overflows: half the scale behind
    // each, twice as much behind 40 good steps.
    let overflows: &[u64] = &[1, 2, 3, 62, 108, 164];
    let mut scales = Vec::new();
    let (mut scale, mut good) = (65536.0_f32, 0);
    for step in 1..=200 {
        let overflowed = overflows.contains(&step);
        scales.push(StepScale { scale, overflowed });
        good = if overflowed { 0 } else { good + 1 };
        if overflowed {
            scale /= 2.0;
        } else if good == 40 {
            (scale, good) = (scale * 2.0, 0);
        }
    }
    let mut fake = Fake::with(LossScaleMonitor::new()).batches(20);
    fake.scale = Box::new(move |step| scales.get(step as usize - 1).copied());
    fake.fit(10);
    let counts = fake.seen.epoch_metric("overflowed_steps").into_iter().enumerate();
    let charts = [
        Chart {
            title: "loss_scale of each step".to_owned(),
            series: vec![Series::line("", BLUE, numbered(fake.seen.step_metric("loss_scale")))],
            ..Chart::default()
        },
        Chart {
            title: "overflowed_steps at the end of each epoch of 20 steps".to_owned(),
            x: "step",
            series: vec![Series::dots(
                "",
                ORANGE,
                counts.map(|(epoch, count)| (20.0 * (epoch + 1) as f64, count)).collect(),
            )],
            ..Chart::default()
        },
    ];
    draw(&charts, 1, 160)
}

/// One weight that jumps about while it goes down, 100 epochs of one update, and what is judged.
fn averaged(average: WeightAverage) -> (Points, Points) {
    let trained =
        |step: u64| (1.0 + 3.0 * (-(step as f64) / 15.0).exp() + 0.6 * noise(step)) as f32;
    let mut fake = Fake::with(average).batches(1);
    let mut end = fake.fit_start(100);
    for step in 0..100 {
        // The loop's update adds 1.
        fake.weights.0 = trained(step) - 1.0;
        if matches!(end, Ok(None)) {
            end = fake.epoch();
        }
    }
    fake.fit_end(end);
    let weights = (0..100).map(|step| f64::from(trained(step)));
    (numbered(weights), numbered(fake.seen.judged.iter().map(|weight| f64::from(*weight))))
}

fn weight_average() -> Drawn<String> {
    let kinds = [
        ("WeightAverage::ema(0.9)", WeightAverage::ema(0.9)),
        ("WeightAverage::swa(50)", WeightAverage::swa(50)),
    ];
    let charts = kinds.map(|(title, average)| {
        let (trained, judged) = averaged(average);
        Chart {
            title: title.to_owned(),
            x: "epoch, of one update each",
            series: vec![
                Series::line("trained weight", GREY, trained),
                Series::line("judged weight", BLUE, judged),
            ],
            ..Chart::default()
        }
    });
    draw(&charts, 1, 200)
}

fn early_stopping() -> Drawn<String> {
    let mut fake = Fake::with(EarlyStopping::on("val_loss").patience(6).restore_best());
    fake.metrics = Box::new(|epoch| vec![("val_loss", val_loss(epoch))]);
    fake.fit(40);
    let stop = fake.counters.epoch;
    // A weight of the loop is the number of its updates, three in an epoch.
    let best = f64::from(fake.weights.0) / 3.0;
    let chart = Chart {
        title: "EarlyStopping::on(\"val_loss\").patience(6).restore_best()".to_owned(),
        x: "epoch",
        events: vec![(best, "best, put back".to_owned()), (stop as f64, "stop".to_owned())],
        series: vec![
            Series::line("val_loss", BLUE, numbered((0..stop).map(val_loss))),
            Series::dots(
                "without the stop",
                GREY,
                numbered((0..40).map(val_loss)).split_off(stop as usize),
            ),
        ],
        ..Chart::default()
    };
    draw(&[chart], 1, 240)
}

fn checkpoint() -> Drawn<String> {
    const EPOCHS: u64 = 24;
    let kinds = [
        ("best(\"val_loss\")", Checkpoint::best("val_loss")),
        ("best(\"val_loss\").keep(3)", Checkpoint::best("val_loss").keep(3)),
        ("last()", Checkpoint::last()),
        ("every_epochs(5)", Checkpoint::every_epochs(5)),
        ("every_steps(10).keep(2)", Checkpoint::every_steps(10).keep(2)),
    ];
    let (mut kept, mut released) = (Points::new(), Points::new());
    let rows = kinds.each_ref().map(|(name, _)| *name).to_vec();
    for ((_, callback), row) in kinds.into_iter().zip((0..rows.len()).rev()) {
        let mut fake = Fake::with(callback);
        fake.metrics = Box::new(|epoch| vec![("val_loss", val_loss(epoch))]);
        fake.fit(EPOCHS);
        // Three updates in an epoch, so that a step has a place on the axis too.
        let at_ends = fake.seen.requests.iter().enumerate();
        let at_ends = at_ends.flat_map(|(at, of)| of.iter().map(move |r| ((at + 1) as f64, r)));
        let in_steps = fake.seen.step_requests.iter().map(|request| {
            let step = request.label.trim_start_matches("step-").parse::<f64>();
            (step.unwrap_or(f64::NAN) / 3.0, request)
        });
        let taken: Vec<_> = at_ends.chain(in_steps).collect();
        let place = |step: u64| step as f64 / 3.0;
        let gone: Vec<f64> =
            taken.iter().flat_map(|(_, of)| &of.releases).map(|key| place(key.step)).collect();
        for (at, _) in taken {
            let to = if gone.contains(&at) { &mut released } else { &mut kept };
            to.push((at, row as f64));
        }
    }
    let charts = [
        Chart {
            title: "val_loss".to_owned(),
            series: vec![Series::line("", BLUE, numbered((0..EPOCHS).map(val_loss)))],
            ..Chart::default()
        },
        Chart {
            title: "checkpoints".to_owned(),
            x: "epoch, of three updates each",
            series: vec![
                Series::dots("kept at the end", BLUE, kept),
                Series::rings("taken, then released", ORANGE, released),
            ],
            rows,
            ..Chart::default()
        },
    ];
    draw(&charts, 1, 190)
}

fn budget() -> Drawn<String> {
    let mut stack = Stack::new();
    stack.push(LrSchedule::cosine(1e-3));
    stack.push(Budget::steps(65));
    let mut fake = Fake::new(stack).batches(10);
    fake.fit(10);
    let planned = preview(&LrSchedule::cosine(1e-3));
    let done = fake.seen.learning_rates.len();
    let rates = fake.seen.learning_rates.iter().enumerate();
    let chart = Chart {
        title: "Budget::steps(65) in a fit of 100 updates".to_owned(),
        x: "update",
        events: vec![(done as f64, "stop: the schedule was for all 100".to_owned())],
        series: vec![
            Series::line("planned rate", GREY, planned),
            Series::line("rate", BLUE, rates.map(|(step, rate)| (step as f64, *rate)).collect()),
        ],
        ..Chart::default()
    };
    draw(&[chart], 1, 220)
}

fn recorder() -> Drawn<String> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    let mut fake = Fake::with(Recorder::new()).batches(20);
    fake.loss = Box::new(|step| (0.2 + (-(step as f64) / 30.0).exp() + 0.1 * noise(step)) as f32);
    fake.metrics = Box::new(|epoch| vec![("val_loss", val_loss(4 * epoch))]);
    fake.run = Some(store.start_run(RunStart::default())?);
    fake.fit(5);
    let run = fake.run.take().ok_or("the run is gone")?;
    run.flush()?;
    let id = run.id().to_string();
    drop(run);
    let record = store.run(&id)?;
    let series = |wanted: &str| -> Points {
        let found = record.series.iter().find(|(name, _)| name.as_str() == wanted);
        let points = found.map(|(_, points)| points.as_slice()).unwrap_or_default();
        points.iter().map(|(step, value)| (*step as f64, *value)).collect()
    };
    let chart = Chart {
        title: "two series of a run, as its record has them".to_owned(),
        x: "batches seen",
        series: vec![
            Series::line("loss", GREY, series("loss")),
            Series::line("val_loss", BLUE, series("val_loss")),
            Series::dots("", BLUE, series("val_loss")),
        ],
        ..Chart::default()
    };
    draw(&[chart], 1, 230)
}

fn wrappers() -> Drawn<String> {
    /// The steps of which a callback is told.
    fn heard(wrap: impl FnOnce(Box<dyn Callback>) -> Box<dyn Callback>) -> Drawn<Vec<u64>> {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let told = steps.clone();
        let callback = on_step_end(move |step| {
            told.lock()?.push(step.counters.batches_seen);
            Ok(Flow::Continue)
        });
        Fake::with(wrap(Box::new(callback))).batches(6).fit(5);
        Ok(steps.lock().map_err(|e| e.to_string())?.clone())
    }
    let told = [
        ("callback", heard(|callback| callback)?),
        ("every(4, callback)", heard(|callback| Box::new(every(4, callback)))?),
        ("after(10, callback)", heard(|callback| Box::new(after(10, callback)))?),
        (
            "when(|at| at.epoch % 2 == 1, callback)",
            heard(|callback| Box::new(when(|at| at.epoch % 2 == 1, callback)))?,
        ),
        (
            "after(10, every(4, callback))",
            heard(|callback| Box::new(after(10, every(4, callback))))?,
        ),
    ];
    let rows = told.each_ref().map(|(name, _)| *name).to_vec();
    let dots = told
        .iter()
        .zip((0..rows.len()).rev())
        .flat_map(|((_, steps), row)| steps.iter().map(move |step| (*step as f64, row as f64)));
    let chart = Chart {
        title: "steps of which a callback is told, in five epochs of six".to_owned(),
        x: "step",
        series: vec![Series::dots("", BLUE, dots.collect())],
        rows,
        ..Chart::default()
    };
    draw(&[chart], 1, 220)
}

/// What `Progress` writes of a fit of four epochs into a file.
pub fn progress() -> String {
    let text = Arc::new(Mutex::new(Vec::new()));
    let mut stack = Stack::new();
    stack.push(Progress::to(Box::new(Shared(text.clone()))));
    stack.push(EarlyStopping::on("val_loss").stopping_threshold(0.8));
    stack.push(LrSchedule::cosine(3e-3));
    let mut fake = Fake::new(stack).batches(20);
    fake.metrics = Box::new(|epoch| {
        vec![("train_loss", val_loss(epoch) - 0.05), ("val_loss", val_loss(epoch))]
    });
    fake.seconds = Box::new(|epoch| 1.5 + 0.1 * epoch as f64);
    fake.fit(10);
    let written = text.lock().map(|text| text.clone()).unwrap_or_default();
    String::from_utf8_lossy(&written).into_owned()
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut text = self.0.lock().map_err(|e| std::io::Error::other(e.to_string()))?;
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
