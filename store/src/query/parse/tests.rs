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
    let double = parse("metrics.\"top 5\".max > 0 and metrics.\"a\"\"b\".\"c`\" > 0").unwrap();
    let Some(Condition::And(all)) = double.condition else { panic!() };
    let Condition::Test(path, _) = &all[0] else { panic!() };
    assert_eq!(path.parts[1], Part { text: "top 5".into(), quoted: true, span: 8..15 });
    let Condition::Test(path, _) = &all[1] else { panic!() };
    assert_eq!((path.parts[1].text.as_str(), path.parts[2].text.as_str()), ("a\"b", "c`"));
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
        // Names without their quotes.
        (
            "metrics.avg model score > 0.5",
            12..17,
            "found `model`; a name with spaces or signs needs backticks or double quotes: metrics.`avg model score`",
        ),
        ("metrics.avg model score.max > 0.5", 12..17, "quotes: metrics.`avg model score`.max"),
        ("metrics.avg score.at(3) > 0.5", 12..17, "quotes: metrics.`avg score`.at(3)"),
        ("params.lr (warm up) is null", 10..11, "quotes: params.`lr (warm up)`"),
        ("metrics.top@5 in (1, 2)", 11..12, "quotes: metrics.`top@5`"),
        ("metrics.%acc.min > 1", 8..9, "quotes: metrics.`%acc`.min"),
        ("metrics.val.f1(macro) > 1", 12..14, "quotes: metrics.`val.f1(macro)`"),
        ("seed = 1 and Tag.my kind = 'a'", 20..24, "quotes: Tag.`my kind`"),
        ("any(metrics.top 5 > 1)", 16..17, "quotes: metrics.`top 5`"),
        ("order by metrics.top 5.min desc", 21..22, "quotes: metrics.`top 5`.min"),
        ("order by seed, metrics.top 5", 27..28, "quotes: metrics.`top 5`"),
        ("metrics.is x > 1", 11..12, "quotes: metrics.`is x`"),
        ("metrics.'top 5' > 1", 8..15, "a name has backticks or double quotes: `top 5`"),
        ("metrics.\"top 5 > 1", 8..9, "this quote is never closed"),
        ("\"seed\" > 1", 0..1, "expected a field"),
        // Quotes behind a backslash.
        (r"name = 'team\'s run'", 14..15, "a quote inside is doubled, as in 'team''s run'"),
        (r"name = 'team\' run'", 15..18, "as in 'team'' run'"),
        (r"name = 'it''s a team\'s'", 22..23, "as in 'it''s a team''s'"),
        (r#"name = "a \"b\" c""#, 12..13, r#"as in "a ""b"" c""#),
        (r"name = 'rock\' and roll'", 23..24, "as in 'rock'' and roll'"),
        (r"name in ('x', 'it\'s')", 19..20, "as in 'it''s'"),
        (
            r"name = 'it\''",
            7..8,
            "this quote is never closed; a quote inside is doubled, as in 'it'''",
        ),
        // Signs of other languages.
        ("seed = 1 && seed = 2", 9..11, "`&&` is written `and`"),
        ("seed = 1 & seed = 2", 9..10, "`&` is written `and`"),
        ("seed = 1 || seed = 2", 9..11, "`||` is written `or`"),
        ("(seed = 1 | seed = 2)", 10..11, "`|` is written `or`"),
        ("!seed = 1", 0..1, "`!` is written `not`"),
        ("seed = 1 and !(seed = 2)", 13..14, "`!` is written `not`"),
        ("seed === 1", 5..8, "`===` is written `=`"),
        ("seed => 1", 5..7, "`=>` is written `>=`"),
        ("seed =< 1", 5..7, "`=<` is written `<=`"),
        ("seed ≤ 1", 5..8, "`≤` is written `<=`"),
        ("name =~ 'a'", 5..7, "`=~` is written `like`"),
        // Lengths of time.
        ("started > now + 1h", 13..18, "times are counted back from now: `now - 1h`"),
        ("started > now +2d", 13..17, "times are counted back from now: `now - 2d`"),
        ("started < now+x", 13..15, "times are counted back from now: `now - 1h`"),
        ("started > 2d", 10..12, "a length of time is counted back from now: `now - 2d`"),
        ("started > -36h", 10..14, "`now - 36h`"),
    ];
    for (text, span, message) in cases {
        let (found, said) = error(text);
        assert!(said.contains(message), "{text:?}: {said}");
        assert_eq!(&found, span, "{text:?}: {said}");
    }
}

/// What is said about a name that lacks its quotes is not said about other mistakes.
#[test]
fn hints_are_given_where_they_fit() {
    for text in [
        "metrics.loss 5",
        "metrics. > 1",
        "metrics.a `b c` > 1",
        r"name = 'a\' or name = 'b' x",
        "metrics.loss gt 5 and seed = 1",
        "metrics.loss > 1 seed = 2",
        "seed x = 1",
        "seed.min x = 1",
        "metrics.`a b` c > 1",
        "metrics.loss is in (1, 2)",
        "metrics.loss not > 1",
        "any(metrics.loss) > 1",
        "order by id limit x",
        "order by metrics.loss descending",
        "order by metrics.loss dsc, seed",
        r"name = 'C:\x' seed = 1",
    ] {
        let (_, said) = error(text);
        assert!(said.starts_with("expected ") && !said.contains("quote"), "{text}: {said}");
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
