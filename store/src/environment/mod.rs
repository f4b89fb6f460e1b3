//! Where a run ran, and with which code.

mod attach;
mod attachments;
mod capture;
mod cpu;
mod facts;
mod git;
mod gpu;
mod host;
mod notebook;
mod secrets;

pub use attachments::Attachments;
pub use cpu::model as cpu_model;
pub use facts::Environment;
pub use gpu::Gpu;
pub(crate) use host::host_name;
