//! What stands in for dfdx's kernels, beside sums in f64 over coordinates. What dfdx hands its kernels is
//! made here as dfdx 0.13 makes it.

#![allow(clippy::unwrap_used, reason = "clippy excuses only the test functions themselves")]

use std::path::Path;
use std::process::Command;

use dfdx::tensor::Cpu;

use super::names;
use super::program::{Kernel, buffer, bytes, floats, half_bytes, halves};
use crate::on_dfdx::backend::Backend;
use crate::on_dfdx::table::Takers;

/// A tensor as dfdx has it: where an element is, is the sum of its coordinates times the strides, and one
/// that is broadcast has stride 0.
#[derive(Clone, Debug)]
struct Strided {
    shape: Vec<usize>,
    strides: Vec<usize>,
    memory: Vec<f32>,
}

fn dense(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|d| shape[d + 1..].iter().product()).collect()
}

impl Strided {
    fn new(shape: &[usize], of: usize) -> Self {
        let number = |at: usize| ((at * 37 + of * 11) % 101) as f32 / 25.0 - 2.0;
        let number = |at| if number(at) == 0.0 { 1.0 } else { number(at) };
        let memory = (0..shape.iter().product()).map(number).collect();
        Self { shape: shape.to_vec(), strides: dense(shape), memory }
    }

    fn permuted(self, axes: &[usize]) -> Self {
        let [shape, strides] =
            [self.shape, self.strides].map(|all| axes.iter().map(|axis| all[*axis]).collect());
        Self { shape, strides, ..self }
    }

    /// With these axes of these lengths besides.
    fn broadcast(mut self, axes: &[(usize, usize)]) -> Self {
        for (axis, length) in axes {
            self.shape.insert(*axis, *length);
            self.strides.insert(*axis, 0);
        }
        self
    }

    fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where in memory the elements are, in order.
    fn places(&self) -> Vec<usize> {
        let whole = dense(&self.shape);
        let along = |i: usize, d: usize| i / whole[d] % self.shape[d] * self.strides[d];
        (0..self.count()).map(|i| (0..whole.len()).map(|d| along(i, d)).sum()).collect()
    }

    fn values(&self) -> Vec<f32> {
        self.places().into_iter().map(|at| self.memory[at]).collect()
    }

    /// The same numbers, rounded.
    fn rounded(mut self, half: bool) -> Self {
        if half {
            self.memory = halves(&half_bytes(&self.memory));
        }
        self
    }
}

/// The files that dfdx's tensor operations are written in.
fn dfdx() -> Vec<String> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let dfdx = packages.iter().find(|package| package["name"] == "dfdx").unwrap();
    let manifest = Path::new(dfdx["manifest_path"].as_str().unwrap());
    let mut folders = vec![manifest.with_file_name("src").join("tensor_ops")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                files.push(std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    files
}

/// Under another name than dfdx's nothing would stand in for anything, and nobody would notice.
#[test]
fn names_are_those_that_dfdx_looks_for() {
    let dfdx = dfdx();
    let mut modules = 0;
    for operations in [names::F32, names::F16] {
        for (module, kernels) in operations.parts.iter().flat_map(|(_, modules)| *modules) {
            if *module == operations.own {
                continue;
            }
            modules += 1;
            // Some are put together with the type's name in C.
            let of_type = module.replace("__half", "{}").replace("float", "{}");
            let has = |file: &String, name: &str| file.contains(&format!("\"{name}\""));
            let of_module = |file: &&String| has(file, module) || has(file, &of_type);
            let found = dfdx.iter().filter(of_module);
            let found = found.filter(|file| kernels.iter().all(|kernel| has(file, kernel)));
            assert_eq!(found.count(), 1, "{module}: {kernels:?}");
        }
    }
    assert_eq!(modules, 20);
}

fn lengths(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    numbers.into_iter().flat_map(|n| (n as u64).to_le_bytes()).collect()
}

fn write(numbers: &[f32], half: bool) -> Vec<u8> {
    if half { half_bytes(numbers) } else { bytes(numbers) }
}

fn read(bytes: &[u8], half: bool) -> Vec<f32> {
    if half { halves(bytes) } else { floats(bytes) }
}

/// Runs a kernel as dfdx would, a thread for each of `n`, and with one block only: what it computes may
/// not depend on that.
fn run(name: &str, half: bool, n: usize, numbers: &[f64], arrays: &[&[u8]], at: usize) -> Vec<f32> {
    let run = |blocks| Kernel { name, half, launch: [blocks, 128], numbers, arrays }.run(at);
    let found = run(n.div_ceil(128));
    assert_eq!(found, run(1), "{name}");
    read(&found, half)
}

fn near(found: &[f32], expected: &[f64], half: bool, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let most = if half { 1e-3 } else { 1e-5 };
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*a) - b).abs() <= most * (1.0 + b.abs()), "{what} at {at}: {a} for {b}");
    }
}

