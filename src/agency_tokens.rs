//! The access tokens of agencies, by company.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::{highlevel::failure::Failure, installation::Id, secret::Secret};

/// See the module.
#[derive(Debug, Default)]
pub struct AgencyTokens(Mutex<HashMap<Id, Held>>);

/// What is held for an agency.
#[derive(Clone, Debug)]
pub enum Held {
    /// Its token.
    Token(Secret),
    /// Nothing.
    Missing,
    /// A token that was refused.
    Refused(Failure),
}

impl AgencyTokens {
    /// Takes an agency's token in.
    pub fn insert(&self, company: &Id, token: Secret, _expires_at: Option<Timestamp>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(company.clone(), Held::Token(token));
    }

    /// What is held for an agency.
    pub fn get(&self, company: &Id) -> Held {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(company).cloned().unwrap_or(Held::Missing)
    }

    /// An agency's token is of no use.
    pub fn refuse(&self, company: &Id, failure: Failure) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(company.clone(), Held::Refused(failure));
    }
}
