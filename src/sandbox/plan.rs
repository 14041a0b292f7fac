//! The fault plan: how faults are written, and which installation meets which one when.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::call::Step;
use super::faults::{CATALOGUE, Fault, Takes};
use super::tokens;

/// The id that stands for every installation in a fault file.
const EVERY: &str = "*";

/// What is to go wrong: lists for single installations, a list for all, and seeded shares.
///
/// A list is worked off in order. Its head waits for its step: `["exchange:reset", "server_error"]`
/// lets the first reconnect pass, resets the first exchange and fails the second reconnect. `ok`
/// lets one call of its step pass; a trailing `*` repeats an entry for ever, at its step, and the
/// entries behind it hold for the other steps. An installation's own list goes first, then the list
/// of `*`, then the shares.
#[derive(Clone, Default)]
pub struct FaultPlan {
    lists: HashMap<String, Vec<Entry>>,
    shares: Vec<Share>,
}

#[derive(Clone)]
struct Entry {
    step: Step,
    /// None for `ok`.
    fault: Option<Fault>,
    repeat: Repeat,
}

#[derive(Clone, Copy)]
enum Repeat {
    Once,
    ForEver,
}

#[derive(Clone)]
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
    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.shares.is_empty()
    }

    /// The fault of the next call of this step for this installation, taking it off its lists.
    pub(super) fn next(
        &self,
        seed: u64,
        id: &str,
        step: Step,
        progress: &mut Progress,
    ) -> Option<Fault> {
        let call = &mut progress.calls[step as usize];
        let ordinal = u64::from(*call);
        *call = call.saturating_add(1);
        for (name, used) in [(id, &mut progress.own), (EVERY, &mut progress.every)] {
            let list = self.lists.get(name).map_or(&[][..], Vec::as_slice);
            if let Some(entry) = take(list, used, step) {
                return entry.fault.clone();
            }
        }
        let drawn = tokens::mix(&[seed, tokens::digest(id), step as u64, ordinal]);
        self.by_share(step, drawn)
    }

    fn by_share(&self, step: Step, drawn: u64) -> Option<Fault> {
        let mut rest = fastrand::Rng::with_seed(drawn).f64();
        let mut shares = self.shares.iter().filter(|share| share.step == step);
        let met = shares.find(|share| {
            rest -= share.part;
            rest < 0.0
        });
        met.map(|share| share.fault.clone())
    }

    fn check_shares(self) -> Result<Self, PlanError> {
        for Share { step, .. } in &self.shares {
            let sum: f64 = self.shares.iter().filter(|s| s.step == *step).map(|s| s.part).sum();
            if sum > 1.0 + 1e-9 {
                return Err(PlanError::TooMuch { step: *step });
            }
        }
        Ok(self)
    }
}

/// How far an installation is through its faults.
#[derive(Default)]
pub(super) struct Progress {
    /// How many calls of each step there were.
    calls: [u32; Step::COUNT],
    /// The positions that are used up of its own list.
    own: Vec<usize>,
    /// The same of the list for every installation.
    every: Vec<usize>,
}

fn take<'a>(list: &'a [Entry], used: &mut Vec<usize>, step: Step) -> Option<&'a Entry> {
    for (position, entry) in list.iter().enumerate() {
        match entry.repeat {
            Repeat::ForEver if entry.step == step => return Some(entry),
            Repeat::Once if used.contains(&position) => {}
            Repeat::Once if entry.step == step => {
                used.push(position);
                return Some(entry);
            }
            Repeat::Once => return None,
            Repeat::ForEver => {}
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
            return Ok(Self { step: step.unwrap_or(Step::Reconnect), fault: None, repeat });
        }
        let (step, fault) = fault_at(step, name, piece)?;
        Ok(Self { step, fault: Some(fault), repeat })
    }
}

impl FromStr for FaultPlan {
    type Err = PlanError;

    /// Reads shares: `rate_limited=5%,server_error=2%,exchange:reset=1%`. A share is the part of
    /// the calls of its step that meet the fault. The seed, the id and the ordinal of the call
    /// decide which ones, so that a run with the same seed meets the same faults.
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

/// Splits `exchange:reset` at the colon; a colon behind a parenthesis belongs to the parameter.
fn split_step(text: &str) -> (Option<Step>, &str) {
    let named = text.split_once(':').and_then(|(step, rest)| Some((Step::from_name(step)?, rest)));
    named.map_or((None, text), |(step, rest)| (Some(step), rest))
}

fn fault_at(step: Option<Step>, written: &str, piece: &str) -> Result<(Step, Fault), PlanError> {
    let bad = |reason| PlanError::Entry { piece: piece.to_owned(), reason };
    let fault = parse(written).map_err(bad)?;
    let step = step.unwrap_or(fault.kind.steps[0]);
    if !fault.kind.steps.contains(&step) {
        return Err(bad(format!("it makes no sense at the {step}")));
    }
    Ok((step, fault))
}

/// Reads `name` or `name(parameter)`. The error is the reason, without the text itself.
fn parse(written: &str) -> Result<Fault, String> {
    let (name, parameter) = match written.split_once('(') {
        Some((name, rest)) => {
            (name, Some(rest.strip_suffix(')').ok_or("the parenthesis is not closed")?))
        }
        None => (written, None),
    };
    let kind = CATALOGUE.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<_> = CATALOGUE.iter().map(|kind| kind.name).collect();
        format!("there is no such fault; there are: {}", names.join(", "))
    })?;
    let (number, text) = read_parameter(kind.takes, parameter)?;
    Ok(Fault { kind, number, text, written: written.into() })
}

/// The number and the text of a parameter.
fn read_parameter(takes: Takes, written: Option<&str>) -> Result<(u64, Arc<str>), &'static str> {
    let number = |number| (number, "".into());
    match (takes, written) {
        (Takes::Nothing, None) => Ok(number(0)),
        (Takes::Nothing, Some(_)) => Err("it takes no parameter"),
        (Takes::Number(default) | Takes::Time(default), None) => Ok(number(default)),
        (Takes::Number(_), Some(text)) => {
            text.trim().parse().map(number).map_err(|_| "its parameter is a whole number")
        }
        (Takes::Time(_), Some(text)) => {
            millis(text.trim()).map(number).ok_or("its parameter is a time such as 500ms or 2s")
        }
        (Takes::Url(default), written) => Ok((0, written.unwrap_or(default).into())),
        (Takes::Answer, written) => {
            written.and_then(answer).ok_or("its parameter is a status from 200 to 599 and a text")
        }
    }
}

fn millis(text: &str) -> Option<u64> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.trim().parse().ok();
    }
    let seconds: f64 = text.strip_suffix('s')?.trim().parse().ok()?;
    let time = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    u64::try_from(time.as_millis()).ok()
}

fn answer(text: &str) -> Option<(u64, Arc<str>)> {
    let (status, body) = text.split_once(',')?;
    let status = status.trim().parse().ok().filter(|status| (200..600).contains(status))?;
    Some((status, body.trim_start().into()))
}