#[test]
fn sums_are_those_of_their_elements() {
    let whole = |shape: &[usize]| Strided::new(shape, 3);
    let cases = [
        (whole(&[5, 7, 3]), vec![0]),
        (whole(&[5, 7, 3]), vec![1]),
        (whole(&[5, 7, 3]), vec![2]),
        (whole(&[5, 7, 3]), vec![0, 1, 2]),
        (whole(&[4, 3, 600]), vec![0, 2]),
        (whole(&[600, 2]), vec![1]),
        (whole(&[2, 1500]), vec![1]),
        (whole(&[6, 50, 4]).permuted(&[2, 0, 1]), vec![0, 2]),
        (whole(&[6, 50]).broadcast(&[(1, 3)]), vec![1]),
        (whole(&[6, 50]).broadcast(&[(1, 3)]), vec![0, 1, 2]),
        (whole(&[6, 50]).broadcast(&[(1, 3)]), vec![2]),
        (whole(&[3, 2]).broadcast(&[(1, 4), (3, 5)]), vec![2, 3]),
        (whole(&[1]), vec![0]),
    ];
    for half in [false, true] {
        for (x, axes) in &cases {
            let x = x.clone().rounded(half);
            // dfdx's `permute_for_reductions`: what is summed behind the rest, what is broadcast nowhere.
            let mut dims: Vec<_> = (0..x.shape.len()).map(|d| (axes.contains(&d), d)).collect();
            dims.sort_by_key(|(summed, d)| {
                (*summed, if *summed { -(x.strides[*d] as isize) } else { 0 })
            });
            dims.retain(|(_, d)| x.strides[*d] != 0);
            let info = dims.iter().map(|(_, d)| x.shape[*d]);
            let info = lengths(info.chain(dims.iter().map(|(_, d)| x.strides[*d])));
            let times = (0..x.shape.len()).filter(|d| axes.contains(d) && x.strides[*d] == 0);
            let times: usize = times.map(|d| x.shape[d]).product();

            // What is kept of the axes that x has in memory is what the sums have in memory.
            let kept: Vec<usize> = (0..x.shape.len()).filter(|d| !axes.contains(d)).collect();
            let (held, others): (Vec<usize>, Vec<usize>) =
                kept.iter().partition(|d| x.strides[**d] != 0);
            let (whole, shape_of) = (dense(&x.shape), |axes: &[usize]| -> Vec<usize> {
                axes.iter().map(|d| x.shape[*d]).collect()
            });
            let along = |i: usize, d: usize| i / whole[d] % x.shape[d];
            let of_y = dense(&shape_of(&held));
            let to = |i: usize| -> usize {
                held.iter().zip(&of_y).map(|(d, step)| along(i, *d) * step).sum()
            };
            let once = |i: &usize| others.iter().all(|d| along(*i, *d) == 0);
            let mut expected = vec![0.0; shape_of(&held).iter().product()];
            let values = x.values();
            for i in (0..x.count()).filter(once) {
                expected[to(i)] += f64::from(values[i]);
            }
            let n = x.memory.len();
            let numbers = [n, dims.len(), times, n / expected.len()].map(|n| n as f64);
            let y = write(&vec![0.0; expected.len()], half);
            let arrays: [&[u8]; 3] = [&info, &write(&x.memory, half), &y];
            let found = run("sum_to_fwd", half, n, &numbers, &arrays, 2);
            near(&found, &expected, half, &format!("{x:?} {axes:?}"));

            // The way back, onto what is there.
            let dy = Strided::new(&[expected.len()], 8).rounded(half).memory;
            let mut strides = vec![0; x.shape.len()];
            let of_shape = dense(&shape_of(&kept));
            kept.iter().zip(of_shape).for_each(|(d, step)| strides[*d] = step);
            let mut expected: Vec<f64> = x.memory.iter().map(|v| f64::from(*v)).collect();
            let places = x.places();
            for i in (0..x.count()).filter(once) {
                expected[places[i]] += f64::from(dy[to(i)]);
            }
            let info = lengths(x.shape.iter().chain(&x.strides).chain(&strides).copied());
            let numbers = [n as f64, x.shape.len() as f64, times as f64];
            let arrays: [&[u8]; 3] = [&info, &write(&x.memory, half), &write(&dy, half)];
            let found = run("sum_to_bwd", half, n, &numbers, &arrays, 1);
            near(&found, &expected, half, &format!("back from {x:?} {axes:?}"));
        }
    }
}

