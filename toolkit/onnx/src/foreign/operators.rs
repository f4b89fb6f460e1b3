//! Operator by operator: what changed between opsets 13 and 21, and what opset 17 or the f64
//! evaluation has in another form.

use super::job::Job;
use super::known::{Known, Size};
use super::lowering::Lowering;
use super::{fold, recurrent, reshape, window};
use crate::attribute::Attribute;
use crate::graph::Value;
use crate::operator::{axis, scaled};
use crate::value::Dim;

/// Every operator that can be translated, with the first opset in which it is.
pub(super) const KNOWN: [(&str, i64); 75] = [
    ("Abs", 1),
    ("Add", 1),
    ("ArgMax", 1),
    ("AveragePool", 1),
    ("BatchNormalization", 1),
    ("Cast", 1),
    ("Clip", 1),
    ("Concat", 1),
    ("Constant", 1),
    ("ConstantOfShape", 1),
    ("Conv", 1),
    ("ConvTranspose", 1),
    ("Cos", 1),
    ("Div", 1),
    ("Dropout", 1),
    ("Elu", 1),
    ("Equal", 1),
    ("Erf", 1),
    ("Exp", 1),
    ("Expand", 1),
    ("Flatten", 1),
    ("GRU", 1),
    ("Gather", 1),
    ("Gelu", 20),
    ("Gemm", 1),
    ("GlobalAveragePool", 1),
    ("GlobalMaxPool", 1),
    ("Greater", 1),
    ("GreaterOrEqual", 1),
    ("GroupNormalization", 18),
    ("HardSigmoid", 1),
    ("HardSwish", 14),
    ("Identity", 1),
    ("InstanceNormalization", 1),
    ("LSTM", 1),
    ("LayerNormalization", 17),
    ("LeakyRelu", 1),
    ("Less", 1),
    ("LessOrEqual", 1),
    ("Log", 1),
    ("LogSoftmax", 1),
    ("MatMul", 1),
    ("Max", 1),
    ("MaxPool", 1),
    ("Min", 1),
    ("Mul", 1),
    ("Neg", 1),
    ("PRelu", 1),
    ("Pad", 1),
    ("Pow", 1),
    ("Reciprocal", 1),
    ("ReduceMax", 1),
    ("ReduceMean", 1),
    ("ReduceMin", 1),
    ("ReduceSum", 1),
    ("Relu", 1),
    ("Reshape", 1),
    ("Resize", 1),
    ("Selu", 1),
    ("Shape", 1),
    ("Sigmoid", 1),
    ("Sign", 1),
    ("Sin", 1),
    ("Slice", 1),
    ("Softmax", 1),
    ("Softplus", 1),
    ("Split", 1),
    ("Sqrt", 1),
    ("Squeeze", 1),
    ("Sub", 1),
    ("Sum", 1),
    ("Tanh", 1),
    ("Transpose", 1),
    ("Unsqueeze", 1),
    ("Where", 1),
];

