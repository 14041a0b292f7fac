//! The token pairs of `/oauth/token` and `/oauth/locationToken`: their tenant and their shape on disk.

#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    answer,
    client_id::application,
    jwt::{self, Claims},
    known_secrets::KnownSecrets,
    reply::Reply,
};
use crate::{
    failure::{Class, Failure, Stage},
    installation::{Id, Installation, Scope},
    secret::Secret,
    text::SafeText,
};

/// The fields of the official SDK's session document that an answer has, by their names there and in
/// the other casing that answers may use.
const SESSION_FIELDS: [(&str, &str); 9] = [
    ("access_token", "accessToken"),
    ("refresh_token", "refreshToken"),
    ("token_type", "tokenType"),
    ("expires_in", "expiresIn"),
    ("scope", "scope"),
    ("userType", "user_type"),
    ("companyId", "company_id"),
    ("locationId", "location_id"),
    ("userId", "user_id"),
];

/// Those of them that are tokens.
const TOKENS: [&str; 2] = ["access_token", "refresh_token"];

/// A granted token pair with every other field of the answer.
pub struct TokenPair {
    fields: Map<String, Value>,
    access_token: Secret,
    refresh_token: Option<Secret>,
    /// The claims of the access token.
    claims: Claims,
    received_at: Timestamp,
    /// HighLevel's trace id of the exchange.
    pub trace_id: Option<SafeText>,
    /// Secrets to cut out of messages about it.
    known: KnownSecrets,
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPair").field("trace_id", &self.trace_id).finish_non_exhaustive()
    }
}

/// Tokens of another tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// [`Class::WrongTenant`] or [`Class::WrongKind`].
    pub class: Class,
    /// What was asked for and what came.
    pub message: String,
}

/// Reads an answer to a code.
pub fn tokens_of(reply: &Reply) -> Result<TokenPair, Failure> {
    tokens_at(Stage::Exchange, reply)
}

/// Reads an answer of the token endpoint at a stage: to a code or to a refresh token.
pub fn tokens_at(stage: Stage, reply: &Reply) -> Result<TokenPair, Failure> {
    read(stage, reply, |_, _| None)
}

/// Reads the answer to a request for a location token. It names neither kind nor company, so both are
/// as asked, unless the answer or the token in it says otherwise. The location is never assumed.
pub fn location_tokens_of(reply: &Reply, company: &Id) -> Result<TokenPair, Failure> {
    read(Stage::Agency, reply, |name, claims| match name {
        "userType" => Some(claims.scope.unwrap_or(Scope::Location).user_type().into()),
        "companyId" => Some(company.as_str().into()),
        _ => None,
    })
}

/// Reads an answer. `fill` supplies fields that it leaves out, by name and the access token's claims.
fn read(
    stage: Stage,
    reply: &Reply,
    fill: impl Fn(&str, &Claims) -> Option<Value>,
) -> Result<TokenPair, Failure> {
    let mut answer = answer::object_of(stage, reply)?;
    let claims = answer::text(&answer, "access_token", "accessToken").and_then(jwt::look_into);
    let claims = claims.unwrap_or_default();
    let mut fields = Map::new();
    for (name, other) in SESSION_FIELDS {
        let (value, under_other) = (answer.shift_remove(name), answer.shift_remove(other));
        let value = value.or(under_other).filter(|value| !value.is_null());
        if let Some(value) = value.or_else(|| fill(name, &claims)) {
            fields.insert(name.to_owned(), value);
        }
    }
    fields.append(&mut answer);
    let Some(access_token) = secret(&fields, "access_token") else {
        return Err(answer::bad_answer(stage, reply, "the answer has no access_token"));
    };
    let refresh_token = secret(&fields, "refresh_token");
    let besides = fields.iter_mut().filter(|(name, _)| !TOKENS.contains(&name.as_str()));
    besides.for_each(|(_, value)| reply.known.cut_out_of_kept(value));
    let (trace_id, known) = (reply.trace_id(), reply.known.clone());
    let received_at = reply.received.day();
    Ok(TokenPair { fields, access_token, refresh_token, claims, received_at, trace_id, known })
}

impl TokenPair {
    /// The access token.
    pub fn access_token(&self) -> &Secret {
        &self.access_token
    }

    /// Whether there is a refresh token.
    pub fn has_refresh_token(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// When the access token expires: `expires_in` from its arrival, else the token's own `exp`.
    pub fn expires_at(&self) -> Option<Timestamp> {
        let by_answer = || {
            let value = self.fields.get("expires_in")?;
            let seconds = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())?;
            let ms = self.received_at.as_millisecond().checked_add(seconds.checked_mul(1000)?)?;
            Timestamp::from_millisecond(ms).ok()
        };
        by_answer().or(self.claims.expires_at)
    }

