//! What holds for any query.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select as one_of;
use proptest::test_runner::TestRunner;

use super::ast::{
    Check, Condition, Constant, Direction, Literal, Operator, Part, Path, Points, is_word,
};
use super::fixture::{points, runs};
use super::*;
use crate::summary::{Aggregate, RunSummary};

/// How many inputs the parser and the evaluation are given.
const CASES: u32 = 100_000;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

/// Parses the text and runs the query. Whether it could be run.
fn run(text: &str) -> Result<bool, TestCaseError> {
    let answer = parse(text).and_then(|query| select(text, &query, &runs(), &points));
    let Err(error) = answer else { return Ok(true) };
    // The place is one of characters of the text, the message one line, and the picture can be
    // drawn.
    prop_assert!(text.get(error.span()).is_some(), "{:?} in {text:?}", error.span());
    prop_assert!(
        !error.message().is_empty()
            && !error.message().contains(char::is_control)
            && !error.message().contains("expected ,"),
        "{error}"
    );
    prop_assert!(error.to_string().contains('^'));
    Ok(false)
}

/// Runs every text of a strategy. How many could be run.
fn run_all(texts: impl Strategy<Value = String>) -> u32 {
    let fine = std::cell::Cell::new(0);
    let result = TestRunner::new(cases(CASES)).run(&texts, |text| {
        fine.set(fine.get() + u32::from(run(&text)?));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    fine.get()
}

#[test]
fn any_bytes_give_an_answer() {
    // Almost none of them is a query.
    run_all(vec(any::<u8>(), 0..80).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
}

#[test]
fn any_words_of_the_language_give_an_answer() {
    let words = vec![
        "and",
        "or",
        "not",
        "(",
        ")",
        "any(",
        "seed",
        "started",
        "state",
        "metrics.val_loss",
        "metrics.val_loss.min",
        "metrics.val_loss.at(2)",
        ".at(",
        "metrics.`val.odd name`",
        "params.lr",
        "params.opt",
        "tags.kind",
        "params.`a b`",
        "attributes.name",
        "=",
        "!=",
        "<",
        "between",
        "in",
        "in (",
        "like",
        "ilike",
        "contains",
        "is",
        "null",
        "is null",
        "'x'",
        "'finished'",
        "'2026-01-02'",
        "now",
        "- 2d",
        "inf",
        "nan",
        "\"",
        "`",
        "'",
        "1e-4",
        "-",
        ",",
        ".",
        "order by",
        "limit",
        "desc",
        "true",
        "5",
        "-1",
        "é",
        "\n",
        "%",
    ];
    let fine = run_all(vec(one_of(words), 0..14).prop_map(|words| words.join(" ")));
    assert!(fine > 0, "none could be run");
}

/// Conditions of whole pieces, so that many texts are queries, and mistakes lie deep.
#[test]
fn any_sentence_of_the_language_gives_an_answer() {
    let fields = vec![
        "seed",
        "started_at",
        "state",
        "name",
        "damage",
        "metrics.val_loss",
        "metrics.val_loss.argmin",
        "metrics.val_loss.at(2)",
        "metrics.`val.odd name`.at(20)",
        "params.lr",
        "params.opt",
        "params.nesterov",
        "tags.kind",
        "any(metrics.val_loss",
        "any(metrics.`val.odd name`",
        "metrics.val_los",
        "sed",
    ];
    let checks = vec![
        "= 7",
        "!= 0.3",
        "< 0.25",
        ">= inf",
        "between 0.1 and 0.3",
        "not between 1 and 3",
        "in (0.25, 3)",
        "not in (0.3, 0.1)",
        "= 'a'",
        "like 'c%'",
        "not ilike '%N_'",
        "contains 'n'",
        "is null",
        "is not null",
        "= true",
        "> now - 1d",
        "between '2026-01-02' and now",
        "= 'finished'",
        "in ('ccc', 'sgd', 'cnn')",
        "< '2026-13-01'",
    ];
    let joints = vec![" and ", " or ", " and not ", ") or (", " and (", ") and "];
    let ends = vec![
        "",
        ")",
        "))",
        " order by seed",
        " limit 2",
        " order by metrics.val_loss.at(2) desc, name limit 3",
        " é",
    ];
    let test = (one_of(fields), one_of(checks)).prop_map(|(field, check)| {
        let close = if field.starts_with("any(") { ")" } else { "" };
        format!("{field} {check}{close}")
    });
    let sentence = (
        one_of(vec!["", "(", "not ", "(("]),
        test.clone(),
        vec((one_of(joints), test), 0..3),
        one_of(ends),
    )
        .prop_map(|(start, first, rest, end)| {
            let rest: String =
                rest.into_iter().map(|(joint, test)| format!("{joint}{test}")).collect();
            format!("{start}{first}{rest}{end}")
        });
    // In every third text one character is another.
    let slip = prop::option::weighted(0.33, (any::<prop::sample::Index>(), any::<char>()));
    let slipped = (sentence, slip).prop_map(|(text, slip)| match slip {
        Some((at, instead)) => {
            let at = at.index(text.chars().count());
            text.chars()
                .enumerate()
                .map(|(place, c)| if place == at { instead } else { c })
                .collect()
        }
        None => text,
    });
    let fine = run_all(slipped);
    assert!(fine > CASES / 50, "only {fine} of the sentences could be run");
}

// Boxed, each of them: one type for all of a query takes megabytes of stack where it is not optimised.

/// Names that need backticks, and names that do not.
fn name() -> BoxedStrategy<String> {
    let odd = vec![
        "", "val_loss", "a.b", "min", "order", "AT", "any", "it's", "`", "``", "a`b`", "\"",
        "top 5", "é", "\n", "-", "1e5",
    ];
    prop_oneof![one_of(odd).prop_map(str::to_owned), "[a-zäß0-9_/-]{1,8}", "\\PC{0,8}"].boxed()
}

fn path() -> BoxedStrategy<Path> {
    let part = |text: String, quoted: bool| Part {
        quoted: quoted || text.is_empty() || !text.chars().all(is_word),
        text,
        span: 0..0,
    };
    let first = prop_oneof![
        one_of(vec!["metrics", "params", "tags", "Seed", "any", "now", "asc"])
            .prop_map(str::to_owned)
    ];
    let at = prop::option::weighted(0.2, literal());
    (first, vec((name(), any::<bool>()), 0..4), at)
        .prop_map(move |(first, rest, at)| {
            let mut parts = vec![part(first, false)];
            parts.extend(rest.into_iter().map(|(text, quoted)| part(text, quoted)));
            Path { parts, at, span: 0..0 }
        })
        .boxed()
}

fn literal() -> BoxedStrategy<Literal> {
    let float = prop_oneof![
        any::<f64>(),
        any::<i16>().prop_map(f64::from),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY)
    ];
    prop_oneof![
        prop_oneof![any::<i128>(), -9_i128..10].prop_map(Constant::Int),
        float
            .prop_filter("nothing compares with NaN", |value| !value.is_nan())
            .prop_map(Constant::Float),
        any::<bool>().prop_map(Constant::Bool),
        name().prop_map(Constant::Text),
        prop_oneof![any::<u64>(), 0..2_000_000_u64].prop_map(Constant::Ago),
    ]
    .prop_map(|value| Literal { value, span: 0..0 })
    .boxed()
}

fn check() -> BoxedStrategy<Check> {
    let operators = vec![
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
    ];
    prop_oneof![
        (one_of(operators), literal())
            .prop_map(|(operator, value)| Check::Compare(operator, value)),
        (literal(), literal()).prop_map(|(low, high)| Check::Between(low, high)),
        vec(literal(), 1..4).prop_map(Check::In),
        literal().prop_map(Check::Like),
        literal().prop_map(Check::Ilike),
        literal().prop_map(Check::Contains),
        Just(Check::IsNull),
    ]
    .boxed()
}

fn condition() -> BoxedStrategy<Condition> {
    let points = (path(), any::<bool>(), check()).prop_map(|(path, negated, check)| {
        let negated = negated && !matches!(check, Check::Compare(..));
        Condition::Any(Points { path, negated, check })
    });
    let leaf = prop_oneof![
        (path(), check()).prop_map(|(path, check)| Condition::Test(path, check)),
        points
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Condition::And),
            vec(inner.clone(), 2..4).prop_map(Condition::Or),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

fn query() -> impl Strategy<Value = ast::Query> {
    let order = (path(), one_of(vec![Direction::Ascending, Direction::Descending]));
    (prop::option::weighted(0.9, condition()), vec(order, 0..3), prop::option::of(any::<usize>()))
        .prop_map(|(condition, order, limit)| ast::Query { condition, order, limit })
        .prop_filter("an empty text is no query", |query| *query != ast::Query::default())
}

/// Whatever a metric, a parameter or a tag is called, Rust finds it under its name, and nothing
/// else.
#[test]
fn names_mean_themselves() {
    let names = [
        "", "loss", "loss.min", "min", "at", "any", "order", "it's", "a`b`", "\"", "top 5", "\n",
        "now", "is null",
    ];
    let run = |name: &str| {
        let mut run = (*runs()[0]).clone();
        let aggregate = Aggregate::of(&[(3, name.len() as f64)]).unwrap();
        run.metrics = [(name.into(), aggregate)].into();
        run.params = [(name.into(), name.len().into())].into();
        run.tags = [(name.into(), name.to_owned())].into();
        Arc::new(run)
    };
    let runs: Vec<_> = names.into_iter().map(run).collect();
    for name in names {
        let length = name.len();
        let questions = [
            metric(name).last().equals(length),
            metric(name).min().is_not_null(),
            metric(name).at(3).equals(length),
            metric(name).any().at_least(length),
            param(name).equals(length),
            tag(name).equals(name),
        ];
        for question in questions {
            let points = |run: &RunSummary, _: &str| {
                vec![(3, run.metrics.keys().next().unwrap().len() as f64)]
            };
            let found = Query::from(&question).select_from(&runs, points);
            let found = found.unwrap_or_else(|error| panic!("{name:?}: {error}"));
            assert_eq!(found.len(), 1, "{question}");
            assert!(found[0].tags.contains_key(name), "{question}");
        }
    }
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn the_text_of_a_query_is_that_query(query in query()) {
        let (text, placed) = query.clone().render().unwrap();
        prop_assert_eq!(&text, &query.text());
        match parse(&text) {
            // The same places too.
            Ok(read) => prop_assert_eq!(read, placed, "{}", text),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn what_rust_writes_reads_back(names in vec(name(), 3), number in any::<f64>(), value in name(), step in any::<u64>()) {
        let [first, second, third] = names.try_into().unwrap();
        let built = metric(&first).min().less_than(number)
            .and(param(&second).equals(&value).or(!tag(&third).like(&value)))
            .and(metric(&second).any().none_of([1, 2]))
            .order_by(metric(&third).at(step).descending());
        let text = built.to_string();
        if number.is_nan() {
            prop_assert!(parse(&text).unwrap_err().message().contains("nan"));
        } else {
            let (rendered, placed) = built.into_parts().unwrap();
            prop_assert_eq!(&rendered, &text);
            prop_assert_eq!(parse(&text).unwrap(), placed);
        }
    }
}
