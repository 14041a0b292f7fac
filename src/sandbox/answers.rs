//! The recorded bodies, and how a recording becomes an answer.
//!
//! Where HighLevel publishes no body for a case, the recording is what its framework (Nest) or its
//! gateway (Cloudflare) sends by default. Made up are `TOO_MANY`, `NOT_INSTALLED`, `ONE_ID`,
//! `APP_NOT_FOUND`, `COMPANY`, `CONTACTS`, `LOCATION`, and the statuses of `USER_TYPE` and
//! `AUTH_CLASS`.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

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
    ($($name:ident = $status:literal $kind:ident $body:literal;)*) => {
        $(pub(super) const $name: Recorded =
            Recorded { status: $status, content_type: $kind, body: $body };)*
    };
}

recorded! {
    CODE = 200 JSON r#"{"authorizationCode":"$code","expiresAt":"$expiresAt","traceId":"$traceId"}"#;
    TOKEN_LOCATION = 200 JSON r#"{"access_token":"$access","token_type":"Bearer","expires_in":$life,"refresh_token":"$refresh","refreshTokenId":"$refreshId","scope":"$scope","userType":"Location","companyId":"$company","locationId":"$location","isBulkInstallation":false,"userId":"$user","traceId":"$traceId"}"#;
    TOKEN_COMPANY = 200 JSON r#"{"access_token":"$access","token_type":"Bearer","expires_in":$life,"refresh_token":"$refresh","refreshTokenId":"$refreshId","scope":"$scope","userType":"Company","companyId":"$company","approvedLocations":[],"isBulkInstallation":false,"userId":"$user","traceId":"$traceId"}"#;
    NOT_FOUND = 404 JSON r#"{"message":"Cannot $method $path","error":"Not Found","statusCode":404}"#;
    BAD_JSON = 400 JSON r#"{"message":"Unexpected token in JSON at position $position","error":"Bad Request","statusCode":400}"#;
    VALIDATION = 422 JSON r#"{"statusCode":422,"message":["$field must be a string","$field should not be empty"],"error":"Unprocessable Entity"}"#;
    ONE_ID = 422 JSON r#"{"statusCode":422,"message":["Exactly one of locationId, companyId is required"],"error":"Unprocessable Entity"}"#;
    CODE_NOT_FOUND = 401 JSON r#"{"error":"UnAuthorized!","error_description":"Authorization code not found"}"#;
    CLIENT_REFUSED = 401 JSON r#"{"error":"UnAuthorized!","error_description":"Invalid client credentials!"}"#;
    CODE_EXPIRED = 400 JSON r#"{"statusCode":400,"message":"Invalid grant: authorization code has expired"}"#;
    GRANT_REFUSED = 400 JSON r#"{"statusCode":400,"message":"Invalid grant: $grant is invalid"}"#;
    PARAMETER = 400 JSON r#"{"statusCode":400,"message":"$complaint parameter: $field"}"#;
    TOO_MANY = 429 JSON r#"{"statusCode":429,"message":"Too Many Requests"}"#;
    SERVER_ERROR = 500 JSON r#"{"statusCode":500,"message":"Internal server error"}"#;
    BAD_GATEWAY = 502 HTML r#"<!DOCTYPE html><html lang="en-US"><head><title>services.leadconnectorhq.com | 502: Bad gateway</title></head><body><h1>Bad gateway <span>Error code 502</span></h1><p>The web server reported a bad gateway error.</p></body></html>"#;
    UNAVAILABLE = 503 TEXT "upstream connect error or disconnect/reset before headers. reset reason: connection failure";
    BLOCKED = 403 TEXT "error code: 1010";
    SIGN_IN = 200 HTML "<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Please sign in to continue.</p></body></html>";
    UNAUTHORISED = 401 HTML "<html><head><title>401 Authorization Required</title></head><body><center><h1>401 Authorization Required</h1></center><hr><center>openresty</center></body></html>";
    ENDPOINT_REMOVED = 400 JSON r#"{"message":"API endpoint has been removed","error":"Bad Request","statusCode":400}"#;
    LOCATION_INACTIVE = 400 JSON r#"{"statusCode":400,"message":"Location is not active"}"#;
    NOT_INSTALLED = 400 JSON r#"{"message":"App is not installed on this location or company","error":"Bad Request","statusCode":400,"traceId":"$traceId"}"#;
    UNKNOWN_ID = 400 JSON r#"{"message":"Location not found","error":"Bad Request","statusCode":400,"traceId":"$traceId"}"#;
    MESSAGE_ARRAY = 400 JSON r#"{"statusCode":400,"message":["first complaint","second complaint"],"error":"Bad Request"}"#;
    ERROR_OBJECT = 400 JSON r#"{"error":{"code":"INVALID_ARGUMENT","message":"The request could not be understood.","details":{"resource":"Installation"},"resolution":"Check the request and try again."}}"#;
    GARBAGE_MESSAGE = 400 JSON r#"{"statusCode":400,"message":"\u001b[2J\u001b[31m\u202egnp.exe\u202c\u0007=cmd|' /C calc'!A0\r\n\"quoted\",<script>alert(1)</script>","error":"Bad Request"}"#;
    ECHO_SECRET = 400 JSON r#"{"statusCode":400,"message":"Client $client with secret $secret was refused","error":"Bad Request"}"#;
    LOCATION_TOKEN = 201 JSON r#"{"access_token":"$access","token_type":"Bearer","expires_in":$life,"refresh_token":"$refresh","scope":"$scope","locationId":"$location","planId":"$plan","userId":"$user","appId":"$app","versionId":"$plan","traceId":"$traceId"}"#;
    LOCATION = 200 JSON r#"{"location":{"id":"$id","companyId":"$company","name":"Location $id","country":"US","timezone":"America/New_York"},"traceId":"$traceId"}"#;
    COMPANY = 200 JSON r#"{"company":{"id":"$id","name":"Company $id","status":"active_agency"},"traceId":"$traceId"}"#;
    CONTACTS = 200 JSON r#"{"contacts":[],"meta":{"total":0,"currentPage":1},"traceId":"$traceId"}"#;
    TOKEN_DEAD = 401 JSON r#"{"statusCode":401,"message":"Invalid JWT"}"#;
    TOKEN_INVALID = 401 JSON r#"{"statusCode":401,"message":"Invalid token: access token is invalid","error":"Unauthorized"}"#;
    SCOPE_MISSING = 401 JSON r#"{"statusCode":401,"message":"The token is not authorized for this scope."}"#;
    USER_TYPE = 401 JSON r#"{"statusCode":401,"message":"This token's user type is not yet supported!"}"#;
    AUTH_CLASS = 401 JSON r#"{"statusCode":401,"message":"This authClass type is not allowed to access this scope. Please verify your IAM configuration if this is not the case."}"#;
    NO_ACCESS = 403 JSON r#"{"statusCode":403,"message":"The token does not have access to this location."}"#;
    NO_FEATURE = 401 JSON r#"{"status":401,"message":"You do not have access to this feature! Please contact support to upgrade your plan.","traceId":"$traceId"}"#;
    VERSION_MISSING = 401 JSON r#"{"statusCode":401,"message":"version header was not found."}"#;
    VERSION_WRONG = 400 JSON r#"{"statusCode":400,"message":"$path is not available in API version v3. See the documentation of v3 for its successor.","error":"Bad Request"}"#;
    APP_NOT_FOUND = 400 JSON r#"{"message":"App not found","error":"Bad Request","statusCode":400,"traceId":"$traceId"}"#;
    APP_NOT_FOUND_V3 = 404 JSON r#"{"error":{"code":"RESOURCE_NOT_FOUND","message":"The requested App '$app' was not found.","details":{"resource":"App","identifier":"$app"},"resolution":"Verify the App exists and you have permission to access it."}}"#;
    INVALID_ARGUMENT_V3 = 400 JSON r#"{"error":{"code":"INVALID_ARGUMENT","message":"Invalid value for parameter $field.","details":{"field":"$field"},"resolution":"Check the parameter and try again."}}"#;
}