/// dfdx's `permute_for_binary_backward`, with what belongs to one element of `own` behind each other.
fn for_the_way_back(shape: &[usize], other: &[usize], own: &[usize]) -> Vec<usize> {
    let out = dense(shape);
    let mut dims: Vec<usize> = (0..shape.len()).collect();
    dims.sort_by_key(|d| {
        let broadcast = own[*d] == 0;
        (broadcast, -(if broadcast { out[*d] } else { own[*d] } as isize))
    });
    let of = |all: &[usize]| dims.iter().map(|d| all[*d]).collect::<Vec<_>>();
    [of(shape), of(&out), of(other)].concat()
}

/// A value, and its derivatives.
type Operation = [fn(f64, f64) -> f64; 3];

#[test]
fn operations_on_two_tensors_are_what_they_are_called() {
    let operations: [(&str, Operation); 4] = [
        ("add", [|x, y| x + y, |_, _| 1.0, |_, _| 1.0]),
        ("sub", [|x, y| x - y, |_, _| 1.0, |_, _| -1.0]),
        ("mul", [|x, y| x * y, |_, y| y, |x, _| x]),
        ("div", [|x, y| x / y, |_, y| 1.0 / y, |x, y| -x / (y * y)]),
    ];
    let cases = [
        (Strided::new(&[4, 6, 5], 3), Strided::new(&[4, 6, 5], 7)),
        (Strided::new(&[4, 6, 5], 3), Strided::new(&[6, 5, 4], 7).permuted(&[2, 0, 1])),
        (Strided::new(&[4, 6, 5], 3), Strided::new(&[5], 7).broadcast(&[(0, 4), (1, 6)])),
        (Strided::new(&[6], 3).broadcast(&[(0, 4), (2, 5)]), Strided::new(&[4, 6, 5], 7)),
        (Strided::new(&[60, 2, 20], 3), Strided::new(&[2], 7).broadcast(&[(0, 60), (2, 20)])),
        (Strided::new(&[20, 30], 3), Strided::new(&[20], 7).broadcast(&[(1, 30)])),
        (Strided::new(&[1500], 3), Strided::new(&[], 7).broadcast(&[(0, 1500)])),
        (Strided::new(&[5, 4], 3).permuted(&[1, 0]), Strided::new(&[4], 7).broadcast(&[(1, 5)])),
    ];
    for half in [false, true] {
        for ((x, y), (name, [value, by_x, by_y])) in
            cases.iter().flat_map(|case| operations.iter().map(move |operation| (case, operation)))
        {
            let [x, y] = [x, y].map(|tensor| tensor.clone().rounded(half));
            let (shape, n, dims) = (&x.shape, x.count(), x.shape.len());
            let what = format!("{name} {half} {shape:?} {:?} {:?}", x.strides, y.strides);
            let pairs = || x.values().into_iter().zip(y.values());
            let of = |f: &fn(f64, f64) -> f64| -> Vec<f64> {
                pairs().map(|(x, y)| f(f64::from(x), f64::from(y))).collect()
            };
            let [x_bytes, y_bytes] = [&x, &y].map(|tensor| write(&tensor.memory, half));
            let dout = Strided::new(shape, 9).rounded(half).memory;
            let dout_bytes = write(&dout, half);

            let info = lengths(shape.iter().chain(&x.strides).chain(&y.strides).copied());
            let out = write(&vec![0.0; n], half);
            let numbers = [n as f64, dims as f64];
            let arrays: [&[u8]; 4] = [&info, &x_bytes, &y_bytes, &out];
            let found = run(&format!("b{name}_fwd"), half, n, &numbers, &arrays, 3);
            near(&found, &of(value), half, &what);
            // Where there is no first tensor the result stands in its place.
            if x.strides == dense(shape) {
                let arrays: [&[u8]; 4] = [&info, &[], &y_bytes, &x_bytes];
                let in_place = Kernel {
                    name: &format!("b{name}_fwd"),
                    half,
                    launch: [n.div_ceil(128), 128],
                    numbers: &numbers,
                    arrays: &arrays,
                };
                assert_eq!(read(&in_place.run(3), half), found, "{what}");
            }

            let info = [
                for_the_way_back(shape, &y.strides, &x.strides),
                for_the_way_back(shape, &x.strides, &y.strides),
            ];
            let info = lengths(info.concat());
            // Operations whose derivative needs no numbers get none.
            let none: &[u8] = &[];
            let needed = matches!(*name, "mul" | "div");
            let [lhs, rhs] = [&x_bytes, &y_bytes].map(|all| if needed { &all[..] } else { none });
            for (side, own, by) in [("lhs", &x, by_x), ("rhs", &y, by_y)] {
                let begin = Strided::new(&[own.memory.len()], 5).rounded(half).memory;
                let mut expected: Vec<f64> = begin.iter().map(|v| f64::from(*v)).collect();
                for ((at, by), dout) in own.places().into_iter().zip(of(by)).zip(&dout) {
                    expected[at] += by * f64::from(*dout);
                }
                let numbers = [n, dims, n / own.memory.len()].map(|n| n as f64);
                let begin = write(&begin, half);
                let arrays: [&[u8]; 5] = [&info, lhs, rhs, &begin, &dout_bytes];
                let found = run(&format!("b{name}_bwd_{side}"), half, n, &numbers, &arrays, 3);
                near(&found, &expected, half, &format!("{side} of {what}"));
            }
        }
    }
}

