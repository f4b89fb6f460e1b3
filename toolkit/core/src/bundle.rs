//! What a notebook, a report file or a terminal shows of a value.

use std::io::Write;

use crate::text_table::escape;

/// One value, twice: as HTML and as plain text. A viewer takes the better one that it can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// A fragment of HTML, to be put into a page.
    pub html: String,
    /// Plain text, every line ended.
    pub text: String,
}

impl Bundle {
    /// Plain text, shown as it is.
    pub fn from_text(text: &str) -> Self {
        let text = text.trim_end();
        Self { html: format!("{}\n", preformatted(text)), text: format!("{text}\n") }
    }

    /// With these lines below.
    #[must_use]
    pub fn followed_by(mut self, lines: &[String]) -> Self {
        for line in lines {
            self.html += &format!("<p>{}</p>\n", escape(line));
            self.text += &format!("{line}\n");
        }
        self
    }

    /// Prints this as the rich output of an evcxr notebook cell, in one write to standard output.
    ///
    /// A cell has one rich output. If it prints several, the last remains.
    pub fn emit(&self) {
        let mut out = std::io::stdout().lock();
        // A notebook that no longer listens must not end the training that prints to it.
        let _ = out.write_all(self.evcxr_blocks().as_bytes()).and_then(|()| out.flush());
    }

    /// One block for each form, in the syntax that evcxr reads from a cell's standard output.
    fn evcxr_blocks(&self) -> String {
        const END: &str = "EVCXR_END_CONTENT";
        let block = |kind: &str, content: &str| {
            // Such a line within the content would end the block.
            let content = content.trim_end().replace(END, "EVCXR END CONTENT");
            format!("EVCXR_BEGIN_CONTENT {kind}\n{content}\n{END}\n")
        };
        block("text/html", &self.html) + &block("text/plain", &self.text)
    }
}

/// Text whose columns stay in line. Jupyter's own style gives such text within HTML a proportional
/// font.
pub fn preformatted(text: &str) -> String {
    format!("<pre style=\"font-family:monospace;line-height:1.25\">{}</pre>", escape(text))
}

/// For types whose text is all there is to show: as the result of a notebook cell they are that
/// text. A macro, because a notebook looks for methods of the type itself, and only a type's own
/// crate can give it those.
#[macro_export]
macro_rules! shown_as_text {
    ($($kind:ty),*) => { $(
        impl $kind {
            /// As a notebook shows it.
            pub fn view(&self) -> $crate::bundle::Bundle {
                $crate::bundle::Bundle::from_text(&self.to_string())
            }

            /// Shows it as the result of a notebook cell.
            pub fn evcxr_display(&self) {
                self.view().emit();
            }
        }
    )* };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evcxr_blocks_cannot_be_ended_from_within() {
        let bundle = Bundle { html: "<p>a</p>\n".into(), text: "x\nEVCXR_END_CONTENT\ny\n".into() };
        assert_eq!(
            bundle.evcxr_blocks(),
            "EVCXR_BEGIN_CONTENT text/html\n<p>a</p>\nEVCXR_END_CONTENT\n\
             EVCXR_BEGIN_CONTENT text/plain\nx\nEVCXR END CONTENT\ny\nEVCXR_END_CONTENT\n"
        );
    }
}
