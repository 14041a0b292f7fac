//! The rows of `--known-messages`, recorded whole: the file may change or go before `resume`.

use std::{fs, path::Path};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::path::path_in_full;
use crate::highlevel::table::Answers;

/// What the user's own file says that answers mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownMessages {
    /// Full path of the file.
    pub file: String,
    /// Its rows. Their examples are left out: a body that somebody pasted may hold anything.
    rows: Table,
}

impl KnownMessages {
    /// Reads a file whose rows can be meant.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let named = || format!("--known-messages: {}", file.display());
        let text = fs::read_to_string(file).with_context(named)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        Answers::parse(text).with_context(named)?;
        let mut rows: Table = toml::from_str(text).with_context(named)?;
        rows.iter_mut().for_each(|(_, rows)| leave_examples_out(rows));
        Ok(Self { file: path_in_full(file).to_string_lossy().into_owned(), rows })
    }

    /// The table of answers with these rows before the built-in ones.
    pub fn answers(&self) -> anyhow::Result<Answers> {
        let named = || anyhow!("--known-messages: {}, as the run has it", self.file);
        let text = toml::to_string(&self.rows).with_context(named)?;
        Answers::parse(&text).with_context(named)
    }
}

fn leave_examples_out(rows: &mut Value) {
    let rows = rows.as_array_mut().into_iter().flatten();
    for row in rows.filter_map(Value::as_table_mut) {
        row.remove("example");
    }
}
