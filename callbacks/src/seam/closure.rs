//! Callbacks made of closures, one function for each moment.

use std::borrow::Cow;

use super::{
    AfterUpdate, BatchStart, Callback, CallbackError, CheckpointWritten, Effects, EpochEnd,
    EpochStart, FitEnd, FitStart, Flow, GradientEdit, GradientView, Moment, Phase, Reply, Resource,
    Setup, StepEnd, Validated, ValidationEnd, ValidationStart,
};

/// A closure that is called at one moment; made by [`on_step_end`], [`on_epoch_end`] and the others.
///
/// It declares nothing that it reads and writes until it is told to, and is called in
/// [`Phase::Observe`], unless its function says otherwise:
///
/// ```
/// use trainbook_callbacks::{EarlyStopping, Flow, Stack, on_epoch_end};
///
/// let mut stack = Stack::new();
/// stack.push(EarlyStopping::on("gap"));
/// stack.push(
///     on_epoch_end(|epoch| {
///         epoch.log.push("gap", 0.1 * epoch.counters.epoch as f64);
///         Ok(Flow::Continue)
///     })
///     .logs("gap"),
/// );
/// assert!(stack.plan(&[], false).is_ok(), "somebody produces what is monitored");
/// ```
pub struct Closure<'f> {
    name: Cow<'static, str>,
    effects: Effects,
    /// Whether it is called in steps, where what it logs is gone when the epoch ends.
    in_steps: bool,
    tell: Box<dyn FnMut(&mut Moment<'_, '_>) -> Reply + Send + 'f>,
}

impl<'f> Closure<'f> {
    fn new(
        name: &'static str,
        effects: Effects,
        tell: impl FnMut(&mut Moment<'_, '_>) -> Reply + Send + 'f,
    ) -> Self {
        // It is called what the function is, `on_` and the moment.
        let in_steps = name.strip_prefix("on_").is_some_and(Moment::logs_in_steps);
        Self { name: name.into(), effects, in_steps, tell: Box::new(tell) }
    }

    /// Declares that it logs this metric: at the end of epochs, so that others may go by it, or in
    /// steps, if that is where the closure is called.
    #[must_use]
    pub fn logs(self, metric: impl AsRef<str>) -> Self {
        let resource =
            if self.in_steps { Resource::step_metric(metric) } else { Resource::metric(metric) };
        self.writes(resource)
    }

    /// Declares something that it reads.
    #[must_use]
    pub fn reads(mut self, resource: Resource) -> Self {
        self.effects = self.effects.reads(resource);
        self
    }

    /// Declares something that it writes.
    #[must_use]
    pub fn writes(mut self, resource: Resource) -> Self {
        self.effects = self.effects.writes(resource);
        self
    }

    /// When within the moment it is called.
    #[must_use]
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.effects.phase = phase;
        self
    }

    /// What it is called in the plan, in errors and in the run. Default: the function that made it,
    /// such as `on_step_end`.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }
}

impl Callback for Closure<'_> {
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    fn effects(&self) -> Effects {
        self.effects.clone()
    }

    fn on(&mut self, moment: &mut Moment<'_, '_>) -> Reply {
        (self.tell)(moment)
    }
}

/// The functions whose closures answer with a [`Reply`].
macro_rules! closures {
    ($($(#[$doc:meta])* $name:ident: $moment:ident($context:ty), $effects:expr;)*) => {$(
        $(#[$doc])*
        pub fn $name<'f>(mut f: impl FnMut($context) -> Reply + Send + 'f) -> Closure<'f> {
            Closure::new(stringify!($name), $effects, move |moment| match moment {
                Moment::$moment(context) => f(context),
                _ => Ok(Flow::Continue),
            })
        }
    )*};
}

