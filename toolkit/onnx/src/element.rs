//! The element types of ONNX's tensors, by their numbers in `onnx.proto`.

const STRING: i32 = 8;
const INT64: i32 = 7;
const BOOL: i32 = 9;

/// Name and bits of each number; a text has none of its own.
const TYPES: [(i32, &str, u64); 26] = [
    (1, "float32", 32),
    (2, "uint8", 8),
    (3, "int8", 8),
    (4, "uint16", 16),
    (5, "int16", 16),
    (6, "int32", 32),
    (INT64, "int64", 64),
    (STRING, "string", 0),
    (BOOL, "bool", 8),
    (10, "float16", 16),
    (11, "float64", 64),
    (12, "uint32", 32),
    (13, "uint64", 64),
    (14, "complex64", 64),
    (15, "complex128", 128),
    (16, "bfloat16", 16),
    (17, "float8e4m3fn", 8),
    (18, "float8e4m3fnuz", 8),
    (19, "float8e5m2", 8),
    (20, "float8e5m2fnuz", 8),
    (21, "uint4", 4),
    (22, "int4", 4),
    (23, "float4e2m1", 4),
    (24, "float8e8m0", 8),
    (25, "uint2", 2),
    (26, "int2", 2),
];

fn find(number: i32) -> Option<&'static (i32, &'static str, u64)> {
    TYPES.iter().find(|entry| entry.0 == number)
}

/// "float32", or "type 99" for one that is newer than this crate.
pub(crate) fn name(number: i32) -> String {
    find(number).map_or_else(|| format!("type {number}"), |entry| entry.1.to_owned())
}

/// For messages: "float16 numbers (FLOAT16)", "strings (STRING)".
pub(crate) fn described(number: i32) -> String {
    let of_onnx = |name: &str| match number {
        1 => "FLOAT".to_owned(),
        11 => "DOUBLE".to_owned(),
        _ => name.to_uppercase(),
    };
    match find(number) {
        None => format!("numbers of the unknown type {number}"),
        Some((STRING, ..)) => "strings (STRING)".to_owned(),
        Some((_, name, _)) => format!("{name} numbers ({})", of_onnx(name)),
    }
}

/// The bits of one number; `None` for texts and what is not known.
pub(crate) fn bits(number: i32) -> Option<u64> {
    find(number).map(|entry| entry.2).filter(|&bits| bits > 0)
}

/// Whether such an initializer holds parameters. int64 holds shapes and indices, bool and string
/// hold settings; int32 is a parameter, because quantised biases are.
pub(crate) fn is_parameter(number: i32) -> bool {
    ![INT64, STRING, BOOL].contains(&number)
}
