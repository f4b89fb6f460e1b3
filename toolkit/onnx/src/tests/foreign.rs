//! ONNX files as other tools write them, byte by byte from the field numbers of `onnx.proto`.

/// A protobuf message: the bytes of its fields, one after the other.
pub(crate) type Fields = Vec<u8>;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

pub(crate) fn int(tag: u64, number: i64) -> Fields {
    [varint(tag << 3), varint(number as u64)].concat()
}

pub(crate) fn bytes(tag: u64, content: impl AsRef<[u8]>) -> Fields {
    let content = content.as_ref();
    [varint(tag << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

pub(crate) fn message(tag: u64, fields: &[Fields]) -> Fields {
    bytes(tag, fields.concat())
}

pub(crate) fn packed(tag: u64, numbers: &[i64]) -> Fields {
    bytes(tag, numbers.iter().flat_map(|&number| varint(number as u64)).collect::<Vec<_>>())
}

pub(crate) fn initializer(name: &str, element: i64, dims: &[i64], data: usize) -> Fields {
    message(5, &[packed(1, dims), int(2, element), bytes(8, name), bytes(9, vec![1; data])])
}

pub(crate) fn external(name: &str, location: &str, dims: &[i64]) -> Fields {
    let entry = message(13, &[bytes(1, "location"), bytes(2, location)]);
    message(5, &[packed(1, dims), int(2, 1), bytes(8, name), entry, int(14, 1)])
}

/// Of a dimension, "" is not stated.
pub(crate) fn value(tag: u64, name: &str, element: i64, dims: &[&str]) -> Fields {
    let dim = |dim: &&str| {
        message(
            1,
            &[match dim.parse() {
                Ok(size) => int(1, size),
                Err(_) if dim.is_empty() => Vec::new(),
                Err(_) => bytes(2, dim),
            }],
        )
    };
    let shape = message(2, &dims.iter().map(dim).collect::<Vec<_>>());
    message(tag, &[bytes(1, name), message(2, &[message(1, &[int(1, element), shape])])])
}

pub(crate) fn node(op: &str, inputs: &[&str], output: &str, more: &[Fields]) -> Fields {
    let inputs = inputs.iter().map(|name| bytes(1, name)).collect::<Vec<_>>().concat();
    message(
        1,
        &[inputs, bytes(2, output), bytes(3, format!("{output}!")), bytes(4, op), more.concat()],
    )
}

pub(crate) fn ints(name: &str, numbers: &[i64]) -> Fields {
    message(
        5,
        &[bytes(1, name), numbers.iter().flat_map(|&number| int(8, number)).collect(), int(20, 7)],
    )
}

pub(crate) fn one(name: &str, number: i64) -> Fields {
    message(5, &[bytes(1, name), int(3, number), int(20, 2)])
}

pub(crate) fn file(graph: &[Fields]) -> Vec<u8> {
    let opset = |domain: &str, version| message(8, &[bytes(1, domain), int(2, version)]);
    let metadata = message(14, &[bytes(1, "made"), bytes(2, "by\nhand".repeat(30))]);
    let head =
        [int(1, 9), bytes(2, "a tool"), bytes(3, "1.2"), opset("", 19), opset("com.example", 1)]
            .concat();
    [head, message(7, graph), metadata].concat()
}
