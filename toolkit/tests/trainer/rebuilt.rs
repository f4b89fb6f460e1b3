//! Stored runs made again from their record alone.

use std::path::Path;

use serde_json::{Value as Json, json};
use trainbook::callbacks::{Effects, Flow as Wish, Resource};
use trainbook::data::DataError;
use trainbook::nn::layer::{AnyLayer, Kinds};
use trainbook::prelude::*;
use trainbook::store::RunStart;
use trainbook::trainer::{RunRecipe, TrainerBuilder};

use crate::support::{Wave, clouds};

fn digits() -> Dataset {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../notebooks/data/digits.csv.gz");
    Dataset::csv(path)
        .unwrap()
        .target(Column::last())
        .unwrap()
        .normalize(Normalize::standard())
        .unwrap()
        .split(Split::stratified(0.2, 0.1, 0.7), Seed(3))
        .unwrap()
}

fn net() -> Sequential {
    let net = Sequential::new().conv2d(4, 3).relu().max_pool2d(2).flatten();
    net.linear(12).with(layer::BatchNorm::new()).relu().with(layer::Dropout::new(0.2)).linear(10)
}

fn bits(model: &dyn trainbook::task::Model) -> Vec<u32> {
    model.weights().0.iter().flatten().map(|w| w.to_bits()).collect()
}

#[test]
fn a_run_is_made_again_without_its_program() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = digits().image(1, 8, 8).unwrap();
    let mut trainer = Trainer::classifier(&data, net())
        .seed(5)
        .optimizer(AdamW { betas: [0.8, 0.95], eps: 1e-7, weight_decay: 0.03 })
        .learning_rate(2e-3)
        .batch_size(24)
        .quiet()
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    let expected = run.evaluate(Part::Test).unwrap();

    let stored = Store::open(folder.path()).unwrap().run(run.id().unwrap()).unwrap();
    let again = stored.load().unwrap();
    assert_eq!(bits(again.model()), bits(run.model()));
    assert_eq!(again.evaluate(Part::Test).unwrap(), expected);
    assert_eq!(again.history(), run.history());
    assert_eq!((again.seed(), again.epochs()), (run.seed(), run.epochs()));
    assert_eq!(again.graph().unwrap().sha256(), run.graph().unwrap().sha256());

    // From its record alone it trains to the same bits, and goes on as the trainer does.
    let mut fresh = stored.trainer().unwrap().quiet().build().unwrap();
    let repeated = fresh.fit(Epochs(2)).unwrap();
    assert_eq!(bits(repeated.model()), bits(run.model()));
    let on = trainer.fit(Epochs(1)).unwrap();
    assert_eq!(bits(fresh.fit(Epochs(1)).unwrap().model()), bits(on.model()));
}

#[test]
fn queries_know_what_a_network_comes_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    // A sweep over width and depth: twenty networks in one program.
    for width in [2, 3, 5, 8, 13] {
        for depth in 1..=4 {
            let net = (0..depth).fold(Sequential::new(), |net, _| net.linear(width).tanh());
            let mut trainer = Trainer::classifier(&clouds(), net.linear(3))
                .seed(1)
                .quiet()
                .store(&store)
                .build()
                .unwrap();
            trainer.fit(Steps(3)).unwrap();
        }
    }
    let count = |query: &str| store.query(query).unwrap().len();
    assert_eq!(count("model.layers = 9"), 5);
    assert_eq!(count("model.layers = 3 and model.parameters < 40"), 2);
    assert_eq!(count("model.parameters >= 0"), 20);
    let error = store.query("model.width > 3").err().unwrap().to_string();
    assert!(error.contains("unknown field `model.width`"), "{error}");
}

/// The recipe of a run with one setting changed.
fn changed(recipe: &RunRecipe, change: &dyn Fn(&mut Json)) -> RunRecipe {
    let mut json = serde_json::to_value(recipe).unwrap();
    change(&mut json);
    serde_json::from_value(json).unwrap()
}

/// A trainer that uses what there is to be recorded.
fn everything(data: &Dataset) -> TrainerBuilder {
    Trainer::classifier(data, net())
        .loss(CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() })
        .optimizer(AdamW::default())
        .parameter_groups([
            ParameterGroup::new("0").rate(0.5),
            ParameterGroup::new("*.bias").weight_decay(0.3),
        ])
        .accumulate(2)
        .mix(Mix::mixup(0.4))
        .with(LrSchedule::one_cycle(5e-3).warmup(3))
        .with(Clip::global_norm(0.5))
        .with(NanGuard::new())
        .with(every(2, vec![GradientMonitor::new()]))
        .with(WeightAverage::ema(0.9))
        .quiet()
}

