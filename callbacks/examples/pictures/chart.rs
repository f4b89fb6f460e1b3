//! Charts as SVG, beside and below each other.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingArea, IntoDrawingArea, IntoFont, LineSeries, PathElement,
    RGBColor, SVGBackend, TRANSPARENT, Text, TextStyle, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub type Drawn<T = ()> = Result<T, Box<dyn Error>>;
pub type Points = Vec<(f64, f64)>;

pub const BLUE: RGBColor = RGBColor(0x0b, 0x62, 0xc4);
pub const ORANGE: RGBColor = RGBColor(0xb8, 0x50, 0x0c);
pub const GREEN: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
pub const GREY: RGBColor = RGBColor(0x8c, 0x95, 0x9f);
const TEXT: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const GRID: RGBColor = RGBColor(0xe4, 0xe7, 0xeb);

const WIDTH: u32 = 720;
const TITLE: i32 = 22;
/// What a letter of the small font takes, about.
const LETTER: i32 = 6;

#[derive(Clone, Copy)]
enum Mark {
    Line,
    Dots,
    Rings,
}

pub struct Series {
    name: &'static str,
    colour: RGBColor,
    mark: Mark,
    points: Points,
}

impl Series {
    pub fn line(name: &'static str, colour: RGBColor, points: Points) -> Self {
        Self { name, colour, mark: Mark::Line, points }
    }

    pub fn dots(name: &'static str, colour: RGBColor, points: Points) -> Self {
        Self { name, colour, mark: Mark::Dots, points }
    }

    pub fn rings(name: &'static str, colour: RGBColor, points: Points) -> Self {
        Self { name, colour, mark: Mark::Rings, points }
    }
}

#[derive(Default)]
pub struct Chart {
    pub title: String,
    pub x: &'static str,
    pub series: Vec<Series>,
    /// Where something happens, and what.
    pub events: Vec<(f64, String)>,
    /// Rows of dots by name, from the top, in place of a scale.
    pub rows: Vec<&'static str>,
}

/// Charts from left to right in so many columns, each so many pixels high.
pub fn draw(charts: &[Chart], columns: usize, height: u32) -> Drawn<String> {
    let rows = charts.len().div_ceil(columns);
    let mut document = String::new();
    {
        let size = (WIDTH, height * rows as u32);
        let root = SVGBackend::with_string(&mut document, size).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, chart) in root.split_evenly((rows, columns)).iter().zip(charts) {
            draw_chart(chart, area)?;
        }
        root.present()?;
    }
    Ok(document)
}

fn draw_chart(chart: &Chart, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Drawn {
    let left = Pos::new(HPos::Left, VPos::Center);
    let font = |size: i32, colour: &RGBColor| -> TextStyle<'static> {
        ("sans-serif", size).into_font().color(colour).pos(left)
    };
    area.draw_text(&chart.title, &font(13, &TEXT), (8, TITLE / 2 + 2))?;
    let mut at = 8;
    let named: Vec<&Series> = chart.series.iter().filter(|of| !of.name.is_empty()).collect();
    for series in &named {
        area.draw_text(series.name, &font(11, &series.colour), (at, TITLE + 8))?;
        at += (series.name.chars().count() as i32 + 3) * LETTER;
    }

    let points = || chart.series.iter().flat_map(|of| &of.points);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (x_low, x_high) = range(&mut points().map(|p| p.0).chain(chart.events.iter().map(|e| e.0)));
    let (mut low, mut high) = range(&mut points().map(|p| p.1));
    if chart.rows.is_empty() {
        low = low.min(0.0);
        high += if chart.events.is_empty() { 0.08 } else { 0.15 } * (high - low);
    } else {
        (low, high) = (-0.6, chart.rows.len() as f64 - 0.4);
    }
    let (width, height) = area.dim_in_pixel();
    let longest = chart.rows.iter().map(|row| row.chars().count() as i32).max();
    let legend = if named.is_empty() { 4 } else { 18 };
    let mut context = ChartBuilder::on(area)
        .margin_top(TITLE + legend)
        .margin_right(14)
        .margin_bottom(4)
        .margin_left(4)
        .y_label_area_size(longest.map_or(42, |letters| letters * LETTER + 12))
        .x_label_area_size(if chart.x.is_empty() { 18 } else { 32 })
        .build_cartesian_2d(x_low..x_high, low..high)?;
    context
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GREY)
        .x_labels((width / 75) as usize)
        .y_labels(if chart.rows.is_empty() { (height / 35) as usize } else { 0 })
        .label_style(font(11, &TEXT))
        .axis_desc_style(font(11, &TEXT))
        .x_desc(chart.x)
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| short(*y))
        .draw()?;
    let right = Pos::new(HPos::Right, VPos::Center);
    for (at, name) in chart.rows.iter().rev().enumerate() {
        let place = context.backend_coord(&(x_low, at as f64));
        let corner = area.get_base_pixel();
        let place = (place.0 - corner.0 - 8, place.1 - corner.1);
        area.draw_text(name, &font(11, &TEXT).pos(right), place)?;
    }
    for (at, what) in &chart.events {
        context.draw_series([PathElement::new([(*at, low), (*at, high)], GREY)])?;
        let late = *at > x_low + 0.6 * (x_high - x_low);
        let side = if late { HPos::Right } else { HPos::Left };
        let style = font(11, &TEXT).pos(Pos::new(side, VPos::Top));
        let beside = 0.008 * (x_high - x_low) * if late { -1.0 } else { 1.0 };
        context.draw_series([Text::new(what.clone(), (at + beside, high), style)])?;
    }
    for Series { colour, mark, points, .. } in &chart.series {
        match mark {
            Mark::Line => {
                let points = points.iter().copied();
                context.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
            }
            Mark::Dots => {
                let dots = points.iter().map(|at| Circle::new(*at, 3, colour.filled()));
                context.draw_series(dots)?;
            }
            Mark::Rings => {
                let rings = points.iter().map(|at| Circle::new(*at, 4, colour.stroke_width(1)));
                context.draw_series(rings)?;
            }
        }
    }
    Ok(())
}

/// A number at an axis.
fn short(value: f64) -> String {
    let size = value.abs();
    if size < 1e-12 {
        "0".to_owned()
    } else if (0.01..1e5).contains(&size) {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.1e}").replace(".0e", "e")
    }
}
