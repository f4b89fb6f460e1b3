//! The same chart in plotly's form, and the script that puts it in the place of the static picture.

use plotly::common::{
    Anchor, AxisSide, DashType, ExponentFormat, Font, Line, Marker as Dot, Mode, Orientation, Title,
};
use plotly::configuration::DisplayModeBar;
use plotly::layout::{
    Annotation, Axis as PlotlyAxis, AxisRange, AxisType, HoverMode, Layout, Legend, Margin, Shape,
    ShapeLine, ShapeType,
};
use plotly::{Configuration, Plot, Scatter};
use serde::{Serialize, Serializer};

use super::axis::{LABEL_ROW, View, label_below, views};
use super::chart::{Axis, Chart, Panel, Place, Style, colour, colour_indices};
use super::svg::{MOST_DOTS, size};
use super::table::escape;

/// The version that the `plotly` crate is written for, and the hash of the file, so that no page
/// runs anything else.
const PLOTLY_JS: &str = "https://cdn.plot.ly/plotly-3.0.1.min.js";
const PLOTLY_JS_INTEGRITY: &str = "sha256-oy6Be7Eh6eiQFs5M7oXuPxxm9qbJXEtTpfSI93dW16Q=";

/// plotly's layout type names its axes one by one up to this.
const MOST_PANELS: usize = 8;

/// A number with the six digits that a screen can show, to keep notebooks small; a gap is `null`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coordinate(Option<f64>);

impl Serialize for Coordinate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => to.serialize_none(),
            Some(value) => {
                let rounded = format!("{value:.5e}").parse().unwrap_or(value);
                // Whole numbers are exact, as batch numbers must be, and are written without a
                // decimal point.
                if value.fract() == 0.0 && value.abs() < 1e15 {
                    to.serialize_i64(value as i64)
                } else {
                    to.serialize_f64(rounded)
                }
            }
        }
    }
}

/// `chart` as plotly's JSON object of `data`, `layout` and `config`; `None` if it has more panels
/// than plotly's layout can name.
pub(super) fn figure(chart: &Chart) -> Option<String> {
    let places = chart.places();
    if places.is_empty() || places.len() > MOST_PANELS {
        return None;
    }
    let (width, height) = size(chart);
    // Under the axes, in place of the headings, plotly has one legend for all panels.
    let legend =
        Legend::new().orientation(Orientation::Horizontal).x(0.0).y(-0.16).y_anchor(Anchor::Top);
    let mut layout = Layout::new()
        .width(width as usize)
        .height(height as usize + 30)
        .font(Font::new().family("sans-serif").size(11).color("#24292f"))
        .paper_background_color("#ffffff")
        .plot_background_color("#ffffff")
        .hover_mode(HoverMode::Closest)
        .show_legend(true)
        .legend(legend)
        .margin(
            Margin::new()
                .left(12)
                .right(16)
                .top(if chart.title.is_empty() { 24 } else { 56 })
                .bottom(60),
        );
    if !chart.title.is_empty() {
        let title = Title::with_text(format!("<b>{}</b>", escape(&chart.title)));
        layout = layout.title(title.font(Font::new().size(14)).x(0.015).x_anchor(Anchor::Left));
    }
    let mut plot = Plot::new();
    let mut annotations = Vec::new();
    let mut in_legend: Vec<&str> = Vec::new();
    for (i, ((panel, place), colours)) in places.into_iter().zip(colour_indices(chart)).enumerate()
    {
        let n = if i == 0 { String::new() } else { (i + 1).to_string() };
        let (x, y) = views(panel, 6, 6);
        let (across, down) = domains(place);
        let x_axis = axis(&panel.x, &x, across, &format!("y{n}"))
            .title(Title::with_text(escape(&panel.x.label)));
        layout = with_axes(
            layout,
            i,
            x_axis,
            axis(&panel.y, &y, down, &format!("x{n}")).side(AxisSide::Left),
        );
        annotations.push(heading(panel, across[0], down[1]));
        for (row, marker) in panel.shown_markers().enumerate() {
            let below = label_below(panel, marker.at, &x, &y);
            layout.add_shape(
                Shape::new()
                    .shape_type(ShapeType::Line)
                    .x_ref(format!("x{n}"))
                    .y_ref(format!("y{n} domain"))
                    .x0(marker.at)
                    .x1(marker.at)
                    .y0(0)
                    .y1(1)
                    .line(ShapeLine::new().color("#8a929b").width(1.0).dash(DashType::Dot)),
            );
            annotations.push(
                Annotation::new()
                    .text(escape(&marker.label))
                    .show_arrow(false)
                    .x_ref(format!("x{n}"))
                    .y_ref(format!("y{n} domain"))
                    .x(panel.x.position(marker.at))
                    .y(if below { 0 } else { 1 })
                    .y_shift(f64::from(LABEL_ROW * row as i32 * if below { 1 } else { -1 }))
                    // The line of another marker may run where this text stands.
                    .background_color("#ffffff")
                    .x_anchor(if panel.x.position(marker.at) < (x.low + x.high) / 2.0 {
                        Anchor::Left
                    } else {
                        Anchor::Right
                    })
                    .y_anchor(if below { Anchor::Bottom } else { Anchor::Top }),
            );
        }
        for (series, index) in panel.series.iter().zip(colours) {
            let points = series.thinned(&panel.x, &panel.y);
            let xs = points.iter().map(|p| Coordinate(p.map(|p| p.0))).collect();
            let ys = points.iter().map(|p| Coordinate(p.map(|p| p.1))).collect();
            let (red, green, blue) = colour(index);
            let colour = format!("#{red:02x}{green:02x}{blue:02x}");
            let few = points.len() <= MOST_DOTS;
            let dots = few && (series.style == Style::Dots || points.len() == 1);
            let faint = series.style == Style::Faint;
            // One entry for a run in several panels, which shows and hides all its curves.
            let again = in_legend.contains(&series.name.as_str());
            in_legend.push(&series.name);
            plot.add_trace(
                Scatter::new(xs, ys)
                    .name(escape(&series.name))
                    .legend_group(escape(&series.name))
                    .show_legend(!again)
                    .mode(match series.style {
                        Style::Points => Mode::Markers,
                        _ if dots => Mode::LinesMarkers,
                        _ => Mode::Lines,
                    })
                    .opacity(if faint { 0.35 } else { 1.0 })
                    .line(Line::new().color(colour).width(if faint { 1.0 } else { 2.0 }))
                    .marker(Dot::new().size(6))
                    .x_axis(format!("x{n}"))
                    .y_axis(format!("y{n}")),
            );
        }
    }
    plot.set_layout(layout.annotations(annotations));
    plot.set_configuration(
        Configuration::new().display_logo(false).display_mode_bar(DisplayModeBar::Hover),
    );
    Some(plot.to_json())
}

