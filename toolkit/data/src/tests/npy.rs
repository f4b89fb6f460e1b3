//! Arrays as NumPy saves them.

use super::fixture;
use crate::{DataError, Dataset, Numbers};

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
        let bytes = bytes_of(case);
        let array = read(&bytes).unwrap();
        let expected: Vec<f64> =
            case["numbers"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let found: Vec<f64> = match &array.numbers {
            Numbers::F32(numbers) => numbers.iter().map(|&x| f64::from(x)).collect(),
            Numbers::I64(numbers) => numbers.iter().map(|&x| x as f64).collect(),
        };
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        assert_eq!((array.shape, found), (shape, expected), "{}", case["name"]);
        if case["name"] == ">i8" {
            last = bytes;
        }
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
    assert!(
        refused(&with("i8", "U8")).starts_with("read FILE: its numbers are \"U8\"; save it as")
    );
    // -100 in two's complement.
    let mut unsigned = last.clone();
    let at = last.windows(3).position(|bytes| bytes == b">i8").unwrap();
    unsigned[at + 1] = b'u';
    assert_eq!(
        refused(&unsigned),
        "read FILE: 18446744073709551516 is among its numbers; they must be less than 2^63"
    );
}

fn bytes_of(case: &serde_json::Value) -> Vec<u8> {
    let hex = case["hex"].as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn archives_are_those_of_numpy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data.npz");
    let message = |error: DataError| error.to_string().replace(path.to_str().unwrap(), "FILE");
    let fixture = fixture();
    let cases = fixture["archives"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let bytes = bytes_of(case);
        std::fs::write(&path, &bytes).unwrap();
        let mut arrays = Dataset::npz(&path).unwrap();
        assert_eq!(arrays.names().collect::<Vec<_>>(), ["names", "x_train", "y_train"]);
        let (x, y) = (arrays.take("x_train").unwrap(), arrays.take("y_train").unwrap());
        assert_eq!((&x.shape, &y.shape), (&vec![3, 2], &vec![3]));
        assert_eq!(x.floats(), [-1.0, -0.6, -0.2, 0.2, 0.6, 1.0]);
        assert_eq!(y.numbers, Numbers::I64(vec![0, 1, 1]));
        assert_eq!(Dataset::from_arrays("archive", x, y).unwrap().classes(), Some(2));
        assert_eq!(
            message(arrays.take("nams").unwrap_err()),
            "read FILE array \"nams\": there is no such array; the nearest is \"names\""
        );
        assert_eq!(
            message(arrays.take("names").unwrap_err()),
            "read FILE array \"names\": its numbers are \"U1\"; save it as floats or integers of up \
             to 64 bits"
        );
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(Dataset::npz(&path).is_err(), "{length} bytes");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xff;
            std::fs::write(&path, &bytes).unwrap();
            // Some bytes, such as those of the date, do not matter.
            if let Ok(mut arrays) = Dataset::npz(&path) {
                let names: Vec<String> = arrays.names().map(str::to_owned).collect();
                names.iter().for_each(|name| drop(arrays.take(name)));
            }
        }
    }
    std::fs::write(&path, "x").unwrap();
    let error = message(Dataset::npz(&path).unwrap_err());
    assert_eq!(error, "read FILE: it is no archive of arrays; write it by numpy.savez");
}
