use super::*;
use crate::query::ast::Constant;

fn error(text: &str) -> (std::ops::Range<usize>, String) {
    let error = parse(text).expect_err(text);
    (error.span(), error.message().to_owned())
}

#[test]
fn the_precedence_is_not_and_or() {
    let short = parse("not seed = 1 and seed = 2 or seed = 3").unwrap().condition.unwrap();
    let Condition::Or(parts) = short else { panic!("{short:?}") };
    assert!(
        matches!(&parts[0], Condition::And(all) if matches!(all[0], Condition::Not(_))),
        "{parts:?}"
    );
    assert!(matches!(parts[1], Condition::Test(..)));
}

#[test]
fn the_forms_of_one_thing_are_the_same() {
    let same = [
        ("seed = 1", "seed  ==  1"),
        ("seed != 1", "seed <> 1 "),
        ("SEED is NULL AND seed IS NOT NULL", "SEED is null and seed is not null"),
        ("name like 'a'", "name like \"a\""),
        ("order by id", "order by id asc"),
        ("(seed = 1)", "((seed=1))"),
        ("name is undefined", "name is null"),
        ("name is not undefined", "name is not null"),
        ("name LIKE 'a' AND name Ilike 'a'", "name like 'a' and name ilike 'a'"),
        ("metrics.loss.AT( 3 ) > 1", "metrics.loss.AT(3) > 1"),
        ("ANY ( metrics.loss > 1 )", "any(metrics.loss > 1)"),
        ("started > NOW-2D", "started > now - 48h"),
        ("started > now - 1w2d3h4m5s", "started > now - 788645s"),
    ];
    for (a, b) in same {
        // Only the places differ.
        let strip = |text| regex_free_debug(&parse(text).expect(text));
        assert_eq!(strip(a), strip(b), "{a} and {b}");
    }
    let between = parse("seed between 1 and 2 and seed = 3").unwrap().condition.unwrap();
    assert!(
        matches!(between, Condition::And(all) if all.len() == 2),
        "the first `and` belongs to `between`"
    );
}

/// The debug text without the spans.
fn regex_free_debug(query: &Query) -> String {
    let text = format!("{query:?}");
    text.split("span: ")
        .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'))
        .collect()
}

#[test]
fn values_keep_their_type() {
    let value = |text: &str| match parse(&format!("a = {text}")).expect(text).condition {
        Some(Condition::Test(_, Check::Compare(_, literal))) => literal.value,
        other => panic!("{other:?}"),
    };
    assert_eq!(value("18446744073709551615"), Constant::Int(18_446_744_073_709_551_615));
    assert_eq!(value("-3"), Constant::Int(-3));
    assert_eq!(value("1e-4"), Constant::Float(1e-4));
    assert_eq!(value(".5"), Constant::Float(0.5));
    assert_eq!(value("inf"), Constant::Float(f64::INFINITY));
    assert_eq!(value("-Inf"), Constant::Float(f64::NEG_INFINITY));
    assert_eq!(value("now"), Constant::Ago(0));
    assert_eq!(value("now - 1d12h"), Constant::Ago(129_600));
    assert_eq!(value("TRUE"), Constant::Bool(true));
    assert_eq!(value("'it''s'"), Constant::Text("it's".into()));
    assert_eq!(value("''"), Constant::Text(String::new()));
    assert_eq!(value("\"a'b\""), Constant::Text("a'b".into()));
}

