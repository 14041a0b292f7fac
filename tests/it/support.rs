//! What the tests share: a work directory, stand-ins, the program, and the check that every run
//! has to pass.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap},
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use ghl_reconnect::{
    checksum::Checksum,
    installation::Scope,
    sandbox::{AuditReport, FaultPlan, InstalledLocation, Options, Sandbox, Step},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::schemas;

/// A client id of the right shape.
pub(crate) const CLIENT_ID: &str = "66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef";

/// A client secret of the right shape.
pub(crate) const CLIENT_SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";

/// A program that is not done by then is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Tests share it; a test of times has it alone, so that no other test's work shifts its times.
static TURN: RwLock<()> = RwLock::new(());

/// Held while a test works; nobody looks at it.
struct Turn {
    _shared: Option<RwLockReadGuard<'static, ()>>,
    _alone: Option<RwLockWriteGuard<'static, ()>>,
}

thread_local! {
    /// Whether this thread has a work directory.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// A second turn would wait for a test that waits for the first one, for ever.
fn take_turn() {
    assert!(!AT_WORK.replace(true), "a test has one work directory at a time: drop the first");
}

impl Drop for Turn {
    fn drop(&mut self) {
        AT_WORK.set(false);
    }
}

/// A work directory of a test's own, gone afterwards. A thread has one at a time.
pub(crate) struct Work {
    folder: TempDir,
    _turn: Turn,
}

impl Work {
    /// A directory for a test that may run beside others.
    pub(crate) fn new() -> Self {
        take_turn();
        let turn = TURN.read().unwrap_or_else(PoisonError::into_inner);
        Self::with(Turn { _shared: Some(turn), _alone: None })
    }

    /// A directory for a test that measures times, or that no other may disturb.
    pub(crate) fn undisturbed() -> Self {
        take_turn();
        let turn = TURN.write().unwrap_or_else(PoisonError::into_inner);
        Self::with(Turn { _shared: None, _alone: Some(turn) })
    }

    fn with(turn: Turn) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), _turn: turn }
    }

    /// A directory where a sync costs nothing, for a test that makes thousands; undisturbed.
    pub(crate) fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        let mut work = Self::undisturbed();
        if memory.is_dir() {
            work.folder = tempfile::tempdir_in(memory).unwrap();
        }
        work
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

    /// `run LIST` against a stand-in, with good credentials, unpaced.
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

    /// `run LIST --sandbox`: against the embedded stand-in.
    pub(crate) fn rehearse(&self, list: impl AsRef<OsStr>) -> Run {
        self.program([OsStr::new("run"), list.as_ref()])
            .args(["--sandbox", "--rate", "unlimited", "--out"])
            .arg(self.path("run"))
    }
}

pub(crate) fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A list of the repository.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The id of the n-th made-up sub-account.
pub(crate) fn location(n: usize) -> String {
    format!("Loc{n:017}")
}

/// The id of the n-th made-up agency.
pub(crate) fn company(n: usize) -> String {
    format!("Com{n:017}")
}

/// A CSV of so many sub-accounts, from 0.
pub(crate) fn locations(count: usize) -> String {
    (0..count).fold("location_id\n".to_owned(), |csv, n| csv + &location(n) + "\n")
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
        let mut command = assert_cmd::Command::from_std(self.command());
        let command = command.timeout(STUCK).write_stdin(self.input.unwrap_or_default());
        let output = command.output().unwrap();
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

/// A line of a CSV file by its column names.
pub(crate) type Row = BTreeMap<String, String>;

/// What a run left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) folder: PathBuf,
}

impl Ran {
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// First line of a file.
    pub(crate) fn header(&self, name: &str) -> String {
        self.text(name).lines().next().unwrap_or_default().to_owned()
    }

    pub(crate) fn results(&self) -> Vec<Row> {
        rows(&self.file("results.csv"))
    }

    pub(crate) fn failures(&self) -> Vec<Row> {
        rows(&self.file("failures.csv"))
    }

    pub(crate) fn rejected(&self) -> Vec<Row> {
        rows(&self.file("rejected.csv"))
    }

    pub(crate) fn summary(&self) -> Value {
        serde_json::from_str(&self.text("summary.json")).unwrap()
    }

    pub(crate) fn tokens(&self) -> Vec<Value> {
        lines(&self.file("tokens.jsonl"))
    }

    /// Nothing where there is no such file.
    pub(crate) fn quarantine(&self) -> Vec<Value> {
        let file = self.file("quarantine.jsonl");
        if file.exists() { lines(&file) } else { Vec::new() }
    }

    pub(crate) fn journal(&self) -> Vec<Value> {
        lines(&self.file("journal.jsonl"))
    }

