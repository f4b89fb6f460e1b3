//! Stacks of callbacks composed at random, in fits where anything may be answered at any moment,
//! against a model of what is promised: who is told of what and when, and how the fit ends.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy excuses only the test functions themselves

mod support;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use support::Fake;
use trainbook_callbacks::{
    Callback, CallbackError, Counters, Effects, Flow, Moment, Phase, Reply, Setup, Stack,
    StepScale, StopKind, StopReason, after, every, when,
};

const MOMENTS: [&str; 14] = [
    "setup",
    "fit_start",
    "epoch_start",
    "batch_start",
    "raw_gradients",
    "change_gradients",
    "final_gradients",
    "after_update",
    "step_end",
    "validation_start",
    "validated",
    "epoch_end",
    "validation_end",
    "fit_end",
];

#[derive(Clone, Debug)]
enum Tree {
    Leaf(Leaf),
    Nothing,
    Something(Box<Tree>),
    Boxed(Box<Tree>),
    All(Vec<Tree>),
    Every(u64, Box<Tree>),
    After(u64, Box<Tree>),
    /// Where this divides what [`sum`] says.
    When(u64, Box<Tree>),
}

#[derive(Clone, Debug)]
struct Leaf {
    name: String,
    phase: Phase,
    answers: Vec<Answer>,
}

/// What a callback answers when it is told of a moment for the `nth` time, counted from 0.
#[derive(Clone, Copy, Debug)]
struct Answer {
    moment: &'static str,
    nth: u64,
    what: What,
    /// Given at the moment at which others answer too.
    in_crowd: bool,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Skip,
    EndEpoch,
    Stop,
    Fail,
    Panic,
}

#[derive(Clone, Debug)]
struct Plan {
    trees: Vec<Tree>,
    /// Epochs of one fit after the other.
    fits: Vec<u64>,
    batches: u64,
    accumulate: u64,
    validate_every: Option<u64>,
    /// The scaled loss overflows in steps whose last batch is divisible by this.
    overflows: Option<u64>,
    loss_is_nan: bool,
}

/// What [`when`] is asked in these tests: it may differ from batch to batch of one step.
fn sum(at: Counters) -> u64 {
    at.batches_seen + at.epoch
}

/// Who was told of what, and where the fit was.
type Told = (String, &'static str, Counters);

/// Writes down what it is told, and answers as it is planned.
struct Listens {
    leaf: Leaf,
    times: BTreeMap<&'static str, u64>,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Callback for Listens {
    fn name(&self) -> Cow<'static, str> {
        self.leaf.name.clone().into()
    }

    fn effects(&self) -> Effects {
        Effects::in_phase(self.leaf.phase)
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        let what = moment.name();
        let told = (self.leaf.name.clone(), what, moment.counters().unwrap_or_default());
        self.told.lock().unwrap().push(told);
        let nth = self.times.entry(what).or_default();
        let detail = format!("{what} {nth}");
        let planned = self.leaf.answers.iter().find(|a| a.moment == what && a.nth == *nth);
        *nth += 1;
        match planned.map(|answer| answer.what) {
            None => Ok(Flow::Continue),
            Some(What::Skip) => Ok(Flow::SkipUpdate),
            Some(What::EndEpoch) => Ok(Flow::EndEpoch),
            Some(What::Stop) => Ok(Flow::stop(detail)),
            Some(What::Fail) => Err(CallbackError::custom(detail)),
            // A panic that is not printed.
            Some(What::Panic) => std::panic::resume_unwind(Box::new(detail)),
        }
    }
}

fn build(tree: &Tree, told: &Arc<Mutex<Vec<Told>>>) -> Box<dyn Callback> {
    match tree.clone() {
        Tree::Leaf(leaf) => Box::new(Listens { leaf, times: BTreeMap::new(), told: told.clone() }),
        Tree::Nothing => Box::new(None::<Box<dyn Callback>>),
        Tree::Something(of) => Box::new(Some(build(&of, told))),
        Tree::Boxed(of) => Box::new(Box::new(build(&of, told))),
        Tree::All(of) => Box::new(of.iter().map(|tree| build(tree, told)).collect::<Vec<_>>()),
        Tree::Every(n, of) => Box::new(every(n, build(&of, told))),
        Tree::After(steps, of) => Box::new(after(steps, build(&of, told))),
        Tree::When(n, of) => Box::new(when(move |at| sum(at).is_multiple_of(n), build(&of, told))),
    }
}

