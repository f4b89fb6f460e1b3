//! What the values of a [`Field`](super::Field) are, and what can be asked about them.

/// Numbers.
#[derive(Debug, Clone, Copy)]
pub enum Number {}

/// Texts.
#[derive(Debug, Clone, Copy)]
pub enum Text {}

/// Moments.
#[derive(Debug, Clone, Copy)]
pub enum Time {}

/// What the runs hold: numbers, texts or truths. A query that compares with what no run holds is
/// refused when it runs.
#[derive(Debug, Clone, Copy)]
pub enum Setting {}

/// All points of a metric; a check is true when it is true of one of them.
#[derive(Debug, Clone, Copy)]
pub enum Points {}

/// Values that can be equal. Two moments hardly ever are.
pub trait Exact {}
impl Exact for Number {}
impl Exact for Text {}
impl Exact for Setting {}
impl Exact for Points {}

/// Values of which a run has one or none.
pub trait Single {}
impl Single for Number {}
impl Single for Text {}
impl Single for Time {}
impl Single for Setting {}

/// Values that may be texts.
pub trait Textual {}
impl Textual for Text {}
impl Textual for Setting {}