/// The values that a recording may name, without the dollar sign.
pub(super) type Values<'a> = [(&'a str, &'a str)];

impl Recorded {
    /// The recording as it is.
    pub(super) fn plain(self) -> Answer {
        self.fill(&[])
    }

    /// Fills in the values. A name without a value stays empty, but for `$traceId`: the server
    /// knows that one.
    pub(super) fn fill(self, values: &Values<'_>) -> Answer {
        let mut pieces = self.body.split('$');
        let mut body = String::with_capacity(self.body.len() * 2);
        body.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(piece.len());
            let (name, rest) = piece.split_at(end);
            match values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => body.push_str(&escaped(value)),
                None if name == "traceId" => body.push_str(TRACE),
                None => {}
            }
            body.push_str(rest);
        }
        Answer { status: self.status, content_type: self.content_type, headers: Vec::new(), body }
    }
}

/// Where the trace id of a request goes.
const TRACE: &str = "$traceId";

/// A value as it stands between the quotes of a JSON string.
fn escaped(value: &str) -> Cow<'_, str> {
    if value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\') {
        return value.into();
    }
    let quoted = Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned().into()
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
    /// An answer of a fault's own words.
    pub(super) fn custom(status: u16, body: &str) -> Self {
        let content_type = if body.starts_with(['{', '[']) { JSON } else { TEXT };
        Self { status, content_type, headers: Vec::new(), body: body.to_owned() }
    }

    /// An answer whose body is a list and so cannot be a recording.
    pub(super) fn json(body: &Value) -> Self {
        Self::custom(200, &body.to_string())
    }

    /// The same answer with a header.
    pub(super) fn with(mut self, name: &'static str, value: &dyn fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The same answer with the trace id of its request.
    pub(super) fn traced(mut self, id: impl FnOnce() -> String) -> Self {
        if self.body.contains(TRACE) {
            self.body = self.body.replace(TRACE, &id());
        }
        self
    }

    /// The same answer with another body.
    pub(super) fn replaced(self, by: Recorded) -> Self {
        Self { content_type: by.content_type, body: by.body.to_owned(), ..self }
    }

    /// The same answer without these keys.
    pub(super) fn without(self, keys: &[&str]) -> Self {
        self.edited(|map| map.retain(|key, _| !keys.contains(&key.as_str())))
    }

    /// The same answer with another `expiresAt`.
    pub(super) fn expiring(self, at: String) -> Self {
        self.edited(|map| drop(map.insert("expiresAt".into(), at.into())))
    }

    /// The same answer with its keys spelled in one way.
    pub(super) fn spelled(self, casing: Casing) -> Self {
        let spell = match casing {
            Casing::Snake => snake,
            Casing::Camel => camel,
        };
        self.edited(|map| {
            *map = std::mem::take(map).into_iter().map(|(k, value)| (spell(&k), value)).collect();
        })
    }

    fn edited(mut self, change: impl FnOnce(&mut Map<String, Value>)) -> Self {
        if let Ok(mut map) = serde_json::from_str(&self.body) {
            change(&mut map);
            self.body = Value::Object(map).to_string();
        }
        self
    }
}

/// How the keys of an answer are spelled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Casing {
    Snake,
    Camel,
}

/// A key in `snake_case`.
pub(super) fn snake(key: &str) -> String {
    key.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
        text
    })
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        text.extend(word.chars().take(1).map(|c| c.to_ascii_uppercase()));
        text.extend(word.chars().skip(1));
        text
    })
}

/// How an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As it should.
    Whole,
    /// After that many milliseconds.
    Slow,
    /// Not at all: the connection is reset.
    Reset,
    /// The head and half of the body.
    Cut,
    /// Not at all: the connection stays open.
    Silence,
    /// That many MiB in place of the body.
    Huge,
}

/// An answer and how it goes out.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) delivery: Delivery,
    /// How long or how large, where the delivery takes a number.
    pub(super) number: u64,
}

impl Reply {
    /// The status that the client gets to see.
    pub(super) fn status(&self) -> Option<u16> {
        let unseen = matches!(self.delivery, Delivery::Reset | Delivery::Silence);
        (!unseen).then_some(self.answer.status)
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, delivery: Delivery::Whole, number: 0 }
    }
}
