//! A token check: one request with an access token, its path, and what the answer means.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{answer, normalised_message::NormalisedMessage, reply::Reply};
use crate::failure::{Class, Failure, Stage};
use crate::{
    installation::{Installation, Scope},
    text::SafeText,
};

/// The path of a token check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenCheckPath {
    /// `/locations/{id}` for a sub-account, `/companies/{id}` for an agency.
    #[default]
    Usual,
    /// A path with `{locationId}`, `{companyId}` or `{id}` in it, query included. An installation
    /// without such an id is checked at the usual path.
    Template(String),
}

/// A text that is not a path for token checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must begin with a single / and be a path below --base-url, without host, fragment, blanks or ..; it may name {{locationId}}, {{companyId}} and {{id}}, such as '/contacts/?locationId={{locationId}}&limit=1'"
)]
pub struct NotATokenCheckPath;

impl FromStr for TokenCheckPath {
    type Err = NotATokenCheckPath;

    fn from_str(text: &str) -> Result<Self, NotATokenCheckPath> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Usual);
        }
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "#\\".contains(c);
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let named = PLACEHOLDERS.iter().fold(text.to_owned(), |text, name| text.replace(name, "x"));
        let is_plain = !named.contains(is_odd) && !named.contains("..") && !named.contains("://");
        if is_path && is_plain && !named.contains(['{', '}']) {
            Ok(Self::Template(text.to_owned()))
        } else {
            Err(NotATokenCheckPath)
        }
    }
}

impl TryFrom<String> for TokenCheckPath {
    type Error = NotATokenCheckPath;

    fn try_from(text: String) -> Result<Self, NotATokenCheckPath> {
        text.parse()
    }
}

impl From<TokenCheckPath> for String {
    fn from(path: TokenCheckPath) -> Self {
        path.to_string()
    }
}

/// As `--verify-path` takes it; the usual path is the empty text.
impl fmt::Display for TokenCheckPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => Ok(()),
            Self::Template(template) => f.write_str(template),
        }
    }
}

/// The placeholders of a template.
const PLACEHOLDERS: [&str; 3] = ["{locationId}", "{companyId}", "{id}"];

impl TokenCheckPath {
    /// The path for one installation. No character of an id changes its structure.
    pub fn of(&self, installation: &Installation) -> String {
        let Self::Template(template) = self else { return usual(installation) };
        let Installation { scope, id, company } = installation;
        let (location, company) = match scope {
            Scope::Location => (Some(id), company.as_ref()),
            Scope::Company => (None, Some(id)),
        };
        let mut path = template.clone();
        for (name, value) in PLACEHOLDERS.into_iter().zip([location, company, Some(id)]) {
            match value {
                Some(value) => path = path.replace(name, value.as_str()),
                None if path.contains(name) => return usual(installation),
                None => {}
            }
        }
        path
    }
}

fn usual(installation: &Installation) -> String {
    let kind = match installation.scope {
        Scope::Location => "locations",
        Scope::Company => "companies",
    };
    format!("/{kind}/{}", installation.id)
}

/// The result of a token check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenCheck {
    /// It works.
    Alive,
    /// It works, but may not do this: a scope is missing, the request is for the other kind of token, or
    /// the agency's plan has no API access. With the API's message.
    WithoutScope(SafeText),
    /// It works, but has no access to this location.
    Foreign(Failure),
    /// It is dead.
    Dead(Failure),
    /// The answer says nothing about the token. Its class decides about another check.
    Unclear(Failure),
}

/// Texts of refusals that a dead token would not get.
const OF_LIVING_TOKENS: [&str; 6] = [
    "not authorized for this scope",
    "authclass type is not allowed",
    "user type is not yet supported",
    "do not have access to this feature",
    "insufficient scope",
    "missing scope",
];

/// Judges the answer to a token check.
pub fn judge(reply: &Reply) -> TokenCheck {
    if (200..300).contains(&reply.status) {
        return judge_success(reply);
    }
    let failure = answer::refusal(Stage::Verify, reply);
    let error_text = NormalisedMessage::of(failure.message.as_str());
    let is_living = OF_LIVING_TOKENS
        .iter()
        .any(|words| error_text.contains_words(&NormalisedMessage::of(words)));
    match failure.class {
        Class::WrongTenant => TokenCheck::Foreign(failure),
        Class::RateLimited | Class::ServerError | Class::Blocked => TokenCheck::Unclear(failure),
        _ if is_living => TokenCheck::WithoutScope(failure.message),
        Class::GrantRefused => TokenCheck::Dead(failure),
        // HighLevel has accepted the token; a gateway's own 403 is not JSON, and `Blocked`.
        _ if reply.status == 403 => TokenCheck::WithoutScope(failure.message),
        _ => TokenCheck::Unclear(failure),
    }
}

