//! Files as Pillow decodes and resizes them, and what is refused.

use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::Write;

use super::{ImageFiles, ImageOptions};
use crate::{DataRecipe, Dataset, Normalize, Targets};

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn folder() -> ImageFiles {
    Dataset::image_folder(fixtures().join("images")).unwrap()
}

/// The rows, in the order of their paths.
fn pillow() -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join("images.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// How far apart at most.
fn distance(ours: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(ours.len(), expected.len());
    ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn all(data: &Dataset) -> Vec<Vec<f32>> {
    let rows: Vec<usize> = (0..data.len()).collect();
    let raw = data.raw(&rows).unwrap();
    raw.floats().chunks_exact(data.width()).map(<[f32]>::to_vec).collect()
}

#[test]
fn sub_folders_are_the_classes_and_what_is_no_image_is_skipped() {
    let folder = folder();
    assert_eq!(folder.classes(), ["apple", "pear", "quince"]);
    let skipped: Vec<_> = folder.skipped().iter().filter_map(|path| path.file_name()).collect();
    assert_eq!(skipped, [".hidden.png", "notes.txt"]);
    let data = folder.resize(9, 11).open().unwrap();
    assert_eq!((data.shape(), data.len()), (&[3, 9, 11][..], 8));
    assert_eq!(data.targets(), Some(&Targets::Classes(vec![0, 0, 0, 1, 1, 1, 1, 2])));
    assert_eq!(data.class_names(), ["apple", "pear", "quince"]);
    assert!(data.place(7).unwrap().contains("quince") && data.place(8).is_none());
}

#[test]
fn files_are_decoded_as_by_pillow() {
    for entry in pillow() {
        let name = entry["file"].as_str().unwrap();
        let path = fixtures().join("images").join(name);
        // Formats without loss are equal; JPEG decoders may round in another way.
        let bound = if name.to_lowercase().contains(".jp") { 2.0 } else { 0.0 };
        for (grey, key) in [(false, "rgb"), (true, "grey")] {
            let mut options = ImageOptions::default();
            if grey {
                options.colours = super::Colours::Grey;
            }
            let (bytes, size) = super::decode(&path, &options).unwrap();
            let expected: [usize; 2] = serde_json::from_value(entry["size"].clone()).unwrap();
            assert_eq!(size, expected, "{name}");
            assert_eq!(super::decode::upright_size(&path).unwrap(), expected, "{name}");
            let bytes: Vec<f32> = bytes.into_iter().map(f32::from).collect();
            let off = distance(&bytes, &numbers(&entry[key]));
            assert!(off <= bound, "{name}: {off}");
        }
    }
}

#[test]
fn files_are_resized_as_by_pillow() {
    let cases = [
        (folder().resize(9, 11), "smaller_9_11"),
        (folder().resize(30, 24), "larger_30_24"),
        (folder().resize(5, 6).grey(), "grey_5_6"),
        (folder().resize(9, 11).center_crop(4, 6), "smaller_9_11_middle_4_6"),
    ];
    for (folder, key) in cases {
        let data = folder.clone().open().unwrap();
        let ours = all(&data);
        for (ours, entry) in ours.iter().zip(pillow()) {
            let name = entry["file"].as_str().unwrap();
            let bound = if name.to_lowercase().contains(".jp") { 3.0 } else { 1.0 };
            let off = distance(ours, &numbers(&entry[key]));
            assert!(off <= bound, "{name}, {key}: {off}");
        }
        assert_eq!(all(&folder.in_memory().open().unwrap()), ours);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| all(&data)), ours);
        }
    }
}