/// # Errors
/// The reason, if this form of the operator cannot be evaluated.
pub(super) fn lower(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    match job.op() {
        "Gemm" => gemm(graph, job),
        "Pow" => {
            let inputs = vec![graph.operand(job, 0)?, graph.float_operand(job, 1)?];
            graph.give_rest(job, inputs)
        }
        "Sum" => many(graph, job, "Add"),
        "Max" => many(graph, job, "Max"),
        "Min" => many(graph, job, "Min"),
        "Gelu" => gelu(graph, job),
        "Softmax" | "LogSoftmax" => softmax(graph, job),
        "ArgMax" => arg_max(graph, job),
        "BatchNormalization" => {
            job.ignore(&["momentum"]);
            job.only("training_mode", &Attribute::Int(0))?;
            let inputs = graph.operands(job)?;
            graph.give_rest(job, inputs)
        }
        "LayerNormalization" => layer_normalization(graph, job),
        "GroupNormalization" => group_normalization(graph, job),
        "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceSum" => reduce(graph, job),
        "GlobalMaxPool" => {
            job.done(1)?;
            let x = graph.value(job, 0)?;
            let axes = (2..x.shape.len() as i64).collect();
            graph.give(job, "ReduceMax", vec![x.name], [("axes", Attribute::Ints(axes))])
        }
        "Transpose" => {
            let x = graph.value(job, 0)?;
            let perm = job.ints("perm")?;
            job.done(1)?;
            let perm = perm.unwrap_or_else(|| (0..x.shape.len() as i64).rev().collect());
            graph.give(job, "Transpose", vec![x.name], [("perm", Attribute::Ints(perm))])
        }
        "Gather" => gather(graph, job),
        "Flatten" => {
            let x = graph.value(job, 0)?;
            let along = job.int("axis", Some(1))?;
            job.done(1)?;
            let rank = x.shape.len() as i64;
            match if along < 0 { along.saturating_add(rank) } else { along } {
                1 => graph.give(job, "Flatten", vec![x.name], []),
                _ => Err(job.wrong("axis", Some(&Attribute::Int(along)), "1, behind the batch")),
            }
        }
        "Reshape" => reshape::reshape(graph, job),
        "Expand" => reshape::expand(graph, job),
        "Squeeze" => reshape::squeeze(graph, job),
        "Unsqueeze" => {
            job.done(2)?;
            let x = graph.value(job, 0)?;
            let axes = graph.integers(job, 1, "axes")?.ok_or("its axes are left out")?;
            let axes = graph.row(&job.name, axes)?;
            graph.give(job, "Unsqueeze", vec![x.name, axes], [])
        }
        "Split" => reshape::split(graph, job),
        "Slice" => {
            job.done(5)?;
            let mut inputs = vec![graph.value(job, 0)?.name];
            let count = graph.integers(job, 1, "starts")?.map_or(0, |starts| starts.len());
            for (place, what) in [(1, "starts"), (2, "ends"), (3, "axes"), (4, "steps")] {
                let row = graph.integers(job, place, what)?;
                let more = job.input(4).is_some();
                match row {
                    Some(row) => inputs.push(graph.row(&job.name, row)?),
                    None if place < 3 => return Err(format!("its {what} are left out")),
                    // Steps without axes are those of the first axes.
                    None if place == 3 && more => {
                        inputs.push(graph.row(&job.name, (0..count as i64).collect())?);
                    }
                    None => break,
                }
            }
            graph.give(job, "Slice", inputs, [])
        }
        "Pad" => reshape::pad(graph, job),
        "Resize" => resize(graph, job),
        "Conv" | "ConvTranspose" | "MaxPool" | "AveragePool" => window::window(graph, job),
        "LSTM" | "GRU" => recurrent::recurrent(graph, job),
        _ => {
            let inputs = graph.operands(job)?;
            graph.give_rest(job, inputs)
        }
    }
}

/// alpha · a · b + beta · c.
fn gemm(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let (alpha, beta) = (job.float("alpha", 1.0)?, job.float("beta", 1.0)?);
    job.only("transA", &Attribute::Int(0))?;
    let trans_b = job.flag("transB", false)?;
    job.done(3)?;
    let (a, b) = (graph.value(job, 0)?, graph.value(job, 1)?);
    let product = [("transB", Attribute::Int(i64::from(trans_b)))];
    let c = match job.input(2) {
        Some(_) => Some(graph.value(job, 2)?),
        None => None,
    };
    let columns = b.shape.get(usize::from(!trans_b));
    let is_row = |c: &Value| c.shape.len() == 1 && c.shape.first() == columns;
    let plain = alpha == 1.0 && beta == 1.0;
    match c {
        None if alpha == 1.0 => graph.give(job, "Gemm", vec![a.name, b.name], product),
        None => {
            let product = graph.emit(&job.name, "Gemm", vec![a.name, b.name], product)?;
            let alpha = graph.number(job, alpha)?;
            graph.give(job, "Mul", vec![product.name, alpha], [])
        }
        Some(c) if plain && is_row(&c) => {
            graph.give(job, "Gemm", vec![a.name, b.name, c.name], product)
        }
        Some(c) => {
            let mut sum = graph.emit(&job.name, "Gemm", vec![a.name, b.name], product)?;
            let mut c = c.name;
            if alpha != 1.0 {
                let alpha = graph.number(job, alpha)?;
                sum = graph.emit(&job.name, "Mul", vec![sum.name, alpha], [])?;
            }
            if beta != 1.0 {
                let beta = graph.number(job, beta)?;
                c = graph.emit(&job.name, "Mul", vec![c, beta], [])?.name;
            }
            graph.give(job, "Add", vec![sum.name, c], [])
        }
    }
}

