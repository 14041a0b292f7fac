//! The recorded bodies, and how a recording becomes an answer.
//!
//! Where HighLevel publishes no body for a case, the recording is what its framework (Nest) or
//! its gateway (Cloudflare) sends by default; `too-many.json`, `not-installed.json`, `one-id.json`,
//! `app-not-found.json`, `company.json`, `contacts.json` and `location.json` are made up, and so are
//! the statuses of `user-type.json` and `auth-class.json`.

use super::clock::Clock;
use super::faults::{Fault, Kind, Parameter};
use super::quota::{Left, Quota};

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=UTF-8";
const TEXT: &str = "text/plain; charset=UTF-8";

/// A body as recorded, with `$name` where a value goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    status: u16,
    content_type: &'static str,
    body: &'static str,
}

macro_rules! recorded {
    ($($name:ident = $status:literal $kind:ident $file:literal;)*) => {
        $(pub(super) const $name: Recorded = Recorded {
            status: $status,
            content_type: $kind,
            body: include_str!(concat!("bodies/", $file)),
        };)*
    };
}

recorded! {
    CODE = 200 JSON "code.json";
    TOKEN_LOCATION = 200 JSON "token-location.json";
    TOKEN_COMPANY = 200 JSON "token-company.json";
    NOT_FOUND = 404 JSON "not-found.json";
    BAD_JSON = 400 JSON "bad-json.json";
    VALIDATION = 422 JSON "validation.json";
    ONE_ID = 422 JSON "one-id.json";
    CODE_NOT_FOUND = 401 JSON "code-not-found.json";
    CLIENT_REFUSED = 401 JSON "client-refused.json";
    CODE_EXPIRED = 400 JSON "code-expired.json";
    GRANT_REFUSED = 400 JSON "grant-refused.json";
    REFRESH_REFUSED = 400 JSON "refresh-refused.json";
    PARAMETER = 400 JSON "parameter.json";
    TOO_MANY = 429 JSON "too-many.json";
    SERVER_ERROR = 500 JSON "server-error.json";
    BAD_GATEWAY = 502 HTML "bad-gateway.html";
    UNAVAILABLE = 503 TEXT "unavailable.txt";
    BLOCKED = 403 TEXT "blocked.txt";
    SIGN_IN = 200 HTML "sign-in.html";
    UNAUTHORISED = 401 HTML "unauthorised.html";
    ENDPOINT_REMOVED = 400 JSON "endpoint-removed.json";
    LOCATION_INACTIVE = 400 JSON "location-inactive.json";
    NOT_INSTALLED = 400 JSON "not-installed.json";
    UNKNOWN_ID = 400 JSON "unknown-id.json";
    MESSAGE_ARRAY = 400 JSON "message-array.json";
    ERROR_OBJECT = 400 JSON "error-object.json";
    GARBAGE_MESSAGE = 400 JSON "garbage-message.json";
    ECHO_SECRET = 400 JSON "echo-secret.json";
    LOCATION_TOKEN = 201 JSON "location-token.json";
    LOCATION = 200 JSON "location.json";
    COMPANY = 200 JSON "company.json";
    CONTACTS = 200 JSON "contacts.json";
    TOKEN_DEAD = 401 JSON "token-dead.json";
    TOKEN_INVALID = 401 JSON "token-invalid.json";
    SCOPE_MISSING = 401 JSON "scope-missing.json";
    USER_TYPE = 401 JSON "user-type.json";
    AUTH_CLASS = 401 JSON "auth-class.json";
    NO_ACCESS = 403 JSON "no-access.json";
    NO_FEATURE = 401 JSON "no-feature.json";
    VERSION_MISSING = 401 JSON "version-missing.json";
    VERSION_WRONG = 400 JSON "version-wrong.json";
    APP_NOT_FOUND = 400 JSON "app-not-found.json";
    APP_NOT_FOUND_V3 = 404 JSON "app-not-found-v3.json";
    INVALID_ARGUMENT_V3 = 400 JSON "invalid-argument-v3.json";
}

/// An answer, ready but for its delivery.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    fn plain(status: u16, body: &str) -> Self {
        let content_type = if body.starts_with(['{', '[']) { JSON } else { TEXT };
        Self { status, content_type, headers: Vec::new(), body: body.to_owned() }
    }

    /// An answer whose body is a list and so cannot be a recording.
    pub(super) fn json(body: &serde_json::Value) -> Self {
        let (status, content_type) = (200, JSON);
        Self { status, content_type, headers: Vec::new(), body: body.to_string() }
    }

    /// The same answer with another body and its kind.
    pub(super) fn replaced(mut self, recorded: Recorded) -> Self {
        self.content_type = recorded.content_type;
        recorded.body.clone_into(&mut self.body);
        self
    }
}