    /// The journal's events of a kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        self.journal().iter().filter_map(|event| event.get(kind).cloned()).collect()
    }

    /// The line of an installation in `results.csv`.
    pub(crate) fn result(&self, id: &str) -> Row {
        let found = self.results().into_iter().find(|row| row["id"] == id);
        found.unwrap_or_else(|| panic!("{id} is in results.csv"))
    }

    /// How many lines of `results.csv` have this status.
    pub(crate) fn count(&self, status: &str) -> usize {
        self.results().iter().filter(|row| row["status"] == status).count()
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// What a run promises whatever happened to it; see the functions below. The witness is the
    /// stand-in that it ran against.
    #[track_caller]
    pub(crate) fn assert_sound(&self, witness: &impl Witness) {
        self.assert_sound_after_kills(witness);
        let testimony = witness.testimony();
        if let Some(arrived) = testimony.arrived {
            let calls = &self.summary()["calls"];
            let told = [&calls["reconnect"], &calls["exchange"]].map(|n| n.as_u64().unwrap());
            let before = testimony.arrived_before;
            let arrived = [arrived[0] - before[0], arrived[1] - before[1]];
            assert_eq!(told, arrived, "reconnects and exchanges by the journal, and arrived");
        }
    }

    /// The same without the count of calls: those in flight at a kill are in no journal.
    #[track_caller]
    pub(crate) fn assert_sound_after_kills(&self, witness: &impl Witness) {
        let testimony = witness.testimony();
        schemas::assert_follows(self);
        self.assert_books_balance();
        self.assert_tokens_are_the_last_granted(&testimony);
        self.assert_secrets_stay_in_their_files(&testimony);
        self.assert_private();
        assert_eq!(testimony.presented_twice, [""; 0], "codes presented more than once");
    }

    #[track_caller]
    pub(crate) fn assert_books_balance(&self) {
        let (summary, results) = (self.summary(), self.results());
        let count = |status: &str| results.iter().filter(|row| row["status"] == status).count();
        let rejected = self.rejected().len();
        let duplicate = self.events("duplicate").len();
        let books = &summary["books"];
        for (name, counted) in [
            ("recovered", count("recovered")),
            ("skipped", count("skipped")),
            ("failed", count("failed")),
            ("not_attempted", count("not_attempted")),
            ("rejected", rejected),
            ("duplicate", duplicate),
            ("input", results.len() + rejected + duplicate),
        ] {
            assert_eq!(books[name], counted, "books: {name}");
        }
        assert_eq!(summary["books_balance"], true);
        assert_eq!(summary["exit_code"], self.code);
        let open = count("failed") + count("not_attempted");
        assert_eq!(self.failures().len(), open, "lines of failures.csv");
    }

    #[track_caller]
    fn assert_tokens_are_the_last_granted(&self, testimony: &Testimony) {
        let text = |document: &Value, field: &str| document[field].as_str().unwrap().to_owned();
        let mut kept = BTreeSet::new();
        for document in self.tokens() {
            let id = text(&document, "resourceId");
            let who = (text(&document, "userType").to_lowercase(), id.clone());
            let live = testimony.live.get(&who).expect("it was granted");
            assert_eq!(text(&document, "access_token"), live.0, "the last live pair of {who:?}");
            // An answer may lack it.
            if let Some(refresh) = document["refresh_token"].as_str() {
                assert_eq!(refresh, live.1, "the last live pair of {who:?}");
            }
            assert!(kept.insert(who), "one line for {id}");
        }
        let recovered = self.results().into_iter().filter(|row| row["status"] == "recovered");
        let recovered: BTreeSet<_> =
            recovered.map(|row| (row["scope"].clone(), row["id"].clone())).collect();
        assert_eq!(kept, recovered, "installations in tokens.jsonl, and recovered ones");
    }

    #[track_caller]
    fn assert_secrets_stay_in_their_files(&self, testimony: &Testimony) {
        let everywhere = testimony.codes.iter().map(String::as_str).chain([CLIENT_SECRET]);
        let everywhere: Vec<&str> = everywhere.collect();
        let tokens: Vec<&str> = testimony.tokens.iter().map(String::as_str).collect();
        for name in entries(&self.folder) {
            let text = String::from_utf8_lossy(&fs::read(self.file(&name)).unwrap()).into_owned();
            assert_holds_none(&name, &text, &everywhere);
            if !matches!(name.as_str(), "tokens.jsonl" | "quarantine.jsonl") {
                assert_holds_none(&name, &text, &tokens);
            }
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            assert_holds_none(name, text, &everywhere);
            assert_holds_none(name, text, &tokens);
        }
    }

    #[cfg(unix)]
    #[track_caller]
    fn assert_private(&self) {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&self.folder), 0o700, "mode of the run folder");
        for name in entries(&self.folder) {
            assert_eq!(mode(&self.file(&name)), 0o600, "mode of {name}");
        }
    }

    #[cfg(not(unix))]
    fn assert_private(&self) {}
}

#[track_caller]
fn assert_holds_none(name: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(!text.contains(secret), "{name} holds a secret: {secret}");
    }
}

/// The lines of a CSV file.
pub(crate) fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// The lines of a JSON lines file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A line of a journal with its checksum, from the plain event.
pub(crate) fn sealed(event: &str) -> String {
    let body = event.strip_suffix('}').unwrap();
    format!("{body},\"checksum\":\"{}\"}}", Checksum::of(body.as_bytes()))
}

