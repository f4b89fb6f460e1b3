use super::*;

fn write(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// The message for a file with these bytes whose last column is the label, with the file's path
/// replaced by FILE.
fn refused(bytes: impl AsRef<[u8]>) -> String {
    refused_target(bytes, Column::last())
}

fn refused_target(bytes: impl AsRef<[u8]>, column: impl Into<Column>) -> String {
    let (_dir, path) = write(bytes.as_ref());
    let error = Dataset::csv(&path).and_then(|table| table.target(column)).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    one_line(&error.replace(path.to_str().unwrap(), "FILE"))
}

fn one_line(error: &str) -> String {
    assert!(!error.contains('\n'), "{error}");
    error.to_owned()
}

fn accepted(bytes: impl AsRef<[u8]>) -> Dataset {
    let (_dir, path) = write(bytes.as_ref());
    Dataset::csv(&path).unwrap().target(Column::last()).unwrap()
}

#[test]
fn the_digits_are_read_exactly() {
    let (data, (features, labels)) = (digits(), digits_raw());
    assert_eq!((data.len(), data.width(), data.classes()), (1797, 64, Some(10)));
    assert_eq!(classes(&data), labels);
    assert!(
        features
            .chunks(64)
            .enumerate()
            .all(|(row, pixels)| data.raw(&[row]).unwrap().floats() == pixels)
    );
    assert_eq!(data.feature_names()[63], "63");
    assert_eq!(data.class_names().join(""), "0123456789");
    assert_eq!(data.source(), digits_path().to_str().unwrap());
    let by = |column: Column| {
        Dataset::csv(digits_path()).unwrap().target(column).unwrap().fingerprint().unwrap()
    };
    assert_eq!(by(64.into()), data.fingerprint().unwrap());
    assert_eq!(by("64".into()), data.fingerprint().unwrap());
}

#[test]
fn a_header_names_columns_and_any_of_them_can_be_the_target() {
    let text = " height ,label,\"width, cm\"\r\n1.5,0,2\r\n\r\n-2e3, 1 ,0.25";
    let (_dir, path) = write(text.as_bytes());
    let data = Dataset::csv(&path).unwrap().target("label").unwrap();
    assert_eq!(data.feature_names(), ["height", "width, cm"]);
    assert_eq!(
        (data.raw(&[0]).unwrap().floats(), data.raw(&[1]).unwrap().floats()),
        (&[1.5, 2.0][..], &[-2e3, 0.25][..])
    );
    assert_eq!(classes(&data), [0, 1]);
    let table = Dataset::csv(&path).unwrap();
    assert_eq!((table.rows(), table.columns().len()), (2, 3));
    let data = table.target_values("height").unwrap();
    assert_eq!((data.targets(), data.classes()), (Some(&Targets::Values(vec![1.5, -2e3])), None));
    assert_eq!(data.raw(&[1]).unwrap().floats(), [1.0, 0.25]);
    assert!(data.class_names().is_empty());
}

#[test]
fn features_are_found_by_name_or_by_position() {
    let features = ["a", "b"].map(str::to_owned);
    let of = |text: &str| {
        let (_dir, path) = write(text.as_bytes());
        let found = Dataset::csv(&path).unwrap().features(&features);
        found.map_err(|e| one_line(&e.to_string().replace(path.to_str().unwrap(), "FILE")))
    };
    let expected = Ok(vec![1.0, 2.0, 3.0, 4.0]);
    assert_eq!(of("1,2\n3,4\n"), expected);
    assert_eq!(of("a,b\n1,2\n3,4\n"), expected);
    assert_eq!(of("b,label,a\n2,0,1\n4,1,3\n"), expected);
    assert_eq!(
        of("a,bb\n1,2\n").unwrap_err(),
        "read FILE column \"b\": there is no such column; the nearest is \"bb\""
    );
    let error = of("\n1,2,0\n").unwrap_err();
    assert!(
        error.starts_with("read FILE line 2: there are 3 columns, and there must be 2"),
        "{error}"
    );
}

#[test]
fn gzip_is_recognised_by_content_and_a_byte_order_mark_is_skipped() {
    let text = b"\xef\xbb\xbfa,label\n1,0\n2,1\n";
    let data = accepted(text);
    assert_eq!(data.feature_names(), ["a"]);
    assert_eq!(accepted(gzip(text)).fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
    assert!(refused("\u{feff}a,label\n1,0\nx,1\n").starts_with("read FILE line 3, column \"a\": "));
    let members = [gzip(b"a,label\n1,0\n"), gzip(b"2,1\n")].concat();
    assert_eq!(accepted(members).fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("digitz.csv");
    let error = one_line(&Dataset::csv(&missing).unwrap_err().to_string());
    assert!(
        error.starts_with(&format!(
            "read {}: there is no such file; correct the path",
            missing.display()
        )),
        "{error}"
    );
    let error = one_line(&Dataset::csv(dir.path()).unwrap_err().to_string());
    assert_eq!(
        error,
        format!("read {}: it is a folder; name a CSV file in it", dir.path().display())
    );
}

#[test]
fn files_that_are_no_csv() {
    let whole = gzip("1,0\n2,1\n".repeat(1000).as_bytes());
    assert_eq!(
        refused(&whole[..whole.len() - 10]),
        "read FILE: its gzip data ends too early; fetch the file again"
    );
    let mut damaged = whole.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 0xff;
    let error = refused(damaged);
    assert!(
        error.starts_with("read FILE: its gzip data is damaged (")
            && error.ends_with("; fetch the file again"),
        "{error}"
    );
    let error = refused([&whole[..2], b"rubbish"].concat());
    assert!(error.starts_with("read FILE: its gzip data "), "{error}");
    let not_text = "read FILE line 2: it is neither gzip nor UTF-8 text; save it as CSV in UTF-8";
    assert_eq!(refused(b"a,label\n\xe9,0\n"), not_text);
    assert_eq!(refused(gzip(b"a,label\n\xe9,0\n")), not_text);
    assert_eq!(
        refused(""),
        "read FILE: it is empty; it must hold a row of numbers for each sample"
    );
    assert_eq!(
        refused("\n\r\n"),
        "read FILE: it is empty; it must hold a row of numbers for each sample"
    );
    assert_eq!(
        refused("\na,label\n"),
        "read FILE line 2: there is only a header; add at least one row of numbers"
    );
}

#[test]
fn rows_that_do_not_fit() {
    let error = "read FILE line 5: there are 2 fields, but 3 on line 2; give each row the same";
    assert_eq!(refused("\n1,2,0\n1,2,1\n\n1,2\n"), error);
    assert_eq!(
        refused("1,0\n1,2,1\n"),
        "read FILE line 2: there are 3 fields, but 2 on line 1; give each row the same"
    );
    // a quoted field may hold a line break: line numbers are those of an editor
    assert_eq!(
        refused("\"a\nb\",c\n1,0\n1\n"),
        "read FILE line 4: there are 1 fields, but 2 on line 1; give each row the same"
    );
}

#[test]
fn fields_that_are_no_numbers() {
    let end = "write a number or leave the row out";
    let text = |column| {
        format!(
            "{end}, or say that the column is text: .types([({column:?}, ColumnType::Category)])"
        )
    };
    assert_eq!(
        refused("a,label\n1,0\nx1,1\n"),
        format!("read FILE line 3, column \"a\": \"x1\" is not a number; {}", text("a"))
    );
    let gap = |what: &str, column| {
        format!(
            "{what} (1 of 2 rows have a gap here); {end}, fill it by .missing({column:?}, \
             Missing::Mean), or leave all such rows out by .missing({column:?}, Missing::Drop)"
        )
    };
    assert_eq!(
        refused("1,0\n ,1\n"),
        format!("read FILE line 2, column \"0\": {}", gap("the field is empty", "0"))
    );
    for bad in ["NaN", "nan"] {
        let gap = gap(&format!("{bad:?} stands for a gap"), "b");
        let error = format!("read FILE line 3, column \"b\": {gap}");
        assert_eq!(refused(format!("a,b,label\n1,1,0\n2,{bad},1\n")), error);
    }
    for bad in ["inf", "-Infinity", "1e39"] {
        let error =
            format!("read FILE line 3, column \"b\": {bad:?} is not a finite number of f32; {end}");
        assert_eq!(refused(format!("a,b,label\n1,1,0\n2,{bad},1\n")), error);
    }
    assert_eq!(accepted("a;b\n1;0\n").feature_names(), ["a"]);
    let long = refused(format!("1,0\n{},1\n", "y".repeat(1000)));
    assert!(
        long.contains(&format!("\"{}…\" is not a number", "y".repeat(40))) && long.len() < 200,
        "{long}"
    );
}

#[test]
fn headers_that_are_no_headers() {
    let error = refused("a,1,label\n1,2,0\n");
    let end = "1 of 3 fields of this line are; the first line must be all names or all numbers";
    assert_eq!(error, format!("read FILE line 1, column \"0\": \"a\" is not a number, but {end}"));
    let error = refused("a,b,a\n1,2,0\n");
    assert_eq!(
        error,
        "read FILE line 1, column \"a\": columns 0 and 2, counted from 0, have the same name; rename one"
    );
}

#[test]
fn labels_that_are_no_classes() {
    let place = "read FILE line 3, column \"label\": label";
    let cure = "number the classes from 0, or use target_values for real numbers";
    assert_eq!(refused("a,label\n1,0\n2,1.5\n"), format!("{place} 1.5 is not an integer; {cure}"));
    assert_eq!(refused("a,label\n1,0\n2,-1\n"), format!("{place} -1 is negative; {cure}"));
    let gap = |missing| {
        format!(
            "but no row has label {missing}; classes are counted from 0 without gaps, so correct it or renumber them"
        )
    };
    assert_eq!(
        refused("a,label\n1,0\n2,3\n3,1\n"),
        format!("{place} 3 is out of range, {}", gap(2))
    );
    assert_eq!(
        refused("a,label\n1,0\n2,1e30\n"),
        format!("{place} 1000000000000000000000000000000 is out of range, {}", gap(1))
    );
    let error = refused("a,label\n1,1\n2,2\n");
    assert_eq!(
        error,
        format!("read FILE line 2, column \"label\": label 1 is out of range, {}", gap(0))
    );
}

#[test]
fn columns_that_do_not_exist() {
    let text = "height,Label\n1,0\n2,1\n";
    let error = refused_target(text, "lable");
    assert_eq!(
        error,
        "read FILE column \"lable\": there is no such column; the nearest is \"Label\""
    );
    let error = refused_target(text, 2);
    assert_eq!(
        error,
        "read FILE column 2: there is no such column; there are 2, counted from 0 to 1"
    );
    let error = refused("label\n0\n1\n");
    assert_eq!(
        error,
        "read FILE column \"label\": it is the only column, which leaves no features; use a file with at least two columns"
    );
}

#[test]
fn rows_in_memory_are_checked_alike() {
    let refused = |width, features: &[f32], targets| {
        let error = Dataset::from_rows("memory", width, features.to_vec(), targets)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("use the data: "), "{error}");
        one_line(&error)
    };
    let two = || Targets::Classes(vec![0, 1]);
    for (width, features) in [(0, &[][..]), (2, &[1.0, 2.0, 3.0]), (usize::MAX, &[1.0, 2.0])] {
        assert!(refused(width, features, two()).contains("do not make 2 rows"));
    }
    assert!(refused(1, &[], Targets::default()).contains("do not make 0 rows"));
    assert!(
        refused(2, &[1.0, 2.0, 3.0, f32::NAN], two())
            .contains("feature 1 of row 1 is NaN; replace it")
    );
    assert!(
        refused(1, &[1.0, f32::INFINITY], two()).contains("feature 0 of row 1 is inf; replace it")
    );
    assert!(
        refused(1, &[1.0, 2.0], Targets::Values(vec![f32::NAN, 0.0]))
            .contains("the target of row 0 is NaN")
    );
    assert!(
        refused(1, &[1.0, 2.0], Targets::Classes(vec![0, u32::MAX]))
            .contains("row 1 is 4294967295, but no row has label 1")
    );
    let data = Dataset::from_rows("memory", 2, vec![1.0, 2.0, 3.0, 4.0], two()).unwrap();
    assert_eq!(
        (data.source(), data.raw(&[1]).unwrap().floats(), data.classes()),
        ("memory", &[3.0, 4.0][..], Some(2))
    );
}

#[test]
fn columns_may_be_called_as_other_formats_begin() {
    for name in ["ARROW1", "FEA1"] {
        let table = table(&format!("{name},y\n1,0\n2,1\n"));
        assert_eq!(table.columns(), [name, "y"]);
    }
}

#[cfg(not(feature = "parquet"))]
#[test]
fn a_parquet_file_names_the_feature_that_reads_it() {
    names_its_feature(
        b"PAR1\xe2\x80\xa6PAR1",
        "build it with the feature `parquet` of trainbook",
        "it is a Parquet file; read it by Dataset::parquet",
    );
}

#[cfg(not(feature = "arrow"))]
#[test]
fn an_arrow_file_names_the_feature_that_reads_it() {
    for bytes in [&b"ARROW1\0\0"[..], b"\xff\xff\xff\xff\x08\0\0\0"] {
        names_its_feature(
            bytes,
            "build it with the feature `arrow` of trainbook",
            "it is an Arrow file; read it by Dataset::arrow",
        );
    }
}

#[cfg(not(all(feature = "arrow", feature = "parquet")))]
fn names_its_feature(bytes: &[u8], feature: &str, function: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (csv, other) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&csv, "x,y\n1,0\n2,1\n").unwrap();
    std::fs::write(&other, bytes).unwrap();
    let data = Dataset::csv(&csv).unwrap().target("y").unwrap();
    let encoding = data.encoding().unwrap();
    let error = data.recipe().table(&other, encoding).unwrap_err().to_string();
    assert!(error.ends_with(feature), "{error}");
    let error = Dataset::csv(&other).unwrap_err().to_string();
    assert!(error.ends_with(function), "{error}");
}
