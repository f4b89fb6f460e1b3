//! Series from table files: equal to those of a program's memory, and made again from the recipe.

use std::path::PathBuf;

use super::made_again;
use crate::{
    Array, DataError, Dataset, Missing, Normalize, Origin, Split, Table, Targets, Wide,
    WindowOptions,
};
use trainbook_core::random::Seed;

struct File {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl File {
    fn of(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.csv");
        std::fs::write(&path, text).unwrap();
        Self { _dir: dir, path }
    }

    fn table(&self) -> Table {
        Dataset::csv(&self.path).unwrap()
    }

    fn error(&self, result: Result<Dataset, DataError>) -> String {
        result.unwrap_err().to_string().replace(self.path.to_str().unwrap(), "FILE")
    }
}

fn hash(data: &Dataset) -> String {
    data.fingerprint().unwrap().hash
}

/// Columns when, a, note, b: a is p, b is 100 + p / 2, in whose third row there is a gap.
fn power(positions: usize) -> File {
    let mut text = "when,a,note,b\n".to_owned();
    for p in 0..positions {
        let b = if p == 2 { String::new() } else { (100.0 + p as f32 / 2.0).to_string() };
        text += &format!("2026-11-{:02},{p},n{p},{b}\n", p + 1);
    }
    File::of(&text)
}

#[test]
fn windows_of_a_table_are_those_of_the_numbers() {
    let file = power(20);
    let options = WindowOptions::new(3, 2).stride(2).targets([1]);
    let numbers = (0..20).flat_map(|p| {
        let a = p as f32;
        [if p == 2 { -1.0 } else { 100.0 + a / 2.0 }, a]
    });
    let memory =
        Dataset::windows("power", Array::f32([20, 2], numbers.collect()), options.clone()).unwrap();
    let table = || file.table().missing("b", Missing::Constant(-1.0)).unwrap();
    let data = table().windows(["b", "a"], options.clone()).unwrap();
    assert_eq!(hash(&data), hash(&memory));
    assert_eq!(data.shape(), [2, 3]);
    assert_eq!(data.feature_names()[2..4], ["b[2]", "a[0]"]);
    // The header is line 1; a window of 3 and 2 begins at position 2.
    assert_eq!(data.place(1).unwrap(), "lines 4 to 8");
    assert_eq!(data.place(0).unwrap(), "lines 2 to 6");
    made_again(&data);

    let prepared = |data: Dataset| {
        let data = data.normalize(Normalize::per_channel()).unwrap();
        data.split(Split::in_order(0.4, 0.3, 0.3), Seed(4)).unwrap()
    };
    let timed = table().time("when").unwrap().windows(["b", "a"], options).unwrap();
    let timed = prepared(timed);
    assert_eq!(hash(&timed), hash(&prepared(memory)));
    let again = made_again(&timed);
    let json = serde_json::to_value(again.recipe().origin).unwrap();
    assert_eq!(json["from"], "windows");
    assert_eq!(json["columns"], serde_json::json!([3, 1]));
    assert_eq!(json["options"]["targets"], serde_json::json!([1]));
    assert!(std::path::Path::new(json["path"].as_str().unwrap()).is_absolute());
    let random = timed.split(Split::random(0.8, 0.1, 0.1), Seed(1)).unwrap_err().to_string();
    assert!(random.contains("use Split::in_order"), "{random}");
}

#[test]
fn what_is_ignored_has_no_gaps() {
    let file = File::of("when,a,note\n1,2,x\n2,3,\n3,4,y\n4,5,z\n");
    let table = || file.table().missing("note", Missing::Drop).unwrap();
    let windows = |table: Table| table.windows("a", WindowOptions::new(2, 1));
    assert!(file.error(windows(table())).contains("column \"note\""));
    let data = windows(table().ignore("note").unwrap()).unwrap();
    assert_eq!(data.len(), 2);
    made_again(&data);
}

#[test]
fn a_table_that_makes_no_windows_is_refused() {
    let options = || WindowOptions::new(3, 1);
    let file = power(9);
    let windows = |table: Table| file.error(table.windows(["a", "b"], options()));
    assert_eq!(
        windows(file.table()),
        "read FILE line 4, column \"b\": the field is empty; write a number, or fill all gaps with \
         one by .missing(\"b\", Missing::Constant(…))"
    );
    let filled = |rule: Missing| windows(file.table().missing("b", rule).unwrap());
    for rule in [Missing::Mean, Missing::Median, Missing::MostFrequent] {
        let error = filled(rule.clone());
        let expected = format!(
            "column \"b\": its gaps are to be filled by Missing::{rule:?}, which tells each of what \
             comes later in the series; use Missing::Constant"
        );
        assert!(error.contains(&expected), "{error}");
    }
    assert!(filled(Missing::Drop).contains("would join what is apart in time"));
    assert!(filled(Missing::Text("x".into())).contains("a channel of a series is of numbers"));
    assert!(filled(Missing::Constant(f64::NAN)).contains("column \"b\": its gaps are to be NaN"));
    let note = file.table().missing("note", Missing::Drop).unwrap();
    assert!(windows(note).contains("column \"note\": rows with a gap here are to be left out"));
    let flag = Missing::Constant(0.0).with_indicator();
    assert!(windows(file.table().missing("b", flag).unwrap()).contains("add a column of 0 and 1"));
    assert!(windows(file.table().weights("a").unwrap()).contains("it has weights, and windows"));

    let named = |columns: &[&str]| file.error(file.table().windows(columns.to_vec(), options()));
    assert_eq!(
        named(&["a", "bb"]),
        "read FILE column \"bb\": there is no such column; the nearest is \"b\""
    );
    assert!(named(&["a", "a"]).contains("column \"a\": it is a channel twice"));
    assert!(named(&[]).contains("no column is named"));
    assert_eq!(
        named(&["note"]),
        "read FILE line 2, column \"note\": \"n0\" is not a number; a channel of a series is of \
         numbers"
    );
    let error = file.error(file.table().windows("a", WindowOptions::new(9, 1)));
    assert_eq!(
        error,
        "use the data: FILE has 9 positions, which do not make a window of 9 and 1 to predict"
    );
    let error = file.error(file.table().windows("a", options().targets([1])));
    assert!(error.contains("less than 1, the number of channels"), "{error}");
    let time = file.table().time("a").unwrap().windows("a", options());
    assert!(file.error(time).contains("column \"a\": it is a time and a channel"));
}

#[test]
fn times_of_windows_ascend() {
    let refused = |times: [&str; 4]| {
        let lines: Vec<_> = times.iter().map(|time| format!("{time},1\n")).collect();
        let file = File::of(&format!("t,x\n{}", lines.concat()));
        let table = file.table().time("t").unwrap();
        file.error(table.windows("x", WindowOptions::new(2, 1)))
    };
    assert_eq!(
        refused(["2026-01-01", "2026-01-03", "2026-01-02", "2026-01-04"]),
        "read FILE line 4, column \"t\": \"2026-01-02\" is earlier than \"2026-01-03\" in line 3; \
         sort the lines of the file by this column, each time once"
    );
    let twice = refused(["1", "2", "3", "3"]);
    assert!(twice.contains("line 5, column \"t\": \"3\" is the same time as \"3\" in line 4"));
    let gap = refused(["1", "", "3", "4"]);
    assert!(gap.contains("line 3, column \"t\": the field is empty; write the time"), "{gap}");
    assert!(refused(["1", "x", "3", "4"]).contains("\"1\" is no time"));
}

/// Lines of three pumps, in disorder.
const PUMPS: &str = "pump,when,p,flow,state,load,site\n\
    c,3,7,0.5,good,1,x\n\
    a,2,1,1.5,bad,-2,x\n\
    c,1,8,2.5,good,1,x\n\
    b,1,2,3.5,good,4,y\n\
    a,1,3,4.5,bad,-2,x\n\
    b,9,4,5.5,good,4,y\n";

fn pumps(file: &File) -> crate::LongSeries {
    file.table().series("pump", "when", ["p", "flow"]).unwrap()
}

#[test]
fn series_of_a_table_are_those_of_the_lines() {
    let file = File::of(PUMPS);
    let wide = Wide::from_long(
        &["c", "a", "c", "b", "a", "b"],
        &[3.0, 2.0, 1.0, 1.0, 1.0, 9.0],
        &[7.0, 0.5, 1.0, 1.5, 8.0, 2.5, 2.0, 3.5, 3.0, 4.5, 4.0, 5.5],
    )
    .unwrap();
    let memory = |targets| Dataset::from_arrays("pumps", wide.values.clone(), targets).unwrap();

    let data = pumps(&file).target("state").unwrap();
    assert_eq!(hash(&data), hash(&memory(Array::i64([3], vec![1, 0, 1]))));
    assert_eq!(data.class_names(), ["bad", "good"]);
    assert_eq!((data.len(), data.shape()), (3, &[2, 2][..]));
    assert_eq!(data.raw(&[0]).unwrap().floats(), [8.0, 7.0, 2.5, 0.5]);
    assert_eq!(data.feature_names(), ["p[0]", "p[1]", "flow[0]", "flow[1]"]);
    assert_eq!(data.place(1).unwrap(), "series \"a\"");
    let again = made_again(&data);
    assert_eq!(again.class_names(), data.class_names());
    assert_eq!(again.place(2), data.place(2));

    let one = pumps(&file).target_values("load").unwrap();
    assert_eq!(hash(&one), hash(&memory(Array::f32([3], vec![1.0, -2.0, 4.0]))));
    made_again(&one);
    let file = File::of(&PUMPS.replace("site", "size").replace(",x", ",5").replace(",y", ",6"));
    let two = pumps(&file).target_values(["load", "size"]).unwrap();
    let expected = vec![1.0, 5.0, -2.0, 5.0, 4.0, 6.0];
    assert_eq!(two.targets(), Some(&Targets::Values(expected.clone())));
    assert_eq!(hash(&two), hash(&memory(Array::f32([3, 2], expected))));
    assert_eq!(serde_json::to_value(made_again(&two).recipe().origin).unwrap()["from"], "series");
}

#[test]
fn series_are_divided_by_the_group_of_their_lines() {
    let mut text = "run,when,x,y,patient\n".to_owned();
    for line in 0..60 {
        // 20 series of 3 lines, 10 patients with 2 each.
        let (run, when) = (line / 3, 2 - line % 3);
        text += &format!("r{run},{when},{line},{},p{}\n", run % 3, run / 2);
    }
    let file = File::of(&text);
    let table = file.table().group("patient").unwrap();
    let data = table.series("run", "when", "x").unwrap().target("y").unwrap();
    let expected: Vec<u32> = (0..20).map(|run| run / 2).collect();
    assert_eq!(data.marks().groups.as_ref().unwrap(), &expected);
    let data = data.split(Split::grouped(0.6, 0.2, 0.2), Seed(3)).unwrap();
    let data = data.normalize(Normalize::standard()).unwrap();
    let again = made_again(&data);
    assert_eq!(again.marks().groups, data.marks().groups);
}

#[test]
fn ids_are_read_as_they_are_written() {
    // As numbers of f64 both ids would be 9007199254740992.
    let file = File::of(
        "id,t,x,y\n9007199254740993,1,1,0\n9007199254740992,1,2,1\n9007199254740993,2,3,0\n\
         9007199254740992,2,4,1\n",
    );
    let data = file.table().series("id", "t", "x").unwrap().target("y").unwrap();
    assert_eq!(data.raw(&[0, 1]).unwrap().floats(), [1.0, 3.0, 2.0, 4.0]);
    made_again(&data);
}

#[test]
fn lines_without_a_target_may_be_left_out() {
    let file = File::of(&(PUMPS.to_owned() + "d,1,0,0,,0,x\n"));
    let error = file.error(pumps(&file).target("state"));
    assert!(error.contains("line 8, column \"pump\": the series \"d\" has 1 lines"), "{error}");
    let table = file.table().missing("state", Missing::Drop).unwrap();
    let data = table.series("pump", "when", "p").unwrap().target("state").unwrap();
    assert_eq!(data.len(), 3);
    made_again(&data);
    // Part of a series is none, and other columns have no say.
    let file = File::of(&PUMPS.replacen("good", "", 1));
    let table = file.table().missing("state", Missing::Drop).unwrap();
    let part = file.error(table.series("pump", "when", "p").unwrap().target("state"));
    assert!(part.contains("would lose this line for a gap, and keep others"), "{part}");
    let table = file.table().missing("flow", Missing::Drop).unwrap();
    let other = file.error(table.series("pump", "when", "p").unwrap().target("state"));
    assert!(other.contains("column \"flow\"") && other.contains(".ignore(\"flow\")"), "{other}");
}

#[test]
fn lines_that_make_no_series_are_refused() {
    // The text with a line in the place of another, or a line more.
    let refused = |from: &str, to: &str| {
        assert!(PUMPS.contains(from));
        let file = File::of(&PUMPS.replace(from, to));
        file.error(pumps(&file).target("state"))
    };
    assert_eq!(
        refused("b,9,4,5.5,good", "b,9,4,5.5,bad"),
        "read FILE line 7, column \"state\": \"bad\" is not \"good\", which line 5 says of the same \
         series, \"b\"; it must be the same in all lines of a series"
    );
    assert_eq!(
        refused("b,9,4,5.5,good,4,y\n", "b,9,4,5.5,good,4,y\nb,8,4,5.5,good,4,y\n"),
        "read FILE line 5, column \"pump\": the series \"b\" has 3 lines, and \"c\", which begins in \
         line 2, has 2; all must have as many, so cut or fill them"
    );
    assert_eq!(
        refused("b,9,", "b,1,"),
        "read FILE line 7, column \"when\": the series \"b\" has the time \"1\" in line 5, too; \
         leave one of them out"
    );
    assert_eq!(
        refused("c,1,8", "c,1,high"),
        "read FILE line 4, column \"p\": \"high\" is not a number; a channel of a series is of \
         numbers"
    );
    let gap = refused("a,1,3", "a,1,");
    assert!(gap.contains("line 6, column \"p\": the field is empty; write a number"), "{gap}");
    let gap = refused("a,1,3", ",1,3");
    assert!(gap.contains("line 6, column \"pump\": the field is empty; write it in every line"));
    let gap = refused("a,1,3", "a,,3");
    assert!(gap.contains("line 6, column \"when\": the field is empty; write it in every line"));
    let gap = refused("4.5,bad", "4.5,");
    assert!(gap.contains("line 6, column \"state\": the field is empty; write it in every line"));
    assert!(refused("a,1,3", "a,soon,3").contains("is no time"));

    let file = File::of(PUMPS);
    let series = |id: &str, time: &str, values: &[&str]| {
        let series = file.table().series(id, time, values.to_vec());
        file.error(series.and_then(|series| series.target("state")))
    };
    assert!(series("pumps", "when", &["p"]).contains("the nearest is \"pump\""));
    assert!(series("pump", "wen", &["p"]).contains("the nearest is \"when\""));
    assert!(series("pump", "when", &["p", "flw"]).contains("the nearest is \"flow\""));
    assert!(series("pump", "when", &[]).contains("no column is named"));
    assert!(series("pump", "when", &["when"]).contains("it is a series' time and a channel"));
    assert!(series("pump", "when", &["p", "state"]).contains("it is a channel and a target"));
    let target = file.error(pumps(&file).target("sate"));
    assert!(target.contains("the nearest is \"state\""), "{target}");
    let text = file.error(pumps(&file).target_values("state"));
    assert!(text.contains("\"good\" is not a number; use target for classes"), "{text}");
    let varies = file.table().weights("flow").unwrap();
    let varies = varies.series("pump", "when", "p").unwrap().target("state");
    assert!(file.error(varies).contains("column \"flow\": \"2.5\" is not \"0.5\""));
    let mean = file.table().missing("p", Missing::Drop).unwrap();
    let mean = mean.series("pump", "when", "p").unwrap().target("state");
    assert!(file.error(mean).contains("would join what is apart in time"));
}

#[test]
fn a_raw_file_is_no_answer_for_series() {
    let file = File::of(PUMPS);
    let plain = file.table().ignore("pump").unwrap().target("state").unwrap();
    let encoding = plain.encoding().unwrap();
    let windows = file.table().windows("p", WindowOptions::new(2, 1)).unwrap();
    for data in [windows, pumps(&file).target("state").unwrap()] {
        assert!(data.encoding().is_none());
        let error = data.recipe().table(&file.path, encoding).unwrap_err().to_string();
        assert_eq!(
            error,
            "read a table for the data: they came from no table, or from one whose rows are parts of \
             series"
        );
        assert!(matches!(data.recipe().origin, Origin::Windows { .. } | Origin::Series { .. }));
        // The file is another now.
        let mut recipe = data.recipe();
        match &mut recipe.origin {
            Origin::Windows { columns, .. } => columns.push(9),
            Origin::Series { values, .. } => values.push(9),
            _ => panic!("no series"),
        }
        let error = recipe.make().unwrap_err().to_string();
        assert!(error.contains("column 9: there is no such column"), "{error}");
    }
}
