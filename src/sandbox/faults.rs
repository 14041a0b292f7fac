//! Which faults exist, where each makes sense, and how one is written.

use std::sync::Arc;
use std::time::Duration;

use super::step::Place;

/// The faults by name; [`CATALOGUE`] says what each one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is described by its row in the catalogue")]
pub enum Kind {
    RateLimited,
    RateLimitedDate,
    RateLimitedBare,
    RateLimitedAbsurd,
    RateLimitedHeaders,
    ServerError,
    BadGateway,
    Unavailable,
    Blocked,
    Reset,
    Cut,
    Silence,
    Slow,
    Empty,
    NotJson,
    Huge,
    MissingCode,
    MissingToken,
    BadExpiry,
    PastExpiry,
    NoExpiry,
    ShortCode,
    CodeNotFound,
    CodeExpired,
    GrantRefused,
    ClientRefused,
    EndpointRemoved,
    PathGone,
    LocationInactive,
    NotInstalled,
    UnknownId,
    Validation,
    WrongTenant,
    WrongKind,
    Redirect,
    Snake,
    Camel,
    Created,
    NoTrace,
    MessageArray,
    ErrorObject,
    UnauthorisedHtml,
    GarbageMessage,
    EchoSecret,
    NotCreated,
    NoRefreshToken,
    KillsEarlier,
    TokenDead,
    TokenInvalid,
    ScopeMissing,
    UserType,
    AuthClass,
    NoAccess,
    NoFeature,
    VersionMissing,
    WrongCount,
    FirstPage,
    Http,
}

/// What may stand in parentheses after a fault's name, with its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No parameter.
    Nothing,
    /// Whole seconds.
    Seconds(u64),
    /// A time such as `500ms` or `2s`; the default in milliseconds.
    Wait(u64),
    /// Mebibytes.
    Mebibytes(u64),
    /// A URL.
    Target(&'static str),
    /// `status,text`, which must be given.
    Answer,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The name in plans, shares and the audit.
    pub name: &'static str,
    /// The fault.
    pub kind: Kind,
    /// Where it makes sense.
    pub place: Place,
    /// Its parameter.
    pub takes: Takes,
    /// What it does, for a person.
    pub meaning: &'static str,
}

/// The parameter of a fault, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// None is taken.
    Nothing,
    /// Whole seconds.
    Seconds(u64),
    /// A time.
    Wait(Duration),
    /// Mebibytes.
    Mebibytes(u64),
    /// A URL.
    Target(Arc<str>),
    /// A status and a body.
    Answer(u16, Arc<str>),
}

/// One fault as a plan asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one.
    pub kind: Kind,
    /// With which parameter.
    pub parameter: Parameter,
    /// As the plan wrote it: what the audit shows.
    pub text: Arc<str>,
}

impl Fault {
    /// Reads `name` or `name(parameter)`. The error is the reason, without the text itself.
    pub fn parse(text: &str) -> Result<(Self, Place), String> {
        let (name, written) = split_parameter(text)?;
        let known = CATALOGUE
            .iter()
            .find(|known| known.name == name)
            .ok_or_else(|| format!("there is no such fault; there are: {}", names()))?;
        let parameter = known.takes.read(written)?;
        Ok((Self { kind: known.kind, parameter, text: text.into() }, known.place))
    }

    /// The time that the parameter gives, or none.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self.parameter {
            Parameter::Wait(wait) => Some(wait),
            _ => None,
        }
    }

    /// The number that the parameter gives, or zero.
    pub(super) fn number(&self) -> u64 {
        match self.parameter {
            Parameter::Seconds(n) | Parameter::Mebibytes(n) => n,
            _ => 0,
        }
    }
}

impl Takes {
    fn read(self, written: Option<&str>) -> Result<Parameter, String> {
        match self {
            Self::Nothing if written.is_none() => Ok(Parameter::Nothing),
            Self::Nothing => Err("it takes no parameter".into()),
            Self::Seconds(default) => number(written, default).map(Parameter::Seconds),
            Self::Mebibytes(default) => number(written, default).map(Parameter::Mebibytes),
            Self::Wait(default) => written
                .map_or(Some(Duration::from_millis(default)), wait)
                .map(Parameter::Wait)
                .ok_or_else(|| "its parameter is a time such as 500ms or 2s".into()),
            Self::Target(default) => Ok(Parameter::Target(written.unwrap_or(default).into())),
            Self::Answer => written
                .and_then(answer)
                .ok_or_else(|| "its parameter is a status from 200 to 599 and a text".into()),
        }
    }
}

