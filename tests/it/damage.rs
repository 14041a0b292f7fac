//! A run folder that was damaged or touched: what is not as it was written is named, or asked for
//! anew, and never believed.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fastrand::Rng;
use ghl_reconnect::{
    event::Event,
    journal::{
        reader::{JournalError, Reader},
        state::RunState,
    },
    sandbox::Options,
};
use serde_json::json;

use crate::support::{MockServer, Ran, Work, entries, location, locations, wait_until};

/// A run with rows in every state, and the files that it left.
fn eventful(work: &Work) -> (MockServer, Ran, Vec<(PathBuf, Vec<u8>)>) {
    let server = MockServer::faulty(&json!({
        location(1): ["exchange:reset"],
        location(2): ["not_installed*"],
        location(3): ["exchange:wrong_tenant"],
    }));
    let list = work.file("list.csv", locations(8) + &location(0) + "\n?\n");
    let ran = work.run(list, &server.url()).go().expect(1);
    ran.assert_sound(&server);
    let files = entries(&ran.folder).into_iter().map(|name| ran.file(&name));
    let files: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    (server, ran, files)
}

fn restore(files: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

/// A file with one bit of it turned over.
fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Number of the line that a byte is in; 1 is the first.
fn line_at(bytes: &[u8], at: usize) -> u64 {
    bytes[..at].split(|byte| *byte == b'\n').count() as u64
}

fn events(journal: &Path) -> Vec<Event> {
    Reader::open(journal).unwrap().map_while(Result::ok).map(|(_, event)| event).collect()
}

#[test]
fn a_bit_that_turns_over_anywhere_in_the_journal_is_named_with_its_line() {
    let work = Work::new();
    let (_, ran, files) = eventful(&work);
    let journal = ran.file("journal.jsonl");
    let bytes = &files.iter().find(|(path, _)| *path == journal).unwrap().1;
    let whole = events(&journal);
    let damaged = work.path("damaged.jsonl");
    let mut random = Rng::with_seed(5);
    // Each byte once, with any of its bits.
    for at in 0..bytes.len() {
        let is_end = at + 1 == bytes.len();
        // The file is read as a whole each time: a sample of its bytes will do.
        if !is_end && random.u8(..) > 24 {
            continue;
        }
        fs::write(&damaged, flipped(bytes, at * 8 + random.usize(..8))).unwrap();
        match RunState::read(&damaged, |_| {}).err() {
            None if is_end => assert_eq!(events(&damaged), whole[..whole.len() - 1], "a torn line"),
            Some(JournalError::Damaged { line, .. }) => {
                assert_eq!(line, line_at(bytes, at), "byte {at}");
            }
            other => panic!("byte {at}: {other:?}"),
        }
    }
}

#[test]
fn a_damaged_journal_is_refused_by_every_command_and_nothing_is_sent() {
    let work = Work::new();
    let (server, ran, files) = eventful(&work);
    let journal = ran.file("journal.jsonl");
    let bytes = &files.iter().find(|(path, _)| *path == journal).unwrap().1;
    let calls = server.requests();
    let mut random = Rng::with_seed(7);
    for command in ["resume", "report", "status"].into_iter().cycle().take(18) {
        let at = random.usize(..bytes.len() - 1);
        fs::write(&journal, flipped(bytes, at * 8 + random.usize(..8))).unwrap();
        let run = match command {
            "resume" => work.resume(&server.url()).args(["--retry-failed"]),
            _ => work.program([command.as_ref(), ran.folder.as_os_str()]),
        };
        let said = run.go().expect(4).stderr;
        let place = format!("{}, line {}:", journal.display(), line_at(bytes, at));
        assert!(said.contains(&place), "{command}: {place}: {said}");
    }
    assert_eq!(server.requests(), calls);
}

#[test]
fn a_damaged_token_line_is_asked_for_anew_and_kept_apart() {
    let work = Work::new();
    let (server, ran, files) = eventful(&work);
    let tokens = ran.file("tokens.jsonl");
    let bytes = &files.iter().find(|(path, _)| *path == tokens).unwrap().1;
    let ids: HashSet<_> = (0..8).map(location).collect();
    let mut random = Rng::with_seed(11);
    for case in 0..24 {
        restore(&files);
        let at = random.usize(..bytes.len() - 1);
        let damaged = flipped(bytes, at * 8 + random.usize(..8));
        fs::write(&tokens, &damaged).unwrap();
        let calls = server.requests();
        if case % 4 == 0 {
            let report = work.program(["report".as_ref(), ran.folder.as_os_str()]).go().expect(4);
            let place = format!("{}, line {}:", tokens.display(), line_at(bytes, at));
            assert!(report.stderr.contains(&place), "{}", report.stderr);
            assert_eq!(fs::read(&tokens).unwrap(), damaged, "nothing was changed");
        }
        let again = work.resume(&server.url()).go().expect(1);
        again.assert_books_balance();
        assert!(again.stderr.contains("asked for anew"), "byte {at}: {}", again.stderr);
        assert!(again.stderr.contains("line "), "byte {at}: {}", again.stderr);
        assert_eq!(again.count("recovered"), 6, "byte {at}");
        let audit = server.audit();
        let asked = audit.requests[calls..].iter().filter_map(|request| request.id.clone());
        assert!(asked.clone().all(|id| ids.contains(&id)), "an id that is not in the list");
        assert!(asked.count() >= 2, "byte {at}: it was asked for");
        for document in again.tokens() {
            let id = document["resourceId"].as_str().unwrap();
            let granted = audit.grants.iter().filter(|pair| pair.id == id);
            let is_real = |token: &str, name: &str| document[name].as_str() == Some(token);
            let mut real = granted.filter(|pair| is_real(&pair.access_token, "access_token"));
            assert!(real.any(|pair| is_real(&pair.refresh_token, "refresh_token")), "byte {at}");
        }
        // The one of the wrong tenant, and what was damaged.
        assert!(again.quarantine().len() > 1, "byte {at}");
    }
}

#[test]
fn a_token_line_that_a_kill_left_without_its_event_is_believed_only_as_it_was_written() {
    let (work, server) = (Work::new(), MockServer::good());
    let list = work.file("list.csv", locations(3));
    let ran = work.run(list, &server.url()).args(["--concurrency", "1"]).go().expect(0);
    // Back to the moment at which the last pair was on disk and no event said so.
    let journal = ran.text("journal.jsonl");
    let end = journal.rfind("{\"recovered\"").unwrap();
    fs::write(ran.file("journal.jsonl"), &journal[..end]).unwrap();
    let tokens = ran.text("tokens.jsonl");
    let (first_two, third) = tokens.trim_end().rsplit_once('\n').unwrap();
    let changed = third.replacen("\"access_token\":\"", "\"access_token\":\"X", 1);
    for (line, calls) in [(&*changed, 2), (third, 0)] {
        fs::write(ran.file("journal.jsonl"), &journal[..end]).unwrap();
        fs::write(ran.file("tokens.jsonl"), format!("{first_two}\n{line}\n")).unwrap();
        let before = server.requests();
        let again = work.resume(&server.url()).go().expect(0);
        assert_eq!(server.requests() - before, calls);
        assert_eq!(again.tokens().len(), 3);
        assert!(!again.text("tokens.jsonl").contains("\"X"), "never believed");
    }
}

/// The folder of a run that was killed with tokens on their way, and what it was killed against.
fn killed(work: &Work) -> (MockServer, Vec<(PathBuf, Vec<u8>)>) {
    let latency = Duration::from_millis(3);
    let server = MockServer::with(Options { latency, ..Options::default() });
    let list = work.file("list.csv", locations(40));
    let mut child = crate::support::start(work.run(&list, &server.url()).command());
    wait_until("some tokens", || server.audit().grants.len() >= 20);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = work.path("run");
    let files = entries(&run).into_iter().map(|name| run.join(name));
    let files = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    (server, files)
}

/// What came of a bit that turned over.
#[derive(Debug, Default)]
struct Flips {
    refused: usize,
    asked_anew: usize,
    passed_over: usize,
    corrupted_kept: usize,
    strange_calls: usize,
    unbalanced: usize,
    panics: usize,
}

impl Flips {
    fn count(&mut self, work: &Work, server: &MockServer, calls: usize) {
        let ran = work.resume(&server.url()).go();
        match ran.code {
            4 => self.refused += 1,
            0 | 1 if ran.stderr.contains("asked for anew") => self.asked_anew += 1,
            0 | 1 => self.passed_over += 1,
            _ => self.panics += 1,
        }
        let audit = server.audit();
        let is_listed = |id: &str| (0..40).any(|n| location(n) == id);
        let asked = audit.requests[calls..].iter().filter_map(|request| request.id.as_deref());
        self.strange_calls += asked.filter(|id| !is_listed(id)).count();
        if !matches!(ran.code, 0 | 1) {
            return;
        }
        let real = audit.grants.iter().map(|pair| {
            (pair.id.as_str(), pair.access_token.as_str(), pair.refresh_token.as_str())
        });
        let real: HashSet<_> = real.collect();
        let tokens = ran.tokens();
        let text = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap().to_owned();
        let is_real = |line: &&serde_json::Value| {
            let names = ["resourceId", "access_token", "refresh_token"];
            let [id, access, refresh] = names.map(|name| text(line, name));
            real.contains(&(id.as_str(), access.as_str(), refresh.as_str()))
        };
        self.corrupted_kept += tokens.len() - tokens.iter().filter(is_real).count();
        let recovered = ran.count("recovered");
        let is_balanced = ran.summary()["books"]["recovered"] == recovered
            && ran.results().len() == 40
            && tokens.len() == recovered;
        self.unbalanced += usize::from(!is_balanced);
    }
}

/// Figures: `cargo test --test it -- --ignored --nocapture flips_in_figures`.
#[test]
#[ignore = "a measurement of some minutes"]
#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn flips_in_figures() {
    let work = Work::new();
    let (server, files) = killed(&work);
    let ran = work.resume(&server.url()).go().expect(0);
    let finished: Vec<_> = entries(&ran.folder).into_iter().map(|name| ran.file(&name)).collect();
    let finished: Vec<_> =
        finished.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let mut random = Rng::with_seed(13);
    for (state, files) in [("killed", files), ("finished", finished)] {
        for name in ["journal.jsonl", "tokens.jsonl"] {
            let mut flips = Flips::default();
            for _ in 0..400 {
                fs::remove_dir_all(&ran.folder).unwrap();
                fs::create_dir(&ran.folder).unwrap();
                restore(&files);
                let (path, bytes) = files.iter().find(|(path, _)| path.ends_with(name)).unwrap();
                fs::write(path, flipped(bytes, random.usize(..bytes.len() * 8))).unwrap();
                flips.count(&work, &server, server.requests());
            }
            println!("{state}, {name}: {flips:?}");
        }
    }
}