#[test]
fn a_new_shape_keeps_the_order() {
    let cases = [
        (Strided::new(&[4, 6, 5], 3).permuted(&[2, 0, 1]), vec![20, 6]),
        (Strided::new(&[6, 50], 3).permuted(&[1, 0]), vec![300]),
        // The gradient of one element is that of all for which it stands.
        (Strided::new(&[4, 5], 3).broadcast(&[(1, 4), (3, 2)]), vec![16, 10]),
        (Strided::new(&[5, 4], 3).permuted(&[1, 0]).broadcast(&[(0, 3)]), vec![60]),
        (Strided::new(&[1, 7], 3).broadcast(&[(0, 9)]), vec![9, 7, 1]),
    ];
    for half in [false, true] {
        for (x, shape) in &cases {
            let x = x.clone().rounded(half);
            let info = [x.shape.clone(), x.strides.clone(), shape.clone(), dense(shape)].concat();
            let (info, n) = (lengths(info), x.count());
            let numbers = |n: usize| [n, x.shape.len(), shape.len()].map(|n| n as f64);
            let (x_bytes, zeros) = (write(&x.memory, half), write(&vec![0.0; n], half));
            let arrays: [&[u8]; 3] = [&info, &x_bytes, &zeros];
            assert_eq!(run("reshape_fwd", half, n, &numbers(n), &arrays, 2), x.values());

            let dout = Strided::new(&[n], 9).rounded(half).memory;
            let mut expected: Vec<f64> = x.memory.iter().map(|v| f64::from(*v)).collect();
            for (at, dout) in x.places().into_iter().zip(&dout) {
                expected[at] += f64::from(*dout);
            }
            let n = x.memory.len();
            let arrays: [&[u8]; 3] = [&info, &x_bytes, &write(&dout, half)];
            let found = run("reshape_bwd", half, n, &numbers(n), &arrays, 1);
            near(&found, &expected, half, &format!("{x:?} as {shape:?}"));
        }
    }
}