#[test]
fn each_setting_of_the_record_decides_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = digits().image(1, 8, 8).unwrap().first_rows(300);
    let mut trainer = everything(&data).seed(5).store(&store).build().unwrap();
    let run = trainer.fit(Steps(12)).unwrap();
    let recipe = store.run(run.id().unwrap()).unwrap().recipe().unwrap();
    // As a program that has nothing but the record.
    let train = |recipe: RunRecipe| {
        let (data, length) = (recipe.data.make().unwrap(), recipe.length);
        let mut trainer = recipe.trainer(&data).quiet().store(&store).build().unwrap();
        bits(trainer.fit(length).unwrap().model())
    };
    assert_eq!(train(recipe.clone()), bits(run.model()));
    type Change = (&'static str, fn(&mut Json));
    let changes: [Change; 23] = [
        ("layer's option", |r| r["network"]["layers"][7]["p"] = 0.3.into()),
        ("layer's width", |r| r["network"]["layers"][4]["out_features"] = 13.into()),
        ("norm's momentum", |r| r["network"]["layers"][5]["momentum"] = 0.2.into()),
        ("seed", |r| r["seed"] = 6.into()),
        ("loss", |r| r["loss"]["label_smoothing"] = 0.2.into()),
        ("betas", |r| r["optimizer"]["betas"] = json!([0.9, 0.99])),
        ("eps", |r| r["optimizer"]["eps"] = 1e-4.into()),
        ("weight decay", |r| r["optimizer"]["weight_decay"] = 0.5.into()),
        ("group's tensors", |r| r["groups"][0]["tensors"] = "4".into()),
        ("group's rate", |r| r["groups"][0]["rate"] = 0.6.into()),
        ("group's decay", |r| r["groups"][1]["weight_decay"] = 0.6.into()),
        ("frozen group", |r| r["groups"][1]["frozen"] = true.into()),
        ("init", |r| r["init"] = "xavier_normal".into()),
        ("batch size", |r| r["batch_size"] = 31.into()),
        ("gathered batches", |r| r["accumulate"] = 3.into()),
        ("mix", |r| r["mix"]["alpha"] = 0.5.into()),
        ("length", |r| r["length"]["steps"] = 11.into()),
        ("normalisation", |r| r["data"]["normalize"] = json!({"divide_by": 16.0})),
        ("split's seed", |r| r["data"]["split"][1] = 4.into()),
        ("rows", |r| r["data"]["first_rows"] = 299.into()),
        ("schedule", |r| callback(r, "LrSchedule")["warmup"] = 2.into()),
        ("clipping", |r| callback(r, "Clip")["global_norm"] = 0.4.into()),
        ("average", |r| callback(r, "WeightAverage")["ema"] = 0.8.into()),
    ];
    for (what, change) in changes {
        let other = train(changed(&recipe, &change));
        assert_ne!(other, bits(run.model()), "{what} decides nothing, or is not read");
    }
}

/// The rate decides where no schedule does; so do the rest of the callbacks, by when they stop.
#[test]
fn a_rate_and_an_early_stop_of_the_record_decide_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = digits();
    let net = Sequential::new().linear(16).relu().linear(10);
    let mut trainer = Trainer::classifier(&data, net)
        .learning_rate(5e-2)
        .with(EarlyStopping::on("val_loss").patience(2).restore_best())
        .with(Checkpoint::best("val_loss"))
        .quiet()
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(60)).unwrap();
    assert!(run.epochs() < 60, "{run}");
    let stored = store.run(run.id().unwrap()).unwrap();
    let train = |recipe: RunRecipe| {
        let length = recipe.length;
        let run = recipe.trainer(&data).quiet().store(&store).build().unwrap().fit(length).unwrap();
        (run.epochs(), bits(run.model()))
    };
    let recipe = stored.recipe().unwrap();
    let first = (run.epochs(), bits(run.model()));
    assert_eq!(train(recipe.clone()), first);
    let changes: [fn(&mut Json); 4] = [
        |r| r["learning_rate"] = 4e-2.into(),
        |r| callback(r, "EarlyStopping")["patience"] = 3.into(),
        |r| callback(r, "EarlyStopping")["restore_best"] = false.into(),
        |r| {
            let stopping = callback(r, "EarlyStopping");
            (stopping["mode"], stopping["auto"]) = ("maximize".into(), false.into());
        },
    ];
    for (number, change) in changes.iter().enumerate() {
        assert_ne!(train(changed(&recipe, change)), first, "change {number}");
    }
    // A checkpoint lets the rebuilt trainer go on, whatever else the first one had.
    let mut on = recipe.clone().trainer(&data).quiet().store(&store).build().unwrap();
    on.load_checkpoint(&trainer.checkpoint().unwrap()).unwrap();
    assert_eq!(on.state_hash().unwrap(), trainer.state_hash().unwrap());
    // A fit that went on from another's end is repeated from there.
    let fitted = trainer.fit(Epochs(1)).unwrap();
    let second = store.run(fitted.id().unwrap()).unwrap();
    let (before, begins) = (recipe.begins.unwrap(), second.recipe().unwrap().begins.unwrap());
    assert!(before.updates == 0 && begins.updates > 0 && begins.state != before.state);
    let mut again = second.trainer().unwrap().quiet().store(&store).build().unwrap();
    assert_eq!(bits(again.fit(Epochs(1)).unwrap().model()), bits(fitted.model()));
    // Where that is not recorded, it says so.
    let mut old: Json = serde_json::from_str(second.recipe.as_ref().unwrap()).unwrap();
    assert!(old["begins"].as_object_mut().unwrap().remove("checkpoint").is_some());
    let start = RunStart {
        recipe: Some(old.to_string()),
        data: second.data.clone(),
        ..RunStart::default()
    };
    let old = store.start_run(start).unwrap().id().to_string();
    let error = store.run(&old).unwrap().trainer().err().unwrap().to_string();
    assert!(error.contains("its record does not say where that is kept"), "{error}");
}