closures! {
    /// A closure called once per fit, before the first epoch.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, on_fit_start};
    ///
    /// let told = on_fit_start(|fit| {
    ///     println!("{} updates to go", fit.horizon.updates());
    ///     Ok(Flow::Continue)
    /// });
    /// ```
    on_fit_start: FitStart(&FitStart<'_>), Effects::default();

    /// A closure called before the first batch of every epoch.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, on_epoch_start};
    ///
    /// let told = on_epoch_start(|epoch| {
    ///     println!("epoch {}", epoch.counters.epoch + 1);
    ///     Ok(Flow::Continue)
    /// });
    /// ```
    on_epoch_start: EpochStart(&EpochStart<'_>), Effects::default();

    /// A closure called before a batch is used. One that sets the learning rate has to say so:
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, Resource, on_batch_start};
    ///
    /// let schedule = on_batch_start(|batch| {
    ///     batch.set_learning_rate(0.1 / (1.0 + batch.counters.updates_applied as f64).sqrt());
    ///     Ok(Flow::Continue)
    /// })
    /// .writes(Resource::LearningRate);
    /// ```
    on_batch_start: BatchStart(&mut BatchStart<'_>), Effects::default();

    /// A closure called after the backward pass, before anything changed the gradients.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, Resource, on_raw_gradients};
    ///
    /// let guard = on_raw_gradients(|step| {
    ///     let small = step.gradients.global_norm()? < 1e3;
    ///     Ok(if small { Flow::Continue } else { Flow::SkipUpdate })
    /// })
    /// .reads(Resource::Gradients)
    /// .writes(Resource::Stop);
    /// ```
    on_raw_gradients: RawGradients(&GradientView<'_>), Effects::default();

    /// A closure that changes the gradients, and says so: it is called in [`Phase::Change`] and declares
    /// that it writes them. To have two such callbacks, put them into a vector.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, on_change_gradients};
    ///
    /// let smaller = on_change_gradients(|step| {
    ///     step.gradients.scale(0.5)?;
    ///     Ok(Flow::Continue)
    /// });
    /// ```
    on_change_gradients: ChangeGradients(&mut GradientEdit<'_>), Effects::in_phase(Phase::Change).writes(Resource::Gradients);

    /// A closure called with the gradients as the optimiser will see them.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, Resource, on_final_gradients};
    ///
    /// let watch = on_final_gradients(|step| {
    ///     step.log.push("norm_used", step.gradients.global_norm()?);
    ///     Ok(Flow::Continue)
    /// })
    /// .reads(Resource::Gradients)
    /// .logs("norm_used");
    /// ```
    on_final_gradients: FinalGradients(&GradientView<'_>), Effects::default();

    /// A closure called after an update was applied, with its weights to look at.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, Resource, on_after_update};
    ///
    /// let watch = on_after_update(|update| {
    ///     let mut largest = 0.0_f32;
    ///     update.weights.each(&mut |_, values| {
    ///         largest = values.iter().fold(largest, |largest, w| largest.max(w.abs()));
    ///     })?;
    ///     update.log.push("largest_weight", largest.into());
    ///     Ok(Flow::Continue)
    /// })
    /// .reads(Resource::Weights)
    /// .logs("largest_weight");
    /// ```
    on_after_update: AfterUpdate(&AfterUpdate<'_>), Effects::default();

    /// A closure called at the end of every step.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, Resource, on_step_end};
    ///
    /// let guard = on_step_end(|step| {
    ///     Ok(if step.loss() > 10.0 { Flow::stop("diverged") } else { Flow::Continue })
    /// })
    /// .writes(Resource::Stop);
    /// ```
    on_step_end: StepEnd(&StepEnd<'_>), Effects::default();

    /// A closure called before weights are judged, at the end of an epoch or in its middle. What it puts in
    /// their place has to be put back at the end, so for that write a struct with both moments.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, Resource, on_validation_start};
    ///
    /// let watch = on_validation_start(|validation| {
    ///     let tensors = validation.weights.snapshot()?.0.len();
    ///     println!("{tensors} tensors to judge");
    ///     Ok(Flow::Continue)
    /// })
    /// .reads(Resource::Weights);
    /// ```
    on_validation_start: ValidationStart(&mut ValidationStart<'_>), Effects::default();

    /// A closure called after every validation in the middle of an epoch, with its metrics; the trainer
    /// validates there if it is asked to. What it logs is of steps.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, on_validated};
    ///
    /// let told = on_validated(|validated| {
    ///     println!("{}: {:?}", validated.counters.batches_seen, validated.metric("val_loss"));
    ///     Ok(Flow::Continue)
    /// });
    /// ```
    on_validated: Validated(&Validated<'_>), Effects::default();

    /// A closure called at the end of every epoch, with its metrics.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, on_epoch_end};
    ///
    /// let gap = on_epoch_end(|epoch| {
    ///     let metric = |name| epoch.metric(name).ok_or("there is no such metric");
    ///     epoch.log.push("gap", metric("val_loss")? - metric("train_loss")?);
    ///     Ok(Flow::Continue)
    /// })
    /// .logs("gap");
    /// ```
    on_epoch_end: EpochEnd(&EpochEnd<'_>), Effects::default();

    /// A closure called when weights have been judged.
    ///
    /// ```
    /// use trainbook_callbacks::{Flow, on_validation_end};
    ///
    /// let told = on_validation_end(|validation| {
    ///     println!("epoch {} is judged", validation.counters.epoch + 1);
    ///     Ok(Flow::Continue)
    /// });
    /// ```
    on_validation_end: ValidationEnd(&mut ValidationEnd<'_>), Effects::default();
}

/// A closure called once, when the trainer is built and before weights exist. All that it can do is
/// to set the seed: it is called in [`Phase::Configure`] and declares that it writes it.
///
/// ```
/// use trainbook_callbacks::on_setup;
///
/// let seed = on_setup(|setup| Ok(setup.set_seed(7)));
/// ```
pub fn on_setup<'f>(
    mut f: impl FnMut(&mut Setup) -> Result<(), CallbackError> + Send + 'f,
) -> Closure<'f> {
    let effects = Effects::in_phase(Phase::Configure).writes(Resource::Seed);
    Closure::new("on_setup", effects, move |moment| match moment {
        Moment::Setup(setup) => f(setup).map(|()| Flow::Continue),
        _ => Ok(Flow::Continue),
    })
}

/// A closure called when a checkpoint is on disk, for example to copy it elsewhere. It may only look.
///
/// ```
/// use trainbook_callbacks::on_checkpoint_written;
///
/// let copy = on_checkpoint_written(|written| {
///     let bytes = written.run.store().get_object(&written.object)?;
///     std::fs::write(format!("{}.bin", written.label), bytes)?;
///     Ok(())
/// });
/// ```
pub fn on_checkpoint_written<'f>(
    mut f: impl FnMut(&CheckpointWritten<'_>) -> Result<(), CallbackError> + Send + 'f,
) -> Closure<'f> {
    Closure::new("on_checkpoint_written", Effects::default(), move |moment| match moment {
        Moment::CheckpointWritten(written) => f(written).map(|()| Flow::Continue),
        _ => Ok(Flow::Continue),
    })
}

/// A closure called once per fit, last, also after an error or a panic.
///
/// ```
/// use trainbook_callbacks::on_fit_end;
///
/// let told = on_fit_end(|fit| {
///     println!("{} updates done", fit.counters.updates_applied);
///     Ok(())
/// });
/// ```
pub fn on_fit_end<'f>(
    mut f: impl FnMut(&mut FitEnd<'_>) -> Result<(), CallbackError> + Send + 'f,
) -> Closure<'f> {
    Closure::new("on_fit_end", Effects::default(), move |moment| match moment {
        Moment::FitEnd(fit) => f(fit).map(|()| Flow::Continue),
        _ => Ok(Flow::Continue),
    })
}

#[cfg(test)]
#[path = "closure_tests.rs"]
mod tests;
