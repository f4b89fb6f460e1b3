//! A table of images: a file and a class in each line.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ImageFiles, ImageOptions};
use crate::recipe::absolute;
use crate::table::{named, read_text};
use crate::{DataError, Dataset, Origin};

impl Dataset {
    /// Lists the images of a CSV file with a header: the file of each in the column `image`, from the
    /// folder of the CSV file on, and its class in the column `target`. Rows are in the order of the
    /// lines, classes in that of their names as text.
    ///
    /// # Errors
    /// The file cannot be read, has no such column or no lines, or a line lacks a file or a class.
    pub fn image_table(
        path: impl AsRef<Path>,
        image: &str,
        target: &str,
    ) -> Result<ImageFiles, DataError> {
        list(path.as_ref(), image, target)
    }
}

fn list(path: &Path, image: &str, target: &str) -> Result<ImageFiles, DataError> {
    let wrong =
        |place: String, reason: String| DataError::File { path: path.to_owned(), place, reason };
    let text = read_text(path, "CSV file")?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        wrong(format!("line {line}"), format!("{error}; every line must have the same fields"))
    };
    let header = reader.headers().map_err(broken)?.clone();
    let column = |name: &str| named(path, name, header.iter());
    let (image, target) = ((image, column(image)?), (target, column(target)?));
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let field = |(name, at): (&str, usize)| match record.get(at).unwrap_or_default() {
            "" => {
                let line = record.position().map_or(1, csv::Position::line);
                let reason = "it is empty; write it or leave the line out".to_owned();
                Err(wrong(format!("line {line}, column {name:?}"), reason))
            }
            field => Ok(field.to_owned()),
        };
        lines.push((field(image)?, field(target)?));
    }
    if lines.is_empty() {
        return Err(wrong("behind line 1".to_owned(), "it has no images".to_owned()));
    }
    let classes: BTreeSet<&String> = lines.iter().map(|(_, class)| class).collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    let folder = path.parent().unwrap_or(Path::new(""));
    let files = lines.iter().map(|(file, class)| {
        (folder.join(file), classes.binary_search(class).unwrap_or_default() as u32)
    });
    Ok(ImageFiles {
        origin: Origin::ImageTable {
            path: absolute(path),
            image: image.0.to_owned(),
            target: target.0.to_owned(),
            options: ImageOptions::default(),
        },
        name: path.display().to_string(),
        files: files.collect(),
        classes,
        skipped: Vec::new(),
        options: ImageOptions::default(),
    })
}
