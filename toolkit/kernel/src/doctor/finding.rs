//! What was found.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Nothing is broken, but something is left out or costs room or time.
    Note,
    /// Something that was installed or is needed does not work.
    Broken,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, such as `kernel spec`.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is there.
    pub found: String,
    /// What to type or do, where there is something to do.
    pub fix: Option<String>,
}

impl Finding {
    /// As it should be.
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Vec<Self> {
        vec![Self { check, level: Level::Ok, found: found.into(), fix: None }]
    }

    /// Not broken, with what would change it.
    pub(super) fn note(
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Vec<Self> {
        vec![Self { check, level: Level::Note, found: found.into(), fix: Some(fix.into()) }]
    }

    /// Broken, with what mends it.
    pub(super) fn broken(
        check: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Vec<Self> {
        vec![Self { check, level: Level::Broken, found: found.into(), fix: Some(fix.into()) }]
    }
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether anything does not work.
    pub fn is_broken(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Broken)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { check, level, found, fix } in &self.findings {
            let mark = match level {
                Level::Ok => "ok    ",
                Level::Note => "note  ",
                Level::Broken => "BROKEN",
            };
            writeln!(f, "{mark}  {check:<14}  {found}")?;
            if let Some(fix) = fix {
                writeln!(f, "                        → {fix}")?;
            }
        }
        let broken = self.findings.iter().filter(|finding| finding.level == Level::Broken).count();
        match broken {
            0 => writeln!(f, "\nnothing is broken"),
            1 => writeln!(f, "\n1 thing is broken"),
            some => writeln!(f, "\n{some} things are broken"),
        }
    }
}
