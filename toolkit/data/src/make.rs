//! A data set, made again as its recipe says.

use super::recipe::{DataRecipe, Origin};
use super::{Column, DataError, Dataset};

impl DataRecipe {
    /// Makes the data set again.
    ///
    /// # Errors
    /// The file is not there or no longer what it was, or the rows came from a program's memory.
    pub fn make(&self) -> Result<Dataset, DataError> {
        let mut data = match &self.origin {
            Origin::Csv { path, targets, classes, plan } => match (targets.as_slice(), classes) {
                ([target], true) => plan.read(path)?.target(Column::from(*target))?,
                _ => plan.read(path)?.target_values(targets.clone())?,
            },
            Origin::Windows { path, columns, options, plan } => {
                plan.read(path)?.windows(columns.clone(), options.clone())?
            }
            Origin::Series { path, id, time, values, targets, classes, plan } => {
                let series = plan.read(path)?.series(*id, *time, values.clone())?;
                match (targets.as_slice(), classes) {
                    ([target], true) => series.target(*target)?,
                    _ => series.target_values(targets.clone())?,
                }
            }
            Origin::Text { path, context, stride } => {
                Dataset::text(path)?.characters(*context, *stride)?
            }
            Origin::Shards { path } => Dataset::shards(path)?,
            Origin::ImageFolder { path, options } => {
                Dataset::image_folder(path)?.with(*options).open()?
            }
            Origin::ImageTable { path, image, target, options } => {
                Dataset::image_table(path, image, target)?.with(*options).open()?
            }
            Origin::Idx { images, labels } => Dataset::idx(images, labels)?,
            Origin::Memory => {
                return Err(DataError::Refused {
                    action: "make again",
                    reason:
                        "its rows came from a program's memory, not from a file; give the data \
                             set itself"
                            .to_owned(),
                });
            }
        };
        // The division first: the width of a table may follow from it.
        data = match (&self.parts, self.split) {
            (Some(parts), split) => data.divided_as(parts, split)?,
            (None, Some((split, seed))) => data.split(split, seed)?,
            (None, None) => data,
        };
        if self.shape.len() > 1 {
            data = data.shaped("rows", &self.shape)?;
        }
        data = data.normalize(self.normalize.clone())?;
        if self.weigh_rows {
            if data.marks().weights.is_none() {
                let reason = "its weights came from a program's memory, not from a column; give \
                              the data set itself";
                return Err(DataError::Refused { action: "make again", reason: reason.to_owned() });
            }
            data = data.weigh_rows()?;
        }
        if let Some(scaling) = self.scale_targets {
            data = data.scale_targets(scaling)?;
        }
        if let Some(rows) = self.first_rows {
            data = data.first_rows(rows);
        }
        Ok(if self.without_inputs { data.without_inputs() } else { data })
    }
}
