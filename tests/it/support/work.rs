//! A test's work directory, and the program to be started in it.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    CLIENT_ID, CLIENT_SECRET, Ran, entries, finish,
    turns::{Kind, Turn},
};

/// A work directory of a test's own, gone afterwards. A thread has one at a time.
pub(crate) struct Work {
    folder: TempDir,
    _turn: Turn,
}

impl Work {
    /// A directory for a test that may run beside others.
    pub(crate) fn new() -> Self {
        Self::with(Turn::take(Kind::Busy))
    }

    /// A directory for a test that measures times.
    pub(crate) fn timed() -> Self {
        Self::with(Turn::take(Kind::Timed))
    }

    /// In memory where there is such a place: there a sync costs nothing, and whatever else the
    /// machine writes holds up no test.
    fn with(turn: Turn) -> Self {
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.unwrap(), _turn: turn }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Names of everything in it.
    pub(crate) fn entries(&self) -> BTreeSet<String> {
        entries(self.folder.path())
    }

    /// The program with arguments of the test's own, and nothing else.
    pub(crate) fn program<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        Run {
            home: self.folder.path().to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            input: None,
            out: self.path("run"),
        }
    }

    /// `run LIST` against a mock server, with good credentials, unpaced.
    pub(crate) fn run(&self, list: impl AsRef<OsStr>, base_url: &str) -> Run {
        self.run_into("run", list, base_url)
    }

    /// The same into another folder.
    pub(crate) fn run_into(&self, out: &str, list: impl AsRef<OsStr>, base_url: &str) -> Run {
        let mut run = self
            .program([OsStr::new("run"), list.as_ref()])
            .args(["--base-url", base_url, "--rate", "unlimited", "--out"])
            .arg(self.path(out))
            .credentials();
        run.out = self.path(out);
        run
    }

    /// `resume` of the run in the usual folder.
    pub(crate) fn resume(&self, base_url: &str) -> Run {
        let mut run = self
            .program([OsStr::new("resume"), self.path("run").as_os_str()])
            .args(["--base-url", base_url, "--rate", "unlimited"])
            .credentials();
        run.out = self.path("run");
        run
    }

    /// What a process left that a test started itself, in the usual folder.
    pub(crate) fn end(&self, child: std::process::Child) -> Ran {
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            folder: self.path("run"),
        }
    }

    /// `run LIST --sandbox`: against the embedded sandbox.
    pub(crate) fn rehearse(&self, list: impl AsRef<OsStr>) -> Run {
        self.program([OsStr::new("run"), list.as_ref()])
            .args(["--sandbox", "--rate", "unlimited", "--out"])
            .arg(self.path("run"))
    }
}

/// The program about to be started, in an environment that has nothing of the test's.
pub(crate) struct Run {
    home: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    input: Option<Vec<u8>>,
    out: PathBuf,
}

impl Run {
    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Without the run folder of the work directory.
    pub(crate) fn without_out(mut self) -> Self {
        let own = self.out.clone().into_os_string();
        let place = self.args.iter().position(|arg| *arg == own).unwrap();
        self.args.drain(place - 1..=place);
        self
    }

    /// Another rate than none.
    pub(crate) fn rate(mut self, rate: &str) -> Self {
        let place = self.args.iter().position(|arg| arg == "unlimited").unwrap();
        self.args[place] = rate.into();
        self
    }

    pub(crate) fn credentials(self) -> Self {
        self.env("GHL_CLIENT_ID", CLIENT_ID).env("GHL_CLIENT_SECRET", CLIENT_SECRET)
    }

    pub(crate) fn without_credentials(mut self) -> Self {
        self.env.clear();
        self
    }

    /// Standard input; without it there is none.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// The command as the standard library has it, for tests that hold its pipes.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(program());
        command.args(&self.args).env_clear().current_dir(&self.home);
        command.env("HOME", &self.home).envs(kept_environment());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    pub(crate) fn go(self) -> Ran {
        let output = finish(&mut self.command(), self.input.unwrap_or_default());
        Ran {
            code: output.status.code().expect("it ends by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            folder: self.out,
        }
    }
}

/// The program under test.
pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_ghl-reconnect")
}

/// What a process cannot do without.
fn kept_environment() -> impl Iterator<Item = (&'static str, OsString)> {
    ["PATH", "SystemRoot", "TMPDIR", "TEMP"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)))
}
