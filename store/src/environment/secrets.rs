//! A command line without what should not be written down.

/// A word in the name of an option whose value nobody should see.
const SECRET: [&str; 8] =
    ["token", "passw", "secret", "key", "credential", "auth", "pwd", "cookie"];

const MASK: &str = "***";

/// The arguments, with `***` for every value that looks secret: `--token X`, `--password=X`,
/// `API_KEY=X`, and what stands before the `@` of an address.
pub(super) fn masked(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut hide_next = false;
    let mut masked = Vec::new();
    for (place, argument) in arguments.into_iter().enumerate() {
        // The program's own path is no option.
        if place == 0 {
            masked.push(argument);
            continue;
        }
        let is_option = argument.starts_with('-');
        // `--token --verbose` is an option without its value.
        if std::mem::take(&mut hide_next) && !is_option {
            masked.push(MASK.to_owned());
            continue;
        }
        match argument.split_once('=') {
            Some((name, value)) if is_secret(name) && !value.is_empty() => {
                masked.push(format!("{name}={MASK}"))
            }
            Some(_) => masked.push(without_credentials(&argument)),
            None => {
                hide_next = is_option && is_secret(&argument);
                masked.push(without_credentials(&argument));
            }
        }
    }
    masked
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET.iter().any(|word| name.contains(word))
}

/// `https://***@host/path` for `https://user:password@host/path`, everywhere in the text.
fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("://");
        let host_end = part.find(['/', '?', '#', ' ', '"', '\'', ',']).unwrap_or(part.len());
        match part.get(..host_end).and_then(|authority| authority.rfind('@')) {
            Some(at) => {
                masked.push_str(MASK);
                masked.push_str(part.get(at..).unwrap_or_default());
            }
            None => masked.push_str(part),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked_line(line: &str) -> String {
        masked(line.split(' ').map(str::to_owned)).join(" ")
    }

    #[test]
    fn what_looks_secret_is_not_shown() {
        for (line, shown) in [
            ("train --lr 0.1", "train --lr 0.1"),
            ("train --token abc --lr 1", "train --token *** --lr 1"),
            ("train --password=abc", "train --password=***"),
            ("train --api-key abc", "train --api-key ***"),
            ("train --APIKEY=a=b", "train --APIKEY=***"),
            ("train WANDB_API_KEY=abc", "train WANDB_API_KEY=***"),
            ("train --client_secret abc abc", "train --client_secret *** abc"),
            ("train --token --lr 1", "train --token --lr 1"),
            ("train --token", "train --token"),
            ("train --auth= x", "train --auth= x"),
            ("train --url=https://u:p@host/a@b", "train --url=https://***@host/a@b"),
            ("train https://token@host https://host/@x", "train https://***@host https://host/@x"),
            ("/opt/keys/train a@b", "/opt/keys/train a@b"),
            ("train -- key", "train -- key"),
        ] {
            assert_eq!(masked_line(line), shown, "{line}");
        }
    }
}
