//! Which installation meets which fault, and when.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::faults::Fault;
use super::mint;
use super::step::Step;

/// The id that stands for every installation in a fault file.
const EVERY: &str = "*";

/// What is to go wrong: lists for single installations, a list for all, and seeded shares.
///
/// A list is worked off in order. Its head waits for its step: `["exchange:reset", "server_error"]`
/// lets the first reconnect pass, resets the first exchange and fails the second reconnect. `ok`
/// lets one call of its step pass; a trailing `*` repeats an entry for ever, at its step, and the
/// entries behind it hold for the other steps. An installation's own list goes first, then the list
/// of `*`, then the shares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultPlan {
    lists: HashMap<String, Vec<Entry>>,
    shares: Vec<Share>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    step: Step,
    action: Option<Fault>,
    repeat: Repeat,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Repeat {
    Once,
    ForEver,
}

#[derive(Clone, Debug, PartialEq)]
struct Share {
    step: Step,
    fault: Fault,
    /// 0 to 1.
    part: f64,
}

/// Why a fault plan cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read.
    #[error("cannot read the fault file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a JSON object of lists of texts.
    #[error("a fault file is a JSON object of lists: {{\"<id>\": [\"server_error\", ...]}}")]
    NotAPlan(#[source] serde_json::Error),
    /// An entry is none that is known.
    #[error("fault `{piece}`: {reason}")]
    Entry {
        /// The entry as written.
        piece: String,
        /// What is wrong with it, and what exists.
        reason: String,
    },
    /// A share is not `fault=percent%`.
    #[error("share `{piece}`: write fault=5% or step:fault=5%, from 0% to 100%")]
    Share {
        /// The share as written.
        piece: String,
    },
    /// The shares of a step sum to more than a hundred percent.
    #[error("the shares at the {step} sum to more than 100%")]
    TooMuch {
        /// The step.
        step: Step,
    },
}

/// How far one installation has worked off a list: the positions that are used up.
pub(super) type Taken = Vec<u32>;

impl FaultPlan {
    /// Reads a fault file.
    pub fn from_file(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read(path)
            .map_err(|source| PlanError::Unreadable { path: path.to_owned(), source })?;
        Self::from_json(&text)
    }

    /// Reads the JSON of a fault file.
    pub fn from_json(text: &[u8]) -> Result<Self, PlanError> {
        let raw: HashMap<String, Vec<String>> =
            serde_json::from_slice(text).map_err(PlanError::NotAPlan)?;
        let mut plan = Self::default();
        for (id, pieces) in raw {
            let entries = pieces.iter().map(|piece| Entry::parse(piece)).collect::<Result<_, _>>();
            plan.lists.insert(id, entries?);
        }
        Ok(plan)
    }

    /// Puts the other plan behind this one: its lists go after the lists here, id by id, and its
    /// shares are added.
    pub fn merge(mut self, other: Self) -> Result<Self, PlanError> {
        for (id, entries) in other.lists {
            self.lists.entry(id).or_default().extend(entries);
        }
        self.shares.extend(other.shares);
        self.check_shares()
    }

    /// Whether nothing is to go wrong.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.shares.is_empty()
    }

    /// The fault of the next call of this step for this installation, taking it off its lists.
    pub(super) fn next(
        &self,
        call: &Call<'_>,
        own: &mut Taken,
        every: &mut Taken,
    ) -> Option<Fault> {
        for (name, taken) in [(call.id, own), (EVERY, every)] {
            let list = self.lists.get(name).map_or(&[][..], Vec::as_slice);
            if let Some(entry) = take(list, taken, call.step) {
                return entry.action.clone();
            }
        }
        self.by_share(call)
    }

    fn by_share(&self, call: &Call<'_>) -> Option<Fault> {
        let mut shares = self.shares.iter().filter(|share| share.step == call.step).peekable();
        shares.peek()?;
        let step = call.step.index() as u64;
        let mixed = mint::mix(&[call.seed, mint::digest(call.id), step, call.ordinal]);
        let mut rest = fastrand::Rng::with_seed(mixed).f64();
        shares
            .find(|share| {
                rest -= share.part;
                rest < 0.0
            })
            .map(|share| share.fault.clone())
    }

    fn check_shares(self) -> Result<Self, PlanError> {
        for step in Step::FAULTY {
            let sum: f64 = self.shares.iter().filter(|s| s.step == step).map(|s| s.part).sum();
            if sum > 1.0 + 1e-9 {
                return Err(PlanError::TooMuch { step });
            }
        }
        Ok(self)
    }
}

