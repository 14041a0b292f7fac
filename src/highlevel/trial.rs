//! An access token is tried with one call: where, and what the answer says of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{answer, client::Reply, wording::Wording};
use crate::failure::{Class, Failure, Stage};
use crate::{
    installation::{Installation, Scope},
    text::SafeText,
};

/// The path at which tokens are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TrialPath {
    /// `/locations/{id}` for a sub-account, `/companies/{id}` for an agency.
    #[default]
    Usual,
    /// A path with `{locationId}`, `{companyId}` or `{id}` in it, query included. An installation
    /// without such an id is tried at the usual path.
    Template(String),
}

/// A text that is no path to try tokens at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must begin with a single / and be a path below --base-url, without host, fragment, blanks or ..; it may name {{locationId}}, {{companyId}} and {{id}}, such as '/contacts/?locationId={{locationId}}&limit=1'"
)]
pub struct NotATrialPath;

impl FromStr for TrialPath {
    type Err = NotATrialPath;

    fn from_str(text: &str) -> Result<Self, NotATrialPath> {
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
            Err(NotATrialPath)
        }
    }
}

impl TryFrom<String> for TrialPath {
    type Error = NotATrialPath;

    fn try_from(text: String) -> Result<Self, NotATrialPath> {
        text.parse()
    }
}

impl From<TrialPath> for String {
    fn from(path: TrialPath) -> Self {
        path.to_string()
    }
}

/// As `--verify-path` takes it; the usual path is the empty text.
impl fmt::Display for TrialPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => Ok(()),
            Self::Template(template) => f.write_str(template),
        }
    }
}

/// What a template may name.
const PLACEHOLDERS: [&str; 3] = ["{locationId}", "{companyId}", "{id}"];

impl TrialPath {
    /// The path for one installation. Ids have no character that would change it.
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

/// What an answer says of the token that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It works.
    Alive,
    /// It is alive and may not do this: a scope is missing, the call is for the other kind of
    /// token, or the agency's plan has no API access. What the API said.
    WithoutScope(SafeText),
    /// It is alive, and HighLevel says that it has no access to this location.
    Foreign(Failure),
    /// It is dead.
    Dead(Failure),
    /// The answer says nothing about the token. Its class tells whether another try has a chance.
    Unclear(Failure),
}

/// Words of refusals that a dead token would not hear.
const OF_LIVING_TOKENS: [&str; 6] = [
    "not authorized for this scope",
    "authclass type is not allowed",
    "user type is not yet supported",
    "do not have access to this feature",
    "insufficient scope",
    "missing scope",
];

/// Judges the answer to a trial.
pub fn judge(reply: &Reply) -> Trial {
    if (200..300).contains(&reply.status) {
        return judge_success(reply);
    }
    let failure = answer::refusal(Stage::Verify, reply);
    let said = Wording::of(failure.message.as_str());
    let is_living = OF_LIVING_TOKENS.iter().any(|words| said.says(&Wording::of(words)));
    match failure.class {
        Class::WrongTenant => Trial::Foreign(failure),
        Class::RateLimited | Class::ServerError | Class::Blocked => Trial::Unclear(failure),
        _ if is_living => Trial::WithoutScope(failure.message),
        Class::GrantRefused => Trial::Dead(failure),
        // Whoever may not do this is known; the gateway's own 403 is no JSON and `Blocked`.
        _ if reply.status == 403 => Trial::WithoutScope(failure.message),
        _ => Trial::Unclear(failure),
    }
}

/// A page that asks to sign in says "success" too.
fn judge_success(reply: &Reply) -> Trial {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&reply.body).is_ok();
    if is_json || reply.status == 204 {
        return Trial::Alive;
    }
    let why = "the answer to the trial says success but is no JSON";
    Trial::Unclear(answer::bad_answer(Stage::Verify, reply, why))
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
        let orphan = installation(Scope::Location, None);
        let contacts = "/contacts/?locationId={locationId}&limit=1";
        let both = "/x/{companyId}/{id}";
        for (path, installation, made) in [
            ("", &located, format!("/locations/{ID}")),
            ("", &agency, format!("/companies/{ID}")),
            (contacts, &located, format!("/contacts/?locationId={ID}&limit=1")),
            (contacts, &agency, format!("/companies/{ID}")),
            (both, &located, format!("/x/{COMPANY}/{ID}")),
            (both, &agency, format!("/x/{ID}/{ID}")),
            (both, &orphan, format!("/locations/{ID}")),
            ("/users/", &located, "/users/".to_owned()),
        ] {
            assert_eq!(path.parse::<TrialPath>().unwrap().of(installation), made, "{path}");
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
            assert_eq!(bad.parse::<TrialPath>(), Err(NotATrialPath), "{bad}");
        }
    }

    fn kind(trial: &Trial) -> &'static str {
        match trial {
            Trial::Alive => "alive",
            Trial::WithoutScope(_) => "without scope",
            Trial::Foreign(_) => "foreign",
            Trial::Dead(_) => "dead",
            Trial::Unclear(_) => "unclear",
        }
    }

    #[test]
    fn an_answer_says_what_the_token_is_worth() {
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
            let trial = judge(&Reply::of(status, body));
            assert_eq!(kind(&trial), means, "{status} {body}");
            if let Trial::Dead(failure) | Trial::Unclear(failure) = trial {
                assert_eq!(failure.stage, Stage::Verify, "{status} {body}");
            }
        }
    }
}
