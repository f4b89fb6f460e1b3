//! Whether batches may be cut behind their longest sequence.

use super::TrainerBuilder;
use crate::Error;
use crate::data::{DataError, Numbers};
use crate::task::{Model, Recipe, Trace};

/// So far apart may an output with padding and one without it be, in relation to 1 and its size.
const ALIKE: f32 = 1e-4;

fn refuse(reason: String) -> Error {
    DataError::Refused { action: "bucket", reason }.into()
}

impl TrainerBuilder {
    /// Tells the feed what is padding, and gives the training part's shortest row with the positions
    /// of a batch of it alone; `None` where all batches have as many.
    pub(super) fn prepare_buckets(
        &mut self,
        recipe: &Recipe,
    ) -> Result<Option<(usize, usize)>, Error> {
        if self.feed.buckets.is_none() {
            return Ok(None);
        }
        let planned = recipe.network.plan(&recipe.input)?;
        let Some(padding) = planned.padding() else {
            let reason = "the network knows of no padding, by which sequences have a length; let \
                          it begin with Embedding::new(…).padding_index(0)";
            return Err(refuse(reason.to_owned()));
        };
        if planned.root.output.padding.is_some() {
            let reason = "the network gives an output for each position, so that there is one for \
                          each target alone where no position is cut";
            return Err(refuse(reason.to_owned()));
        }
        self.feed.padding = Some(padding.index as i64);
        Ok(self.feed.shortest(&self.data)?)
    }

    /// Whether the network gives for a sequence without its padding what it gives with it: it is
    /// trained on the one and judged on the other. Tried on the shortest row.
    pub(super) fn check_buckets(
        &self,
        recipe: &Recipe,
        model: &dyn Model,
        (row, shortest): (usize, usize),
    ) -> Result<(), Error> {
        let mut batch = self.data.batch(&[row])?;
        let whole = model.predict(&batch.input)?;
        if let Numbers::I64(indices) = &mut batch.input.numbers {
            indices.truncate(shortest);
        }
        batch.input.shape = vec![1, shortest];
        let trace = Trace::of(recipe, &model.weights(), 0, &batch, false)?;
        let cut = trace.layers.last().map_or(&[][..], |layer| layer.output.numbers());
        let apart = |(a, b): &(&f32, &f32)| (**a - **b).abs() > ALIKE * (1.0 + a.abs());
        match whole.floats().iter().zip(cut).find(apart) {
            None => Ok(()),
            Some((with, without)) => Err(refuse(format!(
                "the network does not pass padding over: for row {row} it gives {with} with it and \
                 {without} without; PositionAvgPool, PositionMaxPool and attention do, behind layers \
                 that keep the positions"
            ))),
        }
    }
}
