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
        Self::on(ProgressDrawTarget::stderr_with_hz(HERTZ))
    }

    fn on(target: ProgressDrawTarget) -> Option<Self> {
        let bar = ProgressBar::with_draw_target(Some(0), target);
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

#[cfg(test)]
mod tests {
    use std::io::{self, IsTerminal};
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what is written to it.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_bar_shows_the_epoch_and_lines_go_above_it() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let bar = Bar::on(target).unwrap();
        bar.epoch(3, 10);
        bar.at(4, 0.5);
        assert_eq!((bar.0.prefix(), bar.0.length()), ("3".to_owned(), Some(10)));
        assert_eq!((bar.0.message(), bar.0.position()), ("loss 0.5000".to_owned(), 4));
        bar.line("warning: look");
        assert!(screen.0.lock().unwrap().contains("warning: look"));
        bar.epoch(4, 20);
        assert_eq!((bar.0.prefix(), bar.0.position()), ("4".to_owned(), 0));
        assert_eq!((bar.0.message(), bar.0.length()), (String::new(), Some(20)));
        bar.clear();
        assert!(bar.0.is_finished());
    }

    #[test]
    fn where_nothing_can_be_drawn_there_is_none() {
        assert!(Bar::on(ProgressDrawTarget::hidden()).is_none());
        assert!(io::stderr().is_terminal() || Bar::on_stderr().is_none());
    }
}
