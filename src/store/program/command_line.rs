//! Which program is meant, and whether it can be started.

use std::{
    env,
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::highlevel::token_shape::holds_token;

/// A program with its arguments. No secret belongs there: every user of the machine can see them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommandLine {
    program: String,
    arguments: Vec<String>,
}

/// Why a command line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandLineError {
    /// There is none.
    #[error("no program is named")]
    Empty,
    /// It cannot be split into words.
    #[error("a quote is not closed")]
    Unclosed,
    /// A secret is among its words.
    #[error(
        "an argument of {0} has a password or a token in it, which every user of this machine could see: put it into the environment"
    )]
    Secret(String),
    /// No such file.
    #[error("{0}: no such program, neither as a file nor in PATH")]
    Missing(String),
    /// A file of this folder, which is not in PATH.
    #[error("{0} is not in PATH: write ./{0} for the file in this folder")]
    Here(String),
    /// A file that is no program.
    #[error("{0} is not executable: chmod +x it, or name the program that runs it first")]
    NotExecutable(String),
}

impl CommandLine {
    /// Takes the words of a mapping file: `["node", "encrypt.mjs"]`.
    pub fn of(words: &[String]) -> Result<Self, CommandLineError> {
        match words {
            [program, arguments @ ..] if arguments.iter().any(|word| holds_token(word)) => {
                Err(CommandLineError::Secret(program.clone()))
            }
            [program, arguments @ ..] if !program.is_empty() => {
                Ok(Self { program: program.clone(), arguments: arguments.to_vec() })
            }
            _ => Err(CommandLineError::Empty),
        }
    }

    /// Takes what follows `exec:`: the path of a program, blanks included, or a program with arguments
    /// in the quoting of a shell.
    pub fn parse(text: &str) -> Result<Self, CommandLineError> {
        let text = text.trim();
        let file = Path::new(text);
        if file.is_file() {
            let file = if has_folder(file) { file.to_owned() } else { Path::new(".").join(file) };
            return Self::of(&[file.display().to_string()]);
        }
        Self::of(&shlex::split(text).ok_or(CommandLineError::Unclosed)?)
    }

    /// Its arguments.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Looks for the program without starting it.
    pub fn find(&self) -> Result<PathBuf, CommandLineError> {
        self.find_in(env::var_os("PATH").as_deref())
    }

    fn find_in(&self, path: Option<&OsStr>) -> Result<PathBuf, CommandLineError> {
        let program = Path::new(&self.program);
        let folders: Vec<PathBuf> = if has_folder(program) {
            vec![PathBuf::new()]
        } else {
            path.map(|path| env::split_paths(path).collect()).unwrap_or_default()
        };
        let files = || folders.iter().flat_map(|folder| candidates(&folder.join(program)));
        if let Some(found) = files().find(|file| is_executable(file)) {
            return Ok(found);
        }
        Err(match files().find(|file| file.is_file()) {
            Some(file) => CommandLineError::NotExecutable(file.display().to_string()),
            None if program.is_file() => CommandLineError::Here(self.program.clone()),
            None => CommandLineError::Missing(self.program.clone()),
        })
    }
}

/// Whether a program is named by its place; else it is looked for in PATH.
fn has_folder(program: &Path) -> bool {
    program.components().count() > 1 || program.has_root()
}

/// For messages: the program and the script that it runs. Other arguments may be anybody's business.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        let script = self.arguments.iter().find(|argument| Path::new(argument).is_file());
        script.map_or(Ok(()), |script| write!(f, " {script}"))
    }
}

#[cfg(unix)]
fn candidates(file: &Path) -> Vec<PathBuf> {
    vec![file.to_owned()]
}

#[cfg(not(unix))]
fn candidates(file: &Path) -> Vec<PathBuf> {
    let with = |extension: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    ["", ".exe", ".cmd", ".bat"].into_iter().map(with).collect()
}

fn is_executable(file: &Path) -> bool {
    let Ok(metadata) = fs::metadata(file) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    metadata.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> CommandLine {
        CommandLine::of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_command_line_is_read_as_a_shell_reads_it() {
        assert_eq!(CommandLine::parse("node 'my file.mjs'"), Ok(words(&["node", "my file.mjs"])));
        assert_eq!(CommandLine::parse("node 'x"), Err(CommandLineError::Unclosed));
        assert_eq!(CommandLine::parse(" "), Err(CommandLineError::Empty));
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a program");
        fs::write(&path, "").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(CommandLine::parse(path), Ok(words(&[path])));
    }

    #[test]
    fn a_password_among_the_arguments_is_refused_and_none_is_shown() {
        let refused = CommandLine::parse("env REDIS_URL=redis://:hunter2@localhost helper");
        assert_eq!(refused, Err(CommandLineError::Secret("env".into())));
        assert_eq!(words(&["sh", "-c", "echo"]).to_string(), "sh");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(words(&["sh", "-x", script]).to_string(), format!("sh {script}"));
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_found_only_where_it_can_be_started() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("helper");
        let path = Some(place.path().as_os_str());
        assert_eq!(
            words(&["helper"]).find_in(path),
            Err(CommandLineError::Missing("helper".into()))
        );
        fs::write(&file, "").unwrap();
        let named = file.display().to_string();
        for program in ["helper", &named] {
            let found = words(&[program]).find_in(path);
            assert_eq!(found, Err(CommandLineError::NotExecutable(named.clone())));
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        for program in ["helper", &named] {
            assert_eq!(words(&[program]).find_in(path), Ok(file.clone()));
        }
        assert!(words(&["helper"]).find_in(None).is_err());
    }
}