fn split_parameter(text: &str) -> Result<(&str, Option<&str>), String> {
    let Some((name, rest)) = text.split_once('(') else { return Ok((text, None)) };
    let inner = rest.strip_suffix(')').ok_or("the parenthesis is not closed")?;
    Ok((name, Some(inner)))
}

fn number(written: Option<&str>, default: u64) -> Result<u64, String> {
    let Some(text) = written else { return Ok(default) };
    text.trim().parse().map_err(|_| "its parameter is a whole number".into())
}

fn wait(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.trim().parse().ok().map(Duration::from_millis);
    }
    let seconds: f64 = text.strip_suffix('s')?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn answer(text: &str) -> Option<Parameter> {
    let (status, body) = text.split_once(',')?;
    let status = status.trim().parse().ok().filter(|status| (200..600).contains(status))?;
    Some(Parameter::Answer(status, body.trim_start().into()))
}

/// The names of all faults, for a message.
fn names() -> String {
    CATALOGUE.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

const fn row(
    name: &'static str,
    kind: Kind,
    place: Place,
    takes: Takes,
    meaning: &'static str,
) -> Known {
    Known { name, kind, place, takes, meaning }
}

use Place::{
    AgencyOnly, Anywhere, Bearer, DiscoverOnly, ExchangeOnly, Later, ReconnectOnly, Tokens,
};
use Takes::{Answer, Mebibytes, Nothing, Seconds, Target, Wait};

/// Every fault that the sandbox knows.
#[rustfmt::skip]
pub const CATALOGUE: &[Known] = &[
    row("rate_limited", Kind::RateLimited, Anywhere, Seconds(1), "429 with Retry-After in seconds"),
    row("rate_limited_date", Kind::RateLimitedDate, Anywhere, Seconds(1), "429 with Retry-After as an HTTP date that many seconds away"),
    row("rate_limited_bare", Kind::RateLimitedBare, Anywhere, Nothing, "429 that does not say until when"),
    row("rate_limited_absurd", Kind::RateLimitedAbsurd, Anywhere, Nothing, "429 with Retry-After: 999999999"),
    row("rate_limited_headers", Kind::RateLimitedHeaders, Anywhere, Seconds(1), "429 with X-RateLimit-* headers alone, an interval of that many seconds"),
    row("server_error", Kind::ServerError, Anywhere, Nothing, "500 as Nest sends it"),
    row("bad_gateway", Kind::BadGateway, Anywhere, Nothing, "502, a page of the gateway"),
    row("unavailable", Kind::Unavailable, Anywhere, Nothing, "503, a line of text of a proxy"),
    row("blocked", Kind::Blocked, Anywhere, Nothing, "403, text: error code: 1010"),
    row("reset", Kind::Reset, Anywhere, Nothing, "processed, then reset before any byte of the answer"),
    row("cut", Kind::Cut, Anywhere, Nothing, "processed, then closed in the middle of the body"),
    row("silence", Kind::Silence, Anywhere, Nothing, "processed, never answered"),
    row("slow", Kind::Slow, Anywhere, Wait(1000), "processed, answered after a while"),
    row("empty", Kind::Empty, Anywhere, Nothing, "processed, 200 with an empty body"),
    row("not_json", Kind::NotJson, Anywhere, Nothing, "processed, 200 with a page"),
    row("huge", Kind::Huge, Anywhere, Mebibytes(64), "processed, 200 with that many MiB"),
    row("missing_code", Kind::MissingCode, ReconnectOnly, Nothing, "200 without authorizationCode"),
    row("missing_token", Kind::MissingToken, Tokens, Nothing, "200 without access_token"),
    row("bad_expiry", Kind::BadExpiry, ReconnectOnly, Nothing, "expiresAt that is no time"),
    row("past_expiry", Kind::PastExpiry, ReconnectOnly, Nothing, "expiresAt ten minutes ago; the code works all the same"),
    row("no_expiry", Kind::NoExpiry, ReconnectOnly, Nothing, "no expiresAt"),
    row("short_code", Kind::ShortCode, ReconnectOnly, Wait(200), "a code that dies soon, and says so"),
    row("code_not_found", Kind::CodeNotFound, ExchangeOnly, Nothing, "401 Authorization code not found"),
    row("code_expired", Kind::CodeExpired, ExchangeOnly, Nothing, "400 Invalid grant: authorization code has expired"),
    row("grant_refused", Kind::GrantRefused, Tokens, Nothing, "400 Invalid grant: ... is invalid"),
    row("client_refused", Kind::ClientRefused, Anywhere, Nothing, "401 Invalid client credentials!"),
    row("endpoint_removed", Kind::EndpointRemoved, Anywhere, Nothing, "400 API endpoint has been removed"),
    row("path_gone", Kind::PathGone, Anywhere, Nothing, "404 Cannot POST ..."),
    row("location_inactive", Kind::LocationInactive, Anywhere, Nothing, "400 Location is not active"),
    row("not_installed", Kind::NotInstalled, Anywhere, Nothing, "400 App is not installed ... (made up: no such body is published)"),
    row("unknown_id", Kind::UnknownId, Anywhere, Nothing, "400 Location not found, with a traceId"),
    row("validation", Kind::Validation, Anywhere, Nothing, "422 whose message is an array"),
    row("wrong_tenant", Kind::WrongTenant, Tokens, Nothing, "200 with the tokens of another id"),
    row("wrong_kind", Kind::WrongKind, Tokens, Nothing, "200 with a Company token for a location, and the other way round"),
    row("redirect", Kind::Redirect, Anywhere, Target("https://elsewhere.invalid/oauth"), "307 to another host"),
    row("snake", Kind::Snake, Anywhere, Nothing, "the answer in snake_case"),
    row("camel", Kind::Camel, Anywhere, Nothing, "the answer in camelCase"),
    row("created", Kind::Created, Anywhere, Nothing, "201 instead of 200"),
    row("no_trace", Kind::NoTrace, Anywhere, Nothing, "the answer without traceId"),
    row("message_array", Kind::MessageArray, Anywhere, Nothing, "400 whose message is an array"),
    row("error_object", Kind::ErrorObject, Anywhere, Nothing, "400 whose error is an object, as in v3"),
    row("unauthorised_html", Kind::UnauthorisedHtml, Anywhere, Nothing, "401 with a page of a proxy"),
    row("garbage_message", Kind::GarbageMessage, Anywhere, Nothing, "400 whose message has terminal escapes, bidi marks, markup and a formula"),
    row("echo_secret", Kind::EchoSecret, Anywhere, Nothing, "400 that repeats the client secret"),
    row("not_created", Kind::NotCreated, AgencyOnly, Nothing, "200 instead of 201, as the specification has it"),
    row("no_refresh_token", Kind::NoRefreshToken, Later, Nothing, "tokens without a refresh token"),
    row("kills_earlier", Kind::KillsEarlier, Later, Nothing, "a grant that kills the earlier access tokens of the installation"),
    row("token_dead", Kind::TokenDead, Bearer, Nothing, "401 Invalid JWT"),
    row("token_invalid", Kind::TokenInvalid, Bearer, Nothing, "401 Invalid token: access token is invalid"),
    row("scope_missing", Kind::ScopeMissing, Bearer, Nothing, "401 The token is not authorized for this scope."),
    row("user_type", Kind::UserType, Bearer, Nothing, "401 This token's user type is not yet supported!"),
    row("auth_class", Kind::AuthClass, Bearer, Nothing, "401 This authClass type is not allowed to access this scope. ..."),
    row("no_access", Kind::NoAccess, Bearer, Nothing, "403 The token does not have access to this location."),
    row("no_feature", Kind::NoFeature, Bearer, Nothing, "401 You do not have access to this feature! ..., with a traceId"),
    row("version_missing", Kind::VersionMissing, Bearer, Nothing, "401 version header was not found."),
    row("wrong_count", Kind::WrongCount, DiscoverOnly, Nothing, "a count of one more than there are"),
    row("first_page", Kind::FirstPage, DiscoverOnly, Nothing, "the first page, whichever was asked for"),
    row("http", Kind::Http, Anywhere, Answer, "http(status,text): any answer at all"),
];
