//! Arrays as NumPy saves them.

use super::fixture;
use crate::{Dataset, Numbers};

#[test]
fn arrays_are_those_of_numpy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.npy");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let name = path.to_str().unwrap();
        Dataset::npy(&path).map_err(|e| e.to_string().replace(name, "FILE"))
    };
    let mut last = Vec::new();
    for case in fixture()["arrays"].as_array().unwrap() {
        let hex = case["hex"].as_str().unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let array = read(&bytes).unwrap();
        let expected: Vec<f64> =
            case["numbers"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let found: Vec<f64> = match &array.numbers {
            Numbers::F32(numbers) => numbers.iter().map(|&x| f64::from(x)).collect(),
            Numbers::I64(numbers) => numbers.iter().map(|&x| x as f64).collect(),
        };
        assert_eq!((array.shape, found), (vec![3, 2], expected), "{}", case["name"]);
        last = bytes;
    }
    // One dimension, and the second version of the format, whose header has a longer length.
    let at = last.windows(6).position(|bytes| bytes == b"(3, 2)").unwrap();
    let flat = [&last[..at], b"(6,)  ", &last[at + 6..]].concat();
    let expected = read(&last).unwrap().numbers;
    let found = read(&flat).unwrap();
    assert_eq!((found.shape, found.numbers), (vec![6], expected.clone()));
    let second = [&last[..6], &[2, 0], &last[8..10], &[0, 0], &last[10..]].concat();
    let found = read(&second).unwrap();
    assert_eq!((found.shape, found.numbers), (vec![3, 2], expected));
    let refused = |bytes: &[u8]| read(bytes).unwrap_err();
    assert_eq!(refused(&last[..last.len() - 1]), "read FILE: it ends too early; save it again");
    assert_eq!(refused(&last[..20]), "read FILE: it ends too early; save it again");
    assert_eq!(refused(b"1,2\n"), "read FILE: it is no NumPy array; write it by numpy.save");
    let text = String::from_utf8_lossy(&last[10..]).into_owned();
    let with = |from: &str, to: &str| {
        let header = text.replace(from, to);
        [&last[..10], header.as_bytes()].concat()
    };
    assert_eq!(
        refused(&with("False", "True ")),
        "read FILE: it is saved column by column; save numpy.ascontiguousarray of it"
    );
    assert!(
        refused(&with("i8", "U8")).starts_with("read FILE: its numbers are \"U8\"; save it as")
    );
}
