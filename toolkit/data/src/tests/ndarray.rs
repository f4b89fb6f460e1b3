//! Arrays of the crate `ndarray`, in any order of memory.

use ndarray::{Array1, Array2, Array3, Array4, ArrayD, Axis, ShapeBuilder, arr0, array, s};

use super::{Dataset, Targets, rows};

/// 0, 1, 2, … in the order of rows.
fn counted(shape: [usize; 2]) -> Array2<f32> {
    Array2::from_shape_fn(shape, |(row, column)| (row * shape[1] + column) as f32)
}

fn refused<T>(result: Result<T, crate::DataError>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn arrays_are_read_in_the_order_of_their_axes_whatever_their_memory() {
    let targets = array![0.5, 1.5, 2.5];
    let plain = counted([3, 4]);
    let expected: Vec<f32> = (0..12).map(|x| x as f32).collect();
    let read = |view: ndarray::ArrayView2<'_, f32>| {
        rows(&Dataset::from_ndarray("test", view, targets.view()).unwrap())
    };
    assert_eq!(read(plain.view()), expected);
    // Column by column in memory.
    let mut by_columns = Array2::<f32>::zeros((3, 4).f());
    by_columns.assign(&plain);
    assert!(!by_columns.is_standard_layout());
    assert_eq!(read(by_columns.view()), expected);
    // Transposed there and back.
    let turned = plain.t().to_owned();
    assert_eq!(read(turned.t()), expected);
    // Every second row, from the end, of a part of the columns.
    let large = counted([6, 5]);
    let slice = large.slice(s![..;-2, 1..4;2]);
    assert_eq!(slice.shape(), [3, 2]);
    assert_eq!(read(slice), [26.0, 28.0, 16.0, 18.0, 6.0, 8.0]);
    // One row for all.
    let one = array![7.0_f32, 8.0];
    assert_eq!(read(one.broadcast((3, 2)).unwrap()), [7.0, 8.0, 7.0, 8.0, 7.0, 8.0]);
    // Targets too.
    let many = array![0, 9, 1, 9, 0, 9];
    let data = Dataset::from_ndarray("test", plain.view(), many.slice(s![..;2])).unwrap();
    assert_eq!(data.targets(), Some(&Targets::Classes(vec![0, 1, 0])));
    let pairs = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    let data = Dataset::from_ndarray("test", plain.view(), pairs.t()).unwrap();
    assert_eq!(data.targets(), Some(&Targets::Values(vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0])));
    assert_eq!(data.targets_per_row(), 2);
}

#[test]
fn images_and_series_keep_their_shape_and_axes_may_be_moved() {
    let last = Array4::from_shape_fn([2, 3, 4, 2], |(n, h, w, c)| {
        (1000 * n + 100 * c + 10 * h + w) as u8 as f64
    });
    let labels = Array1::from_vec(vec![true, false]);
    let data =
        Dataset::from_ndarray("test", last.view().permuted_axes([0, 3, 1, 2]), labels.view());
    let data = data.unwrap();
    assert_eq!((data.shape(), data.classes()), (&[2, 3, 4][..], Some(2)));
    let value =
        |n: usize, c: usize, h: usize, w: usize| f32::from((1000 * n + 100 * c + 10 * h + w) as u8);
    let found = rows(&data);
    for (n, c, h, w) in [(0, 0, 0, 0), (0, 1, 2, 3), (1, 0, 1, 2), (1, 1, 2, 0)] {
        assert_eq!(found[((n * 2 + c) * 3 + h) * 4 + w], value(n, c, h, w));
    }
    assert_eq!(data.targets(), Some(&Targets::Classes(vec![1, 0])));
    let series = Array3::<i16>::from_elem((2, 3, 5), -7);
    let data = Dataset::from_ndarray("test", series.view(), array![1.0_f32, 2.0].view()).unwrap();
    assert_eq!((data.shape(), rows(&data)), (&[3, 5][..], vec![-7.0; 30]));
    // The number of axes may be known at run time alone.
    let dynamic = ArrayD::from_elem(vec![2, 3], 1_u8);
    let data = Dataset::from_ndarray("test", dynamic.view(), array![0_u64, 1].view()).unwrap();
    assert_eq!((data.shape(), data.source()), (&[3][..], "test"));
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_both() {
    let (two, three) = (counted([2, 3]), array![0.0, 1.0, 2.0]);
    assert_eq!(
        refused(Dataset::from_ndarray("test", two.view(), three.view())),
        "use the data: the features have the shape [2, 3] and the targets [3]; the first axis of both \
         is the rows, so it must be the same"
    );
    assert_eq!(
        refused(Dataset::from_ndarray("test", three.view(), three.view())),
        "use the data: the features have the shape [3] and the targets [3]; features must be [rows, \
         features] or more, also where there is one, and targets [rows] or more"
    );
    // One feature is one all the same.
    let column = three.view().insert_axis(Axis(1));
    assert_eq!(Dataset::from_ndarray("test", column, three.view()).unwrap().width(), 1);
    assert!(
        refused(Dataset::from_ndarray("test", two.view(), arr0(1.0).view())).contains("[2, 3]")
    );
    for (rows, width) in [(0, 3), (3, 0)] {
        let none = Array2::<f32>::zeros((rows, width));
        let targets = Array1::<f32>::zeros(rows);
        let error = refused(Dataset::from_ndarray("test", none.view(), targets.view()));
        let shapes = format!("{:?} and the targets [{rows}]", [rows, width]);
        assert!(error.contains(&shapes) && error.contains("no dimension may be 0"), "{error}");
    }
    let none = Array2::<f32>::zeros((2, 0));
    assert!(refused(Dataset::from_ndarray("test", two.view(), none.view())).contains("[2, 0]"));
}

#[test]
fn numbers_that_are_none_are_refused_with_their_place() {
    let labels = array![0, 1];
    let gap = array![[1.0, 2.0], [3.0, f64::NAN]];
    assert!(
        refused(Dataset::from_ndarray("test", gap.view(), labels.view()))
            .contains("feature 1 of row 1 is NaN")
    );
    let huge = array![[1.0, 2.0], [1e300, 4.0]];
    assert!(
        refused(Dataset::from_ndarray("test", huge.view(), labels.view()))
            .contains("feature 0 of row 1 is inf")
    );
    let exact = array![[16_777_216_i64, 0], [0, -16_777_216]];
    assert!(Dataset::from_ndarray("test", exact.view(), labels.view()).is_ok());
    let inexact = array![[0, 0], [0, 16_777_217_u32]];
    let error = refused(Dataset::from_ndarray("test", inexact.view(), labels.view()));
    assert!(
        error.contains("feature 1 of row 1 is 16777217, which f32 does not hold exactly"),
        "{error}"
    );
    let plain = counted([2, 2]);
    for labels in [array![0, 2], array![-1, 0]] {
        assert!(
            refused(Dataset::from_ndarray("test", plain.view(), labels.view()))
                .contains("counted from 0")
        );
    }
    let beyond = array![0, u64::MAX];
    assert!(refused(Dataset::from_ndarray("test", plain.view(), beyond.view())).contains("row 1"));
}