/// What the panel's axes take of the picture: less than its place by the room for labels and
/// heading.
fn domains(place: Place) -> ([f64; 2], [f64; 2]) {
    let (left, right) =
        (place.left + 0.05, place.right - if place.right < 1.0 { 0.02 } else { 0.0 });
    let (bottom, top) = (1.0 - place.bottom, 1.0 - place.top);
    ([left, right], [bottom + if bottom > 0.0 { 0.16 } else { 0.0 }, top - 0.02])
}

fn heading(panel: &Panel, left: f64, top: f64) -> Annotation {
    Annotation::new()
        .text(format!("<b>{}</b>", escape(&panel.y.label)))
        .show_arrow(false)
        .font(Font::new().size(12))
        .x_ref("paper")
        .y_ref("paper")
        .x(left)
        .x_anchor(Anchor::Left)
        .y(top)
        .y_anchor(Anchor::Bottom)
}

fn axis(axis: &Axis, view: &View, domain: [f64; 2], anchor: &str) -> PlotlyAxis {
    PlotlyAxis::new()
        .type_(if axis.log { AxisType::Log } else { AxisType::Linear })
        .range(AxisRange::new(view.low, view.high))
        .domain(&domain)
        .anchor(anchor)
        .auto_margin(true)
        .show_line(true)
        .line_color("#57606a")
        .grid_color("#e4e7eb")
        .zero_line(false)
        // The default would write a learning rate of 1e-6 as 1µ.
        .exponent_format(ExponentFormat::SmallE)
}

fn with_axes(layout: Layout, panel: usize, x: PlotlyAxis, y: PlotlyAxis) -> Layout {
    match panel {
        0 => layout.x_axis(x).y_axis(y),
        1 => layout.x_axis2(x).y_axis2(y),
        2 => layout.x_axis3(x).y_axis3(y),
        3 => layout.x_axis4(x).y_axis4(y),
        4 => layout.x_axis5(x).y_axis5(y),
        5 => layout.x_axis6(x).y_axis6(y),
        6 => layout.x_axis7(x).y_axis7(y),
        _ => layout.x_axis8(x).y_axis8(y),
    }
}