/// The call that a fault is looked up for.
pub(super) struct Call<'a> {
    pub(super) seed: u64,
    pub(super) id: &'a str,
    pub(super) step: Step,
    /// How many calls of this step there were for this installation.
    pub(super) ordinal: u64,
}

fn take<'a>(list: &'a [Entry], taken: &mut Taken, step: Step) -> Option<&'a Entry> {
    for (position, entry) in (0..).zip(list) {
        if taken.contains(&position) {
            continue;
        }
        match entry.repeat {
            Repeat::ForEver if entry.step == step => return Some(entry),
            Repeat::ForEver => {}
            Repeat::Once if entry.step == step => {
                taken.push(position);
                return Some(entry);
            }
            Repeat::Once => return None,
        }
    }
    None
}

impl Entry {
    fn parse(piece: &str) -> Result<Self, PlanError> {
        let text = piece.trim();
        let (text, repeat) = match text.strip_suffix('*') {
            Some(rest) => (rest, Repeat::ForEver),
            None => (text, Repeat::Once),
        };
        let (step, name) = split_step(text);
        if name == "ok" {
            return Ok(Self { step: step.unwrap_or(Step::Reconnect), action: None, repeat });
        }
        let (step, fault) = fault_at(step, name, piece)?;
        Ok(Self { step, action: Some(fault), repeat })
    }
}

/// Parts `exchange:reset` at the colon; a colon behind a parenthesis belongs to the parameter.
fn split_step(text: &str) -> (Option<Step>, &str) {
    let named = text.split_once(':').and_then(|(step, rest)| Some((Step::from_name(step)?, rest)));
    named.map_or((None, text), |(step, rest)| (Some(step), rest))
}

fn fault_at(step: Option<Step>, name: &str, piece: &str) -> Result<(Step, Fault), PlanError> {
    let bad = |reason| PlanError::Entry { piece: piece.to_owned(), reason };
    let (fault, place) = Fault::parse(name).map_err(bad)?;
    let step = step.unwrap_or(place.natural_step());
    if !place.allows(step) {
        return Err(bad(format!("it makes no sense at the {step}")));
    }
    Ok((step, fault))
}

impl FromStr for FaultPlan {
    type Err = PlanError;

    /// Reads shares: `rate_limited=5%,server_error=2%,exchange:reset=1%`. A share is the part of
    /// the calls of its step that meet the fault; which ones is settled by the seed, the id and
    /// the ordinal of the call, so that a run with the same seed meets the same faults.
    fn from_str(text: &str) -> Result<Self, PlanError> {
        let pieces = split_outside_parentheses(text);
        let shares = pieces.iter().map(|piece| Share::parse(piece)).collect::<Result<_, _>>()?;
        Self { lists: HashMap::new(), shares }.check_shares()
    }
}

impl Share {
    fn parse(piece: &str) -> Result<Self, PlanError> {
        let bad = || PlanError::Share { piece: piece.to_owned() };
        let (text, percent) = piece.rsplit_once('=').ok_or_else(bad)?;
        let percent = percent.trim().strip_suffix('%').and_then(|n| n.trim().parse::<f64>().ok());
        let percent = percent.filter(|n| (0.0..=100.0).contains(n)).ok_or_else(bad)?;
        let (step, name) = split_step(text.trim());
        let (step, fault) = fault_at(step, name, piece)?;
        Ok(Self { step, fault, part: percent / 100.0 })
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|piece| !piece.is_empty())
    .collect()
}
