//! As much TOML as is written here.

use std::path::Path;

use crate::Error;

/// The line behind `:dep` for a crate in a folder.
///
/// # Errors
/// [`Error::Unreadable`] if the path is no text.
pub fn dependency(name: &str, folder: &Path) -> Result<String, Error> {
    let path = string(text(folder)?);
    Ok(format!("{name} = {{ path = {path} }}"))
}

/// A string of TOML, which reads those of JSON.
pub fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A path as text.
///
/// # Errors
/// [`Error::Unreadable`] if it is none.
pub fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::Unreadable {
        path: path.to_owned(),
        reason: "evcxr needs a path that is text in UTF-8".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_quotes_survive() {
        let line = dependency("x", Path::new("/a \"b\"")).unwrap();
        assert_eq!(line, r#"x = { path = "/a \"b\"" }"#);
    }
}
