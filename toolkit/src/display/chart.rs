//! What a chart shows, as plain data. `svg` and `interactive` turn the same data into a picture and
//! into plotly's form.

/// A picture of one or more panels, laid out in columns of equal width.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// Shown above everything; may be empty.
    pub title: String,
    /// Columns from left to right, each with its panels from top to bottom.
    pub columns: Vec<Vec<Panel>>,
}

/// One pair of axes and what is drawn between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis. Its label is the panel's heading.
    pub y: Axis,
    /// What is drawn, the first at the back.
    pub series: Vec<Series>,
    /// Vertical lines with a label.
    pub markers: Vec<Marker>,
    /// This panel's share of its column's height, in relation to the other panels there.
    pub height: f64,
    /// What the horizontal axis shows whether there are points or not, so that panels beside and
    /// above each other have the same one.
    pub across: Option<(f64, f64)>,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Axis {
    /// What is counted or measured; may be empty.
    pub label: String,
    /// Logarithmic. Values of zero or less cannot be shown on such an axis and become gaps.
    pub log: bool,
}

/// Named points, in the order in which they are joined.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Shown in the legend.
    pub name: String,
    /// `(x, y)`. A point with a NaN, an infinity or a magnitude above [`LARGEST`] is a gap in the
    /// line.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: Style,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A thin pale line in the colour of the series after it: the raw values behind a smoothed
    /// line.
    Faint,
    /// A line.
    Line,
    /// A line with a dot at each point: few points, such as one per epoch.
    Dots,
    /// Dots alone: pairs in no order.
    Points,
}

/// A vertical line.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker {
    /// Where, on the horizontal axis.
    pub at: f64,
    /// Written beside its upper end.
    pub label: String,
}

/// The most points of one series that reach a picture; see [`Series::thinned`].
pub const MOST_POINTS: usize = 1_000;

/// Magnitudes above this are treated like infinities, so that the difference of two values is
/// always finite.
pub const LARGEST: f64 = 1e300;

/// Where a panel lies, as shares of the whole: `0.0` is left and top, `1.0` right and bottom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Chart {
    /// With the same horizontal axis in all panels, which must measure the same there.
    pub fn aligned(mut self) -> Self {
        let panels = || self.columns.iter().flatten();
        let xs = panels().flat_map(|panel| panel.series.iter().flat_map(|s| &s.points));
        let ends = xs.map(|point| point.0).filter(|x| x.is_finite() && x.abs() <= LARGEST);
        let across = ends.fold(None, |ends: Option<(f64, f64)>, x| {
            Some(ends.map_or((x, x), |(low, high)| (low.min(x), high.max(x))))
        });
        self.columns.iter_mut().flatten().for_each(|panel| panel.across = across);
        self
    }

    /// A chart of one panel.
    pub fn single(title: impl Into<String>, panel: Panel) -> Self {
        Self { title: title.into(), columns: vec![vec![panel]] }
    }

    /// Every panel with its place, column by column.
    pub(super) fn places(&self) -> Vec<(&Panel, Place)> {
        let columns: Vec<&Vec<Panel>> = self.columns.iter().filter(|c| !c.is_empty()).collect();
        let width = 1.0 / columns.len().max(1) as f64;
        let mut places = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            let share =
                |p: &Panel| if p.height.is_finite() { p.height.clamp(0.1, 10.0) } else { 1.0 };
            let total: f64 = column.iter().map(share).sum();
            let mut top = 0.0;
            for panel in column.iter() {
                let bottom = top + share(panel) / total;
                places.push((
                    panel,
                    Place { left: i as f64 * width, right: (i + 1) as f64 * width, top, bottom },
                ));
                top = bottom;
            }
        }
        places
    }
}

impl Panel {
    /// An empty panel with these axes.
    pub fn new(x: Axis, y: Axis) -> Self {
        Self { x, y, series: Vec::new(), markers: Vec::new(), height: 1.0, across: None }
    }

    /// With one more series in front of the others.
    pub fn with(mut self, name: impl Into<String>, style: Style, points: Vec<(f64, f64)>) -> Self {
        self.series.push(Series { name: name.into(), points, style });
        self
    }

    /// With one more vertical line.
    pub fn mark(mut self, at: f64, label: impl Into<String>) -> Self {
        self.markers.push(Marker { at, label: label.into() });
        self
    }

    /// The markers that can be shown on this horizontal axis.
    pub(super) fn shown_markers(&self) -> impl Iterator<Item = &Marker> {
        self.markers.iter().filter(|m| self.x.shows(m.at))
    }
}

impl Axis {
    /// A linear axis.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: false }
    }

    /// A logarithmic axis.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: true }
    }

    /// Whether this axis can show `value`.
    pub(super) fn shows(&self, value: f64) -> bool {
        value.is_finite() && value.abs() <= LARGEST && !(self.log && value <= 0.0)
    }

    /// `value` in the units in which this axis is drawn: itself, or its decimal logarithm.
    pub(super) fn position(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }
}

impl Series {
    /// The points that are drawn: at most [`MOST_POINTS`], `None` for a gap.
    ///
    /// A longer series is cut into stretches of equal count. Of each, the lowest and the highest
    /// point remain, and a gap if it holds one, so no spike, dip or interruption is lost. The first
    /// and the last point always remain.
    pub fn thinned(&self, x: &Axis, y: &Axis) -> Vec<Option<(f64, f64)>> {
        let shown = |&(a, b): &(f64, f64)| (x.shows(a) && y.shows(b)).then_some((a, b));
        let all: Vec<Option<(f64, f64)>> = self.points.iter().map(shown).collect();
        if all.len() <= MOST_POINTS {
            return all;
        }
        let stretches = (MOST_POINTS - 2) / 3;
        let mut kept = vec![0, all.len() - 1];
        for s in 0..stretches {
            let (from, to) = (s * all.len() / stretches, (s + 1) * all.len() / stretches);
            let finite = || (from..to).filter_map(|i| all[i].map(|(_, y)| (i, y)));
            kept.extend(finite().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i));
            kept.extend(finite().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i));
            kept.extend((from..to).find(|&i| all[i].is_none()));
        }
        kept.sort_unstable();
        kept.dedup();
        kept.into_iter().map(|i| all[i]).collect()
    }
}

