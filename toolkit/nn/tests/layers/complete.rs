//! Fails when dfdx gains a layer that neither has an ONNX form nor stands among those that cannot
//! have one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dfdx::nn::modules::*;
use dfdx::nn::{builders, prelu};
use dfdx::prelude::{Const, Cpu, Rank2};
use dfdx::tensor_ops::{Bilinear, NearestNeighbor};
use trainbook_nn::onnx::ToOnnx;

/// The names of types of which the compiler has seen that they state their form.
macro_rules! have_a_form {
    ($($name:ident: $($layer:ty),+;)+) => {{
        fn has_a_form<L: ToOnnx>() {}
        $($(has_a_form::<$layer>();)+)+
        vec![$(stringify!($name)),+]
    }};
}

#[allow(deprecated, reason = "the old name of FastGeLU is a layer of dfdx too")]
fn with_a_form() -> Vec<&'static str> {
    have_a_form! {
        Abs: Abs; AccurateGeLU: AccurateGeLU; Cos: Cos; Exp: Exp; FastGeLU: FastGeLU; GeLU: GeLU; Ln: Ln;
        LeakyReLU: LeakyReLU<f32>; LogSoftmax: LogSoftmax; ReLU: ReLU; Sigmoid: Sigmoid; Sin: Sin; Softmax: Softmax;
        Sqrt: Sqrt; Square: Square; Tanh: Tanh;
        PReLU: prelu::PReLU<f32, Cpu>; PReLU1D: prelu::PReLU1D<Const<3>, f32, Cpu>;
        AddInto: AddInto<(ReLU, ReLU)>, AddInto<(ReLU, ReLU, ReLU, ReLU, ReLU, ReLU)>;
        SplitInto: SplitInto<(ReLU, ReLU)>, SplitInto<(ReLU, ReLU, ReLU, ReLU, ReLU, ReLU)>;
        GeneralizedResidual: GeneralizedResidual<ReLU, ReLU>; Repeated: Repeated<ReLU, 2>; Residual: Residual<ReLU>;
        BatchNorm1D: BatchNorm1D<3, f32, Cpu>; BatchNorm2D: BatchNorm2D<3, f32, Cpu>; LayerNorm1D: LayerNorm1D<3, f32, Cpu>;
        Bias2D: Bias2D<3, f32, Cpu>; Dropout: Dropout; DropoutOneIn: DropoutOneIn<2>; Embedding: Embedding<3, 2, f32, Cpu>;
        Linear: Linear<3, 2, f32, Cpu>; UnbiasedLinear: UnbiasedLinear<3, 2, f32, Cpu>;
        AvgPoolGlobal: AvgPoolGlobal; MaxPoolGlobal: MaxPoolGlobal; MinPoolGlobal: MinPoolGlobal;
        Reshape: builders::Reshape<Rank2<1, 2>>;
        Upscale2D: Upscale2D<4, 6, NearestNeighbor>, Upscale2D<4, 6, Bilinear>;
        MultiHeadAttention: MultiHeadAttention<4, 2, 4, 4, f32, Cpu>;
        Transformer: Transformer<4, 2, 1, 1, 4, f32, Cpu>;
        TransformerDecoder: TransformerDecoder<4, 2, 4, 1, f32, Cpu>;
        TransformerDecoderBlock: TransformerDecoderBlock<4, 2, 4, f32, Cpu>;
        TransformerEncoder: TransformerEncoder<4, 2, 4, 1, f32, Cpu>;
        TransformerEncoderBlock: TransformerEncoderBlock<4, 2, 4, f32, Cpu>;
    }
}

/// Layers that have no form, and why: dfdx has them on nightly Rust only, where it does not compile
/// as a whole.
const WITHOUT_A_FORM: [&str; 7] =
    ["AvgPool2D", "Conv2D", "ConvTrans2D", "Flatten2D", "MaxPool2D", "MinPool2D", "Upscale2DBy"];