#[test]
fn a_recipe_makes_it_again() {
    let data = folder().resize(6, 7).grey().open().unwrap();
    let data = data.normalize(Normalize::divide_by(255.0)).unwrap();
    let written = serde_json::to_string(&data.recipe()).unwrap();
    assert!(written.contains(r#""from":"image_folder""#), "{written}");
    let again = serde_json::from_str::<DataRecipe>(&written).unwrap().make().unwrap();
    assert_eq!(again.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
}

fn write(path: &Path, bytes: &[u8]) -> PathBuf {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    path.to_owned()
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = folder().open().unwrap_err().to_string();
    assert!(error.contains("b.JPG") && error.contains("a.png has 14 × 20"), "{error}");
    let error = folder().resize(0, 4).open().unwrap_err().to_string();
    assert!(error.contains("from 1 to 16384"), "{error}");
    let error = folder().center_crop(8, 12).open().unwrap().raw(&[0, 3, 5]).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("bitmap.bmp") && error.contains("fewer than the 8 × 12"), "{error}");

    let temp = tempfile::tempdir().unwrap();
    let open = || Dataset::image_folder(temp.path()).map(|folder| folder.resize(4, 4));
    let error = open().unwrap_err().to_string();
    assert!(error.contains("no sub-folders"), "{error}");
    write(&temp.path().join("cat/notes.txt"), b"");
    let error = open().unwrap_err().to_string();
    assert!(error.contains("\"cat\": it holds no images, and 1 other"), "{error}");
    let good = std::fs::read(fixtures().join("images/apple/a.png")).unwrap();
    write(&temp.path().join("cat/1.png"), &good);
    write(&temp.path().join("cat/2.png"), &good[..good.len() / 2]);
    write(&temp.path().join("cat/3.png"), b"no image at all");
    let data = open().unwrap().open().unwrap();
    data.raw(&[0]).unwrap();
    for (row, name) in [(1, "2.png"), (2, "3.png")] {
        let error = data.raw(&[0, row]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("a whole PNG"), "{error}");
    }
    let error = open().unwrap().in_memory().open().unwrap_err().to_string();
    assert!(error.contains("2.png"), "{error}");
    let error = Dataset::image_folder(temp.path().join("dog")).unwrap_err().to_string();
    assert!(error.contains("dog"), "{error}");
}

#[test]
fn a_table_names_files_and_their_classes() {
    let table = |text: &str| {
        let temp = tempfile::tempdir().unwrap();
        let path = write(&temp.path().join("labels.csv"), text.as_bytes());
        let png = std::fs::read(fixtures().join("images/apple/a.png")).unwrap();
        write(&temp.path().join("pictures/a.png"), &png);
        let files = Dataset::image_table(path, "file", "kind");
        (temp, files.map_err(|e| e.to_string()))
    };
    let (_temp, files) = table("kind,file\npear,pictures/a.png\napple,pictures/a.png\n");
    let data = files.unwrap().grey().open().unwrap();
    assert_eq!(data.class_names(), ["apple", "pear"]);
    assert_eq!(data.targets(), Some(&Targets::Classes(vec![1, 0])));
    assert_eq!(distance(&all(&data)[1], &numbers(&pillow()[0]["grey"])), 0.0);
    let written = serde_json::to_string(&data.recipe()).unwrap();
    let again = serde_json::from_str::<DataRecipe>(&written).unwrap().make().unwrap();
    assert_eq!(again.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
    for (text, expected) in [
        ("kinds,file\n", "column \"kind\": there is no such column; the nearest is \"kinds\""),
        ("kind,file\n", "it has no images"),
        ("kind,file\na,\n", "line 2, column \"file\": it is empty"),
        ("kind,file\na\n", "line 2"),
    ] {
        let error = table(text).1.unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let (_temp, files) = table("kind,file\na,pictures/b.png\n");
    let error = files.unwrap().open().unwrap_err().to_string();
    assert!(error.contains("b.png"), "{error}");
}

/// Three images of 2 × 2 and their labels.
fn idx() -> (Vec<u8>, Vec<u8>) {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2];
    images.extend(0..11);
    images.push(255);
    (images, vec![0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 1])
}

#[test]
fn idx_files_are_read_and_made_again() {
    let temp = tempfile::tempdir().unwrap();
    let (images, labels) = idx();
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&images).unwrap();
    let gz = write(&temp.path().join("images.gz"), &gz.finish().unwrap());
    let labels = write(&temp.path().join("labels"), &labels);
    let plain = write(&temp.path().join("images"), &images);
    for path in [gz, plain] {
        let data = Dataset::idx(&path, &labels).unwrap();
        assert_eq!(data.shape(), [1, 2, 2]);
        assert_eq!(data.targets(), Some(&Targets::Classes(vec![1, 0, 1])));
        assert_eq!(data.raw(&[2]).unwrap().floats(), [8.0, 9.0, 10.0, 255.0]);
        let again = data.recipe().make().unwrap();
        assert_eq!(again.fingerprint().unwrap().hash, data.fingerprint().unwrap().hash);
        assert_eq!(again.shape(), [1, 2, 2]);
    }
    let wide = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 44][..], &[7; 300]].concat();
    let wide = write(&temp.path().join("wide"), &wide);
    let one = write(&temp.path().join("one"), &[0, 0, 8, 1, 0, 0, 0, 1, 0]);
    assert_eq!(Dataset::idx(wide, one).unwrap().shape(), [1, 1, 300]);
}

#[test]
fn idx_files_that_are_wrong_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let refused = |images: &[u8], labels: &[u8], expected: &str| {
        let images = write(&temp.path().join("images"), images);
        let labels = write(&temp.path().join("labels"), labels);
        let error = Dataset::idx(images, labels).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let (images, labels) = idx();
    refused(&images[..27], &labels, "says that it holds [3, 2, 2]");
    refused(&images[..9], &labels, "have at least 16");
    refused(&[&images[..], &[1]].concat(), &labels, "13 bytes behind");
    refused(&labels, &labels, "begin with [0, 0, 8, 3]");
    refused(&images, &[0, 0, 8, 1, 0, 0, 0, 2, 1, 0], "2 labels");
    refused(&images, &[0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 3], "no row has label 2");
    let mut huge = images.clone();
    huge[4..16].fill(255);
    refused(&huge, &labels, "fetch it again");
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&images).unwrap();
    let gz = gz.finish().unwrap();
    refused(&gz[..gz.len() - 9], &labels, "ends too early");
    refused(
        &[0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2],
        &[0, 0, 8, 1, 0, 0, 0, 0],
        "none may",
    );
}
