//! The notebook and the cell that started a run.
//!
//! The kernel (evcxr) tells a cell nothing about itself. But a Jupyter server names the notebook in
//! a variable, and the kernel compiles each cell as a crate of its own: the cell's library is
//! mapped into this process, and the crate's source lies beside it until the next cell is compiled,
//! which is not before this one has ended.

use std::path::{Path, PathBuf};

use super::attachments::Attached;
use super::facts::Environment;

/// How large a notebook may be, in bytes.
const LARGEST: u64 = 16 << 20;

/// Fills in the notebook and the cell, if there are any.
pub(super) fn look(environment: &mut Environment) {
    // Newer servers give an absolute path, older ones a path from their own folder, some editors a
    // name of their own.
    if let Ok(notebook) = std::env::var("JPY_SESSION_NAME")
        && !notebook.is_empty()
    {
        file(Path::new(&notebook), environment);
        environment.notebook = Some(notebook);
    }
    if std::env::var_os("EVCXR_IS_RUNTIME").is_some() {
        let maps = std::fs::read_to_string("/proc/self/maps");
        let source = maps.map_err(|error| error.to_string()).and_then(|maps| cell(&maps));
        match source {
            Ok(source) => environment.attach(Attached::NotebookCell, source.into_bytes()),
            Err(why) => environment.is_unknown("notebook_cell", why),
        }
    }
}

fn file(notebook: &Path, environment: &mut Environment) {
    // The kernel works in the notebook's folder, whatever folder the server counts from.
    let here = notebook.file_name().map(PathBuf::from);
    let Some(path) =
        [Some(notebook.to_owned()), here].into_iter().flatten().find(|path| path.is_file())
    else {
        environment.is_unknown("notebook_file", "there is no such file in the working folder");
        return;
    };
    match path.metadata().map(|metadata| metadata.len()) {
        Ok(length) if length > LARGEST => {
            environment.is_unknown(
                "notebook_file",
                format!("it has {length} bytes, and {LARGEST} is the most"),
            );
        }
        _ => match std::fs::read(&path) {
            Ok(bytes) => environment.attach(Attached::NotebookFile, bytes),
            Err(error) => environment.is_unknown("notebook_file", error.to_string()),
        },
    }
}

/// The source of the newest cell whose library is mapped, or why it is not to be had.
fn cell(maps: &str) -> Result<String, String> {
    let number = |path: &Path| {
        path.file_name()?.to_str()?.strip_prefix("libcode_")?.strip_suffix(".so")?.parse().ok()
    };
    let paths =
        maps.lines().filter_map(|line| line.find('/').and_then(|at| line.get(at..))).map(Path::new);
    let newest = paths
        .filter_map(|path| Some((number(path)?, path)))
        .max_by_key(|(number, _): &(u64, _)| *number);
    let (_, library) = newest.ok_or("no cell's library is mapped")?;
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| format!("failed to read {}: {error}", path.display()))
    };
    let source =
        library.ancestors().map(|folder| folder.join("src/lib.rs")).find(|path| path.is_file());
    let source =
        String::from_utf8_lossy(&read(&source.ok_or("the cell's source is gone")?)?).into_owned();
    // Kernels that share a folder overwrite each other's source. The function that the source
    // defines is a symbol of the library that came of it.
    let entry = source.split("fn ").find_map(|rest| rest.strip_prefix("run_user_code_"));
    let entry: String =
        entry.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    let symbol = format!("run_user_code_{entry}\0").into_bytes();
    let is_of_library =
        !entry.is_empty() && read(library)?.windows(symbol.len()).any(|bytes| bytes == symbol);
    if is_of_library {
        Ok(source)
    } else {
        Err("another cell's source has taken its place".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_the_newest_cell_is_found_and_another_kernels_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let crate_folder = folder.path().join(".evcxr");
        let libraries = crate_folder.join("target/x86_64-unknown-linux-gnu/debug");
        std::fs::create_dir_all(&libraries).unwrap();
        std::fs::create_dir(crate_folder.join("src")).unwrap();
        for (number, symbol) in [(9, 8), (10, 9)] {
            let bytes = format!("\x7fELF\0run_user_code_{symbol}\0");
            std::fs::write(libraries.join(format!("libcode_{number}.so")), bytes).unwrap();
        }
        let map = |number: u32| {
            let path = libraries.join(format!("libcode_{number}.so"));
            format!(
                "7f0-7f1 r-xp 00000000 fe:00 1 {0}\n7f1-7f2 r--p 00001000 fe:00 1 {0}\n",
                path.display()
            )
        };
        let maps = format!("{}7ff-800 rw-p 00000000 00:00 0 [stack]\n{}", map(10), map(9));
        let source = crate_folder.join("src/lib.rs");

        assert_eq!(cell(&maps).unwrap_err(), "the cell's source is gone");
        let text = "pub extern \"C\" fn run_user_code_9(x: u8) { train() }";
        std::fs::write(&source, text).unwrap();
        assert_eq!(cell(&maps).unwrap(), text);
        for other in [
            "pub extern \"C\" fn run_user_code_8(x: u8) {}",
            "fn run_user_code_90() {}",
            "fn main() {}",
        ] {
            std::fs::write(&source, other).unwrap();
            assert_eq!(
                cell(&maps).unwrap_err(),
                "another cell's source has taken its place",
                "{other}"
            );
        }
        assert_eq!(
            cell("7ff-800 rw-p 00000000 00:00 0 [stack]\n").unwrap_err(),
            "no cell's library is mapped"
        );
    }

    #[test]
    fn a_notebooks_file_is_attached_or_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("first.ipynb");
        let mut environment = Environment::default();
        file(&path, &mut environment);
        assert_eq!(
            environment.unknown["notebook_file"],
            "there is no such file in the working folder"
        );

        std::fs::write(&path, "{}").unwrap();
        let mut environment = Environment::default();
        file(&path, &mut environment);
        assert_eq!(environment.notebook_file, Some(crate::ObjectId::of(b"{}")));

        std::fs::File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        let mut environment = Environment::default();
        file(&path, &mut environment);
        assert_eq!(environment.notebook_file, None);
        assert!(
            environment.unknown["notebook_file"].contains("16777217 bytes"),
            "{:?}",
            environment.unknown
        );
    }
}
