//! Under which names dfdx looks for its kernels.

/// What is compiled of `operations.cu` for a type of numbers.
pub(in crate::on_dfdx) struct Operations {
    /// What says for which type it is compiled.
    pub define: &'static str,
    /// The module of the kernels that dfdx does not know.
    pub own: &'static str,
    /// Each part of the text, and the modules that are made of it.
    pub parts: &'static [(&'static str, &'static [Module])],
}

/// A module's name, and its kernels.
pub(in crate::on_dfdx) type Module = (&'static str, &'static [&'static str]);

macro_rules! binary {
    ($part:literal, $name:literal, $type:literal) => {
        (
            $part,
            &[(
                concat!("b", $name, "_fwd_", $type),
                &[
                    concat!("b", $name, "_fwd_", $type),
                    concat!("b", $name, "_bwd_lhs_", $type),
                    concat!("b", $name, "_bwd_rhs_", $type),
                ],
            )],
        )
    };
}

// A type has one name in kernels' names, another where they add it up, and one in C.
macro_rules! operations {
    ($define:literal, $type:literal, $summed:literal, $c:literal, $other:literal) => {
        Operations {
            define: $define,
            own: concat!("trainbook_", $c),
            parts: &[
                (
                    "OF_SUMS",
                    &[(
                        concat!("sum_", $summed),
                        &[concat!("sum_to_fwd_", $summed), concat!("sum_to_bwd_", $type)],
                    )],
                ),
                binary!("OF_ADD", "add", $type),
                binary!("OF_SUB", "sub", $type),
                binary!("OF_MUL", "mul", $type),
                binary!("OF_DIV", "div", $type),
                (
                    "OF_SHAPES",
                    &[
                        (concat!("reshape_fwd_", $c), &["reshape_fwd"]),
                        (concat!("reshape_bwd_", $c), &["reshape_bwd"]),
                    ],
                ),
                ("OF_TWO", &[(concat!("concat_", $c), &["fwd", "bwd"])]),
                (
                    "OF_REST",
                    &[
                        (concat!("stack_bwd_", $c), &["stack_bwd"]),
                        (concat!("convert_", $c, "_to_", $other), &["kernel"]),
                        (concat!("trainbook_", $c), &["give_back"]),
                    ],
                ),
            ],
        }
    };
}

pub(in crate::on_dfdx) const F32: Operations = operations!("", "f32", "f32", "float", "__half");
pub(in crate::on_dfdx) const F16: Operations =
    operations!("#define HALF\n", "f16", "amp_f16", "__half", "float");
