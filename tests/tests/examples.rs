//! What the README and the book show is what there is.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const SCRIPT: &str = "toolkit/examples/first_run.rs";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The README and every page of the book.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    let mut folders = vec![root().join("book/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 5, "{pages:?}");
    pages
}

/// The lines of the fenced block that follows the line `<!-- name -->`.
fn block(page: &str, name: &str) -> Option<String> {
    let after = page.split_once(&format!("<!-- {name} -->"))?.1.trim_start();
    let (_, code) = after.strip_prefix("```rust")?.split_once('\n')?;
    Some(code.split_once("\n```")?.0.to_owned())
}

/// Relative targets of `[text](target)` and `![text](target)`, without what follows a `#`, outside
/// code.
fn links(page: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        // Every second part stands between backticks, and a link around one keeps its closing
        // bracket outside.
        let prose: Vec<_> = line.split('`').step_by(2).collect();
        let prose = prose.join("code");
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| target.split('#').next().unwrap().to_owned()));
    }
    found.retain(|target| {
        !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
    });
    found
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn the_script_in_the_readme_is_the_example() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let shown = block(&readme, SCRIPT)
        .unwrap_or_else(|| panic!("README.md has no ```rust block under <!-- {SCRIPT} -->"));
    let script = fs::read_to_string(root().join(SCRIPT)).unwrap();
    assert_eq!(words(&shown), words(&script), "copy {SCRIPT} into README.md");
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut dead = Vec::new();
    for page in pages() {
        for link in links(&fs::read_to_string(&page).unwrap()) {
            if !page.parent().unwrap().join(&link).exists() {
                dead.push(format!("{}: {link}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let book = root().join("book/src");
    let listed = links(&fs::read_to_string(book.join("SUMMARY.md")).unwrap());
    for page in pages().iter().filter_map(|page| page.strip_prefix(&book).ok()) {
        let name = page.to_str().unwrap();
        assert!(
            name == "SUMMARY.md" || listed.iter().any(|link| link.trim_start_matches("./") == name),
            "{name}"
        );
    }
}

/// What a reader of the repository sees of each cell, who has no kernel: its outputs, as they were
/// saved.
#[test]
fn the_notebooks_show_what_their_cells_promise() {
    let mut promises = 0;
    for entry in fs::read_dir(root().join("notebooks")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "ipynb") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().display();
        assert!(text.len() < 1 << 20, "{name} has {} bytes", text.len());
        assert!(
            !text.contains("/home/") && !text.contains(root().to_str().unwrap()),
            "{name} names a place of one machine"
        );
        let notebook: Value = serde_json::from_str(&text).unwrap();
        for cell in notebook["cells"].as_array().unwrap() {
            for promise in cell["metadata"]["trainbook"]["expect"].as_array().into_iter().flatten()
            {
                let promise = promise.as_str().unwrap();
                let outputs = cell["outputs"].as_array().unwrap();
                let kept = match promise.strip_prefix("stdout:") {
                    Some(words) => outputs
                        .iter()
                        .any(|out| out["name"] == "stdout" && lines(&out["text"]).contains(words)),
                    None => {
                        let (mime, words) = promise.split_once(':').unwrap_or((promise, ""));
                        let shown = outputs.iter().map(|out| lines(&out["data"][mime]));
                        let mut shown = shown.filter(|text| !text.is_empty());
                        shown.any(|text| text.contains(words))
                    }
                };
                assert!(
                    kept,
                    "{name} does not show the {promise} of {}; `cargo xtask notebooks --save`",
                    cell["source"]
                );
                promises += 1;
            }
        }
    }
    assert!(promises >= 14, "only {promises} promises were found");
}

/// The page of the book has the same blocks, which `trainbook-callbacks` sees to.
#[test]
fn the_callback_of_ones_own_in_its_notebook_is_the_example() {
    let example = fs::read_to_string(root().join("callbacks/examples/own_callback.rs")).unwrap();
    let (_, items) = example.split_once("// A closure.\n").unwrap();
    let (items, _) = items.split_once("// The end of the page's blocks.\n").unwrap();
    let headings = |line: &&str| !line.starts_with("// ");
    let items: Vec<_> = items.lines().filter(headings).flat_map(str::split_whitespace).collect();
    assert!(items.len() > 300, "{items:?}");
    let notebook = root().join("notebooks/02-your-own-callback.ipynb");
    let notebook: Value = serde_json::from_str(&fs::read_to_string(notebook).unwrap()).unwrap();
    let sources = notebook["cells"].as_array().unwrap().iter().map(|cell| lines(&cell["source"]));
    let items_of_cells = sources.filter(|source| source.contains("pub fn "));
    let cells = items_of_cells.collect::<Vec<_>>().join("\n");
    assert_eq!(words(&cells), items);
}

/// A notebook's text: one string, or one for each line.
fn lines(text: &Value) -> String {
    match text {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

#[test]
fn links_are_found_and_code_is_not() {
    let page = "[a](b.md#c) ![d](e.svg) [`f`](g.md) `[no](code)`\n[web](https://x.org/) [here](#top)\n```\n[no](x)\n```\n[h](i)";
    assert_eq!(links(page), ["b.md", "e.svg", "g.md", "i"]);
}

#[test]
fn a_marked_block_is_found() {
    assert_eq!(
        block("x\n<!-- s -->\n\n```rust,no_run\nfn a() {\n}\n```\ny", "s").unwrap(),
        "fn a() {\n}"
    );
    assert_eq!(block("<!-- s -->\n```text\na\n```", "s"), None);
}
