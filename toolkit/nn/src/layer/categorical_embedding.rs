//! Categories among features, looked up in tables.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_onnx::{Attribute, Value};

use super::{Fault, Layer, Misfit, Sequential};
use crate::begin::Begin;
use crate::host::{HostLayer, HostPass, HostTensor, threads};
use crate::on_dfdx::{Backend, Flow, Pass, Real, look_up, look_up_rows};
use crate::onnx_form::OnnxPass;
use crate::parameters::Role;
use crate::plan::Plan;
use crate::sample::Sample;

/// Some features are numbers of categories, and each becomes a row of its own trained table; the
/// others stay as they are (entity embeddings: Guo and Berkhahn 2016, arXiv:1604.06737; the first
/// layer of fastai's `TabularModel`).
///
/// Takes `[features]` and gives `[Σ embedding_dim + other features]`: the rows in the order of the
/// tables, then the other features in their order. In evaluation a number that is no category of
/// its table becomes zeros, and a category is the whole number nearest to its feature; in training
/// what is not such a number is an error. Parameters: `embeddings.0.weight`, … (num_embeddings, embedding_dim), which begin
/// from a normal of deviation 1, as PyTorch's `Embedding`.
///
/// ```
/// use trainbook_nn::layer::Sequential;
/// use trainbook_nn::{Network, Sample};
///
/// // Of five features, number 1 is one of 7 categories and number 4 one of 50.
/// let net = Sequential::new().categorical_embedding([(1, 7), (4, 50)]).linear(64).relu().linear(1);
/// let planned = Network::from(net).plan(&Sample::numbers([5]))?;
/// assert_eq!(planned.root.children[0].output, Sample::numbers([5 + 14 + 3]));
/// # Ok::<(), trainbook_nn::NnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoricalEmbedding {
    /// The features that are categories, by ascending numbers.
    pub tables: Vec<CategoryTable>,
}

/// The table of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryTable {
    /// Which feature it is, counted from 0.
    pub feature: usize,
    /// How many categories there are: the feature is 0 to one less.
    pub num_embeddings: usize,
    /// How many numbers stand for a category.
    pub embedding_dim: usize,
}

/// No table is larger than this in either direction.
const LARGEST: usize = 1 << 24;

impl CategoryTable {
    /// For a feature of so many categories; each becomes min(600, round(1.6 · n^0.56)) numbers, fastai's
    /// rule of thumb.
    pub fn new(feature: usize, num_embeddings: usize) -> Self {
        let dim = (1.6 * (num_embeddings as f64).powf(0.56)).round().min(600.0);
        Self { feature, num_embeddings, embedding_dim: (dim as usize).max(1) }
    }

    /// The same with so many numbers for a category.
    #[must_use]
    pub fn embedding_dim(mut self, embedding_dim: usize) -> Self {
        self.embedding_dim = embedding_dim;
        self
    }

    /// The category that a feature is, if it is one; half-way between two it is neither.
    fn category(&self, x: f64) -> Option<usize> {
        let near = x.round();
        let inside = (0.0..self.num_embeddings as f64).contains(&near);
        (inside && (x - near).abs() < 0.5).then_some(near as usize)
    }
}

impl CategoricalEmbedding {
    /// For features with these numbers and so many categories: what a data set calls its
    /// category features. The sizes of rows follow from [`CategoryTable::new`].
    pub fn new(features: impl IntoIterator<Item = (usize, usize)>) -> Self {
        Self { tables: features.into_iter().map(|(f, n)| CategoryTable::new(f, n)).collect() }
    }

    /// How many numbers come of all tables.
    fn embedded(&self) -> usize {
        self.tables.iter().map(|table| table.embedding_dim).sum()
    }

    /// The features that stay numbers.
    fn others(&self, features: usize) -> Vec<usize> {
        let is_other = |feature: &usize| {
            self.tables.binary_search_by_key(feature, |table| table.feature).is_err()
        };
        (0..features).filter(is_other).collect()
    }

