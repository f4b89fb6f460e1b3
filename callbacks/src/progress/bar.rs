//! The bar on a terminal, by indicatif.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::number::short;

/// Redraws per second at most.
const HERTZ: u8 = 10;

/// A bar for the epoch that runs; lines go above it.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// `None` where a bar cannot be drawn: no terminal, or one that cannot move its cursor.
    /// indicatif would swallow the lines there.
    pub(super) fn on_stderr() -> Option<Self> {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(HERTZ));
        // A template with a mistake leaves indicatif's own style.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix:>5}  {bar:30} {pos}/{len} {msg}  {eta} left")
        {
            bar.set_style(style);
        }
        (!bar.is_hidden()).then_some(Self(bar))
    }

    /// A new epoch begins.
    pub(super) fn epoch(&self, number: u64, batches: u64) {
        self.0.reset();
        self.0.set_length(batches);
        self.0.set_prefix(number.to_string());
        self.0.set_message("");
    }

    /// This many batches of the epoch are done.
    pub(super) fn at(&self, batch: u64, loss: f32) {
        self.0.set_message(format!("loss {}", short(loss.into())));
        self.0.set_position(batch);
    }

    /// A line above the bar.
    pub(super) fn line(&self, line: &str) {
        self.0.println(line);
    }

    /// The bar goes, the lines stay.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
