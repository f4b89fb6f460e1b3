//! A chart as a static SVG picture, drawn by plotters.
//!
//! The background is white and everything on it dark, so that the picture reads the same on a light
//! and on a dark page.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    ChartBuilder, Color, DrawingArea, DrawingAreaErrorKind, FontDesc, FontFamily, FontStyle,
    IntoDrawingArea, LineSeries, PathElement, RGBColor, Rectangle, SVGBackend, ShapeStyle,
    TRANSPARENT, TextStyle, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{LABEL_ROW, View, label_below, views};
use super::chart::{Chart, Panel, Place, Series, Style, colour, colour_indices};

/// plotters places everything on whole pixels. Drawing larger and letting the viewer scale down
/// makes them half pixels.
const SCALE: i32 = 2;
const TITLE_HEIGHT: i32 = 28;
const ROW_HEIGHT: i32 = 18;
const TEXT: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const FAINT_TEXT: RGBColor = RGBColor(0x57, 0x60, 0x6a);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);
const FAINT_OPACITY: f64 = 0.3;
/// With more points than this, dots would hide the line.
pub(super) const MOST_DOTS: usize = 60;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;

/// Width and height of a chart in pixels: 720 × 360, or more where its panels would become too
/// small.
pub(super) fn size(chart: &Chart) -> (i32, i32) {
    let places = chart.places();
    let lowest = places.iter().map(|(_, p)| p.bottom - p.top).fold(1.0, f64::min);
    let narrowest = places.iter().map(|(_, p)| p.right - p.left).fold(1.0, f64::min);
    let title = if chart.title.is_empty() { 0 } else { TITLE_HEIGHT };
    (720.max((240.0 / narrowest).round() as i32), title + 360.max((120.0 / lowest).round() as i32))
}

/// `chart` as a complete SVG document.
pub fn svg(chart: &Chart) -> String {
    let (width, height) = size(chart);
    let (drawn_width, drawn_height) = (width * SCALE, height * SCALE);
    let mut document = String::new();
    {
        let root =
            SVGBackend::with_string(&mut document, (drawn_width as u32, drawn_height as u32))
                .into_drawing_area();
        // Writing to a string cannot fail; if it could, the picture would lack what comes after.
        let _ = draw(chart, &root).and_then(|()| root.present());
    }
    let drawn_size = format!("width=\"{drawn_width}\" height=\"{drawn_height}\"");
    document.replacen(&drawn_size, &format!("width=\"{width}\" height=\"{height}\""), 1)
}

fn draw(chart: &Chart, root: &Area) -> Drawn {
    root.fill(&WHITE)?;
    let (width, height) = root.dim_in_pixel();
    let (width, mut height) = (width as i32, height as i32);
    let mut top = 0;
    if !chart.title.is_empty() {
        top = TITLE_HEIGHT * SCALE;
        height -= top;
        let fits = (width / SCALE - 24) as f64 / text_width("x", 14.0);
        root.draw_text(
            &shorten(&chart.title, fits as usize),
            &font(14.0, FontStyle::Bold, &TEXT, HPos::Left),
            (12 * SCALE, top / 2),
        )?;
    }
    let places = chart.places();
    let extent = |place: &Place| {
        let at = |share: f64, whole: i32| (share * f64::from(whole)).round() as i32;
        let corner = (at(place.left, width), at(place.top, height));
        (corner, (at(place.right, width) - corner.0, at(place.bottom, height) - corner.1))
    };
    // How many colours are in a legend already: a curve of the same name is told by its colour.
    let mut told = 0;
    for ((panel, place), colours) in places.iter().zip(colour_indices(chart)) {
        // Panels one above the other have equally wide labels, so that their axes are in line.
        let labels =
            places.iter().filter(|(_, other)| other.left == place.left).map(|(panel, other)| {
                let (_, (width, height)) = extent(other);
                let (_, y) = drawn_views(panel, width, height);
                y.ticks.iter().map(|t| text_width(&t.1, 11.0)).fold(20.0, f64::max) as i32 + 12
            });
        let ((left, upper), extent) = extent(place);
        draw_panel(
            panel,
            &colours,
            told,
            labels.max().unwrap_or(0),
            &root.clone().shrink((left, top + upper), extent),
        )?;
        told = colours.iter().map(|colour| colour + 1).fold(told, usize::max);
    }
    Ok(())
}

