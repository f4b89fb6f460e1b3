use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;
use crate::query::fixture::{points, runs};
use crate::query::parse;
use crate::summary::Aggregate;

/// The first letters of the names of the runs that a query selects on 5 January at midnight.
fn ask(text: &str) -> Result<String, QueryError> {
    let now = "2026-01-05T00:00:00Z".parse().unwrap();
    let selected = select_at(now, text, &parse(text)?, &runs(), &points)?;
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
        ("metrics.val_loss.count = 3", "d"),
        ("metrics.val_loss.nan_count = 2", "d"),
        ("metrics.val_loss.argmin = 2", "ca"),
        ("metrics.val_loss.argmax == 1", "da"),
        ("metrics.`val.odd name`.min < 0.2", "c"),
        ("metrics.val.odd.min < 0.2", "error"),
        ("metrics.\"val.odd name\".min < 0.2", "c"),
        ("metrics.\"val_loss\" < 0.3 and tags.\"kind\" = \"cnn-2\"", "c"),
        // At a step: the newest before it, whatever the order of logging; of several the last.
        ("metrics.val_loss.at(1) > 0", "da"),
        ("metrics.val_loss.at(1) is null", "cb"),
        ("metrics.val_loss.at(2) = 0.25", "c"),
        ("metrics.val_loss.at(19) = 0.3", "c"),
        ("metrics.val_loss.at(20) = 0.2", "c"),
        ("metrics.val_loss.at(18446744073709551615) in (0.15, 0.4)", "ca"),
        ("metrics.val_loss.at(0) is not null", ""),
        ("not metrics.val_loss.at(2) > 0.3", "c"),
        ("metrics.val_loss.at(2) is not null", "dca"),
        ("metrics.`val.odd name`.at(2) = 0.4", "a"),
        // Any point.
        ("any(metrics.val_loss > 0.3)", "da"),
        ("any(metrics.val_loss >= 0.3)", "dca"),
        ("any(metrics.val_loss < 0.1)", ""),
        ("any(metrics.val_loss <= 0.1)", "c"),
        ("any(metrics.val_loss != 3)", "ca"),
        ("any(metrics.val_loss = 0.25)", "c"),
        ("any(metrics.val_loss = 0.3)", "c"),
        ("any(metrics.val_loss = 0.26)", ""),
        ("any(metrics.val_loss between 0.24 and 0.26)", "c"),
        ("any(metrics.val_loss between 0.26 and 0.24)", "error"),
        ("any(metrics.val_loss between 0.16 and 0.19)", ""),
        ("any(metrics.val_loss between 0.45 and inf)", "da"),
        ("any(metrics.val_loss not between 0.1 and 0.5)", "d"),
        ("any(metrics.val_loss in (0.15, 0.26))", "c"),
        ("any(metrics.val_loss in (0.16, 0.26))", ""),
        ("any(metrics.val_loss not in (0.1, 0.2, 0.3, 0.4, 0.5, 3))", "c"),
        ("any(metrics.val_loss not in (0.1, 0.15, 0.2, 0.25, 0.3, 3))", "a"),
        ("not any(metrics.val_loss > 0.3)", "c"),
        ("not any(metrics.val_loss = 0.25)", "da"),
        ("any(metrics.val_loss > 0.3) or state = 'failed'", "dba"),
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
        (r"tags.kind like '\_nn'", ""),
        (r"tags.kind like 'cnn\%'", ""),
        (r"tags.kind not like '\\%'", "dca"),
        ("tags.kind contains 'nn-'", "c"),
        ("tags.kind not contains 'nn-'", "da"),
        ("model contains '64' and name = 'a'", "a"),
        ("id like '20260104%'", "d"),
        ("tags.kind ilike 'CNN%'", "ca"),
        ("tags.kind not ilike 'CNN%'", "d"),
        ("damage is not null", "d"),
        ("damage contains 'cut'", "d"),
        // Times.
        ("started_at < '2026-01-02'", "a"),
        ("started > '2026-01-02'", "dc"),
        ("started >= '2026-01-02 00:00'", "dcb"),
        ("started <= '2026-01-02T02:00:00+02:00'", "ba"),
        ("started between '2026-01-02' and '2026-01-03'", "cb"),
        ("started > now", ""),
        ("started < NOW", "dcba"),
        ("started > now - 2d", "d"),
        ("started >= now-48h", "dc"),
        ("started not between now - 2d and now - 1d", "ba"),
        ("started is null", ""),
        // Other spellings.
        ("attributes.status = 'finished' AND metric.val_loss < 1", "ca"),
        ("attribute.Seed == 7", "dcb"),
        ("Params.opt LIKE 'ada%'", "c"),
        ("damage is undefined and name is not undefined", "cba"),
        ("warnings > 0", "d"),
        ("seconds < inf", "cba"),
        ("seconds > -inf", "cba"),
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
        ("order by metrics.val_loss.at(2)", "cadb"),
        ("order by metrics.val_loss.at(1) desc", "dacb"),
        ("order by started", "abcd"),
        ("order by started desc limit 3", "dcb"),
        ("order by seed, metrics.val_loss limit 2", "cd"),
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
        (
            "metrics.val_los < 1",
            "val_los",
            "no run has a metric `val_los`; the nearest is `val_loss`",
        ),
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
        (
            "tags.kind like 3",
            "3",
            "`tags.kind` is text, and this is a number; a number in quotes is text",
        ),
        ("params.lr ilike 'x'", "'x'", "`params.lr` is a number, and this is a text"),
        (
            "attributes.stat = 'x'",
            "attributes.stat",
            "unknown field `attributes.stat`; the nearest is `state`",
        ),
        ("attributes = 'x'", "attributes", "unknown field"),
        ("warning > 0", "warning", "the nearest is `warnings`"),
        // Points and steps.
        (
            "metrics.val_los.min < 1",
            "val_los",
            "no run has a metric `val_los`; the nearest is `val_loss`",
        ),
        ("metrics.val_los.at(3) < 1", "val_los", "the nearest is `val_loss`"),
        ("metrics.val_loss.at < 1", "at", "`at` needs a step, as in `metrics.loss.at(100)`"),
        (
            "metrics.val_loss.at(-1) < 1",
            "-1",
            "a step is a whole number from 0 to 18446744073709551615, and this is -1",
        ),
        ("metrics.val_loss.at(1.5) < 1", "1.5", "a whole number"),
        ("metrics.val_loss.at('1') < 1", "'1'", "a whole number"),
        ("metrics.val_loss.at(now - 1d) < 1", "now - 1d", "and this is now - 1d"),
        ("metrics.val_loss.at(18446744073709551616) < 1", "18446744073709551616", "a whole number"),
        ("metrics.val_loss.min.at(1) < 1", "min", "leave `.min` away"),
        ("params.lr.at(1) < 1", "params.lr.at(1)", "only a metric has values at steps"),
        ("metrics.at(1) < 1", "metrics.at(1)", "needs a name"),
        (
            "metrics.val_loss.at(1) = 'x'",
            "'x'",
            "`metrics.val_loss` is a number, and this is a text",
        ),
        ("any(metrics.val_los > 1)", "val_los", "the nearest is `val_loss`"),
        ("any(metrics.val_loss.min > 1)", "min", "`any` looks at every point; leave `.min` away"),
        ("any(metrics.val_loss.last > 1)", "last", "leave `.last` away"),
        ("any(metrics.val_loss.mim > 1)", "mim", "unknown statistic `mim`"),
        ("any(metrics.val_loss.at(2) > 1)", "metrics.val_loss.at(2)", "all points of a metric"),
        (
            "any(params.lr > 1)",
            "params.lr",
            "all points of a metric, as in `any(metrics.loss > 10)`",
        ),
        ("any(seed > 1)", "seed", "all points of a metric"),
        ("any(sed > 1)", "sed", "the nearest is `seed`"),
        ("any(metrics.val_loss is null)", "metrics.val_loss", "a point is never null"),
        ("any(metrics.val_loss like 'x')", "'x'", "this is a text"),
        ("any(metrics.val_loss = true)", "true", "this is true or false"),
        ("any = 1", "any", "unknown field"),
        // Times.
        ("started_at = '2026-01-01'", "'2026-01-01'", "use `<`, `>` or `between`"),
        ("started != now", "now", "use `<`, `>` or `between`"),
        ("started in ('2026-01-01', now)", "'2026-01-01'", "use `<`, `>` or `between`"),
        (
            "started > '2026-13-01'",
            "'2026-13-01'",
            "'2026-13-01' is not a date; dates look like '2026-11-25', ",
        ),
        ("started between '2026-01-01' and 'x'", "'x'", "'x' is not a date"),
        (
            "started > 1767225600",
            "1767225600",
            "`started` is a time, and this is a number; a date in quotes is a time",
        ),
        ("started like '2026%'", "'2026%'", "`started` is a time, and this is a text"),
        ("started > true", "true", "this is true or false"),
        ("started > now - 999999w", "now - 999999w", "does not go back that far"),
        ("seed > now", "now", "`seed` is a number, and this is a time"),
        ("tags.kind > now - 1d", "now - 1d", "`tags.kind` is text, and this is a time"),
        ("params.nesterov < true", "true", "no order"),
        ("state = 'finishd'", "'finishd'", "unknown state 'finishd'; the nearest is 'finished'"),
        ("state in ('running', 'done')", "'done'", "unknown state"),
        ("state != 'FINISHED'", "'FINISHED'", "the nearest is 'finished'"),
        (
            "state like 'finishd%'",
            "'finishd%'",
            "no state is like this; there are running, finished, stopped, ",
        ),
        ("not state contains 'X'", "'X'", "no state is like this"),
        // Bounds the wrong way round.
        ("seed between 2 and 1", "2 and 1", "the lower bound comes first: between 1 and 2"),
        ("seed not between 2 and 1.5", "2 and 1.5", "between 1.5 and 2"),
        ("any(metrics.val_loss between 0.26 and -inf)", "0.26 and -inf", "between -inf and 0.26"),
        ("metrics.val_loss.at(2) between 1 and 0", "1 and 0", "between 0 and 1"),
        ("tags.kind between 'b' and 'a'", "'b' and 'a'", "between 'a' and 'b'"),
        ("started between now and now - 2d", "now and now - 2d", "between now - 2d and now"),
        (
            "started between '2026-01-02' and '2026-01-01'",
            "'2026-01-02' and '2026-01-01'",
            "between '2026-01-01' and '2026-01-02'",
        ),
        ("params.opt between 1 and 'x'", "1 and 'x'", "one bound is a number and the other a text"),
        // Backslashes.
        (r"name like '100\'", r"'100\'", r"a backslash itself is written twice: '100\\'"),
        (r"tags.kind ilike 'it''s\d'", r"'it''s\d'", r"written twice: 'it''s\\d'"),
        // A name that needs quotes is shown with them.
        ("any(`val.odd name` < 1)", "`val.odd name`", "the nearest is `metrics.`val.odd name``"),
    ];
    for (text, place, message) in table {
        let error = ask(text).expect_err(text);
        assert!(error.message().contains(message), "{text}: {}", error.message());
        assert_eq!(&text[error.span()], place, "{text}: {error}");
    }
    let text = "metrics.loss < 1";
    let error = select(text, &parse(text).unwrap(), &[], &points).unwrap_err();
    assert!(error.message().contains("no run of this store has any metric"), "{error}");
}

