//! How the loop goes on.

use serde::{Deserialize, Serialize};

/// A callback's wish for the loop, from weakest to strongest. Of several wishes in one moment the
/// strongest wins; of several stops the first.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Flow {
    /// Go on.
    #[default]
    Continue,
    /// Do not apply this step's update. Only meaningful before the update; elsewhere it means
    /// `Continue`.
    SkipUpdate,
    /// End this epoch after this step; validation still runs. Before the update, it also leaves the
    /// update unapplied.
    EndEpoch,
    /// End the fit after this moment, for the reason given.
    Stop(StopReason),
}

impl Flow {
    /// Stops the fit for a reason of the caller's own.
    pub fn stop(detail: impl Into<String>) -> Self {
        Self::Stop(StopReason::new(StopKind::Requested, detail))
    }

    /// The stronger of the two; `self` where they are equally strong. A stop keeps in mind that the
    /// other ends the epoch.
    #[must_use]
    pub fn or_stronger(self, other: Flow) -> Flow {
        let ends_epoch = self.ends_epoch() || other.ends_epoch();
        match if other.strength() > self.strength() { other } else { self } {
            Self::Stop(reason) => Self::Stop(StopReason { ends_epoch, ..reason }),
            weaker => weaker,
        }
    }

    /// Whether the epoch is over for those who go on.
    pub fn ends_epoch(&self) -> bool {
        match self {
            Self::EndEpoch => true,
            Self::Stop(reason) => reason.ends_epoch,
            Self::Continue | Self::SkipUpdate => false,
        }
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Continue => 0,
            Self::SkipUpdate => 1,
            Self::EndEpoch => 2,
            Self::Stop(_) => 3,
        }
    }
}

/// Why a fit ended: it reaches the run, the report and the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReason {
    /// The kind of reason, for programs.
    pub kind: StopKind,
    /// The callback that asked for it; empty when the loop itself ended.
    pub by: String,
    /// The details, for people.
    pub detail: String,
    /// Whether somebody has ended the epoch at the same moment, so that a fit that is resumed there
    /// goes on behind it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_epoch: bool,
}

impl StopReason {
    /// A reason not yet tied to a callback; the stack fills in the name.
    pub fn new(kind: StopKind, detail: impl Into<String>) -> Self {
        Self { kind, by: String::new(), detail: detail.into(), ends_epoch: false }
    }
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.by.as_str(), self.detail.as_str()) {
            ("", "") => write!(f, "{}", self.kind),
            ("", detail) => write!(f, "{}: {detail}", self.kind),
            (by, "") => write!(f, "{} ({by})", self.kind),
            (by, detail) => write!(f, "{} ({by}): {detail}", self.kind),
        }
    }
}

/// The kinds of [`StopReason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// All epochs that were asked for are done.
    Completed,
    /// A monitored metric stopped improving.
    EarlyStopping,
    /// A limit on steps or time was reached.
    Budget,
    /// A loss or gradient was NaN or infinite.
    NonFinite,
    /// A callback of the user's asked for it.
    Requested,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl StopKind {
    /// The name used in stored records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::EarlyStopping => "early_stopping",
            Self::Budget => "budget",
            Self::NonFinite => "non_finite",
            Self::Requested => "requested",
            Self::Interrupted => "interrupted",
        }
    }
}

impl std::fmt::Display for StopKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
