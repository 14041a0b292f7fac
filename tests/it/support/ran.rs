//! What a run left, and the check that every run has to pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{CLIENT_SECRET, Observed, Observer, entries, lines, rows};
use crate::schemas;

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

    /// What a run promises whatever happened to it; see the functions below. The server is the
    /// mock server that it ran against.
    #[track_caller]
    pub(crate) fn assert_sound(&self, server: &impl Observer) {
        self.assert_sound_after_kills(server);
        let observed = server.observed();
        if let Some(arrived) = observed.arrived {
            let calls = &self.summary()["calls"];
            let told = [&calls["reconnect"], &calls["exchange"]].map(|n| n.as_u64().unwrap());
            let before = observed.arrived_before;
            let arrived = [arrived[0] - before[0], arrived[1] - before[1]];
            assert_eq!(told, arrived, "reconnects and exchanges by the journal, and arrived");
        }
    }

    /// The same without the count of calls: those in flight at a kill are in no journal.
    #[track_caller]
    pub(crate) fn assert_sound_after_kills(&self, server: &impl Observer) {
        let observed = server.observed();
        schemas::assert_follows(self);
        self.assert_books_balance();
        self.assert_tokens_are_the_last_granted(&observed);
        self.assert_secrets_stay_in_their_files(&observed);
        self.assert_private();
        assert_eq!(observed.presented_twice, [""; 0], "codes presented more than once");
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
        let not_due = self.events("not_due").len();
        assert_eq!(summary["list"]["not_due"], not_due);
        let open = count("failed") + count("not_attempted") + not_due;
        assert_eq!(self.failures().len(), open, "lines of failures.csv");
    }

    #[track_caller]
    fn assert_tokens_are_the_last_granted(&self, observed: &Observed) {
        let text = |document: &Value, field: &str| document[field].as_str().unwrap().to_owned();
        let mut kept = BTreeSet::new();
        for document in self.tokens() {
            let id = text(&document, "resourceId");
            let who = (text(&document, "userType").to_lowercase(), id.clone());
            let live = observed.live.get(&who).expect("it was granted");
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
    fn assert_secrets_stay_in_their_files(&self, observed: &Observed) {
        let everywhere = observed.codes.iter().map(String::as_str).chain([CLIENT_SECRET]);
        let everywhere: Vec<&str> = everywhere.collect();
        let tokens: Vec<&str> = observed.tokens.iter().map(String::as_str).collect();
        for name in entries(&self.folder) {
            let text = String::from_utf8_lossy(&fs::read(self.file(&name)).unwrap()).into_owned();
            assert_holds_none(&name, &text, &everywhere);
            if !matches!(name.as_str(), "tokens.jsonl" | "quarantine.jsonl" | "replaced.jsonl") {
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