/// What is shown of the axes of a panel that takes this many drawn pixels.
fn drawn_views(panel: &Panel, width: i32, height: i32) -> (View, View) {
    let (width, height) = (width / SCALE, height / SCALE);
    views(panel, (width / 75).clamp(2, 8) as usize, ((height - 60) / 40).clamp(2, 7) as usize)
}

fn draw_panel(
    panel: &Panel,
    colours: &[usize],
    told: usize,
    labels_width: i32,
    area: &Area,
) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    let heading = draw_heading(panel, colours, told, area, width / SCALE)?;
    let (x, y) = drawn_views(panel, width, height);
    let mut context = ChartBuilder::on(area)
        .margin_top((heading + 8) * SCALE)
        .margin_left(6 * SCALE)
        .margin_right(16 * SCALE)
        .margin_bottom(6 * SCALE)
        .y_label_area_size(labels_width * SCALE)
        .x_label_area_size(if panel.x.label.is_empty() { 20 } else { 34 } * SCALE)
        .build_cartesian_2d(Scale::of(&x), Scale::of(&y))?;
    context
        .configure_mesh()
        .max_light_lines(0)
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(SCALE as u32))
        .axis_style(FAINT_TEXT.stroke_width(SCALE as u32))
        .set_all_tick_mark_size(3 * SCALE)
        .label_style(font(11.0, FontStyle::Normal, &TEXT, HPos::Left))
        .axis_desc_style(font(11.0, FontStyle::Normal, &FAINT_TEXT, HPos::Left))
        .x_label_formatter(&|at| label_at(&x, *at))
        .y_label_formatter(&|at| label_at(&y, *at))
        .x_desc(panel.x.label.as_str())
        .draw()?;
    for marker in panel.shown_markers() {
        let at = panel.x.position(marker.at);
        let line = vec![(at, y.low), (at, y.high)];
        context.draw_series([PathElement::new(
            line,
            FAINT_TEXT.mix(0.6).stroke_width(SCALE as u32),
        )])?;
    }
    for (row, marker) in panel.shown_markers().enumerate() {
        let at = panel.x.position(marker.at);
        let below = label_below(panel, marker.at, &x, &y);
        let (column, end) =
            context.plotting_area().map_coordinate(&(at, if below { y.low } else { y.high }));
        let (left, upper) = area.get_base_pixel();
        let middle =
            end - upper + (8 + LABEL_ROW * row as i32) * if below { -SCALE } else { SCALE };
        let label = shorten(&marker.label, 40);
        let width = text_width(&label, 11.0) as i32 * SCALE;
        let line = column - left;
        let (side, place, begin) = if at < x.low + (x.high - x.low) * 0.5 {
            (HPos::Left, line + 4 * SCALE, line + 4 * SCALE)
        } else {
            (HPos::Right, line - 4 * SCALE, line - 4 * SCALE - width)
        };
        // The line of another marker may run where this text stands.
        let half = LABEL_ROW / 2 * SCALE;
        let behind = [(begin, middle - half), (begin + width, middle + half)];
        area.draw(&Rectangle::new(behind, WHITE.filled()))?;
        area.draw_text(&label, &font(11.0, FontStyle::Normal, &FAINT_TEXT, side), (place, middle))?;
    }
    for (series, &index) in panel.series.iter().zip(colours) {
        let style = line_style(series, index);
        let mut lines = unbroken(panel, series);
        if series.style == Style::Points {
            lines = lines.concat().into_iter().map(|point| vec![point]).collect();
        }
        for line in lines {
            let dots =
                line.len() == 1 || series.style == Style::Dots && series.points.len() <= MOST_DOTS;
            let drawn =
                LineSeries::new(line, style).point_size(if dots { 3 * SCALE as u32 } else { 0 });
            context.draw_series(drawn)?;
        }
    }
    Ok(())
}

