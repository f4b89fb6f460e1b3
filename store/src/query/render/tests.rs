use super::*;
use crate::query::parse;

/// The canonical text of a query.
fn canonical(text: &str) -> String {
    parse(text).expect(text).text()
}

#[test]
fn parentheses_stand_where_they_are_needed() {
    for text in [
        "seed = 1 and seed = 2 or not seed = 3",
        "(seed = 1 or seed = 2) and not (seed = 3 and seed = 4)",
        "(seed = 1 and seed = 2) and seed = 3",
        "seed = 1 or (seed = 2 or seed = 3)",
        "not (seed = 1 or seed = 2)",
        "not not seed = 1",
        "not seed not in (1, 2)",
        "not any(metrics.loss not between 1 and 2)",
        "damage is not null order by metrics.loss.at(3) desc, seed limit 10",
        "order by seed",
        "limit 0",
        "metrics.order.`a``b`.limit != 'it''s'",
        "seed > -inf and seed < inf and seed = 1.0 and seed = 1",
        "started_at > now and started_at > now - 1w1d1h1m1s",
    ] {
        assert_eq!(canonical(text), text);
    }
    assert_eq!(canonical(" ((SEED==1)) AND not Name IS NULL"), "SEED = 1 and Name is not null");
    assert_eq!(canonical("started > now - 0s or name = \"'\""), "started > now or name = ''''");
}

#[test]
fn what_is_nested_too_deeply_is_cut_short_and_refused() {
    let mut query = parse("seed = 1").unwrap();
    for _ in 0..MAX_DEPTH {
        query.condition = query.condition.map(|condition| Condition::Not(Box::new(condition)));
    }
    let (text, placed) = query.clone().render().unwrap();
    assert_eq!(parse(&text).unwrap(), placed);
    query.condition = query.condition.map(|condition| Condition::Not(Box::new(condition)));
    let error = query.clone().render().unwrap_err();
    assert!(error.message().contains("nested more than 64 levels deep"), "{error}");
    assert!(query.text().ends_with("not not …"));
}
