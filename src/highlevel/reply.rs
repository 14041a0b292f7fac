//! A whole answer of the API, as it came over the wire, without the secrets that it repeats.

use std::{borrow::Cow, sync::OnceLock};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    allowance::Allowance,
    known_secrets::{Kind, KnownSecrets},
    table::Answers,
    token_shape,
};
use crate::{clock::Moment, secret::Secret, text::SafeText};

/// The most bytes of an answer that are read; a real one has about 4,000, a page of a hundred
/// locations some 30,000.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A whole answer.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, at most [`MAX_ANSWER_BYTES`].
    pub body: Vec<u8>,
    /// The `Date` header: the server's clock.
    pub date: Option<String>,
    /// What the headers say about limits.
    pub allowance: Allowance,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// A `trace-id` or `x-trace-id` header.
    pub trace_header: Option<String>,
    /// Host of the `Location` header, port included.
    pub redirect_host: Option<String>,
    /// When the first byte of the request left.
    pub sent: Moment,
    /// When the last byte arrived.
    pub received: Moment,
    /// What answers mean in this run.
    pub answers: Answers,
    /// Secrets to cut out of everything derived from it.
    pub known: KnownSecrets,
    /// The trace id, once it is read.
    pub(super) trace_id: OnceLock<Option<SafeText>>,
}

impl Reply {
    /// HighLevel's trace id, read once.
    pub fn trace_id(&self) -> Option<SafeText> {
        self.trace_id.get_or_init(|| trace_id(self)).clone()
    }

    /// Cuts out secrets that the server repeats. Tokens that a success grants stay, even if they are
    /// known already.
    pub(super) fn without(mut self, known: &KnownSecrets, body: AnswerBody) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        let clean = match body {
            AnswerBody::MayGiveTokens if self.is_success() => known.cut_out_of_success(&text),
            AnswerBody::MayGiveTokens | AnswerBody::GivesNone => known.cut_out(&text),
        };
        if let Cow::Owned(clean) = clean {
            self.body = clean.into_bytes();
        }
        let cut = |text: Option<String>| text.map(|text| known.cut_out(&text).into_owned());
        self.trace_header = cut(self.trace_header);
        self.redirect_host = cut(self.redirect_host);
        self.known = known.clone();
        self.trace_id = OnceLock::new();
        self
    }

    fn is_success(&self) -> bool {
        matches!(self.status, 200 | 201)
    }

    /// Learns the secrets that a success grants, so that they are cut out of everything else.
    pub(super) fn learn(&self) {
        if !self.is_success() {
            return;
        }
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body);
        let Ok(given) = serde_json::from_slice::<GrantedSecrets>(body) else { return };
        let learn = |kind, value: Option<Value>| {
            if let Some(Value::String(text)) = value {
                self.known.learn(kind, &Secret::new(text));
            }
        };
        learn(Kind::Code, given.authorization_code.or(given.code));
        learn(Kind::Token, given.access_token.or(given.access));
        learn(Kind::Token, given.refresh_token.or(given.refresh));
    }
}

/// Whether an answer may grant tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerBody {
    MayGiveTokens,
    GivesNone,
}

/// The secrets that an answer grants, in either casing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GrantedSecrets {
    authorization_code: Option<Value>,
    #[serde(rename = "authorizationCode")]
    code: Option<Value>,
    access_token: Option<Value>,
    #[serde(rename = "accessToken")]
    access: Option<Value>,
    refresh_token: Option<Value>,
    #[serde(rename = "refreshToken")]
    refresh: Option<Value>,
}

/// HighLevel's trace id, unless it looks like a token. Some answers have it in the body; it has never
/// been seen in a header, but two likely ones are read anyway.
fn trace_id(reply: &Reply) -> Option<SafeText> {
    let in_body = || Some(SafeText::identifier(&trace_id_in(&reply.body)?));
    let id = in_body().or_else(|| reply.trace_header.as_deref().map(SafeText::identifier));
    let is_clean = |id: &SafeText| {
        token_shape::cut_out_tokens(id.as_str()) == id.as_str() && !reply.known.is_in(id.as_str())
    };
    id.filter(is_clean)
}

/// Reads the trace id alone, since this is done for every answer.
fn trace_id_in(body: &[u8]) -> Option<String> {
    let own = |body: &Traced| {
        let id = body.trace_id.as_ref().or(body.snake_case.as_ref())?.as_str()?;
        (!id.trim().is_empty()).then(|| id.to_owned())
    };
    let traced: Traced = serde_json::from_slice(body).ok()?;
    own(&traced).or_else(|| own(&serde_json::from_str(traced.error?.get()).ok()?))
}

#[derive(Deserialize)]
struct Traced<'a> {
    #[serde(rename = "traceId")]
    trace_id: Option<Value>,
    #[serde(rename = "trace_id")]
    snake_case: Option<Value>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[cfg(any(test, fuzzing))]
impl Reply {
    /// An answer of just now, without headers.
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self {
            status,
            body: body.as_bytes().to_vec(),
            date: None,
            allowance: Allowance::default(),
            retry_after: None,
            trace_header: None,
            redirect_host: None,
            sent: Moment::now(),
            received: Moment::now(),
            answers: Answers::default(),
            known: KnownSecrets::default(),
            trace_id: OnceLock::new(),
        }
    }
}