    /// For each table the category of each row of `features` numbers; what is none is an error in
    /// training.
    fn categories<E: Real>(
        &self,
        x: &[E],
        features: usize,
        training: bool,
    ) -> Result<Vec<Vec<Option<usize>>>, Fault> {
        let column = |table: &CategoryTable| {
            let column = x.iter().skip(table.feature).step_by(features);
            let found = column.clone().map(|x| table.category(x.wide())).collect();
            // What is learned must be learned of categories; a number between two was normalised.
            let is_none = |x: &f64| table.category(*x).is_none() || (x - x.round()).abs() > 1e-3;
            match column.map(|x| x.wide()).find(|x| training && is_none(x)) {
                Some(x) => Err(Fault::new(format!(
                    "feature {} is {}, and must be the number of a category, 0 to {}; such \
                     features are not to be normalised (Categories::embedded makes them)",
                    table.feature,
                    x as f32,
                    table.num_embeddings - 1
                ))),
                None => Ok(found),
            }
        };
        self.tables.iter().map(column).collect()
    }
}

impl Sequential {
    /// Appends a [`CategoricalEmbedding`] of features with these numbers and so many categories.
    #[must_use]
    pub fn categorical_embedding(self, features: impl IntoIterator<Item = (usize, usize)>) -> Self {
        self.with(CategoricalEmbedding::new(features))
    }
}

impl Layer for CategoricalEmbedding {
    const KIND: &'static str = "CategoricalEmbedding";

    fn plan(&self, plan: &mut Plan<'_>, input: &Sample) -> Result<Sample, Misfit> {
        let [features] = input.dims("[features]")?;
        if self.tables.is_empty() {
            return Err(Misfit::new("it takes at least one table, and has none"));
        }
        for pair in self.tables.windows(2) {
            if pair[0].feature >= pair[1].feature {
                return Err(Misfit::new(format!(
                    "its features must ascend, and {} stands before {}",
                    pair[0].feature, pair[1].feature
                )));
            }
        }
        for (i, table) in self.tables.iter().enumerate() {
            let CategoryTable { feature, num_embeddings, embedding_dim } = *table;
            if feature >= features {
                return Err(Misfit::new(format!(
                    "there is no feature {feature}; there are {features}, counted from 0"
                )));
            }
            let usable = 1..=LARGEST;
            if !usable.contains(&num_embeddings) || !usable.contains(&embedding_dim) {
                return Err(Misfit::new(format!(
                    "the num_embeddings and embedding_dim of feature {feature} must be 1 to \
                     {LARGEST}, not {num_embeddings} and {embedding_dim}"
                )));
            }
            let name = format!("embeddings.{i}.weight");
            plan.parameter(
                &name,
                [num_embeddings, embedding_dim],
                Role::Weight,
                Begin::Normal(1.0),
            );
        }
        Ok(Sample::numbers([self.embedded() + features - self.tables.len()]))
    }

