//! From a file to a table.

use std::path::Path;

use super::{CsvOptions, Table, read_bytes};
use crate::{DataError, Dataset};

impl Dataset {
    /// Reads a CSV file of numbers and texts, also compressed with gzip or Zstandard (recognised by
    /// content, not by name). How it is written is found by looking, see [`CsvOptions`]. The first
    /// line is a header if none of its fields is a number; without a header columns are called "0",
    /// "1", ….
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8 text, has no rows, rows of unequal length, or two
    /// columns of one name. The message names the line. What a field must be is checked when a
    /// target is named.
    pub fn csv(path: impl AsRef<Path>) -> Result<Table, DataError> {
        Self::csv_with(path, CsvOptions::default())
    }

    /// Reads a CSV file of which some or all is said that [`csv`](Self::csv) finds by looking.
    ///
    /// # Errors
    /// As [`csv`](Self::csv); or an option makes no sense.
    pub fn csv_with(path: impl AsRef<Path>, options: CsvOptions) -> Result<Table, DataError> {
        let path = path.as_ref();
        Table::of_csv(path, read_bytes(path, "CSV file")?, &options)
    }

    /// Reads a file with a JSON object on each line, also compressed: its keys are the columns, in
    /// the order in which they occur first. What is null, empty or not there is a gap, true and
    /// false are texts. Texts that are numbers throughout a column are numbers, as with pandas;
    /// [`Table::types`] says otherwise.
    ///
    /// # Errors
    /// The file cannot be read, a line is no JSON object, or a value is an array or an object.
    pub fn json_lines(path: impl AsRef<Path>) -> Result<Table, DataError> {
        let path = path.as_ref();
        Table::of_json_lines(path, read_bytes(path, "file of JSON lines")?)
    }

    /// Reads a Parquet file, packed with snappy, gzip, Zstandard, LZ4 or not at all. Numbers,
    /// decimals, true (1) and false (0) are numbers; texts are texts, also where they are written
    /// as a dictionary, or are all numbers. Dates and times are texts such as `2026-11-28` and
    /// `2026-11-28T13:05:00`, times of a zone in UTC. What is null, NaN or an empty text is a gap.
    /// Whole numbers beyond 2⁵³ are rounded, and exact where [`Table::types`] says that they are
    /// categories or texts. The index without a name that pandas adds (`__index_level_0__`) is left
    /// out. Errors count rows from 0.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, encrypted or packed otherwise, has no rows or two
    /// columns of one name, or a column is nested (a list, a struct, a map) or of bytes that are no
    /// text.
    #[cfg(feature = "parquet")]
    pub fn parquet(path: impl AsRef<Path>) -> Result<Table, DataError> {
        let path = path.as_ref();
        Table::of_parquet(path, read_bytes(path, "Parquet file")?)
    }

    /// Reads an Arrow IPC file (Feather of version 2), or a stream in a file, packed with LZ4 or not
    /// at all. Numbers, decimals of up to 38 digits, true (1) and false (0) are numbers; texts are
    /// texts, also where they are all numbers. A column that is encoded as a dictionary is what its
    /// dictionary is of. Dates and times are texts such as `2026-11-28` and `2026-11-28T13:05:00`,
    /// times of a zone in UTC. What is null, NaN or an empty text is a gap, and so is all of a
    /// column of nulls. Whole numbers beyond 2⁵³ are rounded, and exact where [`Table::types`] says
    /// that they are categories or texts. The index without a name that pandas adds
    /// (`__index_level_0__`) is left out. Errors count rows from 0.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, cut off or packed otherwise (with Zstandard, too), has
    /// no rows or two columns of one name, or a column is nested (a list, a struct, a map, a union),
    /// run-end encoded, or of bytes, durations or intervals.
    #[cfg(feature = "arrow")]
    pub fn arrow(path: impl AsRef<Path>) -> Result<Table, DataError> {
        let path = path.as_ref();
        Table::of_arrow(path, read_bytes(path, "Arrow file")?)
    }
}