/// An operator on two, from left to right.
fn many(graph: &mut Lowering, job: &mut Job, op: &str) -> Result<(), String> {
    job.done(usize::MAX)?;
    let inputs = graph.operands(job)?;
    match inputs.as_slice() {
        [] => Err("it has no inputs".into()),
        [_] => {
            let known = graph.given(job, 0)?.clone();
            graph.bind(job, known)
        }
        [first, between @ .., last] => {
            let mut sum = first.clone();
            for next in between {
                sum = graph.emit(&job.name, op, vec![sum, next.clone()], [])?.name;
            }
            graph.give(job, op, vec![sum, last.clone()], [])
        }
    }
}

/// x · ½ · (1 + erf(x / √2)), or ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
fn gelu(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let approximate = job.text("approximate", "none")?;
    job.done(1)?;
    let x = graph.operand(job, 0)?;
    let name = job.name.clone();
    let inner = match approximate.as_str() {
        "none" => {
            let scale = graph.number(job, std::f32::consts::FRAC_1_SQRT_2)?;
            let scaled = graph.emit(&name, "Mul", vec![x.clone(), scale], [])?;
            graph.emit(&name, "Erf", vec![scaled.name], [])?
        }
        "tanh" => {
            let square = graph.emit(&name, "Mul", vec![x.clone(), x.clone()], [])?;
            let cube = graph.emit(&name, "Mul", vec![square.name, x.clone()], [])?;
            let (small, scale) = (graph.number(job, 0.044_715)?, graph.number(job, 0.797_884_6)?);
            let small = graph.emit(&name, "Mul", vec![cube.name, small], [])?;
            let sum = graph.emit(&name, "Add", vec![x.clone(), small.name], [])?;
            let scaled = graph.emit(&name, "Mul", vec![sum.name, scale], [])?;
            graph.emit(&name, "Tanh", vec![scaled.name], [])?
        }
        other => {
            let found = Attribute::Text(other.to_owned());
            return Err(job.wrong("approximate", Some(&found), "\"none\" or \"tanh\""));
        }
    };
    let (one, half) = (graph.number(job, 1.0)?, graph.number(job, 0.5)?);
    let inner = graph.emit(&name, "Add", vec![inner.name, one], [])?;
    let halved = graph.emit(&name, "Mul", vec![x, half], [])?;
    graph.give(job, "Mul", vec![halved.name, inner.name], [])
}

/// The axes in which the one of this number and the last have changed places.
fn swapped(rank: usize, at: usize) -> Attribute {
    let mut perm: Vec<i64> = (0..rank as i64).collect();
    perm.swap(at, rank - 1);
    Attribute::Ints(perm)
}

/// From opset 13 on along one axis, the last if none is said.
fn softmax(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let (along, rank) = (job.int("axis", Some(-1))?, x.shape.len());
    job.done(1)?;
    let at = axis(along, rank)
        .ok_or_else(|| job.wrong("axis", Some(&Attribute::Int(along)), "one of the input's"))?;
    let last = [("axis", Attribute::Int(-1))];
    if at + 1 == rank {
        return graph.give(job, job.op(), vec![x.name], last);
    }
    let perm = swapped(rank, at);
    let turned = graph.emit(&job.name, "Transpose", vec![x.name], [("perm", perm.clone())])?;
    let result = graph.emit(&job.name, job.op(), vec![turned.name], last)?;
    graph.give(job, "Transpose", vec![result.name], [("perm", perm)])
}

