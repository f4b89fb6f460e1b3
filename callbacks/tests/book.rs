//! The book's pages on callbacks against the code: which there are, what their tables say, their
//! pictures, and the callback that one of them builds.

#![allow(clippy::unwrap_used)] // clippy excuses only the test functions themselves

#[allow(dead_code)] // its `main`
#[path = "../examples/own_callback.rs"]
mod own_callback;
#[allow(dead_code)]
#[path = "../examples/pictures/main.rs"]
mod pictures;
#[path = "support/shipped.rs"]
mod shipped;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use own_callback::{SpikeGuard, fixed_limit, keeps_its_state};
use pictures::support;
use shipped::CALLBACKS;
use support::{Fake, setup_error};
use trainbook_callbacks::schedule::{
    Anneal, Curve, Cyclic, Decay, Mode, OneCycle, StableDecay, ThresholdMode,
};
use trainbook_callbacks::{
    Budget, Callback, CallbackState, Checkpoint, Clip, EarlyStopping, Effects, Flow,
    GradientMonitor, Horizon, LrSchedule, NanGuard, ReduceOnPlateau, Resource, Stack,
    WeightAverage, on_step_end,
};

fn book() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../book/src")
}

fn read(path: &str) -> String {
    fs::read_to_string(book().join(path)).unwrap()
}

fn page(name: &str) -> String {
    read(&format!("callbacks/{name}.md"))
}

/// The type or function of a callback in `shipped.rs`.
fn kind(name: &str) -> &str {
    match name.split(' ').next().unwrap() {
        "a" => "Vec",
        "an" => "Option",
        kind => kind,
    }
}

/// Its page: `NanGuard` stands in `nan-guard.md`.
fn page_of(name: &str) -> String {
    match kind(name) {
        kind if kind.starts_with("on_") => "closures".to_owned(),
        "Vec" | "Option" | "after" | "when" | "every" => "wrappers".to_owned(),
        kind => {
            let words = kind.split_inclusive(|_: char| true).map(|letter| {
                let small = letter.to_lowercase();
                if small == letter { small } else { format!("-{small}") }
            });
            words.collect::<String>().trim_start_matches('-').to_owned()
        }
    }
}

/// The cells of a table's row.
fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// The rows of every table with this header.
fn rows<'p>(page: &'p str, header: &str) -> Vec<Vec<&'p str>> {
    let tables = page.split(header).skip(1);
    tables
        .flat_map(|table| table.lines().skip(2).take_while(|line| line.starts_with('|')))
        .map(cells)
        .collect()
}

/// The text block under `<!-- name -->`.
fn block<'p>(page: &'p str, name: &str) -> &'p str {
    let after = page.split_once(&format!("<!-- {name} -->\n```text\n")).unwrap().1;
    after.split_once("```").unwrap().0
}

#[test]
fn every_callback_has_a_page() {
    let (summary, overview) = (read("SUMMARY.md"), read("callbacks.md"));
    let mut pages = BTreeSet::new();
    for (name, _) in CALLBACKS {
        let (kind, page_name) = (kind(name), page_of(name));
        let link = format!("(callbacks/{page_name}.md)");
        assert!(summary.contains(&link), "SUMMARY.md has no {link} for {kind}");
        assert!(overview.contains(&link), "callbacks.md has no {link} for {kind}");
        assert!(page(&page_name).contains(kind), "{page_name}.md does not name {kind}");
        pages.insert(page_name);
    }
    assert!(pages.len() >= 15, "{pages:?}");
}

