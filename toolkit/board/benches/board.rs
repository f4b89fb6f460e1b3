//! How long the page waits: `cargo bench -p trainbook-board`. `book/src/board.md` says what is asked
//! of it.
//!
//! Every answer is asked for over a socket, as a browser does.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]
#![allow(missing_docs, reason = "criterion makes functions of its own")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use trainbook_board::{Board, Options};
use trainbook_store::{EndState, Metric, RunEnd, RunEvent, RunStart, RunWriter, Store};

#[path = "../../../store/benches/many_runs/mod.rs"]
mod many_runs;

use many_runs::many_runs;

const POINTS: u64 = 1_000_000;

/// `metrics.val_loss.min < 0.5 and params.lr between 1e-4 and 5e-3 and tags.model like 'mlp%'`.
const QUERY: &str = "query=metrics.val_loss.min+%3C+0.5+and+params.lr+between+1e-4+and+5e-3\
                     +and+tags.model+like+%27mlp%25%27&order=metrics.val_accuracy.max+desc";

fn serve(store: &Path) -> SocketAddr {
    let options = Options { token: false, ..Options::default() };
    let board = Board::bind(Store::open_existing(store).unwrap(), &options).unwrap();
    let address = board.address();
    std::thread::spawn(move || board.serve());
    address
}

fn get(address: SocketAddr, target: &str, tag: Option<&str>) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let tag = tag.map_or(String::new(), |tag| format!("If-None-Match: {tag}\r\n"));
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n{tag}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn fine(answer: &[u8]) {
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
}

fn runs(c: &mut Criterion) {
    let path = many_runs();
    let mut group = c.benchmark_group("board of 10,000 runs");
    group.sample_size(10);
    group.bench_function("first page of a board just started", |bencher| {
        bencher.iter_with_setup(
            || serve(&path),
            |address| fine(&get(address, "/api/runs?limit=100", None)),
        );
    });
    let address = serve(&path);
    let page = get(address, "/api/runs?limit=100", None);
    fine(&page);
    group.bench_function("first page", |bencher| {
        bencher.iter(|| fine(&get(address, "/api/runs?limit=100", None)));
    });
    let page = String::from_utf8(page).unwrap();
    let tag = page.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    group.bench_function("first page, nothing changed", |bencher| {
        bencher.iter(|| {
            let answer = get(address, "/api/runs?limit=100", Some(tag));
            assert!(answer.starts_with(b"HTTP/1.1 304"));
        });
    });
    let query = format!("/api/runs?limit=100&{QUERY}");
    group.bench_function("query", |bencher| bencher.iter(|| fine(&get(address, &query, None))));
    group.bench_function("sorted by a metric", |bencher| {
        bencher
            .iter(|| fine(&get(address, "/api/runs?limit=100&order=metrics.val_loss.min", None)));
    });
    group.bench_function("a query with a mistake", |bencher| {
        bencher.iter(|| {
            let answer = get(address, "/api/runs?query=metrics.val_lsos.min+%3C+1", None);
            assert!(answer.starts_with(b"HTTP/1.1 400"));
        });
    });
    let id = page.split("\"id\":\"").nth(1).unwrap()[..22].to_owned();
    group.bench_function("one run", |bencher| {
        bencher.iter(|| fine(&get(address, &format!("/api/run/{id}"), None)));
    });
    group.bench_function("one curve", |bencher| {
        bencher.iter(|| fine(&get(address, &format!("/api/run/{id}/metrics?name=loss"), None)));
    });
    group.finish();
}

fn a_long_run(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = store.start_run(RunStart::default()).unwrap();
    let mut noise = 1_u32;
    for step in 0..POINTS {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let loss = 2.3 / (1.0 + step as f32 / 1e4) + noise as f32 / u32::MAX as f32 * 0.1;
        run.log(step, &[Metric::new("loss", f64::from(loss))]);
    }
    run.flush().unwrap();
    let address = serve(folder.path());
    let id = run.id().to_string();
    let curve = format!("/api/run/{id}/metrics?name=loss&points=2000");
    let mut group = c.benchmark_group("board of a million points");
    group.sample_size(20);
    group.bench_function("its curve", |bencher| bencher.iter(|| fine(&get(address, &curve, None))));
    let answer = String::from_utf8(get(address, &curve, None)).unwrap();
    let tag = answer.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    group.bench_function("its curve, nothing changed", |bencher| {
        bencher.iter(|| assert!(get(address, &curve, Some(tag)).starts_with(b"HTTP/1.1 304")));
    });
    group.bench_function("its page of a board just started", |bencher| {
        let page = format!("/api/run/{id}");
        bencher
            .iter_with_setup(|| serve(folder.path()), |address| fine(&get(address, &page, None)));
    });
    group.bench_function("its page", |bencher| {
        bencher.iter(|| fine(&get(address, &format!("/api/run/{id}"), None)));
    });
    group.finish();
    run.finish(RunEnd::new(EndState::Finished, POINTS, 1)).unwrap();
}

/// A run of 100,000 steps and eight metrics that goes on.
fn eight_metrics(store: &Store, seed: u32) -> RunWriter {
    let run = store.start_run(RunStart { seed: seed.into(), ..RunStart::default() }).unwrap();
    let mut noise = seed;
    for step in 0..100_000 {
        let metrics = METRICS.map(|name| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Metric::new(name, f64::from(noise as f32 / u32::MAX as f32))
        });
        run.log(step, &metrics);
        if step % 5_000 == 0 {
            run.flush().unwrap();
        }
    }
    run.flush().unwrap();
    run
}

const METRICS: [&str; 8] = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7"];

fn several_metrics(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let [run, other] = [1, 2].map(|seed| eight_metrics(&store, seed));
    let address = serve(folder.path());
    let page = format!("/api/run/{}", run.id());
    let curves = format!("{page}/metrics?points=500&name={}", METRICS.join("&name="));
    let mut group = c.benchmark_group("board of 100,000 steps of eight metrics");
    group.sample_size(20);
    group.bench_function("all curves", |bencher| {
        bencher.iter(|| fine(&get(address, &curves, None)))
    });
    // A diff is looked at every two seconds.
    let diff = format!("/api/diff/{}/{}", run.id(), other.id());
    let answer = String::from_utf8(get(address, &diff, None)).unwrap();
    let tag = answer.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
    group.bench_function("a diff, nothing changed", |bencher| {
        bencher.iter(|| assert!(get(address, &diff, Some(tag)).starts_with(b"HTTP/1.1 304")));
    });
    let happens = || {
        run.event(RunEvent::Note { text: "something".into() });
        run.flush().unwrap();
    };
    group.bench_function("a diff after an event", |bencher| {
        bencher.iter_with_setup(happens, |()| fine(&get(address, &diff, None)));
    });
    group.bench_function("a page after an event", |bencher| {
        bencher.iter_with_setup(happens, |()| fine(&get(address, &page, None)));
    });
    group.finish();
}

criterion_group!(benches, runs, a_long_run, several_metrics);
criterion_main!(benches);
