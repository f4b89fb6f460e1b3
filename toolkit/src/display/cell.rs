//! Values whose text is all there is to show: as the result of a notebook cell they are that text.

use super::Bundle;
use crate::data::DataReport;
use crate::onnx::{CheckReport, ExportReport, LatencyReport, Overview};
use crate::trainer::{Evaluation, Trainer};

macro_rules! shown_as_text {
    ($($kind:ty),*) => { $(
        impl $kind {
            /// As a notebook shows it.
            pub fn view(&self) -> Bundle {
                Bundle::from_text(&self.to_string())
            }

            /// Shows it as the result of a notebook cell.
            pub fn evcxr_display(&self) {
                self.view().emit();
            }
        }
    )* };
}
shown_as_text!(DataReport, Evaluation, ExportReport, CheckReport, Overview, LatencyReport, Trainer);
