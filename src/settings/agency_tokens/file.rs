//! Agency tokens as files and the environment have them. Errors name the file and the line, never
//! what stands there.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::Entry;
use crate::{
    highlevel::{
        client_id::{ClientId, application},
        jwt::{self, Claims},
    },
    installation::{Id, Scope},
    secret::Secret,
};

/// The variable with one agency token.
pub const VARIABLE: &str = "GHL_AGENCY_TOKEN";

/// Why agency tokens cannot be used.
#[derive(Debug, Error)]
pub enum AgencyTokensError {
    /// The file cannot be read.
    #[error("--agency-tokens: cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line that cannot be used.
    #[error("--agency-tokens: {}, line {line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, without a value.
        why: &'static str,
    },
    /// There is no agency token in it.
    #[error(
        "--agency-tokens: {} has no agency token{}; one has userType Company and a companyId",
        path.display(),
        if *others == 0 { String::new() } else { format!(" ({others} of sub-accounts)") }
    )]
    None {
        /// The file.
        path: PathBuf,
        /// Lines that are of sub-accounts.
        others: usize,
    },
    /// The variable cannot be used.
    #[error("{VARIABLE}: {0}")]
    Variable(&'static str),
}

const NOT_AN_OBJECT: &str = "not a JSON object; the file has one on each line, as tokens.jsonl has";
const NO_TOKEN: &str = "an agency without an access_token";
const NO_COMPANY: &str = "neither companyId nor the token say of which agency it is";
const ODD_VALUE: &str = "the access token has characters that no token has: is it encrypted, or was something pasted along?";
const PRIVATE: &str = "a Private Integration Token (pit-…) gets no tokens for sub-accounts; take the access token of the app's agency installation";
const OF_A_LOCATION: &str =
    "this is the token of a sub-account; take that of the agency (userType Company)";

/// A line, as far as it matters.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "accessToken")]
    access_token: Option<Value>,
    #[serde(rename = "userType", alias = "user_type")]
    user_type: Option<Value>,
    #[serde(rename = "companyId", alias = "company_id")]
    company_id: Option<Value>,
    #[serde(rename = "locationId", alias = "location_id")]
    location_id: Option<Value>,
    #[serde(rename = "resourceId", alias = "resource_id")]
    resource_id: Option<Value>,
    #[serde(rename = "applicationId", alias = "application_id")]
    application_id: Option<Value>,
    #[serde(alias = "expireAt")]
    expire_at: Option<Value>,
}

/// Lines that are named; the rest is counted.
const NAMED: usize = 5;

/// What a file has.
pub(crate) struct Read {
    pub(crate) entries: Vec<(Id, Entry)>,
    pub(crate) notes: Vec<String>,
    /// Lines that cannot be used: each of them may be an agency's.
    pub(crate) unusable: usize,
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Read, AgencyTokensError> {
    let unreadable = |source| AgencyTokensError::Unreadable { path: path.to_owned(), source };
    let mut input = BufReader::new(File::open(path).map_err(unreadable)?);
    if input.fill_buf().map_err(unreadable)?.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    let (mut entries, mut notes, mut others) = (Vec::new(), Vec::new(), 0);
    let mut wrong = Wrong::default();
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        if input.read_until(b'\n', &mut text).map_err(unreadable)? == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        match entry_of_line(&text) {
            Ok(Some((company, entry, odd))) => {
                let place = format!("{}, line {line}", path.display());
                notes.extend(odd.map(|odd| format!("{place}: {odd}")));
                entries.push((company, entry));
            }
            Ok(None) => others += 1,
            Err(why) => wrong.add(line, why),
        }
    }
    if entries.is_empty() {
        let path = path.to_owned();
        return Err(match wrong.first {
            Some((line, why)) => AgencyTokensError::Line { path, line, why },
            None => AgencyTokensError::None { path, others },
        });
    }
    notes.extend(wrong.in_words(path));
    if others > 0 {
        notes.push(format!("{}: {others} tokens of sub-accounts are not used", path.display()));
    }
    Ok(Read { entries, notes, unusable: wrong.count })
}

