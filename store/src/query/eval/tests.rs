use super::*;
use crate::event::MetricName;
use crate::query::parse;
use crate::summary::{Aggregate, RunState};
use crate::value::Value;

/// Four runs, newest first. `d` diverged, `c` has no learning rate, `b` none of the metrics.
fn runs() -> Vec<RunSummary> {
    let run = |name: &str, state: RunState, params: &[(&str, Value)], tags: &[(&str, &str)], loss: &[f64]| RunSummary {
        id: format!("2026010{}-000000-00000{}", name.len(), name.len()).parse().unwrap(),
        name: Some(name.to_owned()),
        state,
        started_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        seconds: (name != "dddd").then_some(name.len() as f64),
        seed: if name == "a" { u64::MAX } else { 7 },
        model: "mlp 64-128".into(),
        params: params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        tags: tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        metrics: Aggregate::of(&loss.iter().enumerate().map(|(at, loss)| (at as u64 + 1, *loss)).collect::<Vec<_>>())
            .map(|aggregate| {
                [(MetricName::from("val_loss"), aggregate.clone()), ("val.odd name".into(), aggregate)].into()
            })
            .unwrap_or_default(),
        steps: 10 * name.len() as u64,
        epochs: 2,
        warnings: 0,
        damage: None,
    };
    let nan = f64::NAN;
    vec![
        run(
            "dddd",
            RunState::Crashed,
            &[("lr", 1.into()), ("opt", "sgd".into())],
            &[("kind", "rnn")],
            &[3.0, nan, nan],
        ),
        run(
            "ccc",
            RunState::Finished,
            &[("opt", "adamw".into()), ("nesterov", true.into())],
            &[("kind", "cnn-2")],
            &[0.3, 0.1, 0.2],
        ),
        run("bb", RunState::Failed { error: "x".into() }, &[("lr", 1e-3.into()), ("opt", 3.into())], &[], &[]),
        run(
            "a",
            RunState::Finished,
            &[("lr", 1e-4.into()), ("nesterov", false.into())],
            &[("kind", "cnn")],
            &[0.5, 0.4],
        ),
    ]
}

fn ask(text: &str) -> Result<String, QueryError> {
    let selected = select(text, &parse(text)?, runs().into_iter().map(Arc::new).collect())?;
    Ok(selected.iter().map(|run| &run.name.as_ref().unwrap()[..1]).collect())
}

#[test]
fn conditions_select_as_sql_does() {
    let table = [
        // Comparisons and statistics; the default is the last value.
        ("metrics.val_loss < 0.3", "c"),
        ("metrics.val_loss.last <= 0.2", "c"),
        ("metrics.val_loss.first > 0.3", "da"),
        ("metric.val_loss.min <= 0.4", "ca"),
        ("metrics.val_loss.max >= 0.5", "da"),
        ("metrics.val_loss.mean between 0.199 and 0.201", "c"),
        ("metrics.val_loss.count = 3", "dc"),
        ("metrics.val_loss.nan_count = 2", "d"),
        ("metrics.val_loss.argmin = 2", "ca"),
        ("metrics.val_loss.argmax == 1", "dca"),
        ("metrics.`val.odd name`.min < 0.2", "c"),
        // NaN compares as unknown and is not null.
        ("metrics.val_loss.last > 0", "ca"),
        ("not metrics.val_loss.last > 0", ""),
        ("metrics.val_loss.last != 0.2", "a"),
        ("metrics.val_loss is null", "b"),
        ("metrics.val_loss is not null", "dca"),
        // Null: unknown, and so is its negation.
        ("params.lr > 1e-4", "db"),
        ("not params.lr > 1e-4", "a"),
        ("params.lr is null", "c"),
        ("params.lr > 0.5 or params.lr is null", "dc"),
        ("params.lr > 0 or steps > 0", "dcba"),
        ("params.lr > 0 and steps > 0", "dba"),
        ("not (params.lr > 0 and steps < 0)", "dcba"),
        // Types.
        ("param.lr = 1.0", "d"),
        ("params.lr in (1, 0.001)", "db"),
        ("params.lr not in (1, 0.001)", "a"),
        ("params.lr not between 1e-4 and 1e-3", "d"),
        ("params.opt = 'sgd'", "d"),
        ("params.opt != 'sgd'", "c"),
        ("params.opt = 3", "b"),
        ("params.opt in (3, 'sgd')", "db"),
        ("params.nesterov = true", "c"),
        ("params.nesterov != true", "a"),
        ("seed = 18446744073709551615", "a"),
        ("seed < 18446744073709551615", "dcb"),
        // Text.
        ("tags.kind like 'cnn%'", "ca"),
        ("tag.kind not like 'cnn%'", "d"),
        ("tags.kind like 'CNN%'", ""),
        ("tags.kind like '_nn'", "da"),
        ("tags.kind contains 'nn-'", "c"),
        ("tags.kind not contains 'nn-'", "da"),
        ("model contains '64' and name = 'a'", "a"),
        ("id like '20260104%'", "d"),
        ("state = 'finished'", "ca"),
        ("STATUS in ('failed', 'crashed')", "db"),
        ("seconds is null", "d"),
        ("seconds < 2.5 AND epochs = 2", "ba"),
        ("name = 'a' or name = 'bb' and steps > 1000", "a"),
        ("(name = 'a' or name = 'bb') and steps > 15", "b"),
    ];
    for (text, expected) in table {
        match ask(text) {
            Ok(found) => assert_eq!(found, expected, "{text}"),
            Err(error) => assert_eq!(expected, "error", "{text}: {error}"),
        }
    }
}

