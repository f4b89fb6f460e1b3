//! The trait to implement.

use std::borrow::Cow;

use trainbook_store::Value;

use crate::CallbackRecipe;

use super::{
    AfterUpdate, BatchStart, CallbackError, CallbackState, CheckpointWritten, Effects, EpochEnd,
    EpochStart, FitEnd, FitStart, Flow, GradientEdit, GradientView, Moment, Setup, StepEnd,
    Validated, ValidationEnd, ValidationStart,
};

/// What a callback answers: how the loop should go on, or why it cannot.
pub type Reply = Result<Flow, CallbackError>;

/// Something that is told about the moments of a training run (drawn in [`moment`](super::moment)).
///
/// Every method has a default that does nothing, so a callback implements only the moments it cares
/// about:
///
/// ```
/// use trainbook_callbacks::{Callback, Flow, Reply, StepEnd};
///
/// struct StopWhenDiverged;
///
/// impl Callback for StopWhenDiverged {
///     fn step_end(&mut self, step: &StepEnd<'_>) -> Reply {
///         Ok(if step.loss() > 10.0 { Flow::stop("diverged") } else { Flow::Continue })
///     }
/// }
/// ```
///
/// **Contract.** Within one moment every callback of the stack is called, in the order of the
/// [plan](super::Plan), even when an earlier one stopped the run, failed or panicked; then the
/// strongest [`Flow`] wins, or the first error ends the fit. A panic becomes an error that names
/// the callback and the moment. Whatever ends the fit, [`fit_end`](Self::fit_end) still runs for
/// every callback.
pub trait Callback: Send {
    /// The name shown in the plan, in errors and in the run. Default: the type's name without its
    /// path and parameters.
    fn name(&self) -> Cow<'static, str> {
        let full = std::any::type_name::<Self>();
        let bare = full.split('<').next().unwrap_or(full);
        Cow::Borrowed(bare.rsplit("::").next().unwrap_or(bare))
    }

    /// What this callback reads and writes. Default: nothing, in
    /// [`Phase::Observe`](super::Phase::Observe).
    fn effects(&self) -> Effects {
        Effects::default()
    }

    /// Settings worth finding a run by, under the names they have in a query: `lr` here is
    /// `params.lr` there. Default: none.
    fn params(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Its settings as a value, from which a run's record can make it again. Default: `None`; a
    /// callback of one's own is recorded by its name, and whoever repeats the run brings it along.
    fn recipe(&self) -> Option<CallbackRecipe> {
        None
    }

    /// Once, when the trainer is built and before weights exist. The only moment that may set the
    /// seed.
    fn setup(&mut self, _setup: &mut Setup) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Once per fit, before the first epoch. Stopping here trains nothing.
    fn fit_start(&mut self, _fit: &FitStart<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// Before the first batch of every epoch.
    fn epoch_start(&mut self, _epoch: &EpochStart<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// Before a batch is used. May set the learning rate of this step.
    fn batch_start(&mut self, _batch: &mut BatchStart<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// After the backward pass, before anything changed the gradients. [`Flow::SkipUpdate`] leaves
    /// weights and moments untouched.
    fn raw_gradients(&mut self, _gradients: &GradientView<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// The only moment that may change gradients. Not called when the update is already being
    /// skipped.
    fn change_gradients(&mut self, _gradients: &mut GradientEdit<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// The gradients as the optimiser will see them. Last chance to skip the update. Not called
    /// when it is already being skipped.
    fn final_gradients(&mut self, _gradients: &GradientView<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// After an update was applied, with its weights to look at. Not called when it was skipped.
    fn after_update(&mut self, _update: &AfterUpdate<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// After the update was applied or skipped.
    fn step_end(&mut self, _step: &StepEnd<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// Before weights are judged: after the last batch of an epoch, and in the middle of one if the
    /// trainer was asked to validate there. May put others in their place, and must then put them back
    /// at [`validation_end`](Self::validation_end).
    fn validation_start(&mut self, _validation: &mut ValidationStart<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// After a validation in the middle of an epoch, with its metrics. At the end of an epoch
    /// [`epoch_end`](Self::epoch_end) is called in its place.
    fn validated(&mut self, _validated: &Validated<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// When weights have been judged, also if a callback has failed meanwhile.
    fn validation_end(&mut self, _validation: &mut ValidationEnd<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// After the last batch of an epoch and its validation.
    fn epoch_end(&mut self, _epoch: &EpochEnd<'_>) -> Reply {
        Ok(Flow::Continue)
    }

    /// When a checkpoint is on disk. May only look: at which step it is told depends on the disk. An
    /// error ends the fit.
    fn checkpoint_written(
        &mut self,
        _written: &CheckpointWritten<'_>,
    ) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Once per fit, last, also after an error or a panic. The only moment that may replace
    /// weights.
    fn fit_end(&mut self, _fit: &mut FitEnd<'_>) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Everything this callback would need to go on where it is. Default: nothing.
    ///
    /// Law, tested for every callback here: `load(save())` followed by `save()` gives the same
    /// bytes.
    fn save(&self) -> Result<CallbackState, CallbackError> {
        Ok(CallbackState::empty())
    }

    /// Takes back what [`save`](Self::save) returned.
    fn load(&mut self, _state: &CallbackState) -> Result<(), CallbackError> {
        Ok(())
    }

    /// The one entry point that the stack calls. Wrappers override this instead of every moment.
    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        match moment {
            Moment::Setup(m) => self.setup(m).map(|()| Flow::Continue),
            Moment::FitStart(m) => self.fit_start(m),
            Moment::EpochStart(m) => self.epoch_start(m),
            Moment::BatchStart(m) => self.batch_start(m),
            Moment::RawGradients(m) => self.raw_gradients(m),
            Moment::ChangeGradients(m) => self.change_gradients(m),
            Moment::FinalGradients(m) => self.final_gradients(m),
            Moment::AfterUpdate(m) => self.after_update(m),
            Moment::StepEnd(m) => self.step_end(m),
            Moment::ValidationStart(m) => self.validation_start(m),
            Moment::Validated(m) => self.validated(m),
            Moment::ValidationEnd(m) => self.validation_end(m),
            Moment::EpochEnd(m) => self.epoch_end(m),
            Moment::CheckpointWritten(m) => self.checkpoint_written(m).map(|()| Flow::Continue),
            Moment::FitEnd(m) => self.fit_end(m).map(|()| Flow::Continue),
        }
    }
}
