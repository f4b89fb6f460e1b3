//! Looks at the page in a real browser: `cargo run -p trainbook-board --example look FOLDER`.
//!
//! Needs Chromium (`chromium`, or the program in `$CHROMIUM`), which is why it is no test. It makes
//! a store with runs of every kind, among them hostile names, opens each view in light and dark and
//! on a narrow screen, and leaves the pictures in FOLDER. It fails if the browser reports an error
//! or something that the policy forbids, if a view lacks what it must show, or if a name became
//! markup. The pictures are for a person to look at.

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

use trainbook_board::{Board, Options};
use trainbook_store::{
    DataFingerprint, EndState, Metric, PlannedCallback, RunEnd, RunEvent, RunStart, RunWriter,
    Store,
};

/// Would set the page's title and add an element if it became markup.
const HOSTILE: &str =
    "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>";

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: look FOLDER");
        return ExitCode::from(2);
    };
    match look(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn look(pictures: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(pictures)?;
    let temporary = tempfile::tempdir()?;
    let folder = temporary.path().join("digits/.trainbook");
    let store = Store::open(&folder)?;
    let first = finished(&store, "baseline", 3e-3, 7)?;
    let second = finished(&store, "larger rate", 1e-2, 7)?;
    for seed in 1..9_u32 {
        finished(&store, &format!("sweep {seed}"), 1e-4 * f64::from(seed * seed), seed)?;
    }
    damaged(&store, &folder)?;
    let hostile = hostile(&store)?;
    let live = start(&store, "still training", 1e-3, 11)?;
    write(&live, 400, 1e-3, 11);
    live.flush()?;

    let board = Board::bind(Store::open_existing(&folder)?, &Options::default())?;
    let url = board.url();
    std::thread::spawn(move || board.serve());
    let views = [
        (
            "list",
            String::new(),
            vec!["larger rate", "still training", "damaged", "val_accuracy max"],
        ),
        (
            "query",
            "#/?q=metrics.val_lsos.min%20%3C%200.2".to_owned(),
            vec!["the nearest is", "^^^^"],
        ),
        (
            "chosen",
            "#/?q=state%20%3D%20%27finished%27%20and%20metrics.val_loss.min%20%3C%200.15"
                .to_owned(),
            vec!["larger rate", "baseline"],
        ),
        (
            "run",
            format!("#/run/{first}"),
            vec!["Plan of callbacks", "GradientMonitor", "digits.csv.gz", "Recipe"],
        ),
        ("live", format!("#/run/{}", live.id()), vec!["running"]),
        ("hostile", format!("#/run/{hostile}"), vec!["onerror=", "warning"]),
        ("diff", format!("#/diff/{first}/{second}"), vec!["only params.lr differs"]),
        ("nobody", "#/run/20000101-000000-000000".to_owned(), vec!["the nearest id is"]),
    ];
    let mut faults = Vec::new();
    for (name, route, expected) in &views {
        for (kind, scheme, size) in
            [("light", 1, "1280,1000"), ("dark", 0, "1280,1000"), ("narrow", 1, "500,1000")]
        {
            let picture = pictures.join(format!("{name}-{kind}.png"));
            let settings = format!("--blink-settings=preferredColorScheme={scheme}");
            let shot = format!("--screenshot={}", picture.display());
            browser(&[
                &settings,
                &format!("--window-size={size}"),
                &shot,
                &format!("{url}{route}"),
            ])?;
        }
        let (page, log) = browser(&["--dump-dom", &format!("{url}{route}")])?;
        let mut fault = |text: String| faults.push(format!("{name}: {text}"));
        // What the browser says of a missing run is told to the person, too.
        log.lines()
            .filter(|line| {
                line.contains("CONSOLE") && !(line.contains("404") || line.contains("400"))
            })
            .for_each(|line| fault(line.to_owned()));
        expected
            .iter()
            .filter(|text| !page.contains(**text))
            .for_each(|text| fault(format!("no {text:?}")));
        if page.contains("<title>broken") || page.contains("<img src=\"x\"") {
            fault("a name became markup".to_owned());
        }
        if !["query", "nobody"].contains(name) && !page.contains("class=\"main-svg\"") {
            fault("no curve was drawn".to_owned());
        }
    }
    drop(live);
    println!("{} views in {}", views.len() * 3, pictures.display());
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

/// What the browser prints, and what it says on standard error.
fn browser(arguments: &[&str]) -> Result<(String, String), Box<dyn Error>> {
    let program = std::env::var_os("CHROMIUM").unwrap_or_else(|| "chromium".into());
    let profile = tempfile::tempdir()?;
    let output = Command::new(&program)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=9000", "--timeout=60000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .output()
        .map_err(|error| format!("start {}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr)))
}

fn start(store: &Store, name: &str, rate: f64, seed: u32) -> trainbook_store::Result<RunWriter> {
    let callback = |name: &str, phase: &str, reads: &[&str], writes: &[&str]| PlannedCallback {
        name: name.to_owned(),
        phase: phase.to_owned(),
        reads: reads.iter().map(ToString::to_string).collect(),
        writes: writes.iter().map(ToString::to_string).collect(),
    };
    store.start_run(RunStart {
        name: Some(name.to_owned()),
        params: [
            ("lr", rate.into()),
            ("batch_size", 32.into()),
            ("optimizer", "adamw".into()),
            ("weight_decay", 0.01.into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .into(),
        tags: [("model".into(), "cnn".to_owned())].into(),
        seed: seed.into(),
        model: "conv2d 16 3×3 – relu – max_pool2d 2 – flatten – linear 64 – relu – linear 10"
            .to_owned(),
        data: DataFingerprint { source: "digits.csv.gz".into(), rows: 1797, hash: "5f3c09".into() },
        plan: vec![
            callback("FixSeed", "setup", &[], &["seed"]),
            callback("LrSchedule", "batch start", &["steps"], &["learning rate"]),
            callback("GradientMonitor", "inspect", &["gradients"], &[]),
            callback("EarlyStopping", "epoch end", &["val_loss"], &["stop"]),
        ],
        recipe: Some(format!(
            "{{\"network\":[{{\"conv2d\":16}},{{\"linear\":10}}],\"lr\":{rate}}}"
        )),
        ..RunStart::default()
    })
}

/// Numbers that look like a training.
fn write(run: &RunWriter, steps: u32, rate: f64, seed: u32) {
    let mut noise = seed.wrapping_mul(2_654_435_761);
    let mut next = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(noise) / f64::from(u32::MAX) - 0.5
    };
    let speed = 20.0 + 0.05 / rate;
    for step in 1..=steps {
        let fall = (-f64::from(step) / speed / 4.0).exp();
        let loss = 2.2 * fall + 0.08 + 0.25 * next() * (fall + 0.15);
        let schedule = rate * (std::f64::consts::PI * f64::from(step) / 800.0).sin().abs();
        run.log(
            step.into(),
            &[Metric::new("loss", loss.abs()), Metric::new("learning_rate", schedule)],
        );
        if step % 20 == 0 {
            let (loss, accuracy) =
                (2.1 * fall + 0.12 + 0.02 * next(), 0.98 - 0.85 * fall + 0.01 * next());
            let metrics =
                [("val_loss", loss), ("val_accuracy", accuracy), ("epoch", f64::from(step / 20))];
            run.log(step.into(), &metrics.map(|(name, value)| Metric::new(name, value)));
        }
    }
}

fn finished(store: &Store, name: &str, rate: f64, seed: u32) -> Result<String, Box<dyn Error>> {
    let run = start(store, name, rate, seed)?;
    write(&run, 800, rate, seed);
    let object = store.put_object(name.as_bytes())?;
    run.event(RunEvent::Checkpoint {
        label: "best".into(),
        step: 760,
        epoch: 38,
        object,
        metric: None,
    });
    run.event(RunEvent::Note { text: "evaluated on the test part".into() });
    run.finish(RunEnd::new(EndState::Finished, 800, 40))?;
    Ok(run.id().to_string())
}

fn damaged(store: &Store, folder: &Path) -> Result<(), Box<dyn Error>> {
    let run = start(store, "power cut", 2e-3, 5)?;
    write(&run, 300, 2e-3, 5);
    run.flush()?;
    run.log(301, &[Metric::new("loss", 0.5)]);
    run.flush()?;
    let journal = folder.join("runs").join(format!("{}.log", run.id()));
    drop(run);
    let bytes = std::fs::read(&journal)?;
    std::fs::write(&journal, &bytes[..bytes.len() - 7])?;
    Ok(())
}

fn hostile(store: &Store) -> Result<String, Box<dyn Error>> {
    let start = RunStart {
        name: Some(HOSTILE.to_owned()),
        params: [(HOSTILE.into(), HOSTILE.into())].into(),
        tags: [("__proto__".into(), HOSTILE.to_owned())].into(),
        model: HOSTILE.to_owned(),
        ..RunStart::default()
    };
    let run = store.start_run(start)?;
    for step in 1..=50_u32 {
        let value = f64::from(step).sin();
        run.log(step.into(), &["loss", HOSTILE, "__proto__"].map(|name| Metric::new(name, value)));
    }
    run.event(RunEvent::Warning { text: HOSTILE.to_owned() });
    run.finish(RunEnd::new(EndState::Failed { error: HOSTILE.to_owned() }, 50, 1))?;
    Ok(run.id().to_string())
}
