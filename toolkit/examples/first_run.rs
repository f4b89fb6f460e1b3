//! A first run: digits, a network, a record of it, and an ONNX file that ONNX Runtime agrees with.

use trainbook::prelude::*;

fn main() -> Result<(), Error> {
    let store = Store::open(".trainbook")?;
    let digits =
        Dataset::csv(concat!(env!("CARGO_MANIFEST_DIR"), "/../notebooks/data/digits.csv.gz"))?
            .target(Column::last())?
            .normalize(Normalize::divide_by(16.0))?
            .split(Split::stratified(0.8, 0.1, 0.1), Seed(7))?;
    println!("{}", digits.check());

    let net = Sequential::new().linear(128).relu().linear(64).relu().linear(10);
    let mut trainer = Trainer::classifier(&digits, net)
        .seed(7)
        .optimizer(AdamW::default())
        .with(LrSchedule::one_cycle(3e-3))
        .with(every(10, GradientMonitor::new()))
        .with(Clip::global_norm(1.0))
        .with(EarlyStopping::on("val_loss").patience(5).restore_best())
        .with(on_step_end(|step| {
            Ok(if step.loss() > 10.0 { Flow::stop("diverged") } else { Flow::Continue })
        }))
        .store(&store)
        .build()?;
    println!("{}", trainer.find_lr()?); // the trainer is provably unchanged

    let run = trainer.fit(Epochs(30))?;
    println!("{}", run.evaluate(Part::Test)?);
    println!("{}", run.export("digits.onnx")?); // refused unless ONNX Runtime computes the same
    let found =
        store.query("metrics.val_accuracy.max > 0.95 order by metrics.val_loss.min limit 10")?;
    println!("{}", found.view().text);
    Ok(())
}