/// The vertical axis' label and the legend, above the panel. Returns the height that they take.
fn draw_heading(
    panel: &Panel,
    colours: &[usize],
    told: usize,
    area: &Area,
    width: i32,
) -> Drawn<i32> {
    let label = shorten(&panel.y.label, (f64::from(width - 24) / text_width("x", 12.0)) as usize);
    area.draw_text(
        &label,
        &font(12.0, FontStyle::Bold, &TEXT, HPos::Left),
        (12 * SCALE, (ROW_HEIGHT / 2 + 3) * SCALE),
    )?;
    let mut left = 12 + text_width(&label, 12.0) as i32 + 16;
    let mut row = 0;
    if let [only] = panel.series.as_slice()
        && only.name == panel.y.label
    {
        return Ok(ROW_HEIGHT);
    }
    let legend = panel.series.iter().zip(colours).filter(|(_, colour)| **colour >= told);
    for (series, &index) in legend {
        let name = shorten(&series.name, 28);
        let needed = 22 + text_width(&name, 11.0) as i32;
        if left + needed > width - 8 {
            (left, row) = (12, row + 1);
        }
        let middle = ((row * ROW_HEIGHT + ROW_HEIGHT / 2) + 3) * SCALE;
        let ends = vec![(left * SCALE, middle), ((left + 16) * SCALE, middle)];
        area.draw(&PathElement::new(
            ends,
            line_style(series, index).stroke_width(3 * SCALE as u32),
        ))?;
        area.draw_text(
            &name,
            &font(11.0, FontStyle::Normal, &TEXT, HPos::Left),
            ((left + 20) * SCALE, middle),
        )?;
        left += needed + 12;
    }
    Ok((row + 1) * ROW_HEIGHT)
}

fn line_style(series: &Series, index: usize) -> ShapeStyle {
    let (red, green, blue) = colour(index);
    let (opacity, width) =
        if series.style == Style::Faint { (FAINT_OPACITY, SCALE) } else { (1.0, 2 * SCALE) };
    RGBColor(red, green, blue).mix(opacity).filled().stroke_width(width as u32)
}

/// The stretches of a series between its gaps, in drawn units.
fn unbroken(panel: &Panel, series: &Series) -> Vec<Vec<(f64, f64)>> {
    let points = series.thinned(&panel.x, &panel.y);
    let stretches = points.split(Option::is_none).filter(|s| !s.is_empty());
    stretches
        .map(|s| {
            s.iter().flatten().map(|p| (panel.x.position(p.0), panel.y.position(p.1))).collect()
        })
        .collect()
}

/// A view as plotters' coordinate: plotters picks ticks of its own, which know nothing of
/// logarithms drawn on a linear axis.
#[derive(Clone)]
struct Scale {
    range: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Scale {
    fn of(view: &View) -> Self {
        Self {
            range: (view.low..view.high).into(),
            ticks: view.ticks.iter().map(|t| t.0).collect(),
        }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.range()
    }
}

fn label_at(view: &View, at: f64) -> String {
    view.ticks.iter().find(|t| t.0 == at).map(|t| t.1.clone()).unwrap_or_default()
}

fn font<'a>(pixels: f64, style: FontStyle, colour: &'a RGBColor, side: HPos) -> TextStyle<'a> {
    // plotters' SVG backend divides a font's size by 1.24.
    let size = pixels * 1.24 * f64::from(SCALE);
    FontDesc::new(FontFamily::SansSerif, size, style)
        .color(colour)
        .pos(Pos::new(side, VPos::Center))
}

