//! What a comparison came to.

use std::fmt;

use serde::Serialize;

use super::policy::PolicyDifference;

/// What was compared and how close it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// How many times ONNX Runtime (or tract, where that was asked alone) ran: batch sizes ×
    /// optimisation levels × kinds of input (× lengths of sequences, if those are free), and once
    /// more for each kind of input with the rows in reverse order.
    pub comparisons: usize,
    /// The largest |trainer − ONNX Runtime|, or |f64 evaluation − ONNX Runtime| where there is no
    /// trainer.
    pub max_abs_diff: f64,
    /// The same on training-like (or random) rows alone, where outputs have their usual size.
    pub usual_abs_diff: f64,
    /// The largest error of the trainer's f32 against the f64 evaluation; 0 where there is no
    /// trainer.
    pub max_trainer_error: f64,
    /// The largest error of ONNX Runtime's f32 against the f64 evaluation.
    pub max_runtime_error: f64,
    /// The largest share of its margin that any number used: 1 would be at the limit of what f32
    /// rounding explains.
    pub margin_used: f64,
    /// What a second engine said, where one was asked.
    pub second_opinion: Option<SecondOpinion>,
    /// Where trainer and ONNX Runtime differ on inputs that are no numbers. No reason to refuse a
    /// file, but one to keep such inputs away.
    pub policy: Vec<PolicyDifference>,
}

/// What an engine beside ONNX Runtime said of a file. It does not decide: where trainer, f64
/// evaluation and ONNX Runtime agree, another engine that does not has a fault of its own. Whoever
/// wants to deploy there should know.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondOpinion {
    /// It computes the same.
    Agrees {
        /// Who, with the version.
        engine: String,
        /// How many times it ran.
        comparisons: usize,
        /// Its largest error against the f64 evaluation.
        max_error: f64,
        /// The largest share of what f32 rounding explains that any of its numbers used. It may be
        /// above 1, as this engine computes some functions by series that are shorter than f32
        /// allows.
        margin_used: f64,
    },
    /// It computes something else.
    Differs {
        /// Who, with the version.
        engine: String,
        /// What, and from which node on.
        reason: String,
    },
    /// It does not support the graph.
    Declined {
        /// Who, with the version.
        engine: String,
        /// What it said.
        reason: String,
    },
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "compared      {} runs: batches × optimisation × kinds of input, in both orders",
            self.comparisons
        )?;
        writeln!(
            f,
            "difference    {:.3e} at most, {:.3e} on usual inputs",
            self.max_abs_diff, self.usual_abs_diff
        )?;
        write!(f, "margin used   {:.1} % of what f32 rounding explains", 100.0 * self.margin_used)?;
        if let Some(opinion) = &self.second_opinion {
            write!(f, "\nsecond look   {opinion}")?;
        }
        for alike in self.policy.chunk_by(PolicyDifference::is_like) {
            let inputs: Vec<_> = alike.iter().map(|difference| difference.input.as_str()).collect();
            write!(
                f,
                "\nnote          {}",
                PolicyDifference { input: inputs.join(", "), ..alike[0].clone() }
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for SecondOpinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agrees { engine, comparisons, max_error, .. } => {
                write!(f, "{engine} agrees in {comparisons} runs, {max_error:.3e} from f64 at most")
            }
            Self::Differs { engine, reason } => {
                write!(f, "{engine} computes something else: {reason}")
            }
            Self::Declined { engine, reason } => {
                write!(f, "{engine} does not support the graph: {reason}")
            }
        }
    }
}