/// The colour of each series of each panel, as an index: series of one name have the same, as the
/// curves of one run in several panels, and all others another. A faint series shares the index of the
/// one after it.
pub(super) fn colour_indices(chart: &Chart) -> Vec<Vec<usize>> {
    let mut known: Vec<&str> = Vec::new();
    let mut indices = Vec::new();
    for panel in chart.columns.iter().flatten() {
        let mut of_panel = Vec::with_capacity(panel.series.len());
        for series in &panel.series {
            let found = known.iter().position(|name| *name == series.name);
            of_panel.push(found.unwrap_or(known.len()));
            if found.is_none() && series.style != Style::Faint {
                known.push(&series.name);
            }
        }
        indices.push(of_panel);
    }
    indices
}

/// Colours that people with any colour vision can tell apart, on white (Okabe and Ito, 2008).
const PALETTE: [(u8, u8, u8); 6] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233)];

/// Red, green and blue of the colour with this index.
pub(super) fn colour(index: usize) -> (u8, u8, u8) {
    PALETTE[index % PALETTE.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: Vec<(f64, f64)>) -> Series {
        Series { name: "s".into(), points, style: Style::Line }
    }

    #[test]
    fn a_long_series_is_thinned_and_keeps_ends_extremes_and_gaps() {
        let mut points: Vec<(f64, f64)> =
            (0..50_000).map(|i| (i as f64, (i as f64 * 0.01).sin())).collect();
        points[12_345].1 = 99.0;
        points[23_456].1 = -99.0;
        points[34_567].1 = f64::NAN;
        let thin = series(points).thinned(&Axis::default(), &Axis::default());
        assert!(thin.len() <= MOST_POINTS, "{}", thin.len());
        assert_eq!(thin[0].unwrap().0, 0.0);
        assert_eq!(thin[thin.len() - 1].unwrap().0, 49_999.0);
        assert!(thin.contains(&Some((12_345.0, 99.0))));
        assert!(thin.contains(&Some((23_456.0, -99.0))));
        assert_eq!(thin.iter().filter(|p| p.is_none()).count(), 1);
        assert!(thin.iter().flatten().zip(thin.iter().flatten().skip(1)).all(|(a, b)| a.0 < b.0));
    }

    #[test]
    fn a_short_series_is_kept_whole() {
        let points: Vec<(f64, f64)> = (0..MOST_POINTS).map(|i| (i as f64, 1.0)).collect();
        let thin = series(points.clone()).thinned(&Axis::default(), &Axis::default());
        assert_eq!(thin, points.into_iter().map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn values_that_an_axis_cannot_show_are_gaps() {
        let thin = series(vec![
            (0.0, 1.0),
            (1.0, 0.0),
            (2.0, -1.0),
            (3.0, f64::INFINITY),
            (4.0, 1e301),
            (5.0, 2.0),
        ])
        .thinned(&Axis::default(), &Axis::log(""));
        assert_eq!(thin, [Some((0.0, 1.0)), None, None, None, None, Some((5.0, 2.0))]);
    }

    #[test]
    fn panels_fill_the_picture_without_overlap() {
        let panel = |height| Panel { height, ..Panel::new(Axis::default(), Axis::default()) };
        let chart = Chart {
            title: String::new(),
            columns: vec![vec![panel(1.0)], vec![], vec![panel(3.0), panel(1.0)]],
        };
        let places: Vec<Place> = chart.places().into_iter().map(|(_, p)| p).collect();
        assert_eq!(places[0], Place { left: 0.0, right: 0.5, top: 0.0, bottom: 1.0 });
        assert_eq!(places[1], Place { left: 0.5, right: 1.0, top: 0.0, bottom: 0.75 });
        assert_eq!(places[2], Place { left: 0.5, right: 1.0, top: 0.75, bottom: 1.0 });
    }

    #[test]
    fn a_faint_series_has_the_colour_of_the_one_after_it() {
        let panel = Panel::new(Axis::default(), Axis::default())
            .with("raw", Style::Faint, vec![])
            .with("smooth", Style::Line, vec![])
            .with("val", Style::Dots, vec![]);
        assert_eq!(colour_indices(&Chart::single("", panel)), [[0, 0, 1]]);
    }

    #[test]
    fn a_run_has_one_colour_in_all_panels_and_panels_one_axis() {
        let panel = |runs: &[(&str, f64)]| {
            let panel = Panel::new(Axis::linear("step"), Axis::default());
            runs.iter().fold(panel, |panel, (run, end)| {
                panel.with(*run, Style::Line, vec![(1.0, 0.0), (*end, 1.0), (f64::NAN, 2.0)])
            })
        };
        let columns = vec![vec![panel(&[("a", 5.0), ("b", 7.0)])], vec![panel(&[("b", 3.0)])]];
        let chart = Chart { title: String::new(), columns }.aligned();
        assert_eq!(colour_indices(&chart), [vec![0, 1], vec![1]]);
        assert!(chart.columns.iter().flatten().all(|panel| panel.across == Some((1.0, 7.0))));
    }
}