// The model. It knows nothing of stacks and vectors: only a list of callbacks, each behind gates.

#[derive(Clone, Copy, Debug)]
enum Gate {
    Every(u64),
    After(u64),
    When(u64),
}

struct Listed {
    leaf: Leaf,
    gates: Vec<Gate>,
    times: BTreeMap<&'static str, u64>,
}

fn phase(tree: &Tree) -> Phase {
    match tree {
        Tree::Leaf(leaf) => leaf.phase,
        Tree::Nothing => Phase::Observe,
        Tree::Something(of) | Tree::Boxed(of) => phase(of),
        Tree::Every(_, of) | Tree::After(_, of) | Tree::When(_, of) => phase(of),
        Tree::All(of) => of.iter().map(phase).min().unwrap_or(Phase::Observe),
    }
}

fn list(tree: &Tree, gates: &[Gate], into: &mut Vec<Listed>) {
    let behind = |gate| [gates, &[gate]].concat();
    match tree {
        Tree::Leaf(leaf) => {
            into.push(Listed { leaf: leaf.clone(), gates: gates.to_vec(), times: BTreeMap::new() })
        }
        Tree::Nothing => {}
        Tree::Something(of) | Tree::Boxed(of) => list(of, gates, into),
        Tree::All(of) => of.iter().for_each(|tree| list(tree, gates, into)),
        Tree::Every(n, of) => list(of, &behind(Gate::Every(*n)), into),
        Tree::After(steps, of) => list(of, &behind(Gate::After(*steps)), into),
        Tree::When(n, of) => list(of, &behind(Gate::When(*n)), into),
    }
}

/// What was wished for since the step, or the validation, began.
#[derive(Clone, Debug, Default)]
struct Wishes {
    skip: bool,
    end_epoch: bool,
    /// The first.
    stop: Option<(String, String)>,
}

impl Wishes {
    fn any(&self) -> bool {
        self.skip || self.end_epoch || self.stop.is_some()
    }

    fn reason(&self) -> Option<StopReason> {
        let (by, detail) = self.stop.clone()?;
        Some(StopReason { kind: StopKind::Requested, by, detail, ends_epoch: self.end_epoch })
    }

    fn and(&mut self, later: Wishes) {
        self.skip |= later.skip;
        self.end_epoch |= later.end_epoch;
        self.stop = self.stop.take().or(later.stop);
    }
}

struct Model {
    callbacks: Vec<Listed>,
    told: Vec<Told>,
    counters: Counters,
    /// The counters by which gates open: where the step, or the validation, began.
    begun: Counters,
    batches: u64,
    accumulate: u64,
    validate_every: Option<u64>,
    overflows: Option<u64>,
    loss_is_nan: bool,
}

impl Model {
    fn of(plan: &Plan) -> Self {
        // By phase, then by insertion.
        let mut ordered: Vec<&Tree> = plan.trees.iter().collect();
        ordered.sort_by_key(|tree| phase(tree));
        let mut callbacks = Vec::new();
        ordered.into_iter().for_each(|tree| list(tree, &[], &mut callbacks));
        let Plan { batches, accumulate, validate_every, overflows, loss_is_nan, .. } = *plan;
        let (told, counters, begun) = (Vec::new(), Counters::default(), Counters::default());
        Self {
            callbacks,
            told,
            counters,
            begun,
            batches,
            accumulate,
            validate_every,
            overflows,
            loss_is_nan,
        }
    }

