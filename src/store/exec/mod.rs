//! `exec:PROGRAM`: a helper of the user's own writes the pairs, into whatever store the app has.
//!
//! One process for the whole run. It is given a JSON line a pair on standard input and answers a JSON
//! line a pair, in any order. It decides as the built-in stores do, and says which outcome it was.

mod answer;
mod line;
#[cfg(test)]
#[cfg(unix)]
mod redis_tests;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    path::PathBuf,
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use self::answer::Answer;
use super::{
    fault::StoreFault,
    pair::Pair,
    program::{BadLine, CommandLine, END, Program, Words},
    written::Written,
};
use crate::{event::StoreOutcome, settings::variables};

/// The most pairs that wait for an answer at a time.
const UNANSWERED: usize = 32;

/// How long the helper may take for a pair.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many pairs in a row without any answer, and the helper is given up.
const SILENCES: usize = 3;

/// Secrets of ours that the helper does not inherit.
const KEPT_BACK: [&str; 2] = [variables::CLIENT_SECRET, variables::AGENCY_TOKEN];

/// A running helper. It is ended on every way out; [`Exec::end`] does it in order.
pub struct Exec {
    command: CommandLine,
    program: Program,
    words: Words,
    patience: Duration,
    /// The number of the last pair that was sent.
    last_seq: u64,
    /// Whether the helper has taken a pair: until then each goes alone.
    is_proven: bool,
    /// Pairs in a row that were not answered in time.
    silences: usize,
    /// Why no more can be written, where the last batch could still be answered in part.
    fault: Option<StoreFault>,
}

/// A batch on its way.
#[derive(Default)]
struct Batch {
    answers: Vec<Option<Written>>,
    /// Places in the batch by the numbers of the pairs that wait for an answer.
    waiting: HashMap<u64, usize>,
    /// When each of them is given up, the earliest first; answered ones stay until then.
    deadlines: VecDeque<(u64, Instant)>,
    /// Places of the pairs that are answered, or given up.
    done: HashMap<u64, usize>,
}

impl Exec {
    /// Looks for the helper without starting it, as a dry run does.
    pub fn find(command: &str) -> Result<PathBuf, StoreFault> {
        let found = CommandLine::parse(command).and_then(|command| command.find());
        found.map_err(|error| StoreFault::Usage(format!("exec: {error}")))
    }

    /// Starts the helper. It inherits the environment without our own secrets.
    pub fn start(command: &str) -> Result<Self, StoreFault> {
        let usage = |error: &dyn std::fmt::Display| StoreFault::Usage(format!("exec: {error}"));
        let command = CommandLine::parse(command).map_err(|error| usage(&error))?;
        command.find().map_err(|error| usage(&error))?;
        let program = Program::start(&command, &KEPT_BACK)
            .map_err(|error| usage(&format!("cannot start `{command}`: {error}")))?;
        Ok(Self {
            command,
            program,
            words: Words::default(),
            patience: PATIENCE,
            last_seq: 0,
            is_proven: false,
            silences: 0,
            fault: None,
        })
    }