/// A sign-in page has a success status too.
fn judge_success(reply: &Reply) -> TokenCheck {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&reply.body).is_ok();
    if is_json || reply.status == 204 {
        return TokenCheck::Alive;
    }
    let why = "the answer to the token check says success but is no JSON";
    TokenCheck::Unclear(answer::bad_answer(Stage::Verify, reply, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::Id;

    const ID: &str = "ve9EPM428h8vShlRW1KT";
    const COMPANY: &str = "tDtDnQdgm2LXpyiqYvZ6";

    fn installation(scope: Scope, company: Option<&str>) -> Installation {
        Installation { scope, id: Id::new(ID).unwrap(), company: company.and_then(Id::new) }
    }

    #[test]
    fn a_path_names_ids_and_never_a_host() {
        let located = installation(Scope::Location, Some(COMPANY));
        let agency = installation(Scope::Company, None);
        let unsaved = installation(Scope::Location, None);
        let contacts = "/contacts/?locationId={locationId}&limit=1";
        let both = "/x/{companyId}/{id}";
        for (path, installation, made) in [
            ("", &located, format!("/locations/{ID}")),
            ("", &agency, format!("/companies/{ID}")),
            (contacts, &located, format!("/contacts/?locationId={ID}&limit=1")),
            (contacts, &agency, format!("/companies/{ID}")),
            (both, &located, format!("/x/{COMPANY}/{ID}")),
            (both, &agency, format!("/x/{ID}/{ID}")),
            (both, &unsaved, format!("/locations/{ID}")),
            ("/users/", &located, "/users/".to_owned()),
        ] {
            assert_eq!(path.parse::<TokenCheckPath>().unwrap().of(installation), made, "{path}");
        }
        for bad in [
            "contacts",
            "//evil.example/x",
            "https://evil.example/x",
            "/x#y",
            "/../x",
            "/x y",
            "/{token}",
            "/x?u=https://evil.example",
            "/a\\b",
        ] {
            assert_eq!(bad.parse::<TokenCheckPath>(), Err(NotATokenCheckPath), "{bad}");
        }
    }

    fn kind(token_check: &TokenCheck) -> &'static str {
        match token_check {
            TokenCheck::Alive => "alive",
            TokenCheck::WithoutScope(_) => "without scope",
            TokenCheck::Foreign(_) => "foreign",
            TokenCheck::Dead(_) => "dead",
            TokenCheck::Unclear(_) => "unclear",
        }
    }

    #[test]
    fn an_answer_decides_about_the_token() {
        for (status, body, means) in [
            (200, r#"{"location":{"id":"x"}}"#, "alive"),
            (200, "[]", "alive"),
            (204, "", "alive"),
            (200, "<html>Sign in</html>", "unclear"),
            (401, r#"{"statusCode":401,"message":"Invalid JWT"}"#, "dead"),
            (401, r#"{"message":"Invalid token: access token is invalid"}"#, "dead"),
            (401, r#"{"message":"Unauthorized"}"#, "dead"),
            (401, "<html>401</html>", "unclear"),
            (
                403,
                r#"{"statusCode":403,"message":"The token does not have access to this location."}"#,
                "foreign",
            ),
            (403, r#"{"statusCode":403,"message":"Forbidden resource"}"#, "without scope"),
            (401, r#"{"message":"The token is not authorized for this scope."}"#, "without scope"),
            (
                401,
                r#"{"message":"This authClass type is not allowed to access this scope. Please"}"#,
                "without scope",
            ),
            (
                401,
                r#"{"status":401,"message":"You do not have access to this feature! Please"}"#,
                "without scope",
            ),
            (403, "error code: 1010", "unclear"),
            (401, r#"{"message":"version header was not found."}"#, "unclear"),
            (404, r#"{"message":"Cannot GET /x","statusCode":404}"#, "unclear"),
            (400, r#"{"message":"Location is not active"}"#, "unclear"),
            (422, r#"{"message":["limit must be a number"]}"#, "unclear"),
            (429, r#"{"message":"Too Many Requests"}"#, "unclear"),
            (500, r#"{"message":"Invalid JWT"}"#, "unclear"),
            (302, "", "unclear"),
        ] {
            let token_check = judge(&Reply::of(status, body));
            assert_eq!(kind(&token_check), means, "{status} {body}");
            if let TokenCheck::Dead(failure) | TokenCheck::Unclear(failure) = token_check {
                assert_eq!(failure.stage, Stage::Verify, "{status} {body}");
            }
        }
    }
}
