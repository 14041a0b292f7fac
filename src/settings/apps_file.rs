//! The file of `--apps`: a table for each app. Errors name the app and the key, never a value.

use std::{io, path::PathBuf};

use thiserror::Error;
use toml::{Table, Value};

use crate::app::{AppName, DEFAULT};
use crate::secret::is_uuid;

const CLIENT_ID: &str = "client_id";
const SECRET_ENV: &str = "client_secret_env";
const SECRET_FILE: &str = "client_secret_file";
const REDIRECT_URI: &str = "redirect_uri";

/// Why the apps cannot be used.
#[derive(Debug, Error)]
pub enum AppsError {
    /// The file cannot be read.
    #[error("--apps: cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What is in it cannot be used.
    #[error("--apps: {}: {wrong}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, without a value.
        wrong: Wrong,
    },
}

/// What is wrong with the apps.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Wrong {
    /// It is no TOML; the parser's words would show what stands there.
    #[error("line {0} is not TOML")]
    Syntax(usize),
    /// There is no app in it.
    #[error("no app in it; one is a table such as [crm] with client_id and client_secret_env")]
    Empty,
    /// A table has a name that an app cannot have.
    #[error("a table has a name that no app can have: 1 to 64 letters, digits, blanks and _.-")]
    Name,
    /// An app cannot be used.
    #[error("[{0}]: {1}")]
    App(AppName, String),
    /// Two apps are one.
    #[error(
        "[{0}] and [{1}] are key pairs of the same app, whose installations have one token pair each; leave one out"
    )]
    SameApp(AppName, AppName),
}

/// An app as the file has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: AppName,
    pub(crate) client_id: String,
    pub(crate) secret: Place,
    pub(crate) redirect_uri: Option<String>,
}

/// Where a secret comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Variable(String),
    File(PathBuf),
}

/// Reads the apps, in the order of their names.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let table: Table = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        Wrong::Syntax(before.matches('\n').count() + 1)
    })?;
    let entries: Result<Vec<_>, _> = table.iter().map(|(name, app)| entry(name, app)).collect();
    entries.and_then(|entries| if entries.is_empty() { Err(Wrong::Empty) } else { Ok(entries) })
}

fn entry(name: &str, app: &Value) -> Result<Entry, Wrong> {
    let name = AppName::new(name).ok_or(Wrong::Name)?;
    match read(app, &name) {
        Ok((client_id, secret, redirect_uri)) => {
            Ok(Entry { name, client_id, secret, redirect_uri })
        }
        Err(why) => Err(Wrong::App(name, why)),
    }
}

fn read(app: &Value, name: &AppName) -> Result<(String, Place, Option<String>), String> {
    if name.as_str() == DEFAULT {
        return Err("is the name for the usual client id and secret; take another".to_owned());
    }
    let app = app.as_table().ok_or("is no table; an app is one such as [crm]")?;
    app.keys().try_for_each(|key| check_key(key))?;
    let client_id = text(app, CLIENT_ID)?.ok_or("client_id is missing")?;
    if is_uuid(&client_id) {
        return Err("client_id is a UUID, as client secrets are: are the two swapped?".to_owned());
    }
    let secret = match (text(app, SECRET_ENV)?, text(app, SECRET_FILE)?) {
        (Some(variable), None) if is_variable(&variable) => Place::Variable(variable),
        (Some(_), None) => {
            return Err(
                "client_secret_env is no name of an environment variable; the secret itself \
                        must not stand in this file"
                    .to_owned(),
            );
        }
        (None, Some(file)) => Place::File(file.into()),
        _ => return Err("give one of client_secret_env and client_secret_file".to_owned()),
    };
    Ok((client_id, secret, text(app, REDIRECT_URI)?))
}

fn check_key(key: &str) -> Result<(), String> {
    let known = [CLIENT_ID, SECRET_ENV, SECRET_FILE, REDIRECT_URI];
    if known.contains(&key) {
        return Ok(());
    }
    if key.to_ascii_lowercase().contains("secret") {
        return Err(
            "the secret itself must not stand in this file: name the environment variable \
                    that has it with client_secret_env, or a file with client_secret_file"
                .to_owned(),
        );
    }
    Err(format!("has a key that is not known; those are {}", known.join(", ")))
}

fn text(app: &Table, key: &str) -> Result<Option<String>, String> {
    match app.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("{key} is no text, or an empty one")),
    }
}

fn is_variable(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";

    #[test]
    fn an_app_has_a_client_id_and_says_where_its_secret_is() {
        let text = "\u{feff}[\"My CRM\"]\nclient_id = 'id-b'\nclient_secret_file = 'b.txt'\n\
                    redirect_uri = 'https://b.example/cb'\n\
                    [crm]\nclient_id = 'id-a'\nclient_secret_env = 'A_SECRET'\n";
        let name = |name| AppName::new(name).unwrap();
        let expected = [
            Entry {
                name: name("My CRM"),
                client_id: "id-b".into(),
                secret: Place::File("b.txt".into()),
                redirect_uri: Some("https://b.example/cb".into()),
            },
            Entry {
                name: name("crm"),
                client_id: "id-a".into(),
                secret: Place::Variable("A_SECRET".into()),
                redirect_uri: None,
            },
        ];
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_used_is_named_and_no_value_is_shown() {
        let app = |lines: &str| format!("[crm]\nclient_id = 'id-a'\n{lines}\n");
        for (text, says) in [
            (String::new(), "no app in it"),
            (format!("[crm]\nclient_id = {SECRET}\n"), "line 2 is not TOML"),
            (format!("client_secret = '{SECRET}'\n"), "no table"),
            (app(&format!("client_secret = '{SECRET}'")), "[crm]: the secret itself must not"),
            (app(&format!("clientSecret = '{SECRET}'")), "[crm]: the secret itself must not"),
            (
                app(&format!("client_secret_env = '{SECRET}'")),
                "[crm]: client_secret_env is no name",
            ),
            (app(&format!("key = '{SECRET}'")), "[crm]: has a key that is not known"),
            (app(&format!("{} = 1", &SECRET[..8])), "[crm]: has a key that is not known"),
            (app(""), "[crm]: give one of"),
            (app("client_secret_env = 'A'\nclient_secret_file = 'a'"), "[crm]: give one of"),
            (app("client_secret_env = 5"), "[crm]: client_secret_env is no text"),
            ("[crm]\nclient_secret_env = 'A'\n".into(), "[crm]: client_id is missing"),
            (
                format!("[crm]\nclient_id = '{SECRET}'\nclient_secret_env = 'A'\n"),
                "[crm]: client_id is a UUID",
            ),
            (
                "[default]\nclient_id = 'a'\nclient_secret_env = 'A'\n".into(),
                "[default]: is the name",
            ),
            ("[\"a\\nb\"]\nclient_id = 'a'\n".into(), "a table has a name"),
            ("crm = 'id-a'\n".into(), "[crm]: is no table"),
        ] {
            let wrong = parse(&text).unwrap_err().to_string();
            assert!(wrong.contains(says), "{text}\n{wrong}");
            assert!(!wrong.contains(&SECRET[..8]), "{wrong}");
        }
    }
}