#[test]
fn a_callback_that_only_its_program_has_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    struct StopAtThree;
    impl Callback for StopAtThree {
        fn effects(&self) -> Effects {
            Effects::default().writes(Resource::Stop)
        }
        fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
            let done = step.counters.updates_applied == 3;
            Ok(if done { Wish::stop("three") } else { Wish::Continue })
        }
    }
    let data = digits();
    let builder = Trainer::classifier(&data, Sequential::new().linear(10)).quiet().store(&store);
    let run = builder.with(StopAtThree).build().unwrap().fit(Epochs(1)).unwrap();
    let stored = store.run(run.id().unwrap()).unwrap();
    let error = stored.trainer().unwrap().quiet().build().err().unwrap().to_string();
    assert!(error.contains("the run had the callback StopAtThree"), "{error}");
    let mut again = stored.trainer().unwrap().with(StopAtThree).quiet().build().unwrap();
    assert_eq!(bits(again.fit(Epochs(1)).unwrap().model()), bits(run.model()));
}

/// The recorded callback of this name.
fn callback<'a>(recipe: &'a mut Json, name: &str) -> &'a mut Json {
    let callbacks = recipe["callbacks"].as_array_mut().unwrap();
    &mut callbacks.iter_mut().find(|c| c["name"] == name).unwrap()["recipe"]
}

#[test]
fn what_cannot_be_made_again_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let fit = |data: &Dataset, net: Sequential| {
        let mut trainer =
            Trainer::classifier(data, net).seed(1).quiet().store(&store).build().unwrap();
        let run = trainer.fit(Epochs(1)).unwrap();
        (store.run(run.id().unwrap()).unwrap(), run)
    };
    let (stored, run) = fit(&data, Sequential::new().linear(3));
    let error = stored.load().err().unwrap();
    assert!(matches!(&error, Error::Data(DataError::Refused { .. })), "{error}");
    assert!(error.to_string().contains("from a program's memory"), "{error}");
    let again = stored.load_on(&data, &Kinds::standard()).unwrap();
    assert_eq!(bits(again.model()), bits(run.model()));
    let other = data.clone().split(Split::stratified(0.7, 0.2, 0.1), Seed(2)).unwrap();
    let error = stored.load_on(&other, &Kinds::standard()).err().unwrap().to_string();
    assert!(error.contains("is not what run"), "{error}");
}

#[test]
fn a_layer_of_ones_own_trains_and_comes_back_where_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let net = Sequential::new().linear(6).with(Wave).linear(3);
    let mut trainer = Trainer::classifier(&data, net)
        .seed(1)
        .learning_rate(1e-2)
        .quiet()
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(20)).unwrap();
    let losses: Vec<f64> = run.history().iter().map(|row| row.metrics[0].value).collect();
    assert!(losses[19] < 0.7 * losses[0], "{losses:?}");
    let stored = store.run(run.id().unwrap()).unwrap();
    let again = stored.load_on(&data, &Kinds::standard().with::<Wave>()).unwrap();
    assert_eq!(bits(again.model()), bits(run.model()));
    let error = stored.load_on(&data, &Kinds::standard()).err().unwrap().to_string();
    assert!(error.contains("there is no layer `Wave` here"), "{error}");
    let error = run.graph().err().unwrap().to_string();
    assert!(error.contains("Wave 1") && error.contains("Layer::onnx"), "{error}");
    assert_eq!(AnyLayer::new(Wave).kind(), "Wave");
}