/// Where cargo keeps dfdx's source.
fn dfdx() -> PathBuf {
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Of this platform alone: the build has fetched nothing of others.
    cargo.args([
        "metadata",
        "--format-version",
        "1",
        "--offline",
        "--filter-platform",
        host.trim(),
    ]);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let manifest =
        packages.iter().find(|package| package["name"] == "dfdx").unwrap()["manifest_path"]
            .as_str()
            .unwrap();
    Path::new(manifest).parent().unwrap().join("src/nn")
}

/// The names in a source's `pub use` items: `a::B`, `a::{B, C}`.
fn names_used(source: &str) -> BTreeSet<String> {
    let items = source.split("pub use ").skip(1).filter_map(|item| item.split(';').next());
    let names = items.flat_map(|item| match item.split_once('{') {
        Some((_, list)) => {
            list.trim_end().trim_end_matches('}').split(',').map(str::to_owned).collect()
        }
        None => vec![item.rsplit("::").next().unwrap_or_default().to_owned()],
    });
    names
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && name != "*")
        .collect()
}

/// The body of a module.
fn module<'a>(source: &'a str, name: &str) -> &'a str {
    let start = source.find(&format!("pub mod {name} {{")).unwrap();
    let rest = &source[start..];
    &rest[..rest.find("\n}").unwrap()]
}

/// Every type that one of dfdx's sources implements `Module` for, or makes with its macro of
/// activations.
fn activations(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let made = source.split("activation_impls!(").skip(1).filter_map(|rest| rest.split(',').next());
    let structs = source
        .split("pub struct ")
        .skip(1)
        .filter_map(|rest| rest.split([';', '<', '(', ' ']).next());
    made.chain(structs)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.starts_with('$'))
        .collect()
}

#[test]
fn onnx_every_layer_of_dfdx_has_a_form_or_a_reason() {
    let folder = dfdx();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let source = read("mod.rs");
    let mut exported = names_used(module(&source, "modules"));
    exported.extend(names_used(module(&source, "builders")));
    exported.extend(activations(&read("activations.rs")));
    exported.extend(activations(&read("prelu.rs")));
    let known: BTreeSet<String> =
        with_a_form().into_iter().chain(WITHOUT_A_FORM).map(str::to_owned).collect();
    let unknown: Vec<_> = exported.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "dfdx has layers without an ONNX form: {unknown:?}; see toolkit/nn/src/onnx/layers"
    );
    let gone: Vec<_> = known.difference(&exported).collect();
    assert!(gone.is_empty(), "these are no layers of dfdx: {gone:?}");

    // A layer might come in a file that exports it another way.
    let modules: BTreeSet<_> = source
        .split("\npub mod ")
        .skip(1)
        .filter_map(|rest| rest.split([';', ' ']).next())
        .collect();
    assert_eq!(modules, BTreeSet::from(["builders", "modules", "prelu", "tensor_collection"]));

    // And those that are refused because of nightly must still be so, or they need a form.
    for name in WITHOUT_A_FORM.iter().filter(|name| !name.starts_with("Upscale")) {
        let at = source.find(name).unwrap();
        let before = source[..at].rfind("#[cfg(feature = \"nightly\")]").unwrap();
        assert!(!source[before..at].contains(';'), "{name} is no longer for nightly Rust only");
    }
}

#[test]
fn onnx_a_new_layer_would_be_seen() {
    let source = "pub mod modules {\n    pub use super::a::{New, Other};\n    pub use super::b::Third;\n    pub use super::c::*;\n}\n";
    let names: Vec<_> = names_used(module(source, "modules")).into_iter().collect();
    assert_eq!(names, ["New", "Other", "Third"]);
    let source = "activation_impls!(Swish, try_swish, #[doc=\"…\"]);\npub struct Mish;\n#[cfg(test)]\npub struct NotThis;";
    assert_eq!(activations(source).into_iter().collect::<Vec<_>>(), ["Mish", "Swish"]);
}