/// The first of equal ones.
fn arg_max(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let (along, rank) = (job.int("axis", Some(0))?, x.shape.len());
    let keep = job.flag("keepdims", true)?;
    job.only("select_last_index", &Attribute::Int(0))?;
    job.done(1)?;
    let at = axis(along, rank)
        .ok_or_else(|| job.wrong("axis", Some(&Attribute::Int(along)), "one of the input's"))?;
    let mut x = x.name;
    if at + 1 != rank {
        // The others keep their order.
        let mut perm: Vec<i64> = (0..rank as i64).collect();
        let moved = perm.remove(at);
        perm.push(moved);
        x = graph.emit(&job.name, "Transpose", vec![x], [("perm", Attribute::Ints(perm))])?.name;
    }
    let attributes = [("axis", Attribute::Int(-1)), ("keepdims", Attribute::Int(0))];
    if !keep {
        return graph.give(job, "ArgMax", vec![x], attributes);
    }
    let place = graph.emit(&job.name, "ArgMax", vec![x], attributes)?;
    let axes = graph.row(&job.name, vec![at as i64])?;
    graph.give(job, "Unsqueeze", vec![place.name, axes], [])
}

/// Over the last axis, without a bias if none is given.
fn layer_normalization(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let (along, rank) = (job.int("axis", Some(-1))?, x.shape.len());
    job.only("stash_type", &Attribute::Int(1))?;
    let epsilon = job.float("epsilon", 1e-5)?;
    job.done(3)?;
    if axis(along, rank) != rank.checked_sub(1) {
        return Err(job.wrong("axis", Some(&Attribute::Int(along)), "the last axis"));
    }
    let scale = graph.value(job, 1)?;
    let bias = match job.input(2) {
        Some(_) => graph.operand(job, 2)?,
        None => {
            let sizes: Option<Vec<usize>> = scale.shape.iter().map(Dim::size).collect();
            let sizes = sizes.ok_or("its scale depends on the graph's inputs")?;
            let count = sizes.iter().product();
            let name = graph.fresh(&format!("{}: no bias", job.name));
            graph.weight(&name, &sizes, vec![0.0; count])?
        }
    };
    let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(epsilon))];
    graph.give(job, "LayerNormalization", vec![x.name, scale.name, bias], attributes)
}

