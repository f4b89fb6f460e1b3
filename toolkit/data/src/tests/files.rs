//! Other files as parts.

use super::hooked::Hooked;
use super::{Dataset, Split, Table, Targets, classes, made_again, rows};
use crate::{
    Categories, ColumnType, DataError, KFold, Missing, Normalize, Part, TargetScaling, Unknown,
    WindowOptions,
};
use trainbook_core::random::Seed;

const TRAIN: &str = "size,town,kind\n1,Ulm,cat\n2,Bonn,dog\n3,Ulm,cat\n6,Bonn,dog\n";

/// A folder with `train.csv`, of which the table is, and `test.csv`.
fn two(train: &str, test: &str) -> (tempfile::TempDir, Table) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.csv");
    std::fs::write(&path, train).unwrap();
    std::fs::write(folder.path().join("test.csv"), test).unwrap();
    let table = Dataset::csv(&path).unwrap();
    let table = table.test_file(folder.path().join("test.csv")).unwrap();
    (folder, table)
}

fn kinds(train: &str, test: &str) -> (tempfile::TempDir, Result<Dataset, DataError>) {
    let (folder, table) = two(train, test);
    (folder, table.target("kind"))
}

/// A message without the folder.
fn refused((folder, result): (tempfile::TempDir, Result<Dataset, DataError>)) -> String {
    let error = result.err().unwrap().to_string();
    assert!(!error.contains('\n'), "{error}");
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn another_file_is_the_test_and_nothing_is_learned_of_it() {
    // Another order, and a column that nobody needs.
    let test = "kind,more,town,size\ndog,x,Ulm,100\ncat,y,Bonn,-1\n";
    let (folder, data) = kinds(TRAIN, test);
    let data = data.unwrap().normalize(Normalize::standard()).unwrap();
    assert_eq!(data.feature_names(), ["size", "town=Bonn", "town=Ulm"]);
    assert_eq!(data.class_names(), ["cat", "dog"]);
    assert_eq!(
        Part::ALL.map(|part| data.part(part).to_vec()),
        [vec![0, 1, 2, 3], vec![], vec![4, 5]]
    );
    assert_eq!(rows(&data)[12..], [100.0, 0.0, 1.0, -1.0, 1.0, 0.0]);
    assert_eq!(classes(&data), [0, 1, 0, 1, 1, 0]);
    // Of 1, 2, 3 and 6.
    assert_eq!(data.normalization().offset[0], 3.0);
    assert_eq!(data.place(3).unwrap(), "line 5");
    assert!(
        data.place(4).unwrap().starts_with("line 2 of ")
            && data.place(4).unwrap().ends_with("test.csv")
    );
    assert!(data.source().contains("train.csv, test: ") && data.source().ends_with("test.csv"));
    made_again(&data);

    // The rows of the table alone are divided, and the split may come at any time.
    let split = data.clone().split(Split::stratified(0.5, 0.5, 0.0), Seed(1)).unwrap();
    assert_eq!(Part::ALL.map(|part| split.part(part).len()), [2, 2, 2]);
    assert_eq!(split.part(Part::Test), [4, 5]);
    assert_ne!(split.normalization(), data.normalization());
    made_again(&split);
    let folds = data.folds(&KFold::new(2).stratified(), Seed(1)).unwrap();
    assert!(folds.iter().all(|fold| fold.part(Part::Test) == [4, 5]));
    let mut validated: Vec<usize> =
        folds.iter().flat_map(|fold| fold.part(Part::Validation).to_vec()).collect();
    validated.sort_unstable();
    assert_eq!(validated, [0, 1, 2, 3]);
    let error = data.clone().split(Split::random(0.8, 0.1, 0.1), Seed(1)).unwrap_err().to_string();
    assert_eq!(
        error,
        "set the split's fractions to 0.1 for test: it must be 0 for test, whose rows are a file of \
         their own"
    );
    // Whoever names rows means it.
    let named = data.clone().with_parts([vec![0, 1, 4], vec![2], vec![5]]).unwrap();
    assert_eq!(named.part(Part::Train), [0, 1, 4]);
    made_again(&named);

    // A file that has changed makes other data.
    let recipe = data.recipe();
    std::fs::write(folder.path().join("test.csv"), test.replace("100", "101")).unwrap();
    let again = recipe.make().unwrap();
    assert_ne!(again.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
    std::fs::remove_file(folder.path().join("test.csv")).unwrap();
    assert!(recipe.make().unwrap_err().to_string().contains("test.csv"));
}

#[test]
fn both_parts_may_be_files_in_any_order_of_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("train.csv", "a,y,w,g\n1,10,1,p\n3,30,2,q\n,20,1,p\n");
    write("valid.csv", "a,y,w,g\n8,80,3,q\n");
    write("test.csv", "y;a;w;g\n90,5;;1;r\n70,5;7,5;1;p\n");
    let open = || Dataset::csv(folder.path().join("train.csv")).unwrap();
    let said = |table: Table| {
        let table = table.missing("a", Missing::Mean).unwrap();
        let table = table.weights("w").unwrap().group("g").unwrap();
        let data = table.target_values("y").unwrap();
        data.scale_targets(TargetScaling::Standard).unwrap()
    };
    let file = |name: &str| folder.path().join(name);
    let data = said(
        open().validation_file(file("valid.csv")).unwrap().test_file(file("test.csv")).unwrap(),
    );
    let other = said(open()).len();
    assert_eq!((other, data.len()), (3, 6));
    assert_eq!(
        Part::ALL.map(|part| data.part(part).to_vec()),
        [vec![0, 1, 2], vec![3], vec![4, 5]]
    );
    // The mean of 1 and 3 fills the gaps of both; another separator and decimal sign is looked for.
    assert_eq!(rows(&data), [1.0, 3.0, 2.0, 8.0, 2.0, 7.5]);
    assert_eq!(data.targets(), Some(&Targets::Values(vec![10.0, 30.0, 20.0, 80.0, 90.5, 70.5])));
    assert_eq!(data.target_scaling().unwrap().offset, [20.0]);
    assert_eq!(data.marks().weights.as_deref().unwrap(), [1.0, 2.0, 1.0, 3.0, 1.0, 1.0]);
    // One name is one group in all files.
    assert_eq!(data.marks().groups.as_deref().unwrap(), [0, 1, 0, 1, 2, 0]);
    made_again(&data);
    let turned = said(
        open().test_file(file("test.csv")).unwrap().validation_file(file("valid.csv")).unwrap(),
    );
    assert_eq!(turned.fingerprint().unwrap(), data.fingerprint().unwrap());
    // The last call counts.
    let again = open().test_file(file("valid.csv")).unwrap().test_file(file("test.csv")).unwrap();
    assert_eq!(said(again).len(), 5);
    let missing = open().test_file(file("nothing.csv")).unwrap_err().to_string();
    assert!(missing.contains("nothing.csv"), "{missing}");
}

#[test]
fn what_does_not_fit_is_told_of_with_the_other_file_and_its_line() {
    for (test, expected) in [
        (
            "size,twon,kind\n1,Ulm,cat\n",
            "read test.csv column \"town\": there is no such column; the nearest is \"twon\"",
        ),
        (
            "size,town\n1,Ulm\n",
            "read test.csv column \"kind\": there is no such column, which is the target in \
             train.csv; a part is judged by its targets, so rows without one are no part: predict \
             them with a run",
        ),
        (
            "size,town,kind\n1,Ulm,cat\n2,Ulm,emu\n",
            "read test.csv line 3, column \"kind\": \"emu\" is no class of train.csv, which are \
             \"cat\", \"dog\"; a network knows the classes that it is trained on, so add rows of it \
             there or leave the row out",
        ),
        (
            "size,town,kind\n1,Ulm,cat\n2,Mars,dog\n",
            "read test.csv line 3, column \"town\": \"Mars\" is no category of the rows that are \
             trained on, which are \"Bonn\", \"Ulm\"; say what becomes of it by .categories(\"town\", \
             Categories::one_hot().unknown(Unknown::Zeros))",
        ),
        (
            "size,town,kind\n1,Ulm,cat\n,Ulm,dog\n",
            "read test.csv line 3, column \"size\": the field is empty (1 of 2 rows have a gap here); \
             write a number or leave the row out, fill it by .missing(\"size\", Missing::Mean), or \
             leave all such rows out by .missing(\"size\", Missing::Drop)",
        ),
        (
            "size,town,kind\n1,Ulm,cat\n2,Ulm,\n",
            "read test.csv line 3, column \"kind\": the field is empty, and 1 of 2 rows have no value \
             here; a target, weight, group or time is never made up: leave the rows out by \
             .missing(\"kind\", Missing::Drop)",
        ),
        (
            "size,town,kind\n1,Ulm,cat\nbig,Ulm,dog\n",
            "read test.csv line 3, column \"size\": \"big\" is not a number; write a number or leave \
             the row out, or say that the column is text: .types([(\"size\", ColumnType::Category)])",
        ),
        (
            "1,Ulm,cat,7\n2,Ulm,dog,8\n",
            "read test.csv line 1: there are 4 columns, and train.csv has 3; without a header in both \
             they are taken by position, so there must be as many",
        ),
    ] {
        assert_eq!(refused(kinds(TRAIN, test)), expected, "{test}");
    }
    // Without a header columns are taken by position.
    let (_folder, data) = kinds(TRAIN, "7,Ulm,cat\n8,Bonn,dog\n");
    assert_eq!(classes(&data.unwrap())[4..], [0, 1]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.csv"), "size,town,kind\n").unwrap();
    std::fs::write(folder.path().join("train.csv"), TRAIN).unwrap();
    let table = Dataset::csv(folder.path().join("train.csv")).unwrap();
    let empty = table.test_file(folder.path().join("test.csv")).unwrap_err().to_string();
    assert!(empty.contains("test.csv") && empty.contains("only a header"), "{empty}");
}

#[test]
fn classes_that_are_numbers_are_those_of_the_table() {
    let train = "a,y\n1,0\n2,1\n";
    let open = |test: &str| {
        let (folder, table) = two(train, test);
        (folder, table.target("y"))
    };
    let (_folder, data) = open("a,y\n3,1\n");
    assert_eq!(classes(&data.unwrap()), [0, 1, 1]);
    for label in ["2", "0.5", "-1", "1e30"] {
        let error = refused(open(&format!("a,y\n3,1\n3,{label}\n")));
        let words =
            format!("read test.csv line 3, column \"y\": \"{label}\" is no class of train.csv");
        assert!(error.starts_with(&words), "{error}");
    }
}

#[test]
fn columns_are_what_they_are_in_the_table() {
    // All digits there, and categories here; all gaps; a number that is a class; an ignored column
    // that is another or not there at all.
    let train = "code,size,id,y\nA1,1,7,x\n12,2,8,y\n12,3,9,x\n";
    for test in ["code,size,id,y\n12,5,n,y\n12,,o,x\n", "y,size,code\ny,5,12\nx,,12\n"] {
        let (_folder, table) = two(train, test);
        let table = table.types([("code", ColumnType::Category)]).unwrap().ignore("id").unwrap();
        let table = table.missing("size", Missing::Constant(-1.0)).unwrap();
        let data = table.target("y").unwrap();
        assert_eq!(data.feature_names(), ["code=12", "code=A1", "size"]);
        assert_eq!(rows(&data)[9..], [1.0, 0.0, 5.0, 1.0, 0.0, -1.0], "{test}");
        made_again(&data);
    }
    // Rows with a gap are left out of both.
    let (_folder, table) = two(train, "code,size,id,y\n12,,1,y\nA1,4,2,x\n");
    let table = table.types([("code", ColumnType::Category)]).unwrap();
    let data = table.missing("size", Missing::Drop).unwrap().target("y").unwrap();
    assert_eq!(data.part(Part::Test), [3]);
    assert!(data.place(3).unwrap().starts_with("line 3 of "));
    made_again(&data);
    // What is unknown has the answer that was said, and no category of the other file has a feature.
    let (_folder, table) = two(TRAIN, "size,town,kind\n1,Mars,cat\n");
    let towns = Categories::one_hot().unknown(Unknown::Zeros);
    let data = table.categories("town", towns).unwrap().target("kind").unwrap();
    assert_eq!(data.feature_names(), ["size", "town=Bonn", "town=Ulm"]);
    assert_eq!(rows(&data)[12..], [1.0, 0.0, 0.0]);
}

#[test]
fn the_check_looks_across_files() {
    let line = |row: usize| format!("{},{},{}\n", (row * 37) % 101, row % 13, ["a", "b"][row % 2]);
    let train: String = (0..200).map(line).collect();
    let test: String =
        (200..260).map(|row| format!("{},{},{}\n", 5000 + row * 10, row % 13, "a")).collect();
    let (_folder, table) = two(&format!("x,z,y\n{train}"), &format!("x,z,y\n{}{test}", line(3)));
    let report = table.target("y").unwrap().check();
    assert_eq!(report.parts, [200, 0, 61]);
    let shared: usize = report.shared.iter().map(|shared| shared.rows).sum();
    assert!(shared > 0, "{report}");
    let of_x = |finding: &crate::report::Finding| finding.text.contains("\"x\"");
    assert!(report.findings.iter().any(of_x), "{report}");
}

#[test]
fn windows_and_series_are_of_one_file() {
    let (_folder, table) = two("t,a\n1,2\n2,3\n3,4\n", "t,a\n4,5\n");
    let error = table.windows(["a"], WindowOptions::new(1, 1)).unwrap_err().to_string();
    assert!(
        error.contains("windows are made of one file") && error.contains("test part"),
        "{error}"
    );
    let (_folder, table) = two("s,t,a,y\n1,1,2,0\n", "s,t,a,y\n1,1,2,0\n");
    let error = table.series("s", "t", ["a"]).err().unwrap().to_string();
    assert!(error.contains("series are made of one file"), "{error}");
}

#[test]
fn other_formats_may_be_parts_and_old_records_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let train = write("train.jsonl", "{\"a\": 1, \"y\": \"p\"}\n{\"a\": 2, \"y\": \"q\"}\n");
    let test = write("test.jsonl", "{\"y\": \"q\", \"a\": 3, \"b\": 0}\n");
    let data = Dataset::json_lines(&train).unwrap().test_file(&test).unwrap().target("y").unwrap();
    assert_eq!((rows(&data), classes(&data)), (vec![1.0, 2.0, 3.0], &[0, 1, 1][..]));
    made_again(&data);
    let json = serde_json::to_string(&data.recipe()).unwrap();
    assert!(json.contains("test_file") && !json.contains("validation_file"), "{json}");
    // As it was written before there were such files.
    let plain = Dataset::json_lines(&train).unwrap().target("y").unwrap();
    let old = serde_json::to_string(&plain.recipe()).unwrap();
    assert!(!old.contains("_file"), "{old}");
    let old: crate::DataRecipe = serde_json::from_str(&old).unwrap();
    assert_eq!(rows(&old.make().unwrap()), [1.0, 2.0]);
}

#[test]
fn a_mark_is_needed_of_every_file_even_if_it_is_ignored_as_a_feature() {
    let of = |test: &str| {
        let (folder, table) = two("a,g,y\n1,7,p\n2,8,q\n", test);
        let table = table.ignore(["g"]).unwrap().group("g").unwrap();
        (folder, table.target("y"))
    };
    let (_folder, data) = of("a,g,y\n3,9,p\n");
    assert_eq!(rows(&data.unwrap()), [1.0, 2.0, 3.0]);
    let error = refused(of("a,y\n3,p\n"));
    assert!(error.contains("test.csv") && error.contains("\"g\""), "{error}");
}

#[test]
fn one_file_is_one_part() {
    let (folder, _) = two(TRAIN, TRAIN);
    let path = |name: &str| folder.path().join(name);
    let table = || Dataset::csv(path("train.csv")).unwrap().test_file(path("test.csv")).unwrap();
    let error = table().test_file(path("train.csv")).err().unwrap().to_string();
    assert!(error.contains("train.csv") && error.contains("is there already"), "{error}");
    let error = table().validation_file(path("test.csv")).err().unwrap().to_string();
    assert!(error.contains("name another file"), "{error}");
    assert!(table().test_file(path("test.csv")).is_ok(), "the last call counts");
}

#[test]
fn what_parts_of_files_cannot_do_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let lines =
        |from: usize| (from..from + 6).map(|i| format!("{i},{}\n", i % 2)).collect::<String>();
    let train = write("train.csv", &format!("a,y\n{}", lines(0)));
    let valid = write("valid.csv", &format!("a,y\n{}", lines(6)));
    let data = Dataset::csv(&train).unwrap().validation_file(&valid).unwrap().target("y").unwrap();
    let error = data.folds(&KFold::new(2), Seed(1)).err().unwrap().to_string();
    assert!(error.contains("leave `validation_file` out"), "{error}");
    let error = data.write_shards(folder.path().join("shards"), 4).unwrap_err().to_string();
    assert!(error.contains("which shards do not know"), "{error}");
    assert!(!folder.path().join("shards").exists());
}

#[test]
fn a_source_that_divides_otherwise_than_it_promises_is_refused() {
    let of = |parts| {
        let (_folder, data) = kinds(TRAIN, TRAIN);
        Hooked::divided(data.unwrap(), parts)
    };
    let data = of([vec![0, 1, 2, 3], vec![], vec![4, 5, 6, 7]]).unwrap();
    assert_eq!(data.part(Part::Test), [4, 5, 6, 7]);
    for (parts, told) in [
        ([vec![4, 5, 6, 7], vec![], vec![0, 1, 2, 3]], "do not come first"),
        ([vec![0, 1], vec![], vec![1, 2]], "row 1 is named for train and for test"),
        ([vec![0, 1], vec![8], vec![]], "row 8 of validation does not exist"),
    ] {
        let error = of(parts).err().unwrap().to_string();
        assert!(error.contains(told), "{error}");
    }
}
