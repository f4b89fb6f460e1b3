//! Dates as features.

use super::{Split, close, fixture, made_again, refused, rows, table};
use crate::{Categories, ColumnType, Dataset, Dates, Encoding, Missing, Part, Table, Unknown};
use trainbook_core::random::Seed;

const FORMATS: &str = "2026-11-28, 2026-11-28 13:05 or 2026-11-28T13:05:07, without a time zone \
                       or in UTC (Z, +00:00)";

fn all() -> Dates {
    Dates::cyclic().and(Dates::parts()).and(Dates::elapsed())
}

/// A table of dates and a target.
fn days(texts: &[&str]) -> Table {
    let lines = texts.iter().enumerate().map(|(row, text)| format!("{text},{row}\n"));
    table(&format!("day,y\n{}", lines.collect::<String>()))
}

/// Of which the first half is trained on.
fn halved(table: Table) -> Result<Dataset, crate::DataError> {
    table.target_values("y")?.split(Split::in_order(0.5, 0.0, 0.5), Seed(0))
}

fn dated(texts: &[&str], dates: Dates, missing: Missing) -> Result<Dataset, crate::DataError> {
    halved(days(texts).dates("day", dates)?.missing("day", missing)?)
}

#[test]
fn dates_are_numbers_as_those_of_pandas() {
    let expected = &fixture()["dates"];
    let texts: Vec<String> = serde_json::from_value(expected["texts"].clone()).unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let features: Vec<(String, Vec<f64>)> =
        serde_json::from_value(expected["features"].clone()).unwrap();
    let data = dated(&texts, all(), Missing::Refuse).unwrap();
    assert_eq!(data.part(Part::Train).len(), 6);
    let names: Vec<String> = features.iter().map(|(name, _)| format!("day_{name}")).collect();
    assert_eq!(data.feature_names(), names);
    let found = rows(&data);
    for (feature, (name, numbers)) in features.iter().enumerate() {
        for (row, &number) in numbers.iter().enumerate() {
            let ours = f64::from(found[row * names.len() + feature]);
            assert!(close(ours, number), "{name} of {}: {ours} and {number}", texts[row]);
        }
    }
    for (missing, key) in [(Missing::Mean, "mean"), (Missing::Median, "median")] {
        let mut texts = texts.clone();
        texts.push("");
        let table = days(&texts).dates("day", all()).unwrap().missing("day", missing).unwrap();
        let data = table.target_values("y").unwrap();
        let data = data.with_parts([(0..6).collect(), vec![], vec![]]).unwrap();
        let encoding = serde_json::to_value(data.encoding().unwrap()).unwrap();
        let fill = encoding["columns"][0]["fill"]["date"].as_str().unwrap();
        assert_eq!(fill.replace('T', " "), expected[key].as_str().unwrap(), "{key}");
        let filled = data.encoding().unwrap().encode(&days(&[fill])).unwrap();
        assert_eq!(&rows(&data)[texts.len() * names.len() - names.len()..], filled.floats());
    }
}

#[test]
fn what_is_learned_of_dates_is_learned_from_the_training_part() {
    let texts = ["2020-01-03", "2020-01-02", "2020-01-01 12:00", "2020-01-05"];
    let data = dated(&texts, all(), Missing::Refuse).unwrap();
    // The time of day is in rows that nobody trains on.
    let names = ["day_elapsed", "day_year", "day_month", "day_day", "day_day_of_week"];
    assert_eq!(data.feature_names()[..5], names);
    assert!(!data.feature_names().iter().any(|name| name.contains("hour")));
    let elapsed = |data: &Dataset| -> Vec<f32> {
        rows(data).chunks(data.width()).map(|row| row[0]).collect()
    };
    assert_eq!(elapsed(&data), [1.0, 0.0, -0.5, 3.0]);
    let again = data.split(Split::random(1.0, 0.0, 0.0), Seed(0)).unwrap();
    assert_eq!(elapsed(&again), [1.5, 0.5, 0.0, 3.5]);
    assert!(again.feature_names().contains(&"day_hour_cos".to_owned()));
    let one = dated(&texts, Dates::elapsed(), Missing::Refuse).unwrap();
    assert_eq!(one.feature_names(), ["day_elapsed"]);
    let round = dated(&["2020-12-01", "2020-01-01"], Dates::cyclic(), Missing::Refuse).unwrap();
    assert_eq!(round.width(), 4);
}

#[test]
fn gaps_among_dates() {
    let texts = ["2020-01-01", "2020-01-05", "2020-01-01", "", "NA", "2020-01-02", "", ""];
    let elapsed = |missing| dated(&texts, Dates::elapsed(), missing);
    assert_eq!(
        refused(elapsed(Missing::Refuse)),
        "read FILE line 5, column \"day\": the field is empty (4 of 8 rows have a gap here); write \
         a date or leave the row out, fill it by .missing(\"day\", Missing::Median), or leave all \
         such rows out by .missing(\"day\", Missing::Drop)"
    );
    assert_eq!(rows(&elapsed(Missing::Drop).unwrap()), [0.0, 4.0, 0.0, 1.0]);
    let date = || Missing::Text("2019-12-31 12:00".to_owned());
    for (missing, fill) in [
        (Missing::MostFrequent, 0.0),
        (Missing::Median, 0.0),
        (Missing::Mean, 4.0 / 3.0),
        (date(), -0.5),
    ] {
        let data = elapsed(missing.clone()).unwrap();
        let found = rows(&data);
        assert!(close(f64::from(found[3]), fill), "{missing:?}: {found:?}");
        assert_eq!((found[1], found[5], found[3]), (4.0, 1.0, found[7]));
    }
    let table = days(&texts).dates("day", Dates::elapsed()).unwrap();
    let data = halved(table.missing("day", date().with_indicator()).unwrap()).unwrap();
    assert_eq!(data.feature_names(), ["day_elapsed", "day_missing"]);
    assert_eq!(rows(&data)[4..8], [0.0, 0.0, -0.5, 1.0]);
    for (missing, error) in [
        (
            Missing::Constant(3.0),
            "its gaps are to be 3, and it has dates; use Missing::Text with a date, Missing::Mean, \
             Missing::Median or Missing::MostFrequent"
                .to_owned(),
        ),
        (
            Missing::Text("never".to_owned()),
            format!("its gaps are to be \"never\", and it has dates; write one as {FORMATS}"),
        ),
    ] {
        assert_eq!(refused(elapsed(missing)), format!("read FILE column \"day\": {error}"));
    }
    let late = ["", "", "2020-01-01", "2020-01-02"];
    for missing in [Missing::Median, date()] {
        assert_eq!(
            refused(dated(&late, Dates::elapsed(), missing)),
            "read FILE column \"day\": no row that is trained on has a date; use .ignore(\"day\")"
        );
    }
}

