//! Conditions in a query that Rust writes.

use std::ops::Not;

use super::ast;

/// What a run must fulfil, made from a [`Field`](super::Field). Its `Display` is its text in the
/// query language.
#[derive(Debug, Clone)]
#[must_use]
pub struct Condition(pub(super) ast::Condition);

impl Condition {
    /// Both.
    pub fn and(self, other: Condition) -> Condition {
        Condition(match self.0 {
            // A long chain stays flat, because every level of nesting counts.
            ast::Condition::And(mut all) => {
                all.push(other.0);
                ast::Condition::And(all)
            }
            condition => ast::Condition::And(vec![condition, other.0]),
        })
    }

    /// Either, or both.
    pub fn or(self, other: Condition) -> Condition {
        Condition(match self.0 {
            ast::Condition::Or(mut all) => {
                all.push(other.0);
                ast::Condition::Or(all)
            }
            condition => ast::Condition::Or(vec![condition, other.0]),
        })
    }
}

/// `!condition` is `not (condition)`: false becomes true, and unknown stays unknown.
impl Not for Condition {
    type Output = Condition;

    fn not(self) -> Condition {
        Condition(match self.0 {
            ast::Condition::Not(inner) => *inner,
            condition => ast::Condition::Not(Box::new(condition)),
        })
    }
}
