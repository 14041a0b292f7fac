//! Writes a mapping as the text of a mapping file.

use std::fmt::Write as _;

use toml::Value;

use super::{Assignment, KeySource, KeyTerm, Mapping, Source};

impl Mapping {
    /// The text of a mapping file, ready to be edited and given back with `--map`.
    pub fn to_toml(&self) -> String {
        let mut text = String::from("[store]\n");
        let named = [
            ("url_env", &self.url_env),
            ("to", &self.to),
            ("table", &self.table),
            ("statement", &self.statement),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{key} = {}", quoted(value));
            }
        }
        if !self.key.is_empty() {
            let _ = writeln!(text, "where = {}", key_terms(&self.key));
        }
        if let Some(key) = &self.company_key {
            let _ = writeln!(text, "where_company = {}", key_terms(key));
        }
        if !self.set.is_empty() {
            text.push_str("\n[store.set]\n");
        }
        for assignment in &self.set {
            let _ = writeln!(text, "{} = {}", key_name(&assignment.column), in_toml(assignment));
        }
        text
    }

    /// The same as JSON, for the journal.
    pub fn to_json(&self) -> serde_json::Value {
        let table = self.to_toml().parse::<toml::Table>().ok();
        let json = table.and_then(|table| serde_json::to_value(table).ok());
        json.and_then(|mut file| Some(file.get_mut("store")?.take())).unwrap_or_default()
    }
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn key_name(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_bare {
        return name.to_owned();
    }
    // A text of JSON is one of TOML too, but for DEL, which only JSON lets stand.
    serde_json::Value::from(name).to_string().replace('\u{7f}', "\\u007f")
}

fn key_terms(terms: &[KeyTerm]) -> String {
    let terms: Vec<String> = terms
        .iter()
        .map(|term| {
            let source = match &term.source {
                KeySource::Field(field) => quoted(field.name()),
                KeySource::Value(value) => format!("{{ value = {} }}", quoted(value)),
                KeySource::Empty => "{ value = \"null\" }".to_owned(),
            };
            format!("{} = {source}", key_name(&term.column))
        })
        .collect();
    format!("{{ {} }}", terms.join(", "))
}

fn in_toml(assignment: &Assignment) -> String {
    let mut parts = Vec::new();
    match &assignment.source {
        Source::Field(field, format) => {
            let has_more = format.is_some()
                || !assignment.through.is_empty()
                || !assignment.instead_of.is_empty()
                || assignment.with.is_some();
            if !has_more {
                return quoted(field.name());
            }
            parts.push(format!("field = {}", quoted(field.name())));
            parts.extend(format.map(|format| format!("as = {}", quoted(format.name()))));
        }
        Source::Value(value) => parts.push(format!("value = {}", quoted(value))),
        Source::Null => parts.push("value = \"null\"".to_owned()),
    }
    let list = |texts: &[String]| {
        format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
    };
    if !assignment.through.is_empty() {
        parts.push(format!("through = {}", list(&assignment.through)));
    }
    if !assignment.instead_of.is_empty() {
        parts.push(format!("instead_of = {}", list(&assignment.instead_of)));
    }
    parts.extend(assignment.with.as_ref().map(|with| format!("with = {}", quoted(with))));
    format!("{{ {} }}", parts.join(", "))
}