/// A generous guess, in pixels: the viewer picks the font.
fn text_width(text: &str, pixels: f64) -> f64 {
    0.57 * pixels * text.chars().count() as f64
}

/// At most `most` characters of `text`, one of them an ellipsis if any are left out.
pub(super) fn shorten(text: &str, most: usize) -> String {
    // XML has no form at all for most control characters.
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::super::chart::Axis;
    use super::*;

    fn of(points: Vec<(f64, f64)>, y: Axis) -> String {
        svg(&Chart::single(
            "t",
            Panel::new(Axis::linear("batch"), y).with("s", Style::Line, points),
        ))
    }

    #[test]
    fn nothing_to_draw_and_odd_values_still_give_a_picture() {
        let many = [
            vec![],
            vec![(3.0, 2.0)],
            vec![(0.0, f64::NAN), (1.0, f64::NAN)],
            vec![(0.0, 1e300), (1.0, -1e300), (2.0, f64::MAX), (3.0, f64::INFINITY)],
            vec![(0.0, 5e-324), (1.0, 0.0)],
            vec![(f64::NAN, 1.0)],
        ];
        for points in many {
            for y in [Axis::linear("y"), Axis::log("y")] {
                let svg = of(points.clone(), y);
                assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{points:?}\n{svg}");
            }
        }
        let empty = svg(&Chart::default());
        assert!(
            empty.starts_with("<svg width=\"720\" height=\"360\" viewBox=\"0 0 1440 720\""),
            "{empty}"
        );
    }

    #[test]
    fn a_markers_text_stands_on_white_over_the_lines_of_all_markers() {
        let points = (0..10).map(|i| (f64::from(i), f64::from(i))).collect();
        let panel =
            Panel::new(Axis::linear("batch"), Axis::linear("y")).with("s", Style::Line, points);
        let svg = svg(&Chart::single("t", panel.mark(2.0, "first").mark(2.1, "second")));
        let line = "opacity=\"0.6\" stroke=\"#57606A\"";
        assert_eq!(svg.matches(line).count(), 2, "{svg}");
        let drawn: Vec<&str> = svg[svg.rfind(line).unwrap()..].split('<').collect();
        for label in ["first", "second"] {
            let text = drawn.iter().position(|element| element.contains(label)).unwrap();
            assert!(
                drawn[text - 1].starts_with("rect ") && drawn[text - 1].contains("#FFFFFF"),
                "{drawn:?}"
            );
        }
    }

    #[test]
    fn a_lone_point_is_a_dot_and_a_gap_breaks_the_line() {
        let svg = of(vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 4.0)], Axis::linear("y"));
        assert_eq!(svg.matches("<circle").count(), 1);
        let lines = |svg: &str| svg.matches("<polyline").count();
        let joined = of(vec![(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)], Axis::linear("y"));
        assert!(!joined.contains("<circle"));
        // The lone point is a dot and a line of one point that cannot be seen.
        assert_eq!(lines(&svg), lines(&joined) + 1);
    }

    #[test]
    fn names_cannot_break_out_of_the_document() {
        let panel = Panel::new(Axis::linear("<b>&"), Axis::linear("</svg><script>"))
            .with("<script>alert(1)</script>", Style::Line, vec![(0.0, 1.0)])
            .mark(0.0, "a\u{0}\n<i>");
        let svg = svg(&Chart::single("\"><script>", panel));
        assert!(!svg.contains("<script") && !svg.contains("<i>") && !svg.contains('\u{0}'));
        assert_eq!(svg.matches("</svg>").count(), 1);
    }

    #[test]
    fn many_panels_make_the_picture_larger() {
        let panel = || Panel::new(Axis::default(), Axis::default());
        let (width, height) = size(&Chart {
            title: String::new(),
            columns: vec![vec![panel(); 5], vec![panel()], vec![], vec![panel(); 2], vec![panel()]],
        });
        assert_eq!((width, height), (960, 600));
    }
}