    /// Has the helper write a batch. If it breaks off after it has answered some of it, the others are
    /// `failed`, and the fault comes with the next call.
    pub async fn write(&mut self, pairs: &[Pair]) -> Result<Vec<Written>, StoreFault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut batch = Batch { answers: vec![None; pairs.len()], ..Batch::default() };
        let mut left = pairs.iter().enumerate();
        let fault = loop {
            while batch.waiting.len() < self.window() {
                let Some((place, pair)) = left.next() else { break };
                self.send(&mut batch, place, pair).await;
            }
            if batch.waiting.is_empty() {
                break None;
            }
            if let Err(fault) = self.hear(&mut batch).await {
                break Some(fault);
            }
        };
        if let Some(fault) = fault {
            if batch.done.is_empty() {
                return Err(fault);
            }
            self.fault = Some(fault);
        }
        let unanswered = || {
            let message = "the helper broke off before it answered; `store` again tells whether the \
                           pair was written";
            Written::with(StoreOutcome::Failed, message)
        };
        Ok(batch.answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect())
    }

    /// Ends the helper in order. What it did not do well in the end is a fault: an answer counts only if
    /// the pair is in the store.
    pub async fn end(mut self) -> Result<(), StoreFault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        match self.program.end(END).await {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.gone(&format!(
                "ended with a failure after its last answer ({status}): look whether the pairs are in \
                 the store, and run `store` again"
            ))),
            None => Err(self.gone(
                "did not end when its standard input was closed and was killed: look whether the pairs \
                 are in the store; a helper ends at the end of its input",
            )),
        }
    }

    fn window(&self) -> usize {
        if self.is_proven { UNANSWERED } else { 1 }
    }

    async fn send(&mut self, batch: &mut Batch, place: usize, pair: &Pair) {
        self.last_seq += 1;
        self.words.learn(&pair.access_token);
        pair.refresh_token.iter().for_each(|token| self.words.learn(token));
        let deadline = Instant::now() + self.patience;
        batch.waiting.insert(self.last_seq, place);
        batch.deadlines.push_back((self.last_seq, deadline));
        // A helper that does not read is stuck: its silence shows it.
        let line = line::of(pair, self.last_seq);
        let _ = timeout_at(deadline, self.program.send(line)).await;
    }

    /// Waits for the next answer, or for the time of the oldest pair to run out.
    async fn hear(&mut self, batch: &mut Batch) -> Result<(), StoreFault> {
        while let Some((seq, _)) = batch.deadlines.front()
            && !batch.waiting.contains_key(seq)
        {
            batch.deadlines.pop_front();
        }
        let Some(&(seq, deadline)) = batch.deadlines.front() else { return Ok(()) };
        match timeout_at(deadline, self.program.line()).await {
            Ok(Some(Ok(line))) => self.take(batch, &line).await,
            Ok(Some(Err(BadLine::Cut)) | None) => Err(self.ended().await),
            Ok(Some(Err(bad))) => Err(self.garbage(&bad.to_string()).await),
            Err(_) => self.give_up(batch, seq).await,
        }
    }

    async fn take(&mut self, batch: &mut Batch, line: &str) -> Result<(), StoreFault> {
        let Some(Answer { seq, written }) = answer::read(line, &self.words) else {
            return Err(self.garbage("wrote a line that is no answer").await);
        };
        if let Some(place) = batch.waiting.remove(&seq) {
            self.silences = 0;
            self.is_proven |=
                !matches!(written.outcome, StoreOutcome::Failed | StoreOutcome::Refused);
            batch.done.insert(seq, place);
            batch.answers[place] = Some(written);
        } else if let Some(place) = batch.done.get(&seq) {
            batch.answers[*place] =
                batch.answers[*place].take().map(|first| twice(&first, &written));
        } else if seq > self.last_seq || seq == 0 {
            return Err(self
                .garbage(&format!("answered a pair that it was not given ({seq})"))
                .await);
        }
        // What is left is a pair of an earlier batch, whose outcome is recorded already.
        Ok(())
    }

    async fn give_up(&mut self, batch: &mut Batch, seq: u64) -> Result<(), StoreFault> {
        self.silences += 1;
        let seconds = self.patience.as_secs_f32();
        if self.silences >= SILENCES {
            self.program.end(Duration::ZERO).await;
            return Err(self.gone(&format!(
                "answered none of {SILENCES} pairs within {seconds} s and was ended: let it answer \
                 each line at once, and flush standard output after each answer"
            )));
        }
        if let Some(place) = batch.waiting.remove(&seq) {
            batch.done.insert(seq, place);
            batch.answers[place] = Some(Written::with(
                StoreOutcome::Failed,
                &format!(
                    "the helper gave no answer within {seconds} s; `store` again tells whether the \
                     pair was written"
                ),
            ));
        }
        Ok(())
    }

    async fn ended(&mut self) -> StoreFault {
        match self.program.end(END).await {
            Some(status) => self.gone(&format!(
                "ended before it had answered every pair ({status}): see what it says, then run \
                 `store` again"
            )),
            None => self.gone(
                "closed its standard output before it had answered every pair: see what it says, then \
                 run `store` again",
            ),
        }
    }

    async fn garbage(&mut self, what: &str) -> StoreFault {
        self.program.end(END).await;
        self.gone(&format!(
            "{what}: standard output is for answers like {{\"seq\":7,\"outcome\":\"replaced\"}} alone, \
             everything else belongs on standard error"
        ))
    }

    fn gone(&self, what: &str) -> StoreFault {
        let complaint = self.words.end_of(&self.program.complaints());
        let it_said =
            if complaint.is_empty() { String::new() } else { format!("; it said: {complaint}") };
        StoreFault::Gone(format!("the helper `{}` {what}{it_said}", self.command))
    }
}

/// Two answers to a pair: which one holds is not known.
fn twice(first: &Written, second: &Written) -> Written {
    let (first, second) = (first.outcome, second.outcome);
    let message = format!(
        "the helper answered twice, `{first}` and `{second}`; `store` again tells which one holds"
    );
    Written::with(StoreOutcome::Failed, &message)
}
