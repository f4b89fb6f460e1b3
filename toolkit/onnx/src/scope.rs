//! Names of parts in parts.

/// The name of a part inside a scope: "0" and "weight" give "0.weight".
pub fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
