//! The program that runs cells.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Folders, Toolchain};

/// The version that this toolkit was tested with, and no other is used.
pub const VERSION: &str = "0.22.0";

/// Its crate, and the program in it.
pub const PROGRAM: &str = "evcxr_jupyter";

/// The environment variable that names one in place of that which would be found.
pub const VARIABLE: &str = "TRAINBOOK_EVCXR";

/// The one that [`install`] builds.
pub fn own(folders: &Folders) -> PathBuf {
    folders.cache().join(format!("{PROGRAM}-{VERSION}/bin/{PROGRAM}"))
}

/// The program that kernels run: the one in the cache, or else one of the right version in
/// `~/.cargo/bin` or on the `PATH`. `Err` says what was found instead.
///
/// # Errors
/// What was looked at, for a message.
pub fn find(folders: &Folders) -> Result<PathBuf, String> {
    find_by(folders, &|name| env::var_os(name))
}

/// The same with other environment variables.
pub(crate) fn find_by(
    folders: &Folders,
    variables: &dyn Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, String> {
    let own = own(folders);
    if own.is_file() {
        return Ok(own);
    }
    let cargo = variables("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variables("HOME")?).join(".cargo")));
    let path = variables("PATH").unwrap_or_default();
    let folders = cargo.map(|cargo| cargo.join("bin")).into_iter().chain(env::split_paths(&path));
    find_in(folders)
}

fn find_in(folders: impl Iterator<Item = PathBuf>) -> Result<PathBuf, String> {
    let mut others = Vec::new();
    for program in folders.map(|folder| folder.join(PROGRAM)).filter(|program| program.is_file()) {
        match version(&program) {
            Some(version) if version == VERSION => return Ok(program),
            Some(version) => others.push(format!("{} is of version {version}", program.display())),
            None => others.push(format!("{} does not tell its version", program.display())),
        }
    }
    others.dedup();
    match others.as_slice() {
        [] => Err(format!("{PROGRAM} is neither in the cache nor on the PATH")),
        others => Err(format!("{}; {VERSION} is needed", others.join(", "))),
    }
}

/// The version that cargo noted when it installed this program; the program itself has no option for
/// it.
pub fn version(program: &Path) -> Option<String> {
    let root = program.parent()?.parent()?;
    let noted: serde_json::Value =
        serde_json::from_slice(&fs::read(root.join(".crates2.json")).ok()?).ok()?;
    let installs = noted["installs"].as_object()?;
    let name = installs.keys().find_map(|id| id.strip_prefix(&format!("{PROGRAM} ")))?;
    Some(name.split(' ').next()?.to_owned())
}

/// A program that was named, unless cargo has noted that it is of another version.
///
/// # Errors
/// [`Error::Program`].
pub(crate) fn of_this_version(program: &Path) -> Result<PathBuf, Error> {
    let wrong = |reason: String| Error::Program { program: program.display().to_string(), reason };
    if !program.is_file() {
        return Err(wrong("it is not there".to_owned()));
    }
    match version(program) {
        Some(version) if version != VERSION => {
            Err(wrong(format!("it is of version {version}; {VERSION} is needed")))
        }
        _ => Ok(program.to_owned()),
    }
}

/// Builds the program into the cache: 6 to 10 minutes on two cores. `progress` gets every line that
/// cargo prints. A build that was broken off goes on where it was.
///
/// # Errors
/// [`Error::Program`] if cargo fails or is not there.
pub fn install(
    folders: &Folders,
    toolchain: &Toolchain,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, Error> {
    let program = own(folders);
    if program.is_file() {
        return Ok(program);
    }
    let target = folders.cache().join(format!("{PROGRAM}-target"));
    let root = folders.cache().join(format!("{PROGRAM}-{VERSION}"));
    let partial = folders.cache().join(format!("{PROGRAM}-{VERSION}.partial"));
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial).map_err(Error::io("create", &partial))?;
    let mut install = Command::new("cargo");
    install
        .args(["install", "--locked", &format!("{PROGRAM}@{VERSION}"), "--root"])
        .arg(&partial)
        .env("CARGO_TARGET_DIR", &target)
        // The folder's own settings are for its own crates.
        .current_dir(folders.cache())
        .envs(toolchain.name.iter().map(|name| ("RUSTUP_TOOLCHAIN", name)));
    follow(&mut install, progress)?;
    let _ = fs::remove_dir_all(&root);
    fs::rename(&partial, &root).map_err(Error::io("rename", &partial))?;
    let _ = fs::remove_dir_all(&target);
    Ok(program)
}

/// The lines that a program prints, whatever bytes they are of.
pub(crate) fn lines(from: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(from).split(b'\n').map_while(Result::ok);
    lines.map(|line| String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())
}

fn follow(command: &mut Command, progress: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let program = format!("{} install", command.get_program().to_string_lossy());
    let failed = |reason: String| Error::Program { program: program.clone(), reason };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let mut last = String::new();
    if let Some(errors) = child.stderr.take() {
        for line in lines(errors) {
            progress(line.trim());
            if line.starts_with("error") || !last.starts_with("error") {
                last = line;
            }
        }
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(format!("{status}: {}", last.trim()))) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A program of this version, as cargo leaves it.
    pub fn planted(root: &Path, version: &str) -> PathBuf {
        fs::create_dir_all(root.join("bin")).unwrap();
        let id = format!("{PROGRAM} {version} (registry+https://example.org/index)");
        let noted = serde_json::json!({"installs": {id: {"bins": [PROGRAM]}}});
        fs::write(root.join(".crates2.json"), noted.to_string()).unwrap();
        let program = root.join("bin").join(PROGRAM);
        fs::write(&program, "").unwrap();
        program
    }

    #[test]
    fn a_program_of_another_version_is_passed_over_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let old = planted(&folder.path().join("old"), "0.21.1");
        let (old_bin, new_bin) = (folder.path().join("old/bin"), folder.path().join("new/bin"));
        let error = find_in([old_bin.clone()].into_iter()).unwrap_err();
        assert_eq!(error, format!("{} is of version 0.21.1; 0.22.0 is needed", old.display()));
        let new = planted(&folder.path().join("new"), VERSION);
        assert_eq!(find_in([old_bin.clone(), new_bin].into_iter()), Ok(new));
        fs::remove_file(folder.path().join("old/.crates2.json")).unwrap();
        assert!(find_in([old_bin].into_iter()).unwrap_err().contains("does not tell"));
    }

    #[test]
    fn a_failed_build_says_why() {
        let mut lines = Vec::new();
        let script =
            "echo '   Compiling a v1'; echo 'error: no network' >&2; echo more >&2; exit 101";
        let mut command = Command::new("sh");
        let error = follow(command.args(["-c", script]), &mut |line| lines.push(line.to_owned()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no network"), "{error}");
        assert_eq!(lines, ["error: no network", "more"]);
    }
}
