//! Pairs as lines `NAME=value` for a shell.

use std::{collections::HashSet, io::Write};

use anyhow::{Context, bail};

use super::output::{BATCH, Output, UNWRITABLE};
use crate::{
    clock::stamp,
    store::{
        pair::Pair,
        pairs::{Pairs, PairsError},
    },
};

/// Looks whether each installation has names of its own. The outer error is that of a file.
pub(super) fn check(pairs: &Pairs) -> Result<anyhow::Result<()>, PairsError> {
    let mut names = HashSet::new();
    for id in pairs.ids() {
        let (_, id) = id?;
        if !names.insert(suffix(id.as_str())) {
            return Ok(twice(id.as_str()));
        }
    }
    Ok(Ok(()))
}

fn twice(id: &str) -> anyhow::Result<()> {
    bail!(
        "--format env: two installations would have the same names, such as {}; use csv or jsonl",
        name("ACCESS_TOKEN", id)
    )
}

/// Prints the lines of each pair.
pub(super) fn print(pairs: &Pairs, mut out: Output<impl Write>) -> anyhow::Result<()> {
    for batch in pairs.batches(BATCH) {
        for (_, pair) in batch? {
            out.write_all(lines(&pair)?.as_bytes()).context(UNWRITABLE)?;
        }
    }
    out.flush().context(UNWRITABLE)
}

fn lines(pair: &Pair) -> anyhow::Result<String> {
    let id = pair.installation.id.as_str();
    let mut text = line("ACCESS_TOKEN", id, pair.access_token.expose())?;
    if let Some(token) = &pair.refresh_token {
        text += &line("REFRESH_TOKEN", id, token.expose())?;
    }
    if let Some(at) = pair.expires_at {
        text += &line("TOKEN_EXPIRES_AT", id, &stamp(at))?;
    }
    Ok(text)
}

fn line(what: &str, id: &str, value: &str) -> anyhow::Result<String> {
    let name = name(what, id);
    // What is wrong with it is not said: it would show a part.
    let Ok(value) = shlex::try_quote(value) else {
        bail!("{name} has a character that no shell takes; use --format jsonl");
    };
    Ok(format!("{name}={value}\n"))
}

fn name(what: &str, id: &str) -> String {
    format!("GHL_{what}_{}", suffix(id))
}

/// An id as a name of a variable may have it.
fn suffix(id: &str) -> String {
    id.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_where_a_shell_would_change_it() {
        for (id, value, expected) in [
            ("abc-d_1", "plain.Token-1_x", "GHL_X_abc_d_1=plain.Token-1_x\n"),
            ("abcdef", "a b", "GHL_X_abcdef='a b'\n"),
            ("abcdef", "$(id)`'", "GHL_X_abcdef='$(id)`'\"'\"\n"),
            ("abcdef", "", "GHL_X_abcdef=''\n"),
        ] {
            assert_eq!(line("X", id, value).unwrap(), expected);
        }
        assert!(line("X", "abcdef", "a\0b").is_err());
    }
}
