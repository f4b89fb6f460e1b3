//! What cannot work is refused before the first step, in one line that says what is wrong and what
//! would be right.

use trainbook::data::Targets;
use trainbook::prelude::*;
use trainbook::trainer::TrainerBuilder;

use crate::support::{builder, clouds};

fn refused(builder: TrainerBuilder) -> String {
    let message = builder.build().map(|_| ()).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

/// As `clouds`, with a value for each row.
fn values() -> Dataset {
    let data = clouds();
    let rows: Vec<usize> = (0..data.len()).collect();
    let features = data.raw(&rows).unwrap().floats().to_vec();
    let values = features.chunks(4).map(|row| row[0]).collect();
    Dataset::from_rows("values", 4, features, Targets::Values(values)).unwrap()
}

#[test]
fn networks_that_do_not_fit_the_data() {
    type Narrow = (Linear<5, 8>, ReLU, Linear<8, 3>);
    type FourClasses = (Linear<4, 8>, ReLU, Linear<8, 4>);
    type OneValue = (Linear<4, 8>, ReLU, Linear<8, 1>);
    let (classes, values) = (clouds(), values());
    let classifier =
        |message: &str, builder: TrainerBuilder| assert_eq!(refused(builder.quiet()), message);
    classifier(
        "fit Linear (layer 0) to samples of shape [4]: it takes 5 features",
        Trainer::classifier(&classes, Network::of::<Narrow>()),
    );
    classifier(
        "train on the data: the network has 4 outputs, and the data have 3 classes",
        Trainer::classifier(&classes, Network::of::<FourClasses>()),
    );
    classifier(
        "train on the data: CrossEntropy needs classes; `.target(…)` makes a column the class",
        Trainer::classifier(&values, Network::of::<FourClasses>()),
    );
    classifier(
        "train on the data: MeanSquaredError needs values; `.target_values(…)` makes a column the value, or several",
        Trainer::regressor(&classes, Network::of::<OneValue>()),
    );
    classifier(
        "train on the data: the network has 4 outputs, and a row has one value",
        Trainer::regressor(&values, Network::of::<FourClasses>()),
    );
    assert!(Trainer::regressor(&values, Network::of::<OneValue>()).quiet().build().is_ok());
}

#[test]
fn settings_that_make_no_sense() {
    let data = clouds();
    let new = || builder(&data, 1);
    assert_eq!(refused(new().batch_size(0)), "set batch_size to 0: it must be at least 1");
    for (rate, shown) in [(0.0, "0"), (-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let expected = format!("set learning_rate to {shown}: it must be a positive number");
        assert_eq!(refused(new().learning_rate(rate)), expected);
    }
    assert_eq!(
        refused(new().with(LrSchedule::cosine(-1.0))),
        "set up LrSchedule: max_lr is -1, and must be a finite number above 0"
    );
    assert_eq!(
        refused(new().with(EarlyStopping::on("val_loss").min_delta(f64::NAN))),
        "set up EarlyStopping: min_delta is NaN, and must be a finite number, at least 0"
    );
}

#[test]
fn callbacks_that_contradict_each_other_or_the_trainer() {
    let data = clouds();
    let new = || builder(&data, 1);
    assert_eq!(
        refused(new().with(LrSchedule::constant(0.1)).with(LrSchedule::cosine(0.1))),
        "plan the callbacks: LrSchedule and LrSchedule both write the learning rate; keep one of them"
    );
    assert_eq!(
        refused(new().with(FixSeed::new(2))),
        "plan the callbacks: FixSeed and FixSeed both write the seed; keep one of them"
    );
    assert_eq!(
        refused(new().with(EarlyStopping::on("vall_loss"))),
        r#"plan the callbacks: EarlyStopping monitors "vall_loss", which nothing produces; did you mean "val_loss"?"#
    );
    assert_eq!(
        refused(new().with(Checkpoint::last())),
        "plan the callbacks: Checkpoint needs a run store; add `.store(&store)`"
    );
    // without a validation part there is no loss on it
    let unsplit = values();
    let regressor =
        Trainer::regressor(&unsplit, Network::of::<(Linear<4, 8>, ReLU, Linear<8, 1>)>())
            .seed(1)
            .quiet();
    assert_eq!(
        refused(regressor.with(EarlyStopping::on("val_loss"))),
        r#"plan the callbacks: EarlyStopping monitors "val_loss", which nothing produces; there are: train_loss; a callback that logs it has to say so: a closure by `.logs("val_loss")`, a struct by `.writes(Resource::metric("val_loss"))` in its `effects`"#
    );
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_this_program_cannot_use() {
    let message = refused(builder(&clouds(), 1).device(Device::cuda(0)));
    assert_eq!(
        message,
        "set device to cuda:0: it must be cpu, because this program was built without the feature `cuda`"
    );
}
