//! Points of a metric.

use std::fmt;

use super::parts::{counted, number};
use crate::event::Parent;
use crate::history::History;
use crate::past::Past;
use crate::text::columns;

/// How many points are shown at either end.
const ENDS: usize = 5;

impl fmt::Display for History {
    /// How many points there are, and the first and last of those that are kept.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let History { total, points } = self;
        write!(f, "{}", counted(*total, "point"))?;
        if (points.len() as u64) < *total {
            write!(f, ", {} of them kept", points.len())?;
        }
        writeln!(f)?;
        let row = |(step, value): &(u64, f64)| [format!("step {step}"), number(*value)];
        let mut rows: Vec<[String; 2]> = Vec::new();
        if points.len() <= 2 * ENDS {
            rows.extend(points.iter().map(row));
        } else {
            rows.extend(points[..ENDS].iter().map(row));
            rows.push(["…".to_owned(), String::new()]);
            rows.extend(points[points.len() - ENDS..].iter().map(row));
        }
        columns(f, &rows)
    }
}

impl fmt::Display for Past {
    /// The runs before, the nearest first, then how many points of each metric are known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parents.is_empty() {
            return writeln!(f, "nothing: it began by itself");
        }
        let parents: Vec<String> = self.parents.iter().map(Parent::to_string).collect();
        writeln!(f, "{}", parents.join("\n"))?;
        let rows: Vec<[String; 2]> = self
            .series
            .iter()
            .map(|(name, points)| [name.to_string(), counted(points.len() as u64, "point")])
            .collect();
        columns(f, &rows)
    }
}
