//! One request, read: what it may be for, its head, and its body as far as its kind is understood.

use std::collections::HashMap;
use std::fmt;

use axum::body::Bytes;
use axum::extract::{Form, FromRequest, Query, Request};
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value};

/// What a request to the sandbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// `POST /oauth/reconnect`: asks for an authorization code.
    Reconnect,
    /// `POST /oauth/token` with a code, or with a body that names no known grant type.
    Exchange,
    /// `POST /oauth/token` with a refresh token.
    Refresh,
    /// `POST /oauth/locationToken` or `/oauth/location-token`: asks for the tokens of a sub-account
    /// with its agency's.
    Agency,
    /// `GET` of a location, a company or contacts: checks an access token.
    Verify,
    /// `GET /oauth/installedLocations` or `/oauth/installed-locations`: asks for a page of a list.
    Discover,
    /// Any other path. No fault applies there.
    Other,
}

impl Step {
    /// How many steps there are: the length of tables with a place for each.
    pub(super) const COUNT: usize = 7;

    /// Reads the step before the colon of a plan entry.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        use Step::{Agency, Discover, Exchange, Reconnect, Refresh, Verify};
        let faulty = [Reconnect, Exchange, Refresh, Agency, Verify, Discover];
        faulty.into_iter().find(|step| step.to_string() == name)
    }
}

impl fmt::Display for Step {
    /// The name in plans and in the audit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_ascii_lowercase())
    }
}

/// One request.
pub(super) struct Call {
    /// Its position in order of arrival.
    pub(super) ordinal: u64,
    pub(super) method: String,
    pub(super) path: String,
    query: HashMap<String, String>,
    /// Empty where the client does not name itself.
    pub(super) agent: String,
    pub(super) api: Api,
    /// The access token in the `Authorization` header.
    pub(super) bearer: Option<String>,
    pub(super) content: Content,
}

/// The version of the API that the `Version` header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// There is no such header.
    Unnamed,
    /// Any other than `v3`.
    V2,
    V3,
}

/// A body.
pub(super) enum Content {
    /// A JSON object.
    Json(Map<String, Value>),
    /// Something that calls itself JSON; how many bytes were read of it.
    BadJson(usize),
    /// A form.
    Form(HashMap<String, String>),
    /// Nothing that is understood.
    Other,
}

impl Call {
    /// Reads a request.
    pub(super) async fn read(ordinal: u64, request: Request) -> Self {
        let headers = request.headers();
        let api = match text(headers, "version") {
            Some(version) if version.eq_ignore_ascii_case("v3") => Api::V3,
            Some(_) => Api::V2,
            None => Api::Unnamed,
        };
        Self {
            ordinal,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: Query::try_from_uri(request.uri()).map(|Query(map)| map).unwrap_or_default(),
            agent: text(headers, "user-agent").unwrap_or_default().trim().to_owned(),
            api,
            bearer: bearer(headers).map(str::to_owned),
            content: Content::read(request).await,
        }
    }

    /// A parameter of the query; never an empty one.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The access token in the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    text(headers, "authorization")?.strip_prefix("Bearer ")
}

/// A header as text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Content {
    async fn read(request: Request) -> Self {
        let kind = text(request.headers(), "content-type").unwrap_or_default();
        let kind = kind.to_ascii_lowercase();
        if kind.starts_with("application/json") {
            let bytes = Bytes::from_request(request, &()).await;
            bytes.map_or(Self::Other, |bytes| Self::json(&bytes))
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            let form = Form::from_request(request, &()).await;
            form.map_or(Self::Other, |Form(map)| Self::Form(map))
        } else {
            Self::Other
        }
    }

    fn json(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Self::Json(map),
            Ok(_) => Self::Json(Map::new()),
            Err(error) => Self::BadJson(error.column().saturating_sub(1)),
        }
    }

    /// A field of a form, or of a JSON object where it is a text; never an empty one.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let value = match self {
            Self::Json(map) => map.get(name)?.as_str()?,
            Self::Form(map) => map.get(name)?,
            Self::BadJson(_) | Self::Other => return None,
        };
        (!value.is_empty()).then_some(value)
    }
}
