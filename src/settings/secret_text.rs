//! Secrets as people hand them over: in a file of their own, with what was pasted along.

use std::{fs, io, io::Read, path::Path};

use anyhow::{Context, bail, ensure};

use crate::{highlevel::client_id::ClientId, secret::is_uuid};

/// Whether standard input is still to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Nobody needs it.
    Free,
    /// The list comes from it.
    IsTheList,
}

/// Reads the secret from `--client-secret-file`; `-` is standard input.
pub fn secret_in(file: &Path, stdin: Stdin) -> anyhow::Result<String> {
    let (name, text) = if file == Path::new("-") {
        ensure!(
            stdin == Stdin::Free,
            "the list and the client secret cannot both come from standard input"
        );
        ("standard input".to_owned(), read_bounded(&mut io::stdin()))
    } else {
        let text = fs::File::open(file).and_then(|mut file| read_bounded(&mut file));
        (file.display().to_string(), text)
    };
    let text = text.with_context(|| format!("--client-secret-file: cannot read {name}"))?;
    ensure!(!holds_variables(&text), "--client-secret-file: {name} {NOT_THE_SECRET_ALONE}");
    Ok(line_of_file(&text).to_owned())
}

/// The most bytes that a file with a secret has, and many more than a secret.
const MOST_OF_A_SECRET: u64 = 1 << 16;

/// Reads a file with a secret. What has no end, or is no text, is none.
pub fn read_bounded(file: &mut dyn Read) -> io::Result<String> {
    let mut text = String::new();
    let read = file.take(MOST_OF_A_SECRET).read_to_string(&mut text)?;
    if read as u64 == MOST_OF_A_SECRET || text.contains('\0') {
        return Err(io::Error::other("it is no file with a secret in it"));
    }
    Ok(text)
}

/// What is said of a file with variables in it that was given as the secret's.
pub const NOT_THE_SECRET_ALONE: &str =
    "holds NAME=value, and the secret alone is asked for; give a file of variables with --env-file";

/// Whether a line of a file sets a variable. A secret may end in `=` itself.
pub fn holds_variables(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    lines.any(|line| {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { return false };
        let name = name.trim();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_name && !value.trim_matches('=').trim().is_empty()
    })
}

/// The secret that a file has, without what an editor adds: a byte order mark and one line end.
pub fn line_of_file(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

/// Names what was pasted along with a value; the value itself is never shown.
pub fn check_value(name: &str, value: &str) -> anyhow::Result<()> {
    ensure!(!value.is_empty(), "{name} is empty");
    for (end, where_) in [(value.chars().next(), "begins"), (value.chars().last(), "ends")] {
        let what = match end {
            Some(',') => "a comma",
            Some(';') => "a semicolon",
            Some('"' | '\'' | '`' | '“' | '”' | '‘' | '’') => "a quote",
            Some(c) if c.is_whitespace() => "a blank",
            _ => continue,
        };
        bail!("{name} {where_} with {what}: remove it where {name} is set");
    }
    let odd = value.chars().any(|c| c.is_whitespace() || c.is_control());
    ensure!(
        !odd,
        "{name} has a blank or a line break within: only the value itself may stand there"
    );
    Ok(())
}

/// Finds out when id and secret were taken for each other, before either is shown or sent.
pub fn check_pair(client_id: Option<&str>, client_secret: Option<&str>) -> anyhow::Result<()> {
    let swapped = client_secret.is_some_and(|secret| ClientId::new(secret).is_some());
    ensure!(!swapped, "the client secret has the shape of a client id: are the two swapped?");
    ensure!(
        client_id.is_none() || client_id != client_secret,
        "the client id and the client secret are the same value"
    );
    Ok(())
}

/// What is said of a client id of another shape than all that were seen.
pub fn odd_client_id(id: &str) -> Option<String> {
    ClientId::new(id).is_none().then(|| {
        format!(
            "client id {id} does not look like one (24 hexadecimal digits, a dash, 8 characters)"
        )
    })
}

/// What is said of a secret that has another shape than all that were seen; the secret itself is not.
pub fn odd_secret(secret: &str) -> Option<String> {
    (!is_uuid(secret)).then(|| "the client secret does not look like one (a UUID)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_along_is_named_and_the_value_is_not_shown() {
        for (value, named) in [
            ("abc,", "ends with a comma"),
            ("\"abc", "begins with a quote"),
            ("abc'", "ends with a quote"),
            (" abc", "begins with a blank"),
            ("abc\n", "ends with a blank"),
            ("abc;", "ends with a semicolon"),
            ("a bc", "has a blank"),
        ] {
            let error = check_value("the client secret", value).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert!(!error.contains("abc"), "{error}");
        }
        assert!(check_value("the client secret", "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f").is_ok());
    }

    #[test]
    fn an_id_and_a_secret_that_are_swapped_are_found_and_not_shown() {
        let (id, secret) =
            ("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f");
        assert!(check_pair(Some(id), Some(secret)).is_ok());
        for (one, other) in [(secret, id), (id, id), (secret, secret)] {
            let error = check_pair(Some(one), Some(other)).unwrap_err().to_string();
            assert!(!error.contains(one) && !error.contains(other), "{error}");
        }
    }

    #[test]
    fn a_client_id_of_another_shape_is_odd() {
        assert_eq!(odd_client_id("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef"), None);
        for odd in ["66c1a6f5e4b0a1b2c3d4e5f6", "x", "66c1a6f5e4b0a1b2c3d4e5f6-M1ABCDEF"] {
            assert!(odd_client_id(odd).is_some(), "{odd}");
        }
    }
}