#[test]
fn two_tensors_stand_behind_each_other() {
    let cases = [
        (Strided::new(&[4, 6, 5], 3), Strided::new(&[2, 6, 5], 7), 0),
        (Strided::new(&[4, 6, 5], 3), Strided::new(&[4, 1, 5], 7), 1),
        (Strided::new(&[6, 4, 50], 3).permuted(&[1, 0, 2]), Strided::new(&[4, 6, 3], 7), 2),
        (Strided::new(&[30, 10], 3), Strided::new(&[1, 30], 7).permuted(&[1, 0]), 1),
        // One for all, as a token of the class is; the whole of it on either side.
        (Strided::new(&[1, 3], 3).broadcast(&[(0, 4)]), Strided::new(&[4, 5, 3], 7), 1),
        (Strided::new(&[4, 2, 3], 3), Strided::new(&[3], 7).broadcast(&[(0, 4), (1, 2)]), 1),
        (Strided::new(&[4, 3], 3), Strided::new(&[], 7).broadcast(&[(0, 4), (1, 5)]), 1),
    ];
    for half in [false, true] {
        for (x, y, axis) in &cases {
            let [x, y] = [x, y].map(|tensor| tensor.clone().rounded(half));
            let n = x.count() + y.count();
            let info = [vec![n, x.shape.len(), *axis], x.shape.clone(), x.strides.clone()];
            let info = lengths([info.concat(), y.shape.clone(), y.strides.clone()].concat());
            // For every element of the result, whose it is and where it is there.
            let (x_places, y_places) = (x.places(), y.places());
            let block = |tensor: &Strided| tensor.shape[*axis..].iter().product::<usize>();
            let blocks = x_places.chunks(block(&x)).zip(y_places.chunks(block(&y)));
            let places: Vec<(bool, usize)> = blocks
                .flat_map(|(x, y)| {
                    x.iter().map(|at| (false, *at)).chain(y.iter().map(|at| (true, *at)))
                })
                .collect();
            let expected: Vec<f32> = places
                .iter()
                .map(|(second, at)| if *second { y.memory[*at] } else { x.memory[*at] })
                .collect();
            let [x_bytes, y_bytes] = [&x, &y].map(|tensor| write(&tensor.memory, half));
            let zeros = write(&vec![0.0; n], half);
            let arrays: [&[u8]; 4] = [&info, &x_bytes, &y_bytes, &zeros];
            assert_eq!(run("fwd", half, n, &[], &arrays, 3), expected, "{x:?} {y:?} {axis}");

            let dout = Strided::new(&[n], 9).rounded(half).memory;
            let wide = |own: &Strided| own.memory.iter().map(|v| f64::from(*v)).collect();
            let mut expected: [Vec<f64>; 2] = [&x, &y].map(wide);
            for ((second, at), dout) in places.iter().zip(&dout) {
                expected[usize::from(*second)][*at] += f64::from(*dout);
            }
            let arrays: [&[u8]; 4] = [&info, &x_bytes, &y_bytes, &write(&dout, half)];
            for (side, expected) in expected.into_iter().enumerate() {
                let found = run("bwd", half, n, &[], &arrays, 1 + side);
                near(&found, &expected, half, &format!("{side} of {x:?} {y:?} {axis}"));
            }
        }
    }
}

#[test]
fn numbers_are_added_and_rounded() {
    let x = Strided::new(&[300], 3).memory;
    for half in [false, true] {
        let (a, b) = (write(&x, half), write(&Strided::new(&[300], 4).memory, half));
        let sums = read(&a, half).into_iter().zip(read(&b, half)).map(|(a, b)| a + b);
        let expected = read(&write(&sums.collect::<Vec<_>>(), half), half);
        assert_eq!(run("stack_bwd", half, 300, &[300.0], &[&a, &b], 1), expected);
    }
    let kernel = |half, arrays: &[&[u8]]| {
        let numbers = &[300.0];
        Kernel { name: "kernel", half, launch: [3, 128], numbers, arrays }.run(1)
    };
    assert_eq!(kernel(false, &[&bytes(&x), &[0; 600]]), half_bytes(&x));
    assert_eq!(kernel(true, &[&half_bytes(&x), &[0; 1200]]), bytes(&halves(&half_bytes(&x))));
}

#[test]
fn gradients_go_back_to_what_was_looked_up() {
    // Some elements named often, some once, some never, one behind the last.
    let table = [4, 1, 1, 6, 0, 1, 7, 4, 2, 1];
    let takers = Takers::of(7, table.len(), table.into_iter().enumerate());
    for (half, (blocks, inner)) in [false, true]
        .into_iter()
        .flat_map(|half| [(1, 1), (3, 1), (1, 40), (2, 3)].map(|size| (half, size)))
    {
        let dy = Strided::new(&[blocks, table.len(), inner], 9).rounded(half).memory;
        let begin = Strided::new(&[blocks, 7, inner], 5).rounded(half).memory;
        let mut expected: Vec<f64> = begin.iter().map(|v| f64::from(*v)).collect();
        for (i, dy) in dy.iter().enumerate() {
            let (block, place) = (i / inner / table.len(), i / inner % table.len());
            if table[place] < 7 {
                expected[(block * 7 + table[place]) * inner + i % inner] += f64::from(*dy);
            }
        }
        let what = format!("{blocks} × {inner}");
        let numbers = [begin.len(), 7, table.len(), inner].map(|n| n as f64);
        let [starts, places] = [&takers.starts, &takers.places].map(|all| lengths(all.clone()));
        let arrays: [&[u8]; 4] = [&starts, &places, &write(&begin, half), &write(&dy, half)];
        let found = run("give_back", half, begin.len(), &numbers, &arrays, 2);
        near(&found, &expected, half, &what);

        let mut on_host = buffer(&begin);
        Cpu::give_back(&mut on_host, &buffer(&dy), inner, takers.clone()).unwrap();
        near(&on_host, &expected, false, &what);
    }
}
