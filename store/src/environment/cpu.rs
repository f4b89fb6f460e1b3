//! The processor and the memory.

/// The abilities that decide which instructions compute, and so how sums are rounded.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub(super) const NAMES: &[&str] = &[
    "avx",
    "avx2",
    "avx512bf16",
    "avx512bw",
    "avx512dq",
    "avx512f",
    "avx512fp16",
    "avx512vl",
    "avx512vnni",
    "f16c",
    "fma",
    "sse3",
    "sse4.1",
    "sse4.2",
    "ssse3",
];

/// The abilities that decide which instructions compute, and so how sums are rounded.
#[cfg(target_arch = "aarch64")]
pub(super) const NAMES: &[&str] = &["bf16", "dotprod", "fp16", "i8mm", "neon", "sve", "sve2"];

/// Of other processors nothing is known.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const NAMES: &[&str] = &[];

/// Those of [`NAMES`] that this processor has.
pub(super) fn features() -> Vec<String> {
    NAMES.iter().filter(|name| has(name)).map(|name| (*name).to_owned()).collect()
}

/// The macros of the standard library take nothing but literals.
macro_rules! has {
    ($detected:ident: $name:expr => $($feature:tt)*) => {
        match $name {
            $($feature => std::arch::$detected!($feature),)*
            _ => false,
        }
    };
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has(name: &str) -> bool {
    has!(is_x86_feature_detected: name =>
        "avx" "avx2" "avx512bf16" "avx512bw" "avx512dq" "avx512f" "avx512fp16" "avx512vl" "avx512vnni" "f16c" "fma"
        "sse3" "sse4.1" "sse4.2" "ssse3")
}

#[cfg(target_arch = "aarch64")]
fn has(name: &str) -> bool {
    has!(is_aarch64_feature_detected: name => "bf16" "dotprod" "fp16" "i8mm" "neon" "sve" "sve2")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has(_: &str) -> bool {
    false
}

/// The processor's name, where the system tells it.
pub fn model() -> Option<String> {
    field(&std::fs::read_to_string("/proc/cpuinfo").ok()?, "model name").map(str::to_owned)
}

/// Physical memory, in bytes.
pub(super) fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kibibytes(field(&text, "MemTotal")?)?.checked_mul(1024)
}

/// What stands behind the colon of the first line that begins with `name`.
pub(super) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

fn kibibytes(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_that_the_system_lists() {
        assert!(NAMES.is_sorted());
        let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") else { return };
        if cfg!(target_arch = "x86_64") {
            let flags: Vec<_> = field(&text, "flags").unwrap().split_whitespace().collect();
            let found = features();
            // The kernel's names for the same things.
            for (name, flag) in [
                ("avx2", "avx2"),
                ("fma", "fma"),
                ("sse4.1", "sse4_1"),
                ("sse4.2", "sse4_2"),
                ("avx512f", "avx512f"),
            ] {
                assert_eq!(
                    found.iter().any(|feature| feature == name),
                    flags.contains(&flag),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(
            field("MemTotal:       16314136 kB\nMemFree:  1 kB\n", "MemTotal"),
            Some("16314136 kB")
        );
        assert_eq!(kibibytes("16314136 kB"), Some(16_314_136));
        assert_eq!(kibibytes("much"), None);
        assert!(!cfg!(target_os = "linux") || memory().unwrap() > 1 << 20);
    }
}
