//! Filters: programs of the user's own that encrypt what goes into a column.
//!
//! One process for the whole run, one line in, one line out, in order. A filter that answers wrongly
//! would put a wrong value into every row, so each answer is doubted, and the program is tried out
//! before anything is written.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use thiserror::Error;
use tokio::time::timeout;

use super::program::{BadLine, CommandLine, END, Program, Words};
use crate::{secret::Secret, text::SafeText};

/// How long a filter may take for a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it is watched for lines too many when it is tried out.
const STRAY: Duration = Duration::from_millis(100);

/// What it is tried out with: no token, and as long as a short one.
const PROBES: [&str; 2] =
    ["ghl-reconnect-tries-out-this-filter-1", "ghl-reconnect-tries-out-this-filter-2"];

/// A filter does not do what a filter does. It names the program; nothing is written after it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the filter `{program}` {fault}{}", shown(.complaint))]
pub struct FilterError {
    /// The program, and its script.
    pub program: SafeText,
    /// What happened, and what to do.
    pub fault: FilterFault,
    /// The end of what it wrote to standard error, without secrets.
    pub complaint: SafeText,
}

/// What a filter did wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterFault {
    /// It cannot be started.
    #[error("cannot be started: {0}")]
    NotStarted(String),
    /// It gave no answer in time.
    #[error(
        "gave no answer within {} s: a filter answers each line at once (flush standard output after each line, as `python3 -u` and `jq --unbuffered` do)",
        .0.as_secs_f32()
    )]
    Silent(Duration),
    /// It ended.
    #[error(
        "ended {0}: a filter reads lines and answers each one until its standard input is closed"
    )]
    Ended(String),
    /// It wrote what is no line.
    #[error("{0}: a filter answers each line with one line of text")]
    NoLine(BadLine),
    /// The answer is empty.
    #[error(
        "answered with an empty line: let it write the encrypted value, and an error to standard error"
    )]
    Empty,
    /// The answer is what it was given.
    #[error("gave back what it was given: let it encrypt, or set the column without `through`")]
    Unchanged,
    /// Two inputs, one answer.
    #[error(
        "gave the same answer to two different lines: let it answer with the encrypted line and nothing else"
    )]
    Constant,
    /// More answers than lines.
    #[error(
        "answered one line with more than one: let it write the encrypted value alone, and everything else to standard error"
    )]
    TooMany,
    /// A line end within a value.
    #[error("cannot be given a value that has a line end in it: set this column without `through`")]
    LineEnd,
}

fn shown(complaint: &SafeText) -> String {
    if complaint.is_empty() { String::new() } else { format!("; it said: {complaint}") }
}

/// A running filter.
pub struct Filter {
    name: SafeText,
    program: Program,
    words: Words,
    patience: Duration,
    /// The last line and its answer.
    last: Option<(Secret, Secret)>,
}

impl Filter {
    /// Starts a filter: `["node", "encrypt.mjs"]`. It inherits the environment, where its key is.
    pub fn start(argv: &[String]) -> Result<Self, FilterError> {
        let unstarted = |name: &str, error: String| FilterError {
            program: SafeText::new(name),
            fault: FilterFault::NotStarted(error),
            complaint: SafeText::default(),
        };
        let command = CommandLine::of(argv)
            .map_err(|error| unstarted("", format!("{error} behind `through`")))?;
        let name = command.to_string();
        let program =
            Program::start(&command, &[]).map_err(|error| unstarted(&name, error.to_string()))?;
        let name = SafeText::new(&name);
        Ok(Self { name, program, words: Words::default(), patience: PATIENCE, last: None })
    }

    /// Takes a text through it.
    pub async fn line(&mut self, text: &str) -> Result<String, FilterError> {
        match self.answer(text).await {
            Ok(answer) => Ok(answer),
            Err(fault) => Err(self.explain(fault).await),
        }
    }

    /// Tries it out, before anything is written: it must change what it is given, answer different
    /// lines differently, and write one line for each.
    pub async fn check(&mut self) -> Result<(), FilterError> {
        for probe in PROBES {
            self.line(probe).await?;
        }
        if let Ok(Some(line)) = timeout(STRAY, self.program.line()).await {
            return Err(self
                .explain(line.map_or_else(FilterFault::NoLine, |_| FilterFault::TooMany))
                .await);
        }
        Ok(())
    }

    /// Ends it in order.
    pub async fn end(mut self) {
        self.program.end(END).await;
    }

    async fn answer(&mut self, text: &str) -> Result<String, FilterFault> {
        if text.contains(['\n', '\r']) {
            return Err(FilterFault::LineEnd);
        }
        if let Some(line) = self.program.line_at_hand() {
            return Err(line.map_or_else(FilterFault::NoLine, |_| FilterFault::TooMany));
        }
        let input = Secret::new(text.to_owned());
        self.words.learn(&input);
        let answered = timeout(self.patience, async {
            self.program.send(text.as_bytes().to_vec()).await;
            self.program.line().await
        });
        let answer = match answered.await {
            Err(_) => return Err(FilterFault::Silent(self.patience)),
            Ok(None) => return Err(FilterFault::Ended(String::new())),
            Ok(Some(line)) => line.map_err(FilterFault::NoLine)?,
        };
        if answer.trim().is_empty() {
            return Err(FilterFault::Empty);
        }
        if answer == text {
            return Err(FilterFault::Unchanged);
        }
        let differs =
            |(line, before): &(Secret, Secret)| line.expose() == text || before.expose() != answer;
        if !self.last.as_ref().is_none_or(differs) {
            return Err(FilterFault::Constant);
        }
        self.last = Some((input, Secret::new(answer.clone())));
        Ok(answer)
    }

