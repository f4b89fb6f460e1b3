//! The patterns of `like` and `ilike`.

/// What a text is like: `%` is any text, `_` any character, and behind a backslash `%`, `_` and the
/// backslash are themselves.
#[derive(Debug, PartialEq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece {
    AnyText,
    AnyCharacter,
    One(char),
}

impl Pattern {
    /// # Errors
    /// A backslash stands before anything else; the text of the pattern in which each such backslash
    /// is itself.
    pub(super) fn read(text: &str) -> Result<Pattern, String> {
        let (mut pieces, mut right, mut wrong) = (Vec::new(), String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            right.push(c);
            pieces.push(match c {
                '%' => Piece::AnyText,
                '_' => Piece::AnyCharacter,
                '\\' => match chars.next_if(|next| matches!(next, '%' | '_' | '\\')) {
                    Some(next) => {
                        right.push(next);
                        Piece::One(next)
                    }
                    None => {
                        right.push(c);
                        wrong = true;
                        Piece::One(c)
                    }
                },
                c => Piece::One(c),
            });
        }
        if wrong { Err(right) } else { Ok(Pattern(pieces)) }
    }

    /// Whether a text is like this.
    pub(super) fn fits(&self, text: &str) -> bool {
        self.matches(text, |a, b| a == b)
    }

    /// The same where upper and lower case are equal.
    pub(super) fn fits_either_case(&self, text: &str) -> bool {
        self.matches(text, |a, b| a == b || a.to_lowercase().eq(b.to_lowercase()))
    }

    fn matches(&self, text: &str, same: impl Fn(char, char) -> bool) -> bool {
        let (mut text, mut pattern) = (text.chars(), self.0.as_slice());
        // Where to go on when the rest does not fit: the newest `%` then takes one more character.
        let mut retry = None;
        loop {
            let mut behind = text.clone();
            match (behind.next(), pattern.split_first()) {
                (_, Some((Piece::AnyText, rest))) => {
                    pattern = rest;
                    retry = Some((text.clone(), rest));
                }
                (None, None) => return true,
                (Some(a), Some((piece, rest)))
                    if match piece {
                        Piece::One(b) => same(a, *b),
                        Piece::AnyText | Piece::AnyCharacter => true,
                    } =>
                {
                    (text, pattern) = (behind, rest);
                }
                _ => {
                    let Some((from, rest)) = &mut retry else { return false };
                    if from.next().is_none() {
                        return false;
                    }
                    (text, pattern) = (from.clone(), rest);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_backtracks() {
        for (text, pattern, fits) in [
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("abcabd", "%abd", true),
            ("abcabc", "%abd", false),
            ("aXbXc", "a%b%c", true),
            ("äö", "__", true),
            ("ab", "a%%b", true),
            ("ab", "_", false),
            ("a", "a_", false),
            ("a", "a%", true),
            ("a%b", "a%b", true),
            // Behind a backslash they are themselves.
            ("100%", r"100\%", true),
            ("1000", r"100\%", false),
            ("100%!", r"100\%", false),
            ("a_b", r"a\_b", true),
            ("axb", r"a\_b", false),
            (r"a\b", r"a\\b", true),
            (r"a\%", r"a\\\%", true),
            (r"a\xyz", r"a\\%", true),
            ("axyz", r"a\\%", false),
            ("x%_", r"%\%\_", true),
        ] {
            let pattern = Pattern::read(pattern).unwrap();
            assert_eq!(pattern.fits(text), fits, "{text:?} like {pattern:?}");
        }
        let pattern = Pattern::read("äö%NET").unwrap();
        assert!(pattern.fits_either_case("ÄÖ-Net"));
        assert!(!pattern.fits("ÄÖ-Net"));
        // Takes for ever where every `%` is retried.
        let pattern = Pattern::read(&format!("{}b", "%a".repeat(50))).unwrap();
        assert!(!pattern.fits(&"a".repeat(5000)));
    }

    #[test]
    fn a_backslash_before_anything_else_is_refused() {
        for (pattern, right) in [
            (r"C:\runs", r"C:\\runs"),
            (r"100\", r"100\\"),
            (r"\%\d\\", r"\%\\d\\"),
            (r"\\\a", r"\\\\a"),
        ] {
            assert_eq!(Pattern::read(pattern), Err(right.to_owned()), "{pattern}");
            assert!(Pattern::read(right).is_ok(), "{right}");
        }
    }
}