/// What is read for a query, as (first letter of the run, metric).
fn reads(text: &str) -> Vec<(String, String)> {
    let reads = RefCell::new(Vec::new());
    let histories = |run: &RunSummary, metric: &str| {
        reads.borrow_mut().push((run.name.as_ref().unwrap()[..1].to_owned(), metric.to_owned()));
        points(run, metric)
    };
    select(text, &parse(text).unwrap(), &runs(), &histories).unwrap();
    reads.into_inner()
}

#[test]
fn points_are_read_only_where_the_summary_does_not_tell_and_once() {
    for (text, expected) in [
        ("any(metrics.val_loss < 0.2) or any(metrics.val_loss >= 9)", ""),
        ("any(metrics.val_loss != 0.3) and not any(metrics.val_loss > 0.3)", ""),
        ("any(metrics.val_loss not between 0.1 and 0.5)", ""),
        // Outside of what there is, or at one of its ends.
        (
            "any(metrics.val_loss = 0.1) or any(metrics.val_loss = 0.3) or any(metrics.val_loss = 7)",
            "",
        ),
        ("any(metrics.val_loss between 0.25 and 0.6)", ""),
        ("any(metrics.val_loss between 0.6 and 2)", ""),
        ("any(metrics.val_loss in (0.05, 0.7))", ""),
        // Within it.
        ("any(metrics.val_loss = 0.25)", "c"),
        ("any(metrics.val_loss between 0.24 and 0.26)", "c"),
        ("any(metrics.val_loss in (0.05, 0.26))", "c"),
        ("any(metrics.val_loss not in (0.1, 0.2, 0.3, 0.4, 0.5, 3))", "c"),
        // The summary decides first, wherever the other condition stands.
        ("any(metrics.val_loss = 0.25) and name = 'a'", ""),
        ("any(metrics.val_loss = 0.25) or name = 'ccc'", ""),
        ("metrics.val_loss.at(2) > 0 and state = 'finished'", "ca"),
        // Once, and only of runs that have the metric and are selected.
        (
            "metrics.val_loss.at(2) > 0 and any(metrics.val_loss = 0.21) or metrics.val_loss.at(3) > 9",
            "dca",
        ),
        (
            "metrics.val_loss.at(2) > 0 order by metrics.val_loss.at(3), metrics.val_loss.at(4) desc",
            "dca",
        ),
        ("name = 'ccc' order by metrics.val_loss.at(3)", "c"),
        ("metrics.val_loss.at(0) is null limit 2", "dc"),
    ] {
        let reads = reads(text);
        let runs: String = reads.iter().map(|(run, _)| run.as_str()).collect();
        assert_eq!(runs, expected, "{text}");
    }
    let two = reads(
        "metrics.val_loss.at(3) > 9 or metrics.`val.odd name`.at(2) > 9 or metrics.val_loss.at(2) > 9",
    );
    assert_eq!(two.len(), 6, "{two:?}");
    assert_eq!(two.iter().collect::<BTreeSet<_>>().len(), 6, "{two:?}");
}

