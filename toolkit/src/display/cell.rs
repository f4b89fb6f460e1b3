//! Values whose text is all there is to show: as the result of a notebook cell they are that text.

use crate::trainer::{Evaluation, Trainer};

trainbook_core::shown_as_text!(Evaluation, Trainer);