/// The values that a recording may name, without the dollar sign.
pub(super) type Values<'a> = [(&'a str, &'a str)];

impl Recorded {
    /// Fills in the values; a name without a value stays empty.
    pub(super) fn fill(self, values: &Values<'_>) -> Answer {
        let mut pieces = self.body.split('$');
        let mut body = String::with_capacity(self.body.len() * 2);
        body.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(piece.len());
            let (name, rest) = piece.split_at(end);
            let value = values.iter().find(|(known, _)| *known == name).map_or("", |(_, v)| v);
            body.push_str(&escaped(value));
            body.push_str(rest);
        }
        let Self { status, content_type, .. } = self;
        Answer { status, content_type, headers: Vec::new(), body }
    }
}

/// A value as it stands between the quotes of a JSON string.
fn escaped(value: &str) -> std::borrow::Cow<'_, str> {
    if value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\') {
        return value.into();
    }
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned().into()
}

/// The answer of a fault that stands in for the work; none for a fault that lets the work be done.
pub(super) fn refusal(fault: &Fault, values: &Values<'_>, clock: &Clock) -> Option<Answer> {
    match (&fault.parameter, fault.kind) {
        (Parameter::Answer(status, body), _) => Some(Answer::plain(*status, body)),
        (Parameter::Target(target), _) => {
            Some(Answer::plain(307, "").with("Location", target.to_string()))
        }
        (_, Kind::GrantRefused) => Some(grant_refused(values)),
        (_, kind) => too_many(fault, clock).or_else(|| Some(recording(kind)?.fill(values))),
    }
}

fn grant_refused(values: &Values<'_>) -> Answer {
    let refresh = values.contains(&("step", "refresh"));
    if refresh { REFRESH_REFUSED.fill(values) } else { GRANT_REFUSED.fill(values) }
}

fn too_many(fault: &Fault, clock: &Clock) -> Option<Answer> {
    let answer = TOO_MANY.fill(&[]);
    let seconds = fault.number();
    match fault.kind {
        Kind::RateLimited => Some(answer.with("Retry-After", seconds.to_string())),
        Kind::RateLimitedDate => {
            let until = clock.now().saturating_add(seconds.saturating_mul(1_000_000));
            Some(answer.with("Retry-After", clock.http_date(until)))
        }
        Kind::RateLimitedBare => Some(answer),
        Kind::RateLimitedAbsurd => Some(answer.with("Retry-After", "999999999".into())),
        Kind::RateLimitedHeaders => {
            let quota = Quota { requests: 100, per: std::time::Duration::from_secs(seconds) };
            Some(quota.tell(answer, Left::Overdrawn))
        }
        _ => None,
    }
}

fn recording(kind: Kind) -> Option<Recorded> {
    Some(match kind {
        Kind::ServerError => SERVER_ERROR,
        Kind::BadGateway => BAD_GATEWAY,
        Kind::Unavailable => UNAVAILABLE,
        Kind::Blocked => BLOCKED,
        Kind::CodeNotFound => CODE_NOT_FOUND,
        Kind::CodeExpired => CODE_EXPIRED,
        Kind::ClientRefused => CLIENT_REFUSED,
        Kind::EndpointRemoved => ENDPOINT_REMOVED,
        Kind::PathGone => NOT_FOUND,
        Kind::LocationInactive => LOCATION_INACTIVE,
        Kind::NotInstalled => NOT_INSTALLED,
        Kind::UnknownId => UNKNOWN_ID,
        Kind::Validation => VALIDATION,
        Kind::MessageArray => MESSAGE_ARRAY,
        Kind::ErrorObject => ERROR_OBJECT,
        Kind::UnauthorisedHtml => UNAUTHORISED,
        Kind::GarbageMessage => GARBAGE_MESSAGE,
        Kind::EchoSecret => ECHO_SECRET,
        kind => return at_a_token(kind),
    })
}

/// What an access token is told that is shown.
fn at_a_token(kind: Kind) -> Option<Recorded> {
    Some(match kind {
        Kind::TokenDead => TOKEN_DEAD,
        Kind::TokenInvalid => TOKEN_INVALID,
        Kind::ScopeMissing => SCOPE_MISSING,
        Kind::UserType => USER_TYPE,
        Kind::AuthClass => AUTH_CLASS,
        Kind::NoAccess => NO_ACCESS,
        Kind::NoFeature => NO_FEATURE,
        Kind::VersionMissing => VERSION_MISSING,
        _ => return None,
    })
}