    /// Whether the pair belongs to this installation and to the app of this client id. Both the answer
    /// and the tokens' claims have to match. The claims of the access token count where the answer is
    /// silent; if both are, the pair is refused. A location token carries a `companyId` too, so that
    /// alone proves nothing.
    pub fn belongs_to(&self, installation: &Installation, client_id: &str) -> Result<(), Mismatch> {
        self.answer_fits(installation)?;
        claims_fit(&self.claims, "access token", installation, client_id)?;
        let refresh = self.refresh_token.as_ref().and_then(|token| jwt::look_into(token.expose()));
        refresh
            .map_or(Ok(()), |claims| claims_fit(&claims, "refresh token", installation, client_id))
    }

    fn answer_fits(&self, installation: &Installation) -> Result<(), Mismatch> {
        let Some(kind) = self.kind() else {
            return Err(tenant("the answer does not say what kind of token it is"));
        };
        if kind != installation.scope {
            return Err(wrong_kind(installation.scope, kind));
        }
        let field = match kind {
            Scope::Location => "locationId",
            Scope::Company => "companyId",
        };
        let claimed = || self.claims.id.as_ref().map(Id::as_str);
        match self.text(field).or_else(claimed) {
            Some(id) if id == installation.id.as_str() => Ok(()),
            Some(id) => Err(tenant(&format!(
                "asked for {kind} {}, the tokens are for {kind} {}",
                installation.id,
                SafeText::identifier(&self.known.cut_out(id))
            ))),
            None => Err(tenant(&format!("the answer does not say for which {kind} it is"))),
        }
    }

    fn kind(&self) -> Option<Scope> {
        let error_text = self.text("userType").and_then(Scope::from_user_type);
        let implied = || match (self.text("locationId"), self.text("companyId")) {
            (Some(_), _) => Some(Scope::Location),
            (None, Some(_)) => Some(Scope::Company),
            (None, None) => None,
        };
        error_text.or(self.claims.scope).or_else(implied)
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The pair as the official SDK keeps a session: `applicationId` is the client id before the
    /// dash, `expire_at` is in epoch milliseconds. Secret: for `tokens.jsonl` only.
    pub fn session_document(
        &self,
        client_id: &str,
        installation: &Installation,
    ) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("applicationId".into(), application(client_id).into());
        document.insert("resourceId".into(), installation.id.as_str().into());
        for (name, value) in &self.fields {
            document.insert(name.clone(), value.clone());
            if name == "expires_in" {
                self.insert_expire_at(&mut document);
            }
        }
        self.insert_expire_at(&mut document);
        let kind = || installation.scope.user_type().into();
        document.entry("userType").or_insert_with(kind);
        document
    }

    fn insert_expire_at(&self, document: &mut Map<String, Value>) {
        if let Some(at) = self.expires_at() {
            document.insert("expire_at".into(), at.as_millisecond().into());
        }
    }
}

/// Whether a token's claims, if it has any, match the installation and the app. Another key pair of
/// the same app is the same app.
fn claims_fit(
    claims: &Claims,
    token: &str,
    installation: &Installation,
    client_id: &str,
) -> Result<(), Mismatch> {
    let Claims { scope, id, client, .. } = claims;
    if let Some(kind) = scope.filter(|kind| *kind != installation.scope) {
        return Err(wrong_kind(installation.scope, kind));
    }
    let kind = installation.scope;
    if let Some(id) = id.as_ref().filter(|id| **id != installation.id) {
        return Err(tenant(&format!(
            "asked for {kind} {}, the {token} itself says that it is for {kind} {id}",
            installation.id
        )));
    }
    match client.as_ref().filter(|client| client.app() != application(client_id)) {
        Some(client) => Err(tenant(&format!(
            "asked for tokens of client {client_id}, the {token} itself says that it is of {client} \
             (another app)"
        ))),
        None => Ok(()),
    }
}

fn wrong_kind(asked: Scope, came: Scope) -> Mismatch {
    let message = format!("asked for a {asked} token, got one for a {came}");
    Mismatch { class: Class::WrongKind, message }
}

fn tenant(message: &str) -> Mismatch {
    Mismatch { class: Class::WrongTenant, message: message.to_owned() }
}

fn secret(fields: &Map<String, Value>, name: &str) -> Option<Secret> {
    let text = fields.get(name)?.as_str()?;
    (!text.trim().is_empty()).then(|| Secret::new(text.to_owned()))
}