#[test]
fn the_order_puts_missing_values_last() {
    let table = [
        ("order by name", "abcd"),
        ("order by id desc", "dcba"),
        ("order by metrics.val_loss", "cadb"),
        ("order by metrics.val_loss desc", "acdb"),
        ("order by metrics.val_loss.min desc", "dacb"),
        ("order by params.lr", "abdc"),
        ("order by params.lr desc limit 2", "db"),
        ("order by epochs", "dcba"),
        ("order by state, steps desc", "dbca"),
        ("order by epochs, steps", "abcd"),
        ("limit 1", "d"),
        ("limit 0", ""),
        ("state = 'finished' order by metrics.val_loss.min limit 1", "c"),
    ];
    for (text, expected) in table {
        assert_eq!(ask(text).expect(text), expected, "{text}");
    }
}

#[test]
fn mistakes_name_the_place_and_the_nearest_name() {
    let table = [
        ("metrics.val_los < 1", "val_los", "no run has a metric `val_los`; the nearest is `val_loss`"),
        ("metrics.val_loss.mim < 1", "mim", "unknown statistic `mim`; the nearest is `min`"),
        ("steps > 0 or params.ir > 1", "ir", "no run has a parameter `ir`; the nearest is `lr`"),
        ("order by tags.knd", "knd", "no run has a tag `knd`; the nearest is `kind`"),
        ("val_loss < 1", "val_loss", "the nearest is `metrics.val_loss`"),
        ("metrcs.val_loss < 1", "metrcs.val_loss", "the nearest is `metrics.val_loss`"),
        ("sed = 1", "sed", "the nearest is `seed`"),
        ("metrics < 1", "metrics", "needs a name"),
        ("seed.min < 1", "seed.min", "unknown field"),
        ("`seed` < 1", "`seed`", "unknown field"),
        ("params.lr = 'x'", "'x'", "`params.lr` is a number, and this is a text"),
        ("params.lr between 1 and 'x'", "'x'", "this is a text"),
        ("params.lr between 'x' and 1", "'x'", "this is a text"),
        ("params.lr in (1, true)", "true", "this is true or false"),
        ("tags.kind = 3", "3", "`tags.kind` is text, and this is a number"),
        ("params.opt = true", "true", "a number or text"),
        ("metrics.val_loss like 'x'", "'x'", "this is a text"),
        ("params.opt like 3", "3", "need a text"),
        ("params.nesterov < true", "true", "no order"),
        ("state = 'finishd'", "'finishd'", "unknown state 'finishd'; the nearest is 'finished'"),
        ("state in ('running', 'done')", "'done'", "unknown state"),
    ];
    for (text, place, message) in table {
        let error = ask(text).expect_err(text);
        assert!(error.message().contains(message), "{text}: {}", error.message());
        assert_eq!(&text[error.span()], place, "{text}: {error}");
    }
    let text = "metrics.loss < 1";
    let error = select(text, &parse(text).unwrap(), Vec::new()).unwrap_err();
    assert!(error.message().contains("no run of this store has any metric"), "{error}");
}

#[test]
fn like_backtracks() {
    for (text, pattern, fits) in [
        ("", "", true),
        ("", "%", true),
        ("a", "", false),
        ("abcabd", "%abd", true),
        ("abcabc", "%abd", false),
        ("aXbXc", "a%b%c", true),
        ("äö", "__", true),
        ("ab", "a%%b", true),
        ("ab", "_", false),
        ("a%b", "a%b", true),
    ] {
        assert_eq!(like(text, pattern), fits, "{text:?} like {pattern:?}");
    }
    // Takes for ever where every `%` is retried.
    assert!(!like(&"a".repeat(5000), &format!("{}b", "%a".repeat(50))));
}
