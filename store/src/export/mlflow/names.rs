//! Names that MLflow takes.

/// The most characters of a name.
const LONGEST: usize = 250;

/// The name itself if MLflow takes it, else one like it with six digits of its hash, which no other
/// name becomes.
///
/// It depends on nothing but the name, so a run that is pushed again, with more metrics, finds its
/// names again.
pub(super) fn acceptable(name: &str) -> String {
    if is_acceptable(name) {
        return name.to_owned();
    }
    let characters = name.chars().take(LONGEST - 7).map(|c| if is_character(c) { c } else { '_' });
    let characters: String = characters.collect();
    let parts: Vec<_> = characters
        .split('/')
        .map(|part| if matches!(part, "" | "." | "..") { "_" } else { part })
        .collect();
    let parts = parts.join("/");
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let digits = hash.get(..6).unwrap_or_default();
    // An empty part became longer.
    let kept: String = parts.chars().take(LONGEST - 7).collect();
    format!("{kept}_{digits}")
}

fn is_acceptable(name: &str) -> bool {
    name.chars().all(is_character)
        && name.chars().count() <= LONGEST
        // "." is the name of the folder itself, and an empty part or "a/.." would be read as
        // another path.
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Python's `\w`, and what else MLflow's expression has.
fn is_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_stay() {
        for name in
            ["loss", "val/loss", "grad norm", "a.b-c_d:e", "größe", "...", ".a", &"x".repeat(250)]
        {
            assert_eq!(acceptable(name), name);
        }
    }

    #[test]
    fn others_become_good_and_differ() {
        let slashes = "/".repeat(300);
        let long = "x".repeat(251);
        let names = [
            "",
            ".",
            "..",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "./a",
            "loss (val)",
            "loss [val]",
            "a\nb",
            "100%",
            &slashes,
            &long,
        ];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let mapped = acceptable(name);
            assert!(is_acceptable(&mapped), "{name:?} became {mapped:?}");
            assert!(seen.insert(mapped.clone()), "{mapped}");
        }
        assert!(acceptable("loss (val)").starts_with("loss _val__"));
    }
}