/// The plain event of a line of a journal.
pub(crate) fn unsealed(line: &str) -> String {
    let (body, _) = line.rsplit_once(",\"checksum\":").unwrap();
    format!("{body}}}")
}

/// Starts a program whose output the test reads.
pub(crate) fn start(mut command: std::process::Command) -> std::process::Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal, `-INT` say.
#[cfg(unix)]
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until something holds; what never does is a failure.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Who knows from the other side what a run did.
pub(crate) trait Witness {
    fn testimony(&self) -> Testimony;
}

/// Nobody: for runs that got no tokens.
pub(crate) struct Nobody;

impl Witness for Nobody {
    fn testimony(&self) -> Testimony {
        Testimony::default()
    }
}

/// The run's own word on its tokens, where the stand-in was inside the program: leaks show, wrong
/// tokens do not.
pub(crate) struct OwnWord<'a>(pub(crate) &'a Ran);

impl Witness for OwnWord<'_> {
    fn testimony(&self) -> Testimony {
        let mut testimony = Testimony::default();
        for document in self.0.tokens() {
            let text = |field: &str| document[field].as_str().unwrap().to_owned();
            let pair = (text("access_token"), text("refresh_token"));
            testimony.tokens.extend([pair.0.clone(), pair.1.clone()]);
            testimony.live.insert((text("userType").to_lowercase(), text("resourceId")), pair);
        }
        testimony
    }
}

/// What a stand-in saw and gave.
#[derive(Default)]
pub(crate) struct Testimony {
    /// Every code that was handed out.
    pub(crate) codes: Vec<String>,
    /// Every token that was handed out.
    pub(crate) tokens: Vec<String>,
    pub(crate) presented_twice: Vec<String>,
    /// The last live pair of each (scope, id).
    pub(crate) live: HashMap<(String, String), (String, String)>,
    /// Reconnects and exchanges, where they are counted.
    pub(crate) arrived: Option<[u64; 2]>,
    /// How many of them belong to earlier runs.
    pub(crate) arrived_before: [u64; 2],
}

/// The sandbox, inside the test, so that its audit is read without a detour.
pub(crate) struct StandIn {
    runtime: Runtime,
    sandbox: Option<Sandbox>,
    counted: [u64; 2],
}

impl StandIn {
    pub(crate) fn good() -> Self {
        Self::with(Options::default())
    }

    /// With a fault file's JSON.
    pub(crate) fn faulty(faults: &Value) -> Self {
        Self::with(Options { faults: plan(faults), ..Options::default() })
    }

    /// The same, with codes and tokens of its own.
    pub(crate) fn seeded(faults: &Value, seed: u64) -> Self {
        Self::with(Options { faults: plan(faults), seed, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        Self { runtime, sandbox: Some(sandbox), counted: [0; 2] }
    }

    fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.sandbox().base_url()
    }

    pub(crate) fn audit(&self) -> AuditReport {
        self.sandbox().audit()
    }

    pub(crate) fn requests(&self) -> usize {
        self.sandbox().counts().requests
    }

    /// An agency has the app in a location.
    pub(crate) fn list_location(&self, id: &str, company: &str) {
        self.sandbox().list(vec![InstalledLocation::new(id, company)]);
    }

    pub(crate) fn set_faults(&self, faults: &Value) {
        self.sandbox().set_faults(plan(faults));
    }

    /// From here on calls count for the next run.
    pub(crate) fn next_run(&mut self) {
        let counts = self.sandbox().counts();
        self.counted = [counts.reconnects as u64, counts.exchanges as u64];
    }

    /// Reconnects and exchanges of one installation.
    pub(crate) fn calls_for(&self, id: &str) -> [usize; 2] {
        let audit = self.audit();
        let seen = audit.requests_for(id);
        [Step::Reconnect, Step::Exchange]
            .map(|step| seen.iter().filter(|request| request.step == step).count())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.runtime.block_on(sandbox.stop());
        }
    }
}

fn plan(faults: &Value) -> FaultPlan {
    FaultPlan::from_json(faults.to_string().as_bytes()).unwrap()
}

impl Witness for StandIn {
    fn testimony(&self) -> Testimony {
        let audit = self.audit();
        let mut live = HashMap::new();
        for pair in &audit.grants {
            if audit.granted(&pair.id).is_some_and(|last| last.access_token == pair.access_token) {
                let who = (scope_name(pair.scope), pair.id.clone());
                live.insert(who, (pair.access_token.clone(), pair.refresh_token.clone()));
            }
        }
        let pairs = audit.grants.iter().map(|p| [p.access_token.clone(), p.refresh_token.clone()]);
        Testimony {
            codes: audit.codes.iter().map(|code| code.code.clone()).collect(),
            tokens: pairs.flatten().collect(),
            presented_twice: audit.codes_presented_twice().into_iter().map(Into::into).collect(),
            live,
            arrived: Some([Step::Reconnect, Step::Exchange].map(|step| audit.calls(step) as u64)),
            arrived_before: self.counted,
        }
    }
}

fn scope_name(scope: Scope) -> String {
    scope.to_string()
}