    /// Ends the program, to hear what it says about it.
    async fn explain(&mut self, fault: FilterFault) -> FilterError {
        // Where it ended by itself there is nothing to wait for; where it is stuck, waiting is vain.
        let patience = if matches!(fault, FilterFault::Silent(_)) { Duration::ZERO } else { END };
        let status = self.program.end(patience).await;
        let fault = match fault {
            FilterFault::Ended(_) => FilterFault::Ended(match status {
                Some(status) => format!("by itself ({status})"),
                None => "its output".to_owned(),
            }),
            fault => fault,
        };
        let complaint = self.words.end_of(&self.program.complaints());
        FilterError { program: self.name.clone(), fault, complaint }
    }
}

/// The filters of a mapping: one process for each distinct command line.
#[derive(Default)]
pub struct Filters {
    running: HashMap<Vec<String>, Filter>,
}

impl Filters {
    /// Starts them all and tries each one out.
    pub async fn start(
        command_lines: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<Self, FilterError> {
        let mut filters = Self::default();
        for argv in command_lines {
            filters.filter(&argv).await?;
        }
        Ok(filters)
    }

    /// Takes a text through one of them.
    pub async fn line(&mut self, argv: &[String], text: &str) -> Result<String, FilterError> {
        self.filter(argv).await?.line(text).await
    }

    async fn filter(&mut self, argv: &[String]) -> Result<&mut Filter, FilterError> {
        match self.running.entry(argv.to_vec()) {
            Entry::Occupied(running) => Ok(running.into_mut()),
            Entry::Vacant(place) => {
                let mut filter = Filter::start(argv)?;
                filter.check().await?;
                Ok(place.insert(filter))
            }
        }
    }

    /// Ends them in order.
    pub async fn end(self) {
        for filter in self.running.into_values() {
            filter.end().await;
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn filter(script: &str) -> Filter {
        let mut filter = Filter::start(&argv(&["sh", "-c", script])).unwrap();
        filter.patience = Duration::from_secs(5);
        filter
    }

    const REVERSES: &str = r#"while read -r line; do echo "e:$line" | rev; done"#;

    #[tokio::test]
    async fn each_line_is_answered_in_order() {
        let mut filter = filter(REVERSES);
        filter.check().await.unwrap();
        for n in 0..50 {
            let text = format!("token-{n}");
            let expected: String = format!("e:{text}").chars().rev().collect();
            assert_eq!(filter.line(&text).await.unwrap(), expected);
        }
        filter.end().await;
    }

    #[tokio::test]
    async fn what_is_no_filter_is_told_before_anything_is_written() {
        use FilterFault as F;
        for (script, expected) in [
            ("cat", F::Unchanged),
            ("while read -r line; do echo; done", F::Empty),
            ("while read -r line; do echo secret; done", F::Constant),
            (r#"while read -r line; do echo "a$line"; echo "b$line"; done"#, F::TooMany),
            (r#"while read -r line; do echo "a$line"; sleep 0.02; echo "b"; done"#, F::TooMany),
            (r"while read -r line; do printf 'a\377\n'; done", F::NoLine(BadLine::NotUtf8)),
            ("read -r line; printf half", F::NoLine(BadLine::Cut)),
            ("exit 3", F::Ended("by itself (exit status: 3)".into())),
            (r#"read -r line; echo "a$line""#, F::Ended("by itself (exit status: 0)".into())),
        ] {
            let error = filter(script).check().await.unwrap_err();
            assert_eq!(error.fault, expected, "{script}");
            assert!(error.to_string().contains("`sh`"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_filter_that_keeps_its_answers_to_itself_is_given_up() {
        let mut filter = filter("cat > /dev/null");
        filter.patience = Duration::from_millis(100);
        let error = filter.check().await.unwrap_err();
        assert_eq!(error.fault, FilterFault::Silent(Duration::from_millis(100)));
        assert!(error.to_string().contains("flush"), "{error}");
    }

    #[tokio::test]
    async fn its_complaint_is_shown_without_what_it_was_given() {
        let mut filter = filter(r#"read -r line; echo "no key for <$line>" >&2; exit 1"#);
        let error = filter.line("hunter2-hunter2").await.unwrap_err();
        assert_eq!(error.complaint.as_str(), "no key for <[secret]>");
        assert!(error.to_string().ends_with("; it said: no key for <[secret]>"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = Filter::start(&argv(&["no-such-program"])).err().unwrap();
        assert!(error.to_string().contains("no-such-program"), "{error}");
        assert!(Filter::start(&[]).is_err());
        let mut sh = filter(REVERSES);
        assert_eq!(sh.line("a\nb").await.unwrap_err().fault, FilterFault::LineEnd);
    }

    #[tokio::test]
    async fn one_process_serves_all_columns_with_the_same_command_line() {
        let counts = argv(&["sh", "-c", r#"while read -r line; do n=$((n+1)); echo "$n"; done"#]);
        let mut filters = Filters::start([counts.clone(), counts.clone()]).await.unwrap();
        assert_eq!(filters.line(&counts, "a").await.unwrap(), "3");
        assert_eq!(filters.line(&counts, "b").await.unwrap(), "4");
        filters.end().await;
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_filter_that_is_dropped() {
        let place = tempfile::tempdir().unwrap();
        let pid = place.path().join("pid");
        let script = format!("sleep 100 & echo $! > {}; {REVERSES}", pid.display());
        let mut filter = filter(&script);
        filter.line("a").await.unwrap();
        let sleeper: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        let sleeper = rustix::process::Pid::from_raw(sleeper).unwrap();
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.as_raw_nonzero()));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        if cfg!(target_os = "linux") {
            assert!(lives());
        }
        drop(filter);
        for _ in 0..100 {
            if !lives() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the program of the filter's own program lives on");
    }
}