    fn forward<E: Real, D: Backend<E>>(
        &self,
        pass: &mut Pass<'_, E, D>,
        x: Flow<E, D>,
    ) -> Result<Flow<E, D>, Fault> {
        let (rows, device) = (x.batch(), x.device());
        let x = x.rows()?;
        let (_, features) = *x.shape();
        let categories = self.categories(&x.as_vec(), features, pass.is_training())?;
        let (x, mut tape) = x.split_tape();
        let mut all = None;
        let others = self.others(features);
        if !others.is_empty() {
            let own = x.clone();
            all = Some(look_up(x.put_tape(std::mem::take(&mut tape)), &own, &others)?);
        }
        for (i, (table, categories)) in self.tables.iter().zip(categories).enumerate().rev() {
            let weight = pass.parameter(i, (table.num_embeddings, table.embedding_dim))?;
            let weight = weight.put_tape(std::mem::take(&mut tape));
            let mut y = look_up_rows(weight, &categories, 0)?;
            // In training there are no others.
            if categories.contains(&None) {
                let shape = *y.shape();
                let of = |known: &Option<usize>| E::of(f64::from(u8::from(known.is_some())));
                let known = categories.iter().map(of);
                let known = device.try_tensor_from_vec(known.collect(), (rows,))?;
                y = y.try_mul(known.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
            }
            all = Some(match all {
                None => y,
                Some(all) => (y, all).try_concat_along(Axis::<1>)?,
            });
        }
        Flow::of(all.ok_or_else(|| Fault::new("it has no tables"))?)
    }

    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn onnx(&self, pass: &mut OnnxPass<'_>, x: &Value) -> Result<Value, Fault> {
        let [features] = pass.layer().input.shape[..] else {
            return Err(Fault::new("it does not fit its input"));
        };
        // A product with what is 1 for its category and else 0 takes any number, and exactly.
        let half = pass.weight("half", &[1], vec![0.5])?;
        let one = pass.weight("one", &[1], vec![1.0])?;
        let zero = pass.weight("zero", &[1], vec![0.0])?;
        let mut parts = Vec::with_capacity(self.tables.len() + 1);
        for (i, table) in self.tables.iter().enumerate() {
            let at = table.feature;
            let column = pass.slice(&format!("feature.{i}"), x, 1, at..at + 1)?;
            let numbers = (0..table.num_embeddings).map(|number| number as f32).collect();
            let numbers =
                pass.weight(&format!("categories.{i}"), &[1, table.num_embeddings], numbers)?;
            let away = pass.node("Sub", &[&column.name, &numbers], &[])?;
            let away = pass.node("Abs", &[&away.name], &[])?;
            let is = pass.node("Less", &[&away.name, &half], &[])?;
            let is = pass.node("Where", &[&is.name, &one, &zero], &[])?;
            let weight = pass.parameter(i, &format!("embeddings.{i}.weight"))?;
            parts.push(pass.node("MatMul", &[&is.name, &weight], &[])?.name);
        }
        let others = self.others(features);
        if !others.is_empty() {
            let others = others.into_iter().map(i64::try_from).collect::<Result<_, _>>()?;
            let others = pass.integers("others", others)?;
            parts.push(
                pass.node("Gather", &[&x.name, &others], &[("axis", Attribute::Int(1))])?.name,
            );
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts[..] {
            [_, _, ..] => pass.node("Concat", &parts, &[("axis", Attribute::Int(1))]),
            _ => pass.node("Identity", &parts, &[]),
        }
    }

    fn note(&self) -> String {
        let table = |table: &CategoryTable| {
            format!("{}: {} → {}", table.feature, table.num_embeddings, table.embedding_dim)
        };
        self.tables.iter().map(table).collect::<Vec<_>>().join(", ")
    }
}

impl HostLayer for CategoricalEmbedding {
    fn forward(&self, pass: &mut HostPass<'_>, x: HostTensor) -> Result<HostTensor, Fault> {
        let (batch, features, width) = (x.batch(), x.last(), pass.node().output.size());
        let categories = self.categories(x.numbers(), features, pass.is_training())?;
        let others = self.others(features);
        let tables: Vec<&[f32]> = (0..self.tables.len()).map(|i| pass.parameter(i)).collect();
        let mut y = pass.memory(batch * width);
        threads::each_block(&mut y, width, width, |row, y| {
            let mut at = 0;
            for ((table, values), categories) in self.tables.iter().zip(&tables).zip(&categories) {
                let dim = table.embedding_dim;
                let into = &mut y[at..at + dim];
                match categories[row] {
                    Some(category) => into.copy_from_slice(&values[category * dim..][..dim]),
                    None => into.fill(0.0),
                }
                at += dim;
            }
            for (y, &other) in y[at..].iter_mut().zip(&others) {
                *y = x.numbers()[row * features + other];
            }
        });
        pass.free(x);
        pass.save_other(categories);
        Ok(HostTensor::new(vec![batch, width], y))
    }

    fn backward(&self, pass: &mut HostPass<'_>, gradient: HostTensor) -> Result<HostTensor, Fault> {
        let categories: Vec<Vec<Option<usize>>> = pass.saved_other()?;
        let (features, width) = (pass.node().input.size(), pass.node().output.size());
        let mut first = 0;
        for (i, (table, categories)) in self.tables.iter().zip(&categories).enumerate() {
            let dim = table.embedding_dim;
            let into = pass.gradient(i);
            // In the order of the batch the sum is always the same.
            let rows = gradient.numbers().chunks_exact(width).zip(categories);
            for (row, category) in rows.filter_map(|(row, category)| Some((row, (*category)?))) {
                let from = &row[first..first + dim];
                into[category * dim..][..dim].iter_mut().zip(from).for_each(|(g, more)| *g += more);
            }
            first += dim;
        }
        if !pass.wants_input_gradient() {
            pass.free(gradient);
            return Ok(HostTensor::none());
        }
        let others = self.others(features);
        let batch = gradient.batch();
        let mut dx = pass.zeros(batch * features);
        threads::each_block(&mut dx, features, features, |row, dx| {
            let from = &gradient.numbers()[row * width + first..][..others.len()];
            for (&other, g) in others.iter().zip(from) {
                dx[other] = *g;
            }
        });
        pass.free(gradient);
        Ok(HostTensor::new(vec![batch, features], dx))
    }
}
