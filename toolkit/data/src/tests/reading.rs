//! How a file is written, and what a table shows of it.

use super::*;
use crate::CsvOptions;

#[test]
fn options_decide() {
    let read = |text: &str, options| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.csv");
        std::fs::write(&path, text).unwrap();
        Dataset::csv_with(&path, options)
    };
    let options = CsvOptions::new;
    let table = read("name,kind\nTom,cat\n", options().has_header(false)).unwrap();
    assert_eq!((table.rows(), table.columns()), (2, &["0".to_owned(), "1".to_owned()][..]));
    let table = read("2019,2020\n1,2\n", options().has_header(true)).unwrap();
    assert_eq!((table.rows(), table.columns()), (1, &["2019".to_owned(), "2020".to_owned()][..]));
    let table = read("a b\n1 2\n", options().separator(' ')).unwrap();
    assert_eq!(table.columns(), ["a", "b"]);
    let table = read("a,b\n'x, y',2\n", options().quote('\'')).unwrap();
    assert_eq!((table.columns().len(), table.rows()), (2, 1));
    let table = read("a,b\n1,\"x\n2,y\n", options().quote(None)).unwrap();
    assert_eq!(table.rows(), 2);
    for (options, error) in [
        (options().separator('x'), "set CsvOptions::separator to 'x': it must be one ASCII"),
        (options().decimal(';'), "set CsvOptions::decimal to ';': it must be '.', or ','"),
        (options().separator(',').decimal(','), "set CsvOptions::decimal to ',': it must be '.'"),
    ] {
        let found = refused(read("a,b\n1,2\n", options));
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn a_table_shows_its_columns() {
    let text = table(PETS).to_string();
    let (head, body) = text.split_once('\n').unwrap();
    assert!(head.ends_with("data.csv: 5 rows, 4 columns"), "{head}");
    assert_eq!(
        body,
        "separated by ',', decimal '.', with a header\n\
         column  type      gaps  values       example\n\
         age     number       1  1 to 5       1\n\
         kind    category     1  3 different  dog\n\
         owner   category     0  5 different  a\n\
         good    category     0  2 different  yes\n"
    );
}

#[test]
fn compressed_files_and_other_encodings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, b"\xff\xfea\0,\0b\0").unwrap();
    let error = refused(Dataset::csv(&path));
    assert_eq!(error, "read FILE: it is UTF-16 text; save it as CSV in UTF-8");
    // By Python: zstandard.ZstdCompressor(write_checksum=True).compress(text), and then twice.
    let frame = [
        0x28, 0xb5, 0x2f, 0xfd, 0x24, 0xa4, 0x95, 0x00, 0x00, 0x58, 0x61, 0x2c, 0x62, 0x0a, 0x31,
        0x2c, 0x32, 0x0a, 0x33, 0x2c, 0x34, 0x01, 0x00, 0x96, 0x51, 0xc5, 0x0b, 0x69, 0x86, 0x5c,
        0xa0,
    ];
    let text = format!("a,b\n{}", "1,2\n3,4\n".repeat(20));
    std::fs::write(&path, frame).unwrap();
    let names = ["a", "b"].map(str::to_owned);
    let read = Dataset::csv(&path).unwrap().features(&names).unwrap();
    assert_eq!(read, table(&text).features(&names).unwrap());
    std::fs::write(&path, &frame[..20]).unwrap();
    let error = refused(Dataset::csv(&path));
    assert!(error.starts_with("read FILE: its Zstandard data "), "{error}");
    assert!(error.ends_with("; fetch the file again"), "{error}");
}

/// A file that more than one thread reads gives what one thread reads of its parts.
#[test]
fn large_files_are_read_by_several_threads() {
    let line = |row: usize| format!("{row},{}.5,k{},{}\n", row * 7 % 1000, row % 7, row % 3);
    let text: String = (0..150_000).map(line).collect();
    assert!(text.len() > 2 << 20);
    let large = table(&format!("row,x,kind,y\n{text}"));
    assert_eq!(large.rows(), 150_000);
    let data = large.target("y").unwrap();
    assert_eq!(data.width(), 9);
    for row in [0, 1, 74_999, 75_000, 75_001, 149_999] {
        let numbers = data.raw(&[row]).unwrap();
        let numbers = numbers.floats();
        assert_eq!(numbers[..2], [row as f32, (row * 7 % 1000) as f32 + 0.5]);
        let hot: Vec<usize> = (0..7).filter(|&kind| numbers[2 + kind] == 1.0).collect();
        assert_eq!(hot, [row % 7]);
    }
    let broken = format!("row,x,kind,y\n{text}1,2\n");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.csv");
    std::fs::write(&path, broken).unwrap();
    assert_eq!(
        refused(Dataset::csv(&path)),
        "read FILE line 150002: there are 2 fields, but 4 on line 1; give each row the same"
    );
    let late = table(&format!("row,x,kind,y\n{text}1,oops,k1,0\n"));
    let found = refused(late.target("y"));
    assert!(found.starts_with("read FILE line 150002, column \"x\": \"oops\""), "{found}");
}

/// The digits' fingerprint as it was when a table was of numbers alone.
#[test]
fn plain_numbers_have_kept_their_fingerprint() {
    let hash = "a497d52592415e98b042352c3629e7ab090ebbd18c40ffdf95bb056dd74aac6d";
    assert_eq!(super::digits().fingerprint().unwrap().hash, hash);
}
