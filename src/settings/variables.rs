//! The variables that stand for options and secrets, from the environment and from `--env-file`.

use std::{collections::HashMap, env, path::Path};

use super::{agency_tokens, args::RunArgs, env_file};

/// Stands for `--client-id`.
pub const CLIENT_ID: &str = "GHL_CLIENT_ID";
/// Has the client secret.
pub const CLIENT_SECRET: &str = "GHL_CLIENT_SECRET";
/// Stands for `--redirect-uri`.
pub const REDIRECT_URI: &str = "GHL_REDIRECT_URI";
/// Stands for `--base-url`.
pub const BASE_URL: &str = "GHL_BASE_URL";
/// Has an agency's token.
pub const AGENCY_TOKEN: &str = agency_tokens::VARIABLE;

/// The variables, with those of a file before those of the environment.
#[derive(Default)]
pub struct Variables {
    environment: HashMap<String, String>,
    file: HashMap<String, String>,
}

impl Variables {
    /// Reads the environment, and the file if there is one.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let environment = [CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, BASE_URL, AGENCY_TOKEN]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), env::var(name).ok()?)))
            .collect();
        let file = file.map(env_file::read).transpose()?.unwrap_or_default();
        Ok(Self { environment, file })
    }

    /// The variables for a new run; for a rehearsal, none.
    pub fn of_run(args: &RunArgs) -> anyhow::Result<Self> {
        if args.execution.rehearsal.sandbox {
            Ok(Self::default())
        } else {
            Self::read(args.execution.app.env_file.as_deref())
        }
    }

    /// A variable by which an engine numbers its tasks, where it is set to something.
    pub fn of_engine(name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }

    /// One of the program's own variables that is set to something.
    pub fn get(&self, name: &str) -> Option<String> {
        let set = |variables: &HashMap<String, String>| {
            variables.get(name).filter(|value| !value.is_empty()).cloned()
        };
        set(&self.file).or_else(|| set(&self.environment))
    }

    /// Any variable that is set to something.
    pub fn get_any(&self, name: &str) -> Option<String> {
        self.get(name).or_else(|| env::var(name).ok().filter(|value| !value.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_goes_before_the_environment_and_an_empty_value_is_none() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let variables = Variables {
            environment: map(&[("A", "environment"), ("B", "environment")]),
            file: map(&[("A", "file"), ("B", "")]),
        };
        assert_eq!(variables.get("A").as_deref(), Some("file"));
        assert_eq!(variables.get("B").as_deref(), Some("environment"));
        assert_eq!(variables.get("C"), None);
    }
}