#[test]
fn what_is_no_date_is_told_of() {
    let found = refused(dated(&["2020-01-01", "28.11.2026"], all(), Missing::Refuse));
    assert_eq!(
        found,
        format!(
            "read FILE line 3, column \"day\": \"28.11.2026\" is no date; write one as {FORMATS}, or \
             leave the row out"
        )
    );
    let data = dated(&["2020-01-01", "2020-01-02"], all(), Missing::Refuse).unwrap();
    let encoding = data.encoding().unwrap();
    for (text, error) in [
        ("day,y\n2020-01-01,0\nsoon,1\n", "line 3, column \"day\": \"soon\" is no date; write"),
        ("day,y\n7,0\n", "line 2, column \"day\": \"7\" is no date; write"),
        ("day,y\n2020-01-01,0\n,1\n", "line 3, column \"day\": the field is a gap (1 of 2 rows"),
    ] {
        let found = refused(encoding.encode(&table(text)));
        assert!(found.starts_with(&format!("read FILE {error}")), "{found}");
    }
    let found = refused(days(&["2020-01-01"]).dates("days", all()));
    assert!(found.contains("there is no such column; the nearest is \"day\""), "{found}");
    let many: Vec<String> =
        (0..51).map(|row| format!("20{:02}-01-{:02}", row, row % 28 + 1)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        refused(days(&many).target_values("y")),
        "read FILE column \"day\": it has 51 different dates; make features of them by \
         .dates(\"day\", Dates::elapsed()), or leave it out by .ignore(\"day\")"
    );
    assert!(days(&many).to_string().contains("text, dates"));
    assert!(days(&["2020-01-01", "soon"]).to_string().contains("category  "));
}

#[test]
fn dates_are_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    let text = "day,flat,y\n2020-01-03 06:00,20200103,0\n2020-01-01,20200201,1\n,20200302,2\n";
    std::fs::write(&path, text).unwrap();
    let data = Dataset::csv(&path)
        .unwrap()
        .dates(["day", "flat"], Dates::elapsed())
        .unwrap()
        .dates("flat", Dates::elapsed().and(Dates::cyclic()))
        .unwrap()
        .missing("day", Missing::MostFrequent.with_indicator())
        .unwrap()
        .target_values("y")
        .unwrap();
    let json = serde_json::to_string(&data.recipe()).unwrap();
    assert!(json.contains(r#""dates":[[0,{"elapsed":true}],[1,{"elapsed":true,"cyclic":true}]]"#));
    made_again(&data);
    let json = serde_json::to_value(data.encoding().unwrap()).unwrap();
    assert_eq!(
        json["columns"][0],
        serde_json::json!({
            "name": "day",
            "kind": {
                "as": "dates",
                "features": {"elapsed": true},
                "since": "2020-01-01T00:00:00",
                "has_time": true,
            },
            "fill": {"date": "2020-01-01T00:00:00"},
            "indicator": true,
        })
    );
    let encoding: Encoding = serde_json::from_value(json).unwrap();
    assert_eq!(&encoding, data.encoding().unwrap());
    // Columns in another order, and one that has nothing but gaps.
    let other = "flat;more;day\n2020-01-04;x;\n20200102;y;\n";
    let found = encoding.encode(&table(other)).unwrap();
    let found = found.floats();
    assert_eq!((found.len(), &found[..3], found[9]), (14, &[0.0, 1.0, 1.0][..], -1.0));
}

#[test]
fn the_last_word_on_a_column_counts() {
    let texts = ["2020-01-01", "2020-01-02"];
    let dated = || days(&texts).dates("day", all()).unwrap();
    let one_hot = Categories::one_hot().unknown(Unknown::Zeros);
    let names = ["day=2020-01-01", "day=2020-01-02"];
    let categories = dated().categories("day", one_hot).unwrap();
    assert_eq!(categories.target_values("y").unwrap().feature_names(), names);
    let typed = dated().types([("day", ColumnType::Category)]).unwrap();
    assert_eq!(typed.target_values("y").unwrap().feature_names(), names);
    let back = days(&texts).categories("day", one_hot).unwrap().dates("day", Dates::elapsed());
    assert_eq!(back.unwrap().target_values("y").unwrap().feature_names(), ["day_elapsed"]);
    // Kept beside the features, it is none.
    let timed = table("day,x,y\n2020-01-01,1,0\n2020-01-02,2,1\n").dates("day", all()).unwrap();
    let timed = timed.time("day").unwrap().target_values("y").unwrap();
    assert_eq!(timed.feature_names(), ["x"]);
    assert_eq!(timed.marks().times, Some(vec![1_577_836_800.0, 1_577_923_200.0]));
}
