//! Everything that a notebook or script usually needs: `use trainbook::prelude::*;`.
//!
//! There is no alias named `Result` here: notebooks cannot have one (evcxr issue 258).

pub use trainbook_callbacks::{
    ActivationMonitor, Budget, Callback, CallbackError, Checkpoint, Clip, EarlyStopping, Effects,
    EpochEnd, FailedTo, FixSeed, Flow, GradientMonitor, LrSchedule, NanGuard, Phase, PredictionLog,
    Progress, ReduceOnPlateau, Reply, Resource, StepEnd, WeightAverage, after, every,
    on_after_update, on_batch_start, on_change_gradients, on_checkpoint_written, on_epoch_end,
    on_epoch_start, on_final_gradients, on_fit_end, on_fit_start, on_raw_gradients, on_setup,
    on_step_end, on_validated, on_validation_end, on_validation_start, when,
};
pub use trainbook_nn::builders::*;
pub use trainbook_store::RunId;

pub use crate::Error;
pub use crate::checks::{
    BaselineCheck, Baselines, BatchSizes, Dependencies, DevRun, GradientNoise, InitReport,
    LossAtStart, LrCurve, Margins, MemoryReport, OverfitCheck, OverfitReport, SchedulePreview,
    linear_scaling,
};
pub use crate::data::{
    Array, Augment, Buckets, Categories, Column, ColumnType, CsvOptions, Dataset, Dates, KFold,
    LastBatch, Missing, Mix, Normalize, Part, Sampling, Split, TargetScaling, Targets, Unknown,
    WindowOptions, Words,
};
pub use crate::history::Store;
pub use crate::metric::{self, Criterion, DecisionThreshold, Metric, Temperature};
pub use crate::nn::layer::{self, Kinds, Sequential};
pub use crate::nn::loss::{
    BinaryCrossEntropy, CrossEntropy, Focal, Huber, Loss, MeanAbsoluteError, MeanSquaredError,
    PoissonNll, TargetKind,
};
pub use crate::nn::{Gain, Init, Network, Sample};
pub use crate::onnx::{self, CheckReport, ExportReport, Verifier};
pub use crate::optim::{Adagrad, Adam, AdamW, Lion, NAdam, ParameterGroup, RAdam, RMSprop, Sgd};
pub use crate::random::Seed;
pub use crate::task::{Device, LossScale, Precision};
pub use crate::trainer::{
    CrossValidation, Epochs, Evaluation, EvaluationReport, Export, Run, Steps, Trainer, Training,
    cross_validate,
};
