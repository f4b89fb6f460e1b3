//! The page: four files that are in the program.

use std::sync::Arc;

use plotly::Plot;

use crate::error::BoardError;
use crate::http::{Request, Response};

const HTML: &str = include_str!("index.html");
const SCRIPT: &str = include_str!("board.js");
const STYLE: &str = include_str!("board.css");

/// What stands in the page for the address of plotly.js.
const PLOTLY_PLACE: &str = "PLOTLY_ADDRESS";

/// Those of its files that are not as they are in the source.
#[derive(Debug)]
pub(crate) struct Page {
    html: Arc<[u8]>,
    plotly: Arc<[u8]>,
    /// With a hash in it, so that a browser may keep the file for ever.
    plotly_name: String,
}

impl Page {
    pub(crate) fn new() -> Result<Page, BoardError> {
        let plotly = plotly_js(&Plot::offline_js_sources()).ok_or(BoardError::Plotly)?;
        let plotly_name = format!("plotly-{}.js", &blake3::hash(plotly.as_bytes()).to_hex()[..16]);
        let html = HTML.replace(PLOTLY_PLACE, &plotly_name);
        Ok(Page { html: html.into_bytes().into(), plotly: plotly.into_bytes().into(), plotly_name })
    }

    /// The file of this name; the empty name is the page.
    pub(crate) fn file(&self, name: &str, request: &Request) -> Option<Response> {
        const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
        let bytes = |kind, text: &str| Response::bytes(kind, text.into());
        let response = match name {
            "" => Response::shared("text/html; charset=utf-8", &self.html),
            "board.js" => bytes(JAVASCRIPT, SCRIPT),
            "board.css" => bytes("text/css; charset=utf-8", STYLE),
            _ if name == self.plotly_name => {
                return Some(
                    Response::shared(JAVASCRIPT, &self.plotly)
                        .with("Cache-Control", "private, max-age=31536000, immutable"),
                );
            }
            _ => return None,
        };
        Some(response.with("Cache-Control", "no-cache").unless_known(request))
    }
}

/// plotly.js from the elements that the crate writes into pages: the first of them.
fn plotly_js(elements: &str) -> Option<String> {
    let (_, rest) = elements.split_once("<script type=\"text/javascript\">")?;
    let (script, _) = rest.split_once("</script>")?;
    let is_whole = script.contains("plotly.js v") && script.contains("newPlot");
    is_whole.then(|| script.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plotly_js_is_found_whole_and_alone() {
        let script = plotly_js(&Plot::offline_js_sources()).unwrap();
        assert!(script.trim_start().starts_with("/**\n* plotly.js v3."));
        assert!((4_000_000..5_000_000).contains(&script.len()), "{}", script.len());
        assert!(script.trim_end().ends_with([')', ';', '}']), "{:?}", &script[script.len() - 80..]);
        assert_eq!(plotly_js("<script>1</script>"), None);
        assert_eq!(plotly_js("<script type=\"text/javascript\">1</script>"), None);
    }

    /// What comes from the store must not become markup, and what the policy forbids would not
    /// work.
    #[test]
    fn the_page_has_no_markup_from_text_and_no_outside_source() {
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"]
        {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
        for forbidden in [" style=", " onclick", "<script>", "javascript:"] {
            assert!(!HTML.contains(forbidden), "{forbidden}");
        }
        for (name, text) in [("html", HTML), ("js", SCRIPT), ("css", STYLE)] {
            let outside = ["http://", "https://", "//cdn", "@import"];
            for found in outside.iter().filter(|outside| text.contains(**outside)) {
                assert!(
                    text.matches(found).count() == text.matches("http://www.w3.org/").count(),
                    "{name}: {found}"
                );
            }
        }
        assert_eq!(HTML.matches(PLOTLY_PLACE).count(), 1);
    }
}