    /// Everyone is told; then the first failure counts, or all wishes together.
    fn tell(&mut self, moment: &'static str) -> Result<Wishes, String> {
        let (mut wishes, mut failure) = (Wishes::default(), None);
        let mut order: Vec<usize> = (0..self.callbacks.len()).collect();
        if moment == "validation_end" {
            order.reverse();
        }
        let in_step = MOMENTS[3..9].contains(&moment);
        let always = ["setup", "fit_start", "fit_end"].contains(&moment);
        let begun = self.begun;
        let open = |gate: &Gate| match gate {
            Gate::Every(n) => !in_step || begun.updates_attempted.is_multiple_of(*n),
            Gate::After(steps) => always || begun.updates_attempted >= *steps,
            Gate::When(n) => always || sum(begun).is_multiple_of(*n),
        };
        for at in order {
            let Listed { leaf, gates, times } = &mut self.callbacks[at];
            if !gates.iter().all(open) {
                continue;
            }
            let counters = if moment == "setup" { Counters::default() } else { self.counters };
            self.told.push((leaf.name.clone(), moment, counters));
            let nth = times.entry(moment).or_default();
            let (by, detail) = (leaf.name.clone(), format!("{moment} {nth}"));
            let planned = leaf.answers.iter().find(|a| a.moment == moment && a.nth == *nth);
            *nth += 1;
            match planned.map(|answer| answer.what) {
                None => {}
                Some(What::Skip) => wishes.skip = true,
                Some(What::EndEpoch) => wishes.end_epoch = true,
                Some(What::Stop) => wishes.stop = wishes.stop.take().or(Some((by, detail))),
                Some(What::Fail) => {
                    failure = failure.or(Some(format!("run callback {by}: {detail}")));
                }
                Some(What::Panic) => {
                    let text = format!("go on: callback `{by}` panicked in {moment}: {detail}");
                    failure = failure.or(Some(text));
                }
            }
        }
        failure.map_or(Ok(wishes), Err)
    }

    fn fit(&mut self, epochs: u64) -> (Option<StopReason>, Option<String>) {
        let end = self.train(epochs);
        let after = self.tell("fit_end");
        match end {
            Ok(reason) => {
                let done = StopReason::new(StopKind::Completed, "");
                (Some(reason.unwrap_or(done)), after.err())
            }
            Err(error) => (None, Some(error)),
        }
    }

