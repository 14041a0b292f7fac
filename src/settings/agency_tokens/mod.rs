//! Agencies' access tokens, by company: with them sub-accounts get tokens, and agencies tell which
//! sub-accounts they have.
//!
//! They come from `--agency-tokens`, from `GHL_AGENCY_TOKEN`, and from the agencies that the run
//! itself has recovered. A token that was refused, or is past its life, is not tried again.

mod file;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

pub use self::file::{AgencyTokensError, VARIABLE};
use crate::{clock, failure::Failure, installation::Id, secret::Secret};

/// A token that dies sooner than this is not used any more: the call would come too late.
const TOO_LATE: Duration = Duration::from_secs(5);

/// The agency tokens of a run. It can be shared between threads.
#[derive(Default)]
pub struct AgencyTokens {
    book: Mutex<Book>,
    notes: Vec<String>,
    unusable_lines: usize,
}

#[derive(Default)]
struct Book {
    by_company: HashMap<Id, Entry>,
    of_every_company: Option<Entry>,
}

#[derive(Clone)]
struct Entry {
    token: Secret,
    expires_at: Option<Timestamp>,
    /// The app that it was given to, where that is known.
    application: Option<Box<str>>,
    refused: Option<Failure>,
}

/// What there is for a company.
#[derive(Clone, Debug)]
pub enum Held {
    /// A token that may work.
    Usable(Secret),
    /// A token that is past its life since then.
    Expired(Timestamp),
    /// A token that HighLevel has refused.
    Refused(Failure),
    /// None.
    Missing,
}

/// Whether a refusal was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// It is the first one of this token: say it once.
    First,
    /// The token was refused before, or has been replaced since.
    Known,
}

/// Whose tokens are looked for.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// There is one app only.
    AnyApp,
    /// This app's, by what stands before the dash of its client id. A token that does not say of
    /// which app it is may be its.
    App(&'a str),
}

impl Owner<'_> {
    fn may_use(self, entry: &Entry) -> bool {
        match self {
            Self::AnyApp => true,
            Self::App(own) => entry.application.as_deref().is_none_or(|app| app == own),
        }
    }
}

impl AgencyTokens {
    /// Reads a file in the shape of `tokens.jsonl`, and the value of [`VARIABLE`]; either may be
    /// missing. The file goes before the variable.
    pub fn load(file: Option<&Path>, variable: Option<&str>) -> Result<Self, AgencyTokensError> {
        Self::load_of(Owner::AnyApp, file, variable)
    }

    /// The same without the tokens of other apps.
    pub fn load_of(
        owner: Owner<'_>,
        file: Option<&Path>,
        variable: Option<&str>,
    ) -> Result<Self, AgencyTokensError> {
        let mut book = Book::default();
        let (mut notes, mut unusable_lines) = (Vec::new(), 0);
        let entry = variable.map(file::entry_of_variable).transpose()?;
        if let Some((company, entry)) = entry.filter(|(_, entry)| owner.may_use(entry)) {
            match company {
                Some(company) => book.put(company, entry),
                None => book.of_every_company = Some(entry),
            }
        }
        if let Some(path) = file {
            let read = file::read(path)?;
            (notes, unusable_lines) = (read.notes, read.unusable);
            let entries = read.entries.into_iter().filter(|(_, entry)| owner.may_use(entry));
            for (company, entry) in entries {
                book.put_if_later(company, entry);
            }
        }
        Ok(Self { book: Mutex::new(book), notes, unusable_lines })
    }

    /// Takes the agencies in that an earlier execution of the run has recovered, as its `tokens.jsonl` has
    /// them. Those that were given go before them.
    pub fn take_recovered(&self, owner: Owner<'_>, tokens: &Path) {
        // A file without an agency has nothing to give.
        let entries = file::read(tokens).map(|read| read.entries).unwrap_or_default();
        let mut book = self.lock();
        for (company, entry) in entries.into_iter().filter(|(_, entry)| owner.may_use(entry)) {
            book.by_company.entry(company).or_insert(entry);
        }
    }

    /// What is to be said about the file: lines that are no agency's, or cannot be used.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many lines of the file cannot be used: each of them may be an agency's.
    pub fn unusable_lines(&self) -> usize {
        self.unusable_lines
    }

    /// Takes a token in, instead of the one that there was: of an agency that was just recovered.
    pub fn insert(&self, company: Id, token: Secret, expires_at: Option<Timestamp>) {
        self.lock().put(company, Entry { token, expires_at, application: None, refused: None });
    }

    /// What there is for a company now.
    pub fn get(&self, company: &Id) -> Held {
        self.get_at(company, clock::now())
    }

    fn get_at(&self, company: &Id, now: Timestamp) -> Held {
        let book = self.lock();
        let own = book.by_company.get(company).map(|entry| entry.held(now));
        let shared = || book.of_every_company.as_ref().map(|entry| entry.held(now));
        match own {
            Some(Held::Usable(token)) => Held::Usable(token),
            own => shared()
                .filter(|held| matches!(held, Held::Usable(_)))
                .or(own)
                .or_else(shared)
                .unwrap_or(Held::Missing),
        }
    }

    /// Takes note that HighLevel has refused a company's token, so that it is tried no more.
    pub fn refuse(&self, company: &Id, token: &Secret, failure: &Failure) -> StateChange {
        let mut book = self.lock();
        let Book { by_company, of_every_company } = &mut *book;
        let entries = by_company.get_mut(company).into_iter().chain(of_every_company);
        let mut change = StateChange::Known;
        for entry in entries.filter(|entry| entry.token.expose() == token.expose()) {
            if entry.refused.is_none() {
                entry.refused = Some(failure.clone());
                change = StateChange::First;
            }
        }
        change
    }

    /// The companies that have a token of their own, good or bad.
    pub fn known(&self) -> HashSet<Id> {
        self.lock().by_company.keys().cloned().collect()
    }

    /// Whether there is a token that does not say of which company it is, and so is tried for all.
    pub fn has_one_for_all(&self) -> bool {
        self.lock().of_every_company.is_some()
    }

    /// Every token, for the search for leaks.
    pub fn secrets(&self) -> Vec<Secret> {
        let book = self.lock();
        let entries = book.by_company.values().chain(&book.of_every_company);
        entries.map(|entry| entry.token.clone()).collect()
    }

    /// A book that a thread left in the middle is whole: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AgencyTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgencyTokens").field("companies", &self.known()).finish_non_exhaustive()
    }
}

impl Book {
    fn put(&mut self, company: Id, entry: Entry) {
        self.by_company.insert(company, entry);
    }

    /// Of two tokens of a company that which lives longer is kept; the later one where they do not
    /// say.
    fn put_if_later(&mut self, company: Id, entry: Entry) {
        let lives_longer =
            |old: &Entry| old.expires_at.is_some() && old.expires_at > entry.expires_at;
        if !self.by_company.get(&company).is_some_and(lives_longer) {
            self.put(company, entry);
        }
    }
}

impl Entry {
    fn held(&self, now: Timestamp) -> Held {
        match (&self.refused, self.expires_at) {
            (Some(failure), _) => Held::Refused(failure.clone()),
            (None, Some(at)) if at <= now + TOO_LATE => Held::Expired(at),
            (None, _) => Held::Usable(self.token.clone()),
        }
    }
}
