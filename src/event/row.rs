//! What happens to one installation on the way: requests, attempts, token lines.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{checksum::Checksum, failure::Failure, installation::Id, route::Route, text::SafeText};

/// One request and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When the request was handed to the connection.
    pub at: Timestamp,
    /// Milliseconds from then until the last byte of the answer, or until it was given up.
    pub ms: u32,
    /// Status of the answer; `None` when none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// HighLevel's trace id, when the answer had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<SafeText>,
}

/// What [`Event::Exchanging`](super::Event::Exchanging) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchanging {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Number of the attempt in this run; 1 is the first.
    pub attempt: u32,
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// The reconnect that gave the code.
    pub reconnect: Call,
    /// `expiresAt` of the code, by the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_expires_at: Option<Timestamp>,
}

/// What [`Event::Refreshing`](super::Event::Refreshing) records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshing {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Number of the attempt in this run; 1 is the first.
    pub attempt: u32,
    /// Time of the event, UTC.
    pub at: Timestamp,
}

/// What [`Event::Requesting`](super::Event::Requesting) records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requesting {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Number of the attempt in this run; 1 is the first.
    pub attempt: u32,
    /// Time of the event, UTC.
    pub at: Timestamp,
}

/// What [`Event::Unsent`](super::Event::Unsent) records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Time of the event, UTC.
    pub at: Timestamp,
}

/// What [`Event::Retrying`](super::Event::Retrying) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrying {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// The attempt that failed.
    pub attempt: u32,
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// What went wrong.
    pub failure: Failure,
    /// The request that failed; `None` when none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Milliseconds until the next one may begin; `None` when it waits for the end of an outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u32>,
}

/// What [`Event::Saving`](super::Event::Saving) records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saving {
    /// Number of the record.
    pub row: u32,
    /// Where.
    pub file: TokenFile,
    /// Of the line without its line end.
    pub token_line: Checksum,
}

/// A file of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFile {
    /// `tokens.jsonl`: to be used.
    Tokens,
    /// `quarantine.jsonl`: not to be used.
    Quarantine,
}

/// What [`Event::Untried`](super::Event::Untried) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Untried {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// When the token pair was granted.
    pub at: Timestamp,
    /// The route.
    pub via: Route,
    /// The call that gave it.
    pub call: Call,
}

/// What [`Event::Reclaimed`](super::Event::Reclaimed) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reclaimed {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// When the tokens were found.
    pub at: Timestamp,
    /// Checksum of the line of `tokens.jsonl` that was found.
    pub token_line: Checksum,
    /// Attempts that it took, as far as the journal has them; 0 is unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// The route that gave the tokens, where the journal has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Route>,
    /// Trace id of the reconnect, where the journal has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_trace_id: Option<SafeText>,
    /// Expiry of the access token, as its line has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Timestamp>,
    /// Whether the line has no refresh token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_refresh_token: bool,
}

// The signature is serde's.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// What [`Event::Missed`](super::Event::Missed) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missed {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// When it was noticed.
    pub at: Timestamp,
}