    fn train(&mut self, epochs: u64) -> Result<Option<StopReason>, String> {
        let start = self.tell("fit_start")?;
        if start.stop.is_some() {
            return Ok(start.reason());
        }
        for _ in 0..epochs {
            if let Some(reason) = self.epoch()? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    fn epoch(&mut self) -> Result<Option<StopReason>, String> {
        self.begun = self.counters;
        let start = self.tell("epoch_start")?;
        if start.stop.is_some() {
            return Ok(start.reason());
        }
        let mut left = self.batches;
        while left > 0 {
            let mut wishes = self.step(&mut left)?;
            let due = |n: u64| self.counters.updates_attempted.is_multiple_of(n);
            let goes_on = left > 0 && !wishes.end_epoch && wishes.stop.is_none();
            if goes_on && self.validate_every.is_some_and(due) {
                wishes.and(self.judge("validated")?);
            }
            if wishes.stop.is_some() {
                return Ok(wishes.reason());
            }
            if wishes.end_epoch {
                break;
            }
        }
        let wishes = self.judge("epoch_end")?;
        self.counters.epoch += 1;
        Ok(wishes.reason())
    }

    /// A validation, in whose middle is this moment.
    fn judge(&mut self, middle: &'static str) -> Result<Wishes, String> {
        self.begun = self.counters;
        let judged = self.tell("validation_start").and_then(|mut wishes| {
            wishes.and(self.tell(middle)?);
            Ok(wishes)
        });
        let after = self.tell("validation_end");
        let mut wishes = judged?;
        wishes.and(after?);
        Ok(wishes)
    }

    fn step(&mut self, left: &mut u64) -> Result<Wishes, String> {
        self.begun = self.counters;
        let mut wishes = Wishes::default();
        for _ in 0..self.accumulate {
            if *left > 0 && !wishes.any() {
                wishes.and(self.tell("batch_start")?);
                *left -= 1;
                self.counters.batches_seen += 1;
            }
        }
        let overflowed =
            self.overflows.is_some_and(|n| self.counters.batches_seen.is_multiple_of(n));
        if !overflowed || self.loss_is_nan {
            wishes.and(self.tell("raw_gradients")?);
        }
        if !overflowed && !wishes.any() {
            wishes.and(self.tell("change_gradients")?);
            wishes.and(self.tell("final_gradients")?);
        }
        self.counters.updates_attempted += 1;
        if !overflowed && !wishes.any() {
            self.counters.updates_applied += 1;
            wishes.and(self.tell("after_update")?);
        }
        wishes.and(self.tell("step_end")?);
        Ok(wishes)
    }
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let what = prop_oneof![
        4 => Just(What::Skip),
        3 => Just(What::EndEpoch),
        2 => Just(What::Stop),
        1 => Just(What::Fail),
        1 => Just(What::Panic),
    ];
    let answer = (prop::sample::select(&MOMENTS[..]), 0_u64..8, what, prop::bool::weighted(0.3))
        .prop_map(|(moment, nth, what, in_crowd)| Answer { moment, nth, what, in_crowd });
    prop::collection::vec(answer, 0..4)
}

fn trees() -> impl Strategy<Value = Vec<Tree>> {
    let phases = [
        Phase::Configure,
        Phase::Schedule,
        Phase::Guard,
        Phase::Change,
        Phase::Observe,
        Phase::Decide,
        Phase::Save,
        Phase::Record,
        Phase::Show,
    ];
    let leaf = (prop::sample::select(phases.to_vec()), answers())
        .prop_map(|(phase, answers)| Tree::Leaf(Leaf { name: String::new(), phase, answers }));
    let tree = leaf.prop_recursive(3, 12, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            1 => Just(Tree::Nothing),
            1 => boxed.clone().prop_map(Tree::Something),
            1 => boxed.clone().prop_map(Tree::Boxed),
            3 => prop::collection::vec(inner, 0..4).prop_map(Tree::All),
            1 => (1_u64..4, boxed.clone()).prop_map(|(n, of)| Tree::Every(n, of)),
            1 => (0_u64..6, boxed.clone()).prop_map(|(steps, of)| Tree::After(steps, of)),
            1 => (1_u64..4, boxed).prop_map(|(n, of)| Tree::When(n, of)),
        ]
    });
    prop::collection::vec(tree, 0..6)
}

