//! What the digits' network costs to export and to check:
//! `cargo bench -p trainbook --bench export`. `book/src/figures.md` says what is asked of it.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on should say where")]
#![allow(missing_docs, reason = "criterion makes functions of its own")]

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use trainbook::onnx::{self, Verifier};
use trainbook::prelude::*;

type Mlp = (Linear<64, 128>, ReLU, Linear<128, 64>, ReLU, Linear<64, 10>);

fn export(c: &mut Criterion) {
    let digits = Path::new(env!("CARGO_MANIFEST_DIR")).join("../notebooks/data/digits.csv.gz");
    let digits = Dataset::csv(digits).unwrap().target(Column::last()).unwrap();
    let digits = digits.normalize(Normalize::divide_by(16.0)).unwrap();
    let digits = digits.split(Split::stratified(0.8, 0.1, 0.1), Seed(1)).unwrap();
    let run = Trainer::classifier::<Mlp>(&digits)
        .seed(1)
        .quiet()
        .build()
        .unwrap()
        .fit(Epochs(1))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, whole) = (folder.path().join("digits.onnx"), folder.path().join("digits"));
    let verifier = Verifier::default();
    let mut group = c.benchmark_group("export");
    group.sample_size(20);
    group.bench_function("the digits' network, with its full check", |bencher| {
        bencher.iter(|| run.export(&file).unwrap());
    });
    group.bench_function("the same as a folder with softmax and class", |bencher| {
        bencher.iter(|| run.export_with(&whole, Export::new().softmax().class().folder()).unwrap());
    });
    group.bench_function("check of the file", |bencher| {
        bencher.iter(|| onnx::check(&file, &verifier).unwrap())
    });
    group.finish();
}

criterion_group!(benches, export);
criterion_main!(benches);
