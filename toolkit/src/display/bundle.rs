//! Pictures with text, and pages of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trainbook_core::bundle::{Bundle, preformatted};

use super::chart::Chart;
use super::interactive::{figure, script};
use super::svg::svg;
use super::table::escape;

/// `chart` with `summary_text` under it.
///
/// The HTML begins with the static picture, which every viewer can show, GitHub too, and ends with
/// the script that replaces it by an interactive chart where scripts run. The text is
/// `summary_text` alone.
pub fn chart(chart: &Chart, summary_text: &str) -> Bundle {
    let below = if summary_text.trim().is_empty() {
        String::new()
    } else {
        preformatted(summary_text.trim_end())
    };
    Bundle { html: illustrated(chart, &below), text: format!("{}\n", summary_text.trim_end()) }
}

/// The picture of `chart`, then `below` (HTML), then the script.
pub(super) fn illustrated(chart: &Chart, below: &str) -> String {
    let svg = svg(chart);
    let figure = figure(chart);
    // The same content may appear twice on a page; the script then serves both, so the id need not
    // tell them apart.
    let mut hash = blake3::Hasher::new();
    hash.update(svg.as_bytes()).update(figure.as_deref().unwrap_or_default().as_bytes());
    let id = format!("trainbook-{}", &hash.finalize().to_hex()[..16]);
    let picture = STANDARD.encode(svg);
    let alt = if chart.title.is_empty() { "chart".into() } else { escape(&chart.title) };
    let script = figure.map(|figure| script(&id, &figure)).unwrap_or_default();
    format!(
        "<div id=\"{id}\"><img alt=\"{alt}\" style=\"max-width:100%\" src=\"data:image/svg+xml;base64,{picture}\"></div>\n{below}\n{script}"
    )
}

/// A complete HTML page that shows `bundles` one under the other.
pub fn html_page(title: &str, bundles: &[Bundle]) -> String {
    let title = escape(title);
    let sections: String =
        bundles.iter().map(|b| format!("<section>\n{}\n</section>\n", b.html)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n\
         :root {{ color-scheme: light dark; }}\n\
         body {{ font-family: sans-serif; line-height: 1.4; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}\n\
         section {{ margin-bottom: 2.5rem; overflow-x: auto; }}\n\
         table {{ border-collapse: collapse; font-size: 0.9rem; }}\n\
         th, td {{ padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #8884; white-space: nowrap; font-variant-numeric: tabular-nums; }}\n\
         pre {{ overflow-x: auto; }}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n{sections}</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::chart::{Axis, Panel, Style};
    use super::*;

    fn curve(name: &str) -> Chart {
        let points = (0..100).map(|i| (i as f64, 1.0 / (1.0 + i as f64))).collect();
        Chart::single(
            "curve",
            Panel::new(Axis::linear("batch"), Axis::linear("loss")).with(name, Style::Line, points),
        )
    }

    #[test]
    fn the_picture_comes_first_and_the_script_last() {
        let html = chart(&curve("loss"), "suggested: 3e-3").html;
        assert!(html.starts_with("<div id=\"trainbook-"));
        let (picture, summary, script) = (
            html.find("<img").unwrap(),
            html.find("suggested").unwrap(),
            html.find("<script").unwrap(),
        );
        assert!(picture < summary && summary < script);
    }

    #[test]
    fn columns_of_text_stay_in_line() {
        for html in [Bundle::from_text("a  1\nbb 2").html, chart(&curve("loss"), "a  1\nbb 2").html]
        {
            let (before, text) = html.split_once("a  1\nbb 2").unwrap();
            assert!(
                before[before.rfind("<pre").unwrap()..].contains("font-family:monospace"),
                "{html}"
            );
            assert!(text.starts_with("</pre>"), "{html}");
        }
    }

    #[test]
    fn the_picture_decodes_to_the_svg() {
        let html = chart(&curve("loss"), "").html;
        let data = html.split("base64,").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(STANDARD.decode(data).unwrap(), svg(&curve("loss")).into_bytes());
    }

    #[test]
    fn equal_data_gives_equal_bytes_and_other_data_another_id() {
        let id = |bundle: &Bundle| bundle.html.split('"').nth(1).unwrap().to_owned();
        assert_eq!(chart(&curve("loss"), "x"), chart(&curve("loss"), "x"));
        assert_ne!(id(&chart(&curve("loss"), "x")), id(&chart(&curve("other"), "x")));
    }

    #[test]
    fn nothing_a_user_names_becomes_markup() {
        let evil = "</pre><script>alert(1)</script>\"'";
        let mut evil_chart = curve(evil);
        evil_chart.title = evil.into();
        let page = html_page(evil, &[chart(&evil_chart, evil)]);
        assert_eq!(page.matches("<script").count(), 1, "only our own");
        assert_eq!(page.matches("</pre>").count(), 1);
    }
}