/// A script that draws `figure` in the place of the picture in each element with this id, if
/// plotly.js is there or can be loaded.
///
/// It keeps nothing between outputs but the `<script>` element that loads plotly.js, which the
/// outputs of a page share. If that fails, or plotly fails, the picture stays. The chart is drawn
/// out of sight and shown when complete. An element that already holds a chart, as in a page saved
/// from a browser, gets a new one in its place.
pub(super) fn script(id: &str, figure: &str) -> String {
    // Within a script, nothing but `<` can end it or open a comment.
    let figure = figure.replace('<', "\\u003c");
    format!(
        r#"<script>(function(){{
var figure={figure};
function draw(){{
if(!window.Plotly)return;
document.querySelectorAll('[id="{id}"]').forEach(function(place){{
var picture=place.querySelector("img");
if(!picture||place.trainbookDrawn)return;
place.trainbookDrawn=true;
place.querySelectorAll("div").forEach(function(old){{old.remove()}});
var chart=document.createElement("div");
chart.style.cssText="position:absolute;visibility:hidden";
place.appendChild(chart);
function keep(){{chart.remove()}}
try{{window.Plotly.newPlot(chart,figure.data,figure.layout,figure.config).then(function(){{chart.style.cssText="overflow-x:auto";picture.style.display="none"}},keep)}}catch(e){{keep()}}
}})}}
if(window.Plotly){{draw();return}}
var loader=document.querySelector('script[src="{PLOTLY_JS}"]');
if(!loader){{
loader=document.createElement("script");
loader.src="{PLOTLY_JS}";
loader.integrity="{PLOTLY_JS_INTEGRITY}";
loader.crossOrigin="anonymous";
document.head.appendChild(loader)}}
loader.addEventListener("load",draw)
}})()</script>"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(chart: &Chart) -> serde_json::Value {
        serde_json::from_str(&figure(chart).unwrap()).unwrap()
    }

    #[test]
    fn the_texts_of_neighbouring_markers_stand_one_under_the_other() {
        let points = (0..10).map(|i| (f64::from(i), f64::from(i))).collect();
        let panel =
            Panel::new(Axis::linear("batch"), Axis::linear("y")).with("s", Style::Line, points);
        let json = parsed(&Chart::single("t", panel.mark(2.0, "first").mark(2.1, "second")));
        let annotations = json["layout"]["annotations"].as_array().unwrap();
        let shift = |label: &str| {
            annotations.iter().find(|a| a["text"] == label).unwrap()["yshift"].as_f64().unwrap()
        };
        assert_eq!(
            (shift("first") - shift("second")).abs(),
            f64::from(LABEL_ROW),
            "{annotations:?}"
        );
    }

    #[test]
    fn the_figure_holds_the_points_with_gaps_and_the_log_axis() {
        let panel = Panel::new(Axis::log("lr"), Axis::linear("loss"))
            .with(
                "raw",
                Style::Line,
                vec![(1e-4, 2.123_456_789), (1e-3, f64::NAN), (0.0, 1.0), (1e-2, 100_000_001.0)],
            )
            .mark(1e-3, "here");
        let json = parsed(&Chart::single("", panel));
        assert_eq!(json["data"][0]["x"], serde_json::json!([0.0001, null, null, 0.01]));
        assert_eq!(json["data"][0]["y"], serde_json::json!([2.12346, null, null, 100_000_001]));
        assert_eq!(json["layout"]["xaxis"]["type"], "log");
        assert_eq!(json["layout"]["shapes"][0]["x0"], 1e-3);
        assert_eq!(
            json["layout"]["annotations"][1]["x"], -3.0,
            "plotly places annotations on log axes by their logarithm"
        );
    }

    #[test]
    fn every_panel_has_its_own_axes() {
        let panel = || {
            Panel::new(Axis::default(), Axis::default()).with("s", Style::Line, vec![(0.0, 0.0)])
        };
        let json = parsed(&Chart {
            title: String::new(),
            columns: vec![vec![panel()], vec![panel(), panel()]],
        });
        assert_eq!(json["data"][0]["xaxis"], "x");
        assert_eq!(json["data"][2]["yaxis"], "y3");
        assert_eq!(json["layout"]["xaxis3"]["anchor"], "y3");
        let (upper, lower) =
            (&json["layout"]["yaxis2"]["domain"], &json["layout"]["yaxis3"]["domain"]);
        assert!(upper[0].as_f64() > lower[1].as_f64());
    }

    #[test]
    fn what_plotly_cannot_name_stays_static() {
        let panel = Panel::new(Axis::default(), Axis::default());
        assert!(
            figure(&Chart { title: String::new(), columns: vec![vec![panel.clone(); 8]] })
                .is_some()
        );
        assert!(figure(&Chart { title: String::new(), columns: vec![vec![panel; 9]] }).is_none());
        assert!(figure(&Chart::default()).is_none());
    }

    #[test]
    fn a_name_cannot_end_the_script() {
        let panel = Panel::new(Axis::default(), Axis::default()).with(
            "</script><script>alert(1)",
            Style::Line,
            vec![],
        );
        let figure = figure(&Chart::single("<!--", panel)).unwrap();
        assert!(!figure.contains("<script"), "plotly shows some tags in names as markup");
        let script = script("tb-1", &(figure + "</script><script><!--"));
        assert_eq!(script.matches("<script").count(), 1);
        assert_eq!(script.matches("</script").count(), 1);
        assert!(!script.contains("<!--"));
    }
}