/// Gives every leaf a name of its own, and brings those together that answer at one moment.
fn settle(tree: &mut Tree, next: &mut usize, crowd: (&'static str, u64)) {
    match tree {
        Tree::Leaf(leaf) => {
            leaf.name = format!("c{next}");
            *next += 1;
            for answer in leaf.answers.iter_mut().filter(|answer| answer.in_crowd) {
                (answer.moment, answer.nth) = crowd;
            }
        }
        Tree::Nothing => {}
        Tree::Something(of) | Tree::Boxed(of) => settle(of, next, crowd),
        Tree::Every(_, of) | Tree::After(_, of) | Tree::When(_, of) => settle(of, next, crowd),
        Tree::All(of) => of.iter_mut().for_each(|tree| settle(tree, next, crowd)),
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let fits = prop::collection::vec(0_u64..4, 1..3);
    let overflows = prop::option::weighted(0.3, 2_u64..5);
    let size = (1_u64..6, 1_u64..4, prop::option::weighted(0.4, 1_u64..5));
    let crowd = (prop::sample::select(&MOMENTS[1..]), 0_u64..4);
    (trees(), 0_usize..7, fits, size, crowd, overflows, any::<bool>()).prop_map(
        |(
            mut trees,
            at,
            fits,
            (batches, accumulate, validate_every),
            crowd,
            overflows,
            loss_is_nan,
        )| {
            let mut next = 0;
            trees.iter_mut().for_each(|tree| settle(tree, &mut next, crowd));
            // One that only listens, and hears everything.
            let probe = Leaf { name: "probe".to_owned(), phase: Phase::Guard, answers: Vec::new() };
            trees.insert(at.min(trees.len()), Tree::Leaf(probe));
            Plan { trees, fits, batches, accumulate, validate_every, overflows, loss_is_nan }
        },
    )
}

/// The flow that a moment without failures gives.
fn flow(wishes: Wishes) -> Flow {
    match (wishes.reason(), wishes.end_epoch, wishes.skip) {
        (Some(reason), ..) => Flow::Stop(reason),
        (None, true, _) => Flow::EndEpoch,
        (None, false, true) => Flow::SkipUpdate,
        (None, false, false) => Flow::Continue,
    }
}

/// What holds of everything that one callback without gates is told, whatever the others answer.
fn laws(told: &[(&'static str, Counters)], fits: usize, failed: bool) {
    let count = |moment: &str| told.iter().filter(|(what, _)| *what == moment).count();
    assert_eq!((count("setup"), count("fit_start"), count("fit_end")), (1, fits, fits));
    assert_eq!(told.last().map(|(what, _)| *what), Some("fit_end"));
    assert_eq!(count("validation_start"), count("validation_end"));
    let mut before = Counters::default();
    let mut open = None;
    for (what, now) in told {
        let Counters { batches_seen, updates_attempted, updates_applied, .. } = *now;
        assert!(batches_seen >= updates_attempted && updates_attempted >= updates_applied);
        assert!(batches_seen >= before.batches_seen && now.epoch >= before.epoch);
        assert!(updates_attempted >= before.updates_attempted);
        assert!(updates_applied >= before.updates_applied);
        before = *now;
        match (open, *what) {
            (None, "fit_start") | (Some("fit_start"), "fit_end") => {
                open = (*what == "fit_start").then_some(*what);
            }
            (Some("fit_start"), "validation_start") => open = Some("validation_start"),
            (Some("validation_start"), "epoch_end" | "validated") => {}
            (Some("validation_start"), "validation_end") => open = Some("fit_start"),
            (None, "setup") => {}
            (Some("fit_start"), other) => {
                assert!(
                    !["epoch_end", "validated", "validation_end", "setup"].contains(&other),
                    "{other}"
                );
            }
            other => panic!("{other:?} is out of place"),
        }
    }
    let last = before;
    if !failed {
        assert_eq!(count("batch_start") as u64, last.batches_seen);
        assert_eq!(count("step_end") as u64, last.updates_attempted);
        assert_eq!(count("after_update") as u64, last.updates_applied);
        assert_eq!(count("epoch_end") as u64, last.epoch);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn everyone_is_told_of_everything_in_order_and_the_strongest_wish_wins(plan in plans()) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut stack = Stack::new();
        plan.trees.iter().for_each(|tree| stack.push(build(tree, &told)));
        let mut fake = Fake::new(stack).batches(plan.batches).accumulate(plan.accumulate);
        let Plan { overflows, loss_is_nan, .. } = plan;
        fake.scale = Box::new(move |batch| {
            let overflowed = overflows?;
            Some(StepScale { scale: 8.0, overflowed: batch.is_multiple_of(overflowed) })
        });
        fake.loss = Box::new(move |_| if loss_is_nan { f32::NAN } else { 1.0 });
        fake.validate_every = plan.validate_every;
        let mut model = Model::of(&plan);
        let heard = || std::mem::take(&mut *told.lock().unwrap());

        let set_up = fake.stack.on(&mut Moment::Setup(&mut Setup::default()));
        let expected = model.tell("setup").map(flow);
        prop_assert_eq!(set_up.map_err(|e| e.to_string()), expected.clone());
        let mut all = heard();
        prop_assert_eq!(&all, &std::mem::take(&mut model.told));
        if expected.is_err() {
            return Ok(()); // then there is no trainer
        }
        let mut failed = false;
        for epochs in &plan.fits {
            fake.fit(*epochs);
            let expected = model.fit(*epochs);
            let told = heard();
            prop_assert_eq!(&told, &std::mem::take(&mut model.told));
            prop_assert_eq!((fake.seen.reason.clone(), fake.seen.error.clone()), expected.clone());
            prop_assert_eq!(fake.counters, model.counters);
            failed |= expected.1.is_some();
            all.extend(told);
        }
        let probe: Vec<_> = all
            .iter()
            .filter(|(who, ..)| who == "probe")
            .map(|(_, what, at)| (*what, *at))
            .collect();
        laws(&probe, plan.fits.len(), failed);
    }
}