/// Whatever the summary is taken to tell, the points say the same.
#[test]
fn pruning_changes_no_answer() {
    let nan = f64::NAN;
    let values = [0.0, 1.0, 2.0, 3.0, nan];
    let literals = ["0", "0.5", "1", "1.5", "2", "2.5", "3", "inf"];
    let mut checks = Vec::new();
    for a in literals {
        checks.extend(["=", "!=", "<", "<=", ">", ">="].map(|operator| format!("{operator} {a}")));
        for b in literals {
            // The upper bound first is refused.
            if a.parse::<f64>().unwrap() <= b.parse().unwrap() {
                checks.extend(["between", "not between"].map(|word| format!("{word} {a} and {b}")));
            }
            checks.extend(["in", "not in"].map(|word| format!("{word} ({a}, {b})")));
        }
    }
    let mut asked = 0;
    for length in 1..=4 {
        for mut code in 0..values.len().pow(length) {
            let mut series = Vec::new();
            for step in 1..=u64::from(length) {
                series.push((step, values[code % values.len()]));
                code /= values.len();
            }
            let mut run = (*runs()[3]).clone();
            run.metrics = [("x".into(), Aggregate::of(&series).unwrap())].into();
            let run = Arc::new(run);
            for check in checks.iter().skip(asked % 7).step_by(7) {
                let text = format!("any(metrics.x {check})");
                let found = select(
                    &text,
                    &parse(&text).unwrap(),
                    &[Arc::clone(&run)],
                    &|_: &RunSummary, _: &str| series.clone(),
                );
                // Each point as a run of its own, whose last value is the point.
                let each = series.iter().filter(|(_, value)| !value.is_nan()).map(|point| {
                    let mut run = (*run).clone();
                    run.metrics = [("x".into(), Aggregate::of(&[*point]).unwrap())].into();
                    Arc::new(run)
                });
                let each: Vec<_> = each.collect();
                let text = format!("metrics.x {check}");
                let expected = !each.is_empty()
                    && !select(&text, &parse(&text).unwrap(), &each, &points).unwrap().is_empty();
                assert_eq!(!found.unwrap().is_empty(), expected, "{check} of {series:?}");
                asked += 1;
            }
            asked += 1;
        }
    }
    assert!(asked > 10_000, "{asked}");
}
