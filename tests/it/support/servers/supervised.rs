//! A server with a folder of its own, both gone with the test process however that ends.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use super::find::{run, unprivileged};
use crate::support::Launch;

/// The parent of the server. It lives until its input ends, which it does when the test process is
/// dead: then it ends the server and removes the folder.
const SUPERVISOR: &str = r#"
folder=$1 ending=$2; shift 2
trap : INT TERM HUP
server=
end() {
    [ -n "$server" ] || return 0
    kill "-$1" "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    server=
}
while read -r word; do
    case $word in
        start) "$@" </dev/null >>"$folder/log" 2>&1 & server=$!;;
        kill) end KILL;;
    esac
    echo "$word"
done
end "$ending"
# What a killed PostgreSQL leaves in the memory of the system.
shared=$(sed -n '7s/.* //p' "$folder/data/postmaster.pid" 2>/dev/null)
[ -z "$shared" ] || ipcrm -m "$shared" 2>/dev/null
rm -rf "$folder"
"#;

/// A server's process and folder.
pub(super) struct Supervised {
    folder: PathBuf,
    /// The words that start a program as the server's user.
    as_user: Vec<OsString>,
    supervisor: Mutex<Supervisor>,
}

struct Supervisor {
    shell: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Supervised {
    /// A folder that the server may use. The command is run by [`Self::start`]; `ending` is the
    /// signal that ends it.
    pub(super) fn new(ending: &str, command: impl FnOnce(&Path) -> Vec<OsString>) -> Self {
        let memory = Path::new("/dev/shm");
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("ghl-reconnect-test-server-");
        let folder =
            if memory.is_dir() { folder.tempdir_in(memory) } else { folder.tempdir() }.unwrap();
        let as_user = unprivileged(folder.path());
        let mut shell = Command::new("sh");
        shell.args(["-c", SUPERVISOR, "sh"]).arg(folder.path()).arg(ending);
        shell.args(&as_user).args(command(folder.path()));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A Ctrl-C in the terminal is for the test process.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut shell, 0);
        let mut shell = shell.launch();
        let words = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().unwrap());
        let supervisor = Mutex::new(Supervisor { shell, words, answers });
        Self { folder: folder.keep(), as_user, supervisor }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a program that prepares the folder, as the user of the server.
    #[track_caller]
    pub(super) fn prepare(&self, command: Vec<OsString>) {
        self.hand_over();
        let mut words = self.as_user.iter().cloned().chain(command);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir(&self.folder);
        run(&mut command);
    }

    /// Starts the server and waits until it is ready.
    #[track_caller]
    pub(super) fn start(&self, is_ready: impl Fn() -> bool) {
        self.hand_over();
        let begun = Instant::now();
        self.say("start");
        while !is_ready() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(30), "no server:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes everything in the folder the server's, where root made it.
    fn hand_over(&self) {
        if !self.as_user.is_empty() {
            run(Command::new("chmod").arg("755").arg(&self.folder));
            run(Command::new("chown").args(["-R", "65534:65534"]).arg(&self.folder));
        }
    }

    /// Kills the server, without a warning.
    pub(super) fn kill(&self) {
        self.say("kill");
    }

    fn say(&self, word: &str) {
        let mut supervisor = self.supervisor.lock().unwrap();
        writeln!(supervisor.words.as_mut().unwrap(), "{word}").unwrap();
        let mut answer = String::new();
        supervisor.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), word);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let mut supervisor = self.supervisor.lock().unwrap();
        drop(supervisor.words.take());
        let _ = supervisor.shell.wait();
    }
}