/// Over groups of channels. Opset 18 has a scale and bias for each group, 21 for each channel.
fn group_normalization(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let groups = job.int("num_groups", None)?;
    let epsilon = job.float("epsilon", 1e-5)?;
    job.only("stash_type", &Attribute::Int(1))?;
    job.done(3)?;
    let sizes: Option<Vec<i64>> =
        x.shape.get(1..).unwrap_or_default().iter().map(|dim| Some(dim.size()? as i64)).collect();
    let Some([channels, places @ ..]) = sizes.as_deref() else {
        return Err(format!("its input {x} must have fixed sizes behind the batch"));
    };
    let whole =
        usize::try_from(groups).ok().filter(|&groups| groups > 0 && channels % groups as i64 == 0);
    let Some(count) = whole else {
        return Err(format!("{channels} channels are not whole groups of {groups}"));
    };
    let of_group = channels / groups;
    let name = job.name.clone();
    let shape = graph.row(&name, vec![0, groups, of_group * places.iter().product::<i64>()])?;
    let grouped = graph.emit(&name, "Reshape", vec![x.name.clone(), shape], [])?;
    let ones = graph.fresh(&format!("{name}: ones"));
    let ones = graph.weight(&ones, &[count], vec![1.0; count])?;
    let zeros = graph.fresh(&format!("{name}: zeros"));
    let zeros = graph.weight(&zeros, &[count], vec![0.0; count])?;
    let epsilon = [("epsilon", Attribute::Float(epsilon))];
    let inputs = vec![grouped.name, ones, zeros];
    let normal = graph.emit(&name, "InstanceNormalization", inputs, epsilon)?;
    let back = [vec![0, *channels], places.to_vec()].concat();
    let back = graph.row(&name, back)?;
    let normal = graph.emit(&name, "Reshape", vec![normal.name, back], [])?;
    let mut affine = Vec::new();
    for place in [1, 2] {
        let Known::Constant(constant) = graph.given(job, place)?.clone() else {
            return Err("its scale and bias can be evaluated only if they are constant".into());
        };
        let super::known::Numbers::Floats(numbers) = &constant.numbers else {
            return Err("its scale and bias must be floats".into());
        };
        #[allow(clippy::cast_possible_truncation, reason = "they are numbers of f32")]
        let mut numbers: Vec<f32> = numbers.iter().map(|&number| number as f32).collect();
        if graph.opset < 21 && numbers.len() == count {
            let repeated = numbers.iter().flat_map(|&x| std::iter::repeat_n(x, of_group as usize));
            numbers = repeated.collect();
        } else if graph.opset < 21 {
            return Err(format!(
                "its scale and bias have {} numbers; in opset {} they must have {groups}, one for each group",
                numbers.len(),
                graph.opset
            ));
        }
        if numbers.len() as i64 != *channels {
            return Err(format!(
                "its scale and bias have {} numbers; in opset {} they must have {channels}, one for each channel",
                numbers.len(),
                graph.opset
            ));
        }
        let shape = [vec![numbers.len()], vec![1; places.len()]].concat();
        let name = graph.fresh(&format!("{name}: by channel"));
        affine.push(graph.weight(&name, &shape, numbers)?);
    }
    let scaled = graph.emit(&name, "Mul", vec![normal.name, affine[0].clone()], [])?;
    graph.give(job, "Add", vec![scaled.name, affine[1].clone()], [])
}

/// Axes are an attribute of ReduceMean, ReduceMax and ReduceMin before opset 18; of ReduceSum, an
/// input from 13 on.
fn reduce(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let rank = x.shape.len();
    let keep = job.flag("keepdims", true)?;
    let as_input = graph.opset >= 18 || job.op() == "ReduceSum";
    let axes = if as_input {
        let nothing = job.flag("noop_with_empty_axes", false)?;
        job.done(2)?;
        let axes = graph.integers(job, 1, "axes")?.filter(|axes| !axes.is_empty());
        if axes.is_none() && nothing {
            let known = graph.given(job, 0)?.clone();
            return graph.bind(job, known);
        }
        axes
    } else {
        let axes = job.ints("axes")?;
        job.done(1)?;
        axes
    };
    let axes = axes.unwrap_or_else(|| (0..rank as i64).collect());
    let found: Option<Vec<i64>> =
        axes.iter().map(|&at| axis(at, rank).map(|at| at as i64)).collect();
    let mut axes = found.ok_or_else(|| format!("its input {x} does not have all of its axes"))?;
    axes.sort_unstable();
    let keep = ("keepdims", Attribute::Int(i64::from(keep)));
    if job.op() == "ReduceSum" {
        let axes = graph.row(&job.name, axes)?;
        return graph.give(job, "ReduceSum", vec![x.name, axes], [keep]);
    }
    graph.give(job, job.op(), vec![x.name], [("axes", Attribute::Ints(axes)), keep])
}