#[test]
fn odd_names_go_in_backticks() {
    let query = parse("metrics.`top 5`.max > 0 and metrics.grad/0.w-1.b.min > 0").unwrap();
    let Some(Condition::And(all)) = query.condition else { panic!() };
    let Condition::Test(path, _) = &all[0] else { panic!() };
    assert_eq!(path.parts[1], Part { text: "top 5".into(), quoted: true, span: 8..15 });
    let Condition::Test(path, _) = &all[1] else { panic!() };
    assert_eq!(
        path.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>(),
        ["metrics", "grad/0", "w-1", "b", "min"]
    );
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let cases: &[(&str, std::ops::Range<usize>, &str)] = &[
        ("", 0..0, "it is empty"),
        ("  \n", 0..0, "it is empty"),
        ("seed", 4..4, "expected a comparison"),
        ("seed 5", 5..6, "expected a comparison"),
        ("seed =", 6..6, "expected a value"),
        ("state = finished", 8..16, "text needs quotes"),
        ("seed = 1 and", 12..12, "expected a field"),
        ("seed = 1 seed = 2", 9..13, "expected `and`, `or`, `order by`, `limit` or the end"),
        ("(seed = 1", 9..9, "expected `)`"),
        ("seed = 1)", 8..9, "expected `and`"),
        ("name = 'abc", 7..8, "this quote is never closed"),
        ("metrics.`abc > 1", 8..9, "this backtick is never closed"),
        ("seed between 1 or 2", 15..17, "expected `and`"),
        ("seed in 1", 8..9, "expected `(`"),
        ("seed in (1 2)", 11..12, "expected `,` or `)`"),
        ("seed in ()", 9..10, "expected a value"),
        ("seed is 3", 8..9, "expected `null` or `not null`"),
        ("order id", 6..8, "expected `by`"),
        ("order by", 8..8, "expected a field"),
        ("order by id limit -1", 18..20, "expected a whole number"),
        ("order by id limit 99999999999999999999999", 18..41, "expected a whole number"),
        ("limit 3 order by id", 8..13, "expected the end"),
        ("seed = 1x", 7..9, "not a number"),
        ("started > 2026-11-25T10:00", 10..23, "texts and dates need quotes"),
        ("seed = 1e999", 7..12, "infinity is written `inf`"),
        ("seed = nan", 7..10, "nothing compares with nan; `metrics.loss.nan_count > 0` finds"),
        ("seed = -NaN", 7..11, "nothing compares with nan"),
        ("name = null", 7..11, "use `is null`"),
        ("started > now - 2", 16..17, "not a length of time; examples are 30m"),
        ("started > now - 2y", 16..18, "not a length of time"),
        ("started > now - d", 16..17, "not a length of time"),
        ("started > now - ", 16..16, "not a length of time"),
        ("started > now - 99999999999999999999d", 16..37, "not a length of time"),
        ("started > now - 99999999999999w", 16..31, "not a length of time"),
        ("started > nowhere", 10..17, "text needs quotes"),
        ("metrics.loss.att(3) > 1", 13..16, "unknown function `att`; the nearest is `at`"),
        ("metrics.loss(3) > 1", 8..12, "unknown function `loss`"),
        ("metrics.loss.min(3) > 1", 13..16, "`min` has no parentheses"),
        ("metrics.loss.any(3) > 1", 13..16, "`any` stands before a metric"),
        ("at(metrics.loss) > 1", 0..2, "`at` stands behind a metric"),
        ("eny(metrics.loss > 3)", 0..3, "unknown function `eny`; the nearest is `any`"),
        ("metrics.loss.at() > 1", 16..17, "expected a value"),
        ("metrics.loss.at(3 > 1", 18..19, "expected `)`"),
        ("metrics.loss.`at`(3) > 1", 13..17, "`at` stands behind a metric"),
        ("any(metrics.loss)", 16..17, "expected a comparison"),
        ("any()", 4..5, "expected a field"),
        ("any(metrics.loss > 1", 20..20, "expected `)`"),
        ("any(metrics.loss > 1 and seed = 1)", 21..24, "expected `)`, found `and`"),
        ("any(any(metrics.loss > 1))", 4..7, "`any` stands before a metric"),
        ("any(not metrics.loss > 1)", 4..7, "expected a field"),
        ("metrics. > 1", 8..9, "expected a name"),
        ("and = 1", 0..3, "expected a field"),
    ];
    for (text, span, message) in cases {
        let (found, said) = error(text);
        assert!(said.contains(message), "{text:?}: {said}");
        assert_eq!(&found, span, "{text:?}: {said}");
    }
}

#[test]
fn depth_and_length_have_an_end() {
    assert!(parse(&format!("{}seed = 1{}", "(".repeat(60), ")".repeat(60))).is_ok());
    for text in
        [format!("{}seed = 1", "(".repeat(5000)), format!("{}seed = 1", "not ".repeat(3000))]
    {
        let (span, message) = error(&text);
        assert!(message.contains("nested"), "{message}");
        assert!(["(", "not"].contains(&&text[span.clone()]), "{span:?}");
    }
    assert!(error(&"x".repeat(1 << 15)).1.contains("is the most"));
}