/// Phase, what is read, written and logged, whether there is a state and a recipe, and what a run is
/// found by.
#[test]
fn the_tables_of_effects_are_those_of_the_code() {
    let mut checked = 0;
    for (name, make) in CALLBACKS {
        let (kind, page_name) = (kind(name), page_of(name));
        let text = page(&page_name);
        let effects = make().effects();
        let phase = format!("`{}`", effects.phase);
        if page_name == "closures" {
            let table = rows(&text, "| function | told |");
            let row = table.iter().find(|row| row[0] == format!("`{kind}`"));
            assert!(row.is_some_and(|row| row[3].starts_with(&phase)), "{kind}: {phase}");
            continue;
        }
        if page_name == "wrappers" {
            continue; // theirs are the callback's
        }
        let facts: BTreeMap<&str, &str> =
            rows(&text, "\n| | |").iter().map(|row| (row[0], row[1])).collect();
        let fact = |what: &str| *facts.get(what).unwrap_or_else(|| panic!("{name}: no {what}"));
        assert!(fact("phase").starts_with(&phase), "{name}: {phase}, not {}", fact("phase"));

        // A page covers several kinds of a callback, of which each may do a part of it.
        let all: Vec<Effects> = CALLBACKS
            .iter()
            .filter(|(other, _)| page_of(other) == page_name)
            .map(|(_, make)| make().effects())
            .collect();
        let is_metric = |r: &&Resource| r.to_string().starts_with("metric");
        let reads = all.iter().flat_map(|e| &e.reads).count();
        let writes = all.iter().flat_map(|e| &e.writes).filter(|r| !is_metric(r)).count();
        let logs = all.iter().flat_map(|e| &e.writes).filter(is_metric).count();
        for (what, count) in [("reads", reads), ("writes", writes), ("logs", logs)] {
            assert_eq!(fact(what).starts_with("nothing"), count == 0, "{name}: {what}");
        }
        let named = |resource: &Resource| {
            let text = resource.to_string();
            let metric = text.strip_prefix("metric ").or(text.strip_prefix("metrics "));
            metric.map_or(text.clone(), |metric| format!("`{metric}`"))
        };
        for resource in &effects.reads {
            assert!(fact("reads").contains(&named(resource)), "{name} reads {resource}");
        }
        for resource in &effects.writes {
            let place = if is_metric(&resource) { "logs" } else { "writes" };
            assert!(fact(place).contains(&named(resource)), "{name} {place} {resource}");
        }
        assert_eq!(fact("writes").contains("needs a store"), effects.needs_store, "{name}");

        let stateless = CALLBACKS
            .iter()
            .filter(|(other, _)| page_of(other) == page_name)
            .all(|(_, make)| make().save().unwrap() == CallbackState::empty());
        assert_eq!(fact("state").starts_with("none"), stateless, "{name}: state");
        assert_eq!(fact("recorded").starts_with("yes"), make().recipe().is_some(), "{name}");
        let params = make().params();
        let mut on_page = CALLBACKS.iter().filter(|(other, _)| page_of(other) == page_name);
        let any = on_page.any(|(_, make)| !make().params().is_empty());
        assert_eq!(facts.contains_key("found by"), any, "{name}: found by");
        for (param, _) in params {
            let param = format!("`params.{param}`");
            assert!(fact("found by").contains(&param), "{name}: {param}");
        }
        checked += 1;
    }
    assert!(checked > 40, "{checked}");
}

fn recipe(callback: impl Callback) -> String {
    let recipe = callback.recipe().unwrap();
    serde_json::to_string(&recipe).unwrap()
}

/// Ten thousand rates.
fn rates(schedule: &LrSchedule) -> String {
    let horizon = Horizon {
        epochs: 100,
        batches_per_epoch: 100,
        updates_per_epoch: 100,
        first_update: 0,
        limit: None,
    };
    format!("{:?}", schedule.preview(horizon, 10_000))
}

fn along(curve: impl Into<Curve>) -> String {
    rates(&LrSchedule::of(curve))
}

fn int(text: &str) -> u64 {
    text.parse().unwrap()
}

fn num(text: &str) -> f64 {
    text.parse().unwrap()
}

type Seen = fn() -> String;
type Set = fn(&str) -> String;