/// Rows of a table by indices that flow, or constant entries of a value, counted from either end.
fn gather(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let along = job.int("axis", Some(0))?;
    job.done(2)?;
    let rank = x.shape.len();
    let at = axis(along, rank)
        .ok_or_else(|| job.wrong("axis", Some(&Attribute::Int(along)), "one of the input's"))?;
    let place = [("axis", Attribute::Int(at as i64))];
    let picked = graph.given(job, 1)?.clone();
    if let Known::Flow(indices) = picked {
        return graph.give(job, "Gather", vec![x.name, indices.name], place);
    }
    let (Some(picked), Some(size)) = (picked.sizes(), x.shape[at].size()) else {
        return Err(
            "it picks from an axis of no fixed size, or with indices that are no row".into()
        );
    };
    let indices: Option<Vec<i64>> = picked
        .sizes
        .iter()
        .map(|size| match size {
            Size::Fixed(index) => Some(*index),
            Size::Free(_) => None,
        })
        .collect();
    let indices = indices.ok_or("its indices depend on the graph's inputs")?;
    let from_start = indices.iter().map(|&index| axis(index, size).map(|index| index as i64));
    let indices: Option<Vec<i64>> = from_start.collect();
    let indices = indices.ok_or_else(|| format!("it picks outside of {size} entries"))?;
    let row = graph.row(&job.name, indices)?;
    if !picked.alone {
        return graph.give(job, "Gather", vec![x.name, row], place);
    }
    let entry = graph.emit(&job.name, "Gather", vec![x.name, row], place)?;
    let gone = graph.row(&job.name, vec![at as i64])?;
    graph.give(job, "Squeeze", vec![entry.name, gone], [])
}

/// Linear with aligned corners, to scales or sizes.
fn resize(graph: &mut Lowering, job: &mut Job) -> Result<(), String> {
    let x = graph.value(job, 0)?;
    let (mode, corners) =
        (job.text("mode", "nearest")?, job.text("coordinate_transformation_mode", "half_pixel")?);
    if mode != "linear" || corners != "align_corners" {
        return Err(format!(
            "its mode is {mode:?} and its coordinate_transformation_mode {corners:?}; only \"linear\" with \"align_corners\" can be evaluated"
        ));
    }
    // They are for other modes.
    job.ignore(&["nearest_mode", "cubic_coeff_a", "extrapolation_value", "exclude_outside"]);
    job.only("antialias", &Attribute::Int(0))?;
    job.only("keep_aspect_ratio_policy", &Attribute::Text("stretch".into()))?;
    if job.attributes.contains_key("axes") {
        return Err("its attribute axes is not one that can be evaluated".into());
    }
    job.done(4)?;
    let sizes = graph.integers(job, 3, "sizes")?.filter(|sizes| !sizes.is_empty());
    let scales = match sizes {
        None => graph.operand(job, 2)?,
        Some(sizes) => {
            // Some tools write an empty row in the place of none.
            if job.input(2).is_some() && !fold::is_empty(graph.given(job, 2)?) {
                return Err("its scales are given beside its sizes".into());
            }
            let scale = |(i, &size): (usize, &i64)| match x.shape.get(i)? {
                #[allow(clippy::cast_precision_loss, reason = "sizes up to 2^20")]
                Dim::Fixed(old) => {
                    let near = (size as f64 / *old as f64) as f32;
                    let mut candidates =
                        [near, near.next_up(), near.next_up().next_up()].into_iter();
                    let wanted = usize::try_from(size).ok();
                    // Without a change of size, there need not be two corners.
                    let gives = |&scale: &f32| scale == 1.0 || scaled(*old, scale) == wanted;
                    candidates.find(gives)
                }
                // In its place stands the batch that the file fixes.
                Dim::Named(_) => Some(1.0),
            };
            let scales: Option<Vec<f32>> = sizes.iter().enumerate().map(scale).collect();
            let scales = scales.ok_or("its sizes do not fit its input")?;
            let fixed = x.shape.iter().zip(&sizes).all(|(dim, &size)| match dim {
                Dim::Fixed(_) => true,
                Dim::Named(_) => graph.batch.map(|batch| batch as i64) == Some(size),
            });
            if !fixed {
                return Err("its sizes fix a size that is chosen at every run".into());
            }
            let name = graph.fresh(&format!("{}: scales", job.name));
            graph.weight(&name, &[scales.len()], scales)?
        }
    };
    graph.give(
        job,
        "Resize",
        vec![x.name, String::new(), scales],
        [
            ("mode", Attribute::Text("linear".into())),
            ("coordinate_transformation_mode", Attribute::Text("align_corners".into())),
        ],
    )
}
