//! How an installation ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::row::Call;
use crate::{clock, failure::Failure, installation::Id, route::Route, text::SafeText};

/// What [`Event::Skipped`](super::Event::Skipped) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// The call that checked the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// The run that has recovered it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<RecoveredBefore>,
}

/// The run that recovered an installation, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveredBefore {
    /// Time of the event, UTC.
    pub at: Timestamp,
    /// The run folder, as a full path.
    pub folder: String,
}

impl Skipped {
    /// Why it is left alone.
    pub fn in_words(&self) -> String {
        match &self.recovered {
            None => "the access token that the list has is good".into(),
            Some(RecoveredBefore { at, folder }) => format!(
                "recovered at {} by the run in {folder}; --again recovers it once more",
                clock::stamp(*at)
            ),
        }
    }
}

/// The result of a token check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// What was found.
    pub verdict: Verdict,
    /// The error text, where the token is not simply good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<SafeText>,
    /// The call; `None` where an earlier event has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
}

/// What a token check found of a token that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is good.
    Alive,
    /// It is alive, and lacks the scope for the call.
    WithoutScope,
    /// Nothing clear was answered.
    Unclear,
}

/// What [`Event::Recovered`](super::Event::Recovered) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Attempts that it took.
    pub attempts: u32,
    /// The route.
    #[serde(default)]
    pub via: Route,
    /// When the first request of this installation was about to go out.
    pub started_at: Timestamp,
    /// When the token pair was granted; it is on disk once this event is.
    pub at: Timestamp,
    /// Trace id of the reconnect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_trace_id: Option<SafeText>,
    /// The call that gave the token pair; by reconnect, the exchange.
    pub exchange: Call,
    /// How old the code was when it was presented, where a code was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_age_ms: Option<u32>,
    /// How much of its life was left then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_margin_ms: Option<u32>,
    /// When the access token dies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<Timestamp>,
    /// Whether it came without a refresh token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_refresh_token: bool,
    /// The result of the token check, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Verified>,
}

impl Recovered {
    /// What is to be known of the tokens besides that they are there.
    pub fn remark(&self) -> Option<String> {
        let verified = self.verified.as_ref().and_then(Verified::in_words);
        let lacking = self
            .without_refresh_token
            .then(|| "it came without a refresh token and dies with the access token".to_owned());
        let remarks: Vec<String> = lacking.into_iter().chain(verified).collect();
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

impl Verified {
    fn in_words(&self) -> Option<String> {
        let text = self.message.as_ref().map(SafeText::as_str).unwrap_or_default();
        match self.verdict {
            Verdict::Alive => None,
            Verdict::WithoutScope => Some(format!("the token is alive and lacks a scope: {text}")),
            Verdict::Unclear => Some(format!("the token could not be tried: {text}")),
        }
    }
}

/// What [`Event::Failed`](super::Event::Failed) records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// Number of the record.
    pub row: u32,
    /// The installation.
    pub id: Id,
    /// Attempts that were made.
    pub attempts: u32,
    /// When the first request of this installation was about to go out.
    pub started_at: Timestamp,
    /// When it was given up.
    pub at: Timestamp,
    /// What went wrong at last.
    pub failure: Failure,
    /// The request that failed; `None` when none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Trace id of the last reconnect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_trace_id: Option<SafeText>,
    /// Trace id of the last exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_trace_id: Option<SafeText>,
    /// Every trace id that this run saw for it, oldest first.
    pub trace_ids: Vec<SafeText>,
}

impl Failed {
    /// The column `status`: what the end of the run alone has left off has not failed.
    pub fn status(&self) -> &'static str {
        if self.failure.class.is_left_off() { "not_attempted" } else { "failed" }
    }
}