/// Of a page's option: how the callback looks without it, how with a value, and another value than
/// the default.
type Setting = (&'static str, &'static str, Seen, Set, &'static str);

fn plateau() -> ReduceOnPlateau {
    ReduceOnPlateau::on("val_loss")
}

fn stopping() -> EarlyStopping {
    EarlyStopping::on("val_loss")
}

fn best() -> Checkpoint {
    Checkpoint::best("val_loss")
}

fn anneal(text: &str) -> Anneal {
    if text == "Cosine" { Anneal::Cosine } else { Anneal::Linear }
}

fn mode(text: &str) -> Mode {
    if text == "Triangular" { Mode::Triangular } else { Mode::Triangular2 }
}

fn decay(text: &str) -> Decay {
    if text == "Linear" { Decay::Linear } else { Decay::OneMinusSqrt }
}

fn threshold_mode(text: &str) -> ThresholdMode {
    if text == "Relative" { ThresholdMode::Relative } else { ThresholdMode::Absolute }
}

const PLATEAU: Seen = || recipe(plateau());
const STOPPING: Seen = || recipe(stopping());
const BEST: Seen = || recipe(best());
const BUDGET: Seen = || recipe(Budget::default());
const COSINE: Seen = || rates(&LrSchedule::cosine(1.0));
const ONE_CYCLE: Seen = || along(OneCycle::to(1.0));
const PLAIN: Seen = || recipe(LrSchedule::of(OneCycle::to(1.0)));
const CYCLIC: Seen = || along(Cyclic::between(0.1, 1.0));
const STABLE: Seen = || along(StableDecay::at(1.0));

/// What an option that is left out is called, by the page.
const ABSENT: [&str; 4] = ["none", "no", "by the metric", "as many as up"];

/// Those that are.
const OPTIONAL: [&str; 17] = [
    "three_phase",
    "cycle_momentum",
    "for_group",
    "down",
    "minimize",
    "maximize",
    "after_clipping",
    "ratios",
    "restore_best",
    "baseline",
    "stopping_threshold",
    "divergence_threshold",
    "keep",
    "or_steps",
    "or_epochs",
    "or_wall_time",
    "or_stop_file",
];

#[rustfmt::skip]
const SETTINGS: &[Setting] = &[
    ("lr-schedule", "min_lr", COSINE, |v| rates(&LrSchedule::cosine(1.0).min_lr(num(v))), "0.1"),
    ("lr-schedule", "warmup", COSINE, |v| rates(&LrSchedule::cosine(1.0).warmup(int(v))), "9"),
    ("lr-schedule", "pct_start", ONE_CYCLE, |v| along(OneCycle::to(1.0).pct_start(num(v))), "0.4"),
    ("lr-schedule", "div_factor", ONE_CYCLE, |v| along(OneCycle::to(1.0).div_factor(num(v))), "24"),
    ("lr-schedule", "final_div_factor", ONE_CYCLE, |v| along(OneCycle::to(1.0).final_div_factor(num(v))), "1000"),
    ("lr-schedule", "anneal", ONE_CYCLE, |v| along(OneCycle::to(1.0).anneal(anneal(v))), "Linear"),
    ("lr-schedule", "three_phase", ONE_CYCLE, |_| along(OneCycle::to(1.0).three_phase()), "yes"),
    ("lr-schedule", "cycle_momentum", PLAIN, |_| recipe(LrSchedule::of(OneCycle::to(1.0).cycle_momentum(0.8, 0.9))), "yes"),
    ("lr-schedule", "for_group", PLAIN, |_| recipe(LrSchedule::of(OneCycle::to(1.0)).for_group("encoder")), "yes"),
    ("lr-schedule", "up", CYCLIC, |v| along(Cyclic::between(0.1, 1.0).up(int(v))), "2001"),
    ("lr-schedule", "down", CYCLIC, |v| along(Cyclic::between(0.1, 1.0).down(int(v))), "1999"),
    ("lr-schedule", "mode", CYCLIC, |v| along(Cyclic::between(0.1, 1.0).mode(mode(v))), "Triangular2"),
    ("lr-schedule", "decay_share", STABLE, |v| along(StableDecay::at(1.0).decay_share(num(v))), "0.3"),
    ("lr-schedule", "decay", STABLE, |v| along(StableDecay::at(1.0).decay(decay(v))), "OneMinusSqrt"),
    ("reduce-on-plateau", "factor", PLATEAU, |v| recipe(plateau().factor(num(v))), "0.2"),
    ("reduce-on-plateau", "patience", PLATEAU, |v| recipe(plateau().patience(int(v))), "9"),
    ("reduce-on-plateau", "threshold", PLATEAU, |v| recipe(plateau().threshold(num(v))), "0.1"),
    ("reduce-on-plateau", "threshold_mode", PLATEAU, |v| recipe(plateau().threshold_mode(threshold_mode(v))), "Absolute"),
    ("reduce-on-plateau", "cooldown", PLATEAU, |v| recipe(plateau().cooldown(int(v))), "1"),
    ("reduce-on-plateau", "min_lr", PLATEAU, |v| recipe(plateau().min_lr(num(v))), "0.1"),
    ("reduce-on-plateau", "eps", PLATEAU, |v| recipe(plateau().eps(num(v))), "0.0000001"),
    ("reduce-on-plateau", "warmup", PLATEAU, |v| recipe(plateau().warmup(int(v))), "1"),
    ("reduce-on-plateau", "minimize", PLATEAU, |_| recipe(plateau().minimize()), "yes"),
    ("reduce-on-plateau", "maximize", PLATEAU, |_| recipe(plateau().maximize()), "yes"),
    ("nan-guard", "skip_up_to", || recipe(NanGuard::new()), |v| recipe(NanGuard::new().skip_up_to(int(v))), "1"),
    ("clip", "history", || recipe(Clip::percentile(10.0)), |v| recipe(Clip::percentile(10.0).history(int(v))), "999"),
    ("gradient-monitor", "after_clipping", || recipe(GradientMonitor::new()), |_| recipe(GradientMonitor::new().after_clipping()), "yes"),
    ("gradient-monitor", "ratios", || recipe(GradientMonitor::new()), |_| recipe(GradientMonitor::new().ratios()), "yes"),
    ("weight-average", "every", || recipe(WeightAverage::ema(0.9)), |v| recipe(WeightAverage::ema(0.9).every(int(v))), "2"),
    ("early-stopping", "patience", STOPPING, |v| recipe(stopping().patience(int(v))), "4"),
    ("early-stopping", "min_delta", STOPPING, |v| recipe(stopping().min_delta(num(v))), "0.1"),
    ("early-stopping", "start_from", STOPPING, |v| recipe(stopping().start_from(int(v))), "1"),
    ("early-stopping", "min_epochs", STOPPING, |v| recipe(stopping().min_epochs(int(v))), "1"),
    ("early-stopping", "baseline", STOPPING, |v| recipe(stopping().baseline(num(v))), "0"),
    ("early-stopping", "stopping_threshold", STOPPING, |v| recipe(stopping().stopping_threshold(num(v))), "0"),
    ("early-stopping", "divergence_threshold", STOPPING, |v| recipe(stopping().divergence_threshold(num(v))), "0"),
    ("early-stopping", "check_finite", STOPPING, |v| recipe(stopping().check_finite(v == "true")), "false"),
    ("early-stopping", "restore_best", STOPPING, |_| recipe(stopping().restore_best()), "yes"),
    ("early-stopping", "minimize", STOPPING, |_| recipe(stopping().minimize()), "yes"),
    ("early-stopping", "maximize", STOPPING, |_| recipe(stopping().maximize()), "yes"),
    ("checkpoint", "keep", BEST, |v| recipe(best().keep(int(v))), "1"),
    ("checkpoint", "minimize", BEST, |_| recipe(best().minimize()), "yes"),
    ("checkpoint", "maximize", BEST, |_| recipe(best().maximize()), "yes"),
    ("budget", "or_steps", BUDGET, |v| recipe(Budget::default().or_steps(int(v))), "1"),
    ("budget", "or_epochs", BUDGET, |v| recipe(Budget::default().or_epochs(int(v))), "1"),
    ("budget", "or_wall_time", BUDGET, |v| recipe(Budget::default().or_wall_time(Duration::from_secs(int(v)))), "1"),
    ("budget", "or_stop_file", BUDGET, |v| recipe(Budget::default().or_stop_file(v)), "stop"),
];

/// The files with the options of each page that has some.
const SOURCES: &[(&str, &[&str])] = &[
    (
        "lr-schedule",
        &[
            include_str!("../src/schedule/mod.rs"),
            include_str!("../src/schedule/curves/one_cycle.rs"),
            include_str!("../src/schedule/curves/cyclic.rs"),
            include_str!("../src/schedule/curves/stable_decay.rs"),
        ],
    ),
    ("reduce-on-plateau", &[include_str!("../src/schedule/plateau.rs")]),
    ("fix-seed", &[include_str!("../src/seed.rs")]),
    ("nan-guard", &[include_str!("../src/nan_guard.rs")]),
    ("clip", &[include_str!("../src/clip.rs")]),
    ("gradient-monitor", &[include_str!("../src/gradient_monitor/mod.rs")]),
    ("activation-monitor", &[include_str!("../src/activation_monitor.rs")]),
    ("prediction-log", &[include_str!("../src/prediction_log.rs")]),
    ("loss-scale-monitor", &[include_str!("../src/loss_scale.rs")]),
    ("weight-average", &[include_str!("../src/weight_average.rs")]),
    ("early-stopping", &[include_str!("../src/early_stopping.rs")]),
    ("checkpoint", &[include_str!("../src/checkpoint.rs")]),
    ("budget", &[include_str!("../src/budget.rs")]),
    ("recorder", &[include_str!("../src/recorder.rs")]),
    ("progress", &[include_str!("../src/progress/mod.rs")]),
    ("closures", &[include_str!("../src/seam/closure.rs")]),
];

/// The page's options with their defaults.
fn options(text: &str) -> BTreeMap<String, String> {
    let table = rows(text, "| option | default |");
    let option = |cell: &str| cell.trim_start_matches("`.").split('(').next().unwrap().to_owned();
    table.iter().map(|row| (option(row[0]), row[1].trim_matches('`').to_owned())).collect()
}

#[test]
fn the_pages_have_every_option_there_is() {
    for (name, sources) in SOURCES {
        let methods = |source: &&str| -> Vec<String> {
            let lines = source.lines().filter_map(|line| line.trim().strip_prefix("pub fn "));
            let names =
                lines.filter_map(|line| line.split_once("(mut self").or(line.split_once("(self")));
            names.map(|(name, _)| name.to_owned()).collect()
        };
        let built: BTreeSet<String> = sources.iter().flat_map(methods).collect();
        let shown: BTreeSet<String> = options(&page(name)).into_keys().collect();
        assert_eq!(shown, built, "{name}.md");
    }
    for (name, _) in CALLBACKS {
        let page = page_of(name);
        assert!(page == "wrappers" || SOURCES.iter().any(|(known, _)| *known == page), "{page}");
    }
}

#[test]
fn the_defaults_are_those_of_the_code() {
    for (page_name, option, plain, set, other) in SETTINGS {
        let shown = options(&page(page_name));
        let default = &shown[*option];
        let absent = ABSENT.contains(&default.as_str());
        assert_eq!(absent, OPTIONAL.contains(option), "{page_name}.md: {option} {default}");
        let seen = |value: &str| if ABSENT.contains(&value) { plain() } else { set(value) };
        assert!(
            seen(default) == plain(),
            "{page_name}.md: the default of {option} is not {default}"
        );
        assert!(seen(other) != plain(), "{page_name}.md: {option} {other} would not be noticed");
    }
    // Every option has been looked at, but for clocks, and closures', which have no record.
    for (page_name, _) in SOURCES {
        for (option, default) in options(&page(page_name)) {
            let known = SETTINGS.iter().any(|(of, name, ..)| of == page_name && *name == option);
            let clock = option == "clock" && default == "the system's";
            assert!(known || clock || *page_name == "closures", "{page_name}.md: {option}");
        }
    }
    let up = || Cyclic::between(0.1, 1.0).up(5);
    assert!(along(up()) == along(up().down(5)) && along(up()) != along(up().down(6)));
    let closure = on_step_end(|_| Ok(Flow::Continue));
    assert_eq!((closure.name(), closure.effects()), ("on_step_end".into(), Effects::default()));
}

#[test]
fn the_pictures_are_those_that_are_drawn_now() {
    let drawn = pictures::all().unwrap();
    let kept: BTreeSet<String> = fs::read_dir(pictures::folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let names: BTreeSet<String> = drawn.iter().map(|(name, _)| format!("{name}.svg")).collect();
    assert_eq!(kept, names);
    let pages: Vec<String> = fs::read_dir(book().join("callbacks"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for (name, picture) in drawn {
        let path = pictures::folder().join(format!("{name}.svg"));
        let same = fs::read_to_string(path).unwrap() == picture;
        assert!(same, "{name}: cargo run -p trainbook-callbacks --example pictures");
        assert!(picture.len() < 30_000, "{name} has {} bytes", picture.len());
        let link = format!("](../images/callbacks/{name}.svg)");
        assert!(pages.iter().any(|page| page.contains(&link)), "no page shows {name}");
    }
}

#[test]
fn what_the_pages_quote_is_what_is_said() {
    assert_eq!(block(&page("progress"), "progress"), pictures::progress());
}

#[test]
fn the_warning_that_a_page_quotes_is_the_one_that_is_given() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (name, quote, warning) in [
        ("gradient-monitor", "gradient_warning", pictures::gradient_warning()),
        ("activation-monitor", "activation_warning", pictures::activation_warning()),
    ] {
        assert!(!warning.is_empty(), "{name}");
        let quoted = words(block(&page(name), quote));
        assert_eq!(quoted.join(" "), words(&warning).join(" "));
    }
}

/// Gradients of norm 1, and of norm 9 in three steps; the first of them is among the first ten.
fn spiky(callback: impl Callback + 'static) -> Fake {
    let mut fake = Fake::with(callback).batches(10);
    fake.gradients = Box::new(|step| {
        let size = if matches!(step, 5 | 23 | 31) { 9.0 } else { 1.0 };
        vec![vec![size], vec![0.0, 0.0]]
    });
    fake
}

fn left_out(fake: &Fake) -> Vec<usize> {
    let steps = fake.seen.applied.iter().enumerate();
    steps.filter(|(_, applied)| !**applied).map(|(at, _)| at + 1).collect()
}

#[test]
fn the_callback_of_ones_own_stands_in_its_page() {
    let (text, source) = (page("write-your-own"), include_str!("../examples/own_callback.rs"));
    let marks = [
        "// A closure.\n",
        "// The idea, by itself.\n",
        "// The callback around it.\n",
        "// Its law.\n",
        "// The end of the page's blocks.\n",
    ];
    for pair in marks.windows(2) {
        let code = source.split_once(pair[0]).unwrap().1.split_once(pair[1]).unwrap().0.trim();
        assert!(code.len() > 200, "{code}");
        assert!(
            text.contains(&format!("```rust,ignore\n{code}\n```\n")),
            "not in the page: {code}"
        );
    }
}

#[test]
fn the_callback_of_ones_own_does_what_its_page_says() {
    let text = page("write-your-own");
    let mut fake = spiky(fixed_limit(10.0));
    fake.fit(4);
    assert_eq!(left_out(&fake), [0; 0]);
    let mut fake = spiky(fixed_limit(5.0));
    fake.fit(4);
    assert_eq!(left_out(&fake), [5, 23, 31]);

    let mut fake = spiky(SpikeGuard::above(4.0));
    fake.fit(4);
    assert_eq!(left_out(&fake), [23, 31]);
    assert_eq!(fake.seen.epoch_metric("spikes"), [0.0, 0.0, 1.0, 2.0]);
    assert_eq!(fake.seen.norm_calls, 40);
    assert!(keeps_its_state(&SpikeGuard::above(4.0)).unwrap());

    let mut stack = Stack::new();
    stack.push(SpikeGuard::above(4.0));
    stack.push(EarlyStopping::on("spikes"));
    let plan = stack.plan(&[], false).unwrap().to_string();
    let line = plan.lines().find(|line| line.contains("SpikeGuard")).unwrap();
    assert_eq!(block(&text, "plan").trim_end(), line);
    assert_eq!(block(&text, "refused").trim_end(), setup_error(SpikeGuard::above(1.0)));
    assert!(stack.recorded()[0].recipe.is_none() && stack.recorded()[0].decides);
}

#[test]
fn the_callback_of_ones_own_goes_on_where_it_was() {
    let guard = || spiky(SpikeGuard::above(4.0));
    let mut whole = guard();
    whole.fit(4);
    for done in 1..4 {
        let mut first = guard();
        let mut end = first.fit_start(4);
        for _ in 0..done {
            end = first.epoch();
        }
        assert_eq!(end, Ok(None));
        let saved = first.stack.save().unwrap();
        let mut second = guard();
        (second.counters, second.horizon) = (first.counters, first.horizon);
        second.resume(&saved).unwrap();
        assert_eq!(second.stack.save().unwrap(), saved);
        for _ in done..4 {
            end = second.epoch();
        }
        second.fit_end(end);
        let seen = |fake: &Fake, skip: usize| {
            (fake.seen.applied[10 * skip..].to_vec(), fake.seen.epoch_logs[skip..].to_vec())
        };
        assert_eq!(seen(&second, 0), seen(&whole, done), "behind {done} epochs");
        assert_eq!(second.stack.save().unwrap(), whole.stack.save().unwrap());
    }
}