/// Lines that cannot be used.
#[derive(Default)]
struct Wrong {
    count: usize,
    first: Option<(usize, &'static str)>,
    said: Vec<(usize, &'static str)>,
}

impl Wrong {
    fn add(&mut self, line: usize, why: &'static str) {
        self.count += 1;
        self.first.get_or_insert((line, why));
        if self.said.len() < NAMED {
            self.said.push((line, why));
        }
    }

    /// The first of them by line, the others counted.
    fn in_words(&self, path: &Path) -> impl Iterator<Item = String> {
        let path = path.display();
        let more = self.count - self.said.len();
        let rest = (more > 0).then(|| format!("{path}: {more} more lines cannot be used"));
        let line = |(line, why): &(usize, &str)| {
            format!("{path}, line {line}: {why}; its agency has no token in this run")
        };
        self.said.iter().map(line).collect::<Vec<_>>().into_iter().chain(rest)
    }
}

/// An agency, its token, and what is odd about it; `None` for a sub-account's.
type Found = Option<(Id, Entry, Option<&'static str>)>;

fn entry_of_line(text: &[u8]) -> Result<Found, &'static str> {
    let line: Line = serde_json::from_slice(text).map_err(|_| NOT_AN_OBJECT)?;
    let token = text_of(line.access_token.as_ref());
    let claims = token.and_then(jwt::look_into).unwrap_or_default();
    if line.kind(&claims) == Scope::Location {
        return Ok(None);
    }
    let token = check(token.ok_or(NO_TOKEN)?)?;
    let named = text_of(line.company_id.as_ref()).or_else(|| text_of(line.resource_id.as_ref()));
    let named = named.and_then(Id::new);
    let differs = claims.id.is_some() && named.is_some() && claims.id != named;
    let odd = differs
        .then_some("the token is of another agency than the line says; the token is believed");
    let company = claims.id.clone().or(named).ok_or(NO_COMPANY)?;
    let expires_at = line.expires_at().or(claims.expires_at);
    let said = text_of(line.application_id.as_ref()).map(application);
    let application = claims.client.as_ref().map(ClientId::app).or(said).map(Into::into);
    Ok(Some((company, Entry { token, expires_at, application, refused: None }, odd)))
}

impl Line {
    /// The token knows best what it is; then the line says so, or seems to.
    fn kind(&self, claims: &Claims) -> Scope {
        let said = || text_of(self.user_type.as_ref()).and_then(Scope::from_user_type);
        let seems = || match text_of(self.location_id.as_ref()) {
            Some(_) => Scope::Location,
            None => Scope::Company,
        };
        claims.scope.or_else(said).unwrap_or_else(seems)
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.expire_at.as_ref()?.as_i64()?).ok()
    }
}

/// Reads the variable: the agency is the one that the token names, if it names one.
pub(crate) fn entry_of_variable(text: &str) -> Result<(Option<Id>, Entry), AgencyTokensError> {
    let token = check(text).map_err(AgencyTokensError::Variable)?;
    let claims = jwt::look_into(token.expose()).unwrap_or_default();
    if claims.scope == Some(Scope::Location) {
        return Err(AgencyTokensError::Variable(OF_A_LOCATION));
    }
    let application = claims.client.as_ref().map(|client| client.app().into());
    Ok((claims.id, Entry { token, expires_at: claims.expires_at, application, refused: None }))
}

/// A token has visible ASCII characters alone, and is no Private Integration Token.
fn check(text: &str) -> Result<Secret, &'static str> {
    let text = text.trim();
    if text.starts_with("pit-") {
        return Err(PRIVATE);
    }
    let is_odd = |c: char| !c.is_ascii_graphic() || "\"'`,;".contains(c);
    if text.is_empty() || text.contains(is_odd) {
        return Err(ODD_VALUE);
    }
    Ok(Secret::new(text.to_owned()))
}

fn text_of(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}
