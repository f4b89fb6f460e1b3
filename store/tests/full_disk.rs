//! A store on a file system that is full: a small tmpfs, mounted in a namespace of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::process::Command;

use common::other::task;
use common::start;
use trainbook_store::{EndState, Metric, RunEnd, RunEvent, RunStart, RunState, Store};

/// Runs this program's test `child` with a tmpfs of `size` mounted at `folder`; `None` where the
/// system allows no namespaces.
fn with_tmpfs(name: &str, size: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("unshare");
    shell.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
    shell.arg(
        "mount -t tmpfs -o size=$2 tmpfs \"$1\" || exit 77; exec \"$0\" --exact child --nocapture",
    );
    shell.arg(std::env::current_exe().unwrap()).arg(folder.path()).arg(size);
    common::other::give_task(&mut shell, name, folder.path());
    let output = shell.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || text.contains("unshare failed") {
        assert!(std::env::var_os("CI").is_none(), "CI must be able to mount a tmpfs: {text}");
        eprintln!("not tested: this system lets nobody mount a tmpfs: {text}");
        return None;
    }
    assert!(output.status.success(), "{text}");
    Some(text)
}

#[test]
fn child() {
    let Some((task, store)) = task() else { return };
    match task.as_str() {
        "train" => train(&store),
        "full-from-the-start" => {
            assert!(full_from_the_start(&store).contains("No space left on device"))
        }
        task => unreachable!("{task}"),
    }
    println!("child reached its end");
}

/// Logs far more than there is room for, ends, and looks at what is there.
fn train(path: &str) {
    let store = Store::open(path).unwrap();
    let run = start(&store, "mlp");
    let points = 200_000_u64;
    for step in 1..=points {
        run.log(step, &[Metric::new("loss", step as f64)]);
        if step == 1000 {
            run.flush().unwrap();
        }
        // Small pieces, so that in the end not even the smallest fits.
        if (step % 20 == 0 && step > points - 50_000) || step > points - 500 {
            let _ = run.flush();
        }
    }
    let problem = run.flush().unwrap_err().to_string();
    assert!(problem.contains("metric points") && problem.contains("No space left"), "{problem}");
    assert!(store.put_object(&vec![7; 1 << 20]).is_err());
    let end = run.finish(RunEnd::new(EndState::Finished, points, 1));
    assert!(end.is_err(), "what is missing stays missing");
    run.event(RunEvent::Note { text: "exported elsewhere".into() });
    let _ = run.flush();
    let id = run.id().to_string();
    drop(run);

    let record = store.run(&id).unwrap();
    assert_eq!((&record.summary.state, record.summary.steps), (&RunState::Finished, points));
    assert_eq!(record.damage, None);
    let kept = &record.series["loss"];
    assert!(kept.len() >= 1000 && (kept.len() as u64) < points, "{} of {points}", kept.len());
    assert!(
        kept[..1000].iter().zip(1..).all(|(point, step)| point.0 == step),
        "what was flushed is there"
    );
    // A later batch may fit where an earlier one did not.
    assert!(
        kept.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && kept.iter().all(|point| point.1 == point.0 as f64)
    );
    let warnings: Vec<&String> = record
        .events
        .iter()
        .filter_map(
            |event| if let RunEvent::Warning { text } = &event.event { Some(text) } else { None },
        )
        .collect();
    let told: u64 =
        warnings.iter().map(|text| text.split_once(' ').unwrap().0.parse::<u64>().unwrap()).sum();
    assert_eq!(told, points - kept.len() as u64, "{warnings:?}");
    assert!(
        record.events.iter().any(|event| matches!(event.event, RunEvent::Note { .. })),
        "{:?}",
        record.events
    );
    // The index has no room either; the journals answer.
    assert_eq!(store.runs().unwrap()[0].state, RunState::Finished);
}

fn full_from_the_start(path: &str) -> String {
    std::fs::write(std::path::Path::new(path).join("ballast"), vec![7; 40 << 10]).unwrap();
    Store::open(path)
        .and_then(|store| store.start_run(RunStart::default()))
        .unwrap_err()
        .to_string()
}

#[test]
fn training_goes_on_and_the_run_says_what_is_missing() {
    if let Some(text) = with_tmpfs("train", "400k") {
        assert!(text.contains("child reached its end"), "{text}");
    }
}

#[test]
fn a_disk_that_is_full_from_the_start_is_an_error_before_training() {
    if let Some(text) = with_tmpfs("full-from-the-start", "56k") {
        assert!(text.contains("child reached its end"), "{text}");
    }
}
