//! What the state is made of: requests, codes and token pairs, each kept small.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::call::Step;
use super::clock::Micros;
use super::options::AccessLife;
use super::tokens::{Purpose, Recipient};
use crate::installation::Scope;

/// One request: numbers until somebody asks, so that a million of them stay small.
#[derive(Clone, Copy)]
pub(super) struct RequestRow {
    pub(super) at: Micros,
    pub(super) ended: Option<Micros>,
    pub(super) method: Text,
    pub(super) path: Text,
    pub(super) query: Option<Text>,
    pub(super) content_type: Option<Text>,
    pub(super) user_agent: Option<Text>,
    pub(super) version: Option<Text>,
    pub(super) authorization: bool,
    pub(super) bearer: Option<Text>,
    pub(super) step: Step,
    pub(super) tenant: Option<Text>,
    pub(super) fault: Option<Text>,
    pub(super) status: Option<u16>,
}

/// A code or a refresh token that was presented.
#[derive(Clone, Copy)]
pub(super) struct Presented {
    /// A code or a refresh token.
    pub(super) purpose: Purpose,
    pub(super) text: Text,
    pub(super) tenant: Option<Text>,
    /// The ordinal of the request.
    pub(super) request: u64,
    pub(super) outcome: Outcome,
    /// The pair that it gave.
    pub(super) gave: Option<u32>,
}

/// What became of a code or a refresh token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It gave a token pair.
    Granted,
    /// A refresh token that gave the same pair again.
    Repeated,
    /// None such was handed out.
    Unknown,
    /// It was used before. What a code gave is revoked; a refresh token may be dead otherwise, too.
    Used,
    /// The client pair is not the one that it was handed out to.
    ClientRefused,
    /// It was too old.
    Expired,
    /// The request was incomplete.
    Malformed,
    /// A fault was applied before it was looked at.
    Fault,
}

/// To whom a code or a pair belongs.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) tenant: Text,
    pub(super) scope: Scope,
    /// The number of the client; none where that is not known.
    pub(super) client: Option<u32>,
}

/// A code that was handed out.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub(super) owner: Owner,
    pub(super) issued: Micros,
    pub(super) expires: Micros,
    /// The pair that it gave: it is used up.
    pub(super) gave: Option<u32>,
}

/// The route by which a token pair was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A code of a reconnect.
    Reconnect,
    /// A refresh token.
    Refresh,
    /// An agency's access token.
    Agency,
}

/// Where a token pair comes from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// It was there before the first request.
    Stored,
    /// It was issued, for this code if for any.
    Issued(Via, Option<u32>),
}

/// A token pair.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) owner: Owner,
    pub(super) source: Source,
    pub(super) recipient: Recipient,
    pub(super) at: Micros,
    /// When the access token expires.
    pub(super) expires: Option<Timestamp>,
    pub(super) access: AccessLife,
    pub(super) refresh: Refresh,
}

/// What a refresh token gives.
#[derive(Clone, Copy)]
pub(super) enum Refresh {
    /// A new pair.
    New,
    /// It gave this pair then; for a while it gives the same again.
    Same(u32, Micros),
    /// Nothing.
    Nothing,
}

/// A position as it is kept.
pub(super) fn serial(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// The number of a text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Text(u32);

/// Texts, each kept once.
#[derive(Default)]
pub(super) struct Texts {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Text>,
}

impl Texts {
    pub(super) fn add(&mut self, text: &str) -> Text {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = Text(serial(self.texts.len()));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    pub(super) fn get(&self, number: Text) -> &str {
        &self.texts[number.0 as usize]
    }
}
