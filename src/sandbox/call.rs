//! One request, read: its head, and its body as far as its kind is understood.

use std::collections::HashMap;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Form, FromRequest, Query, Request};
use axum::http::{HeaderMap, Uri, header};
use serde_json::{Map, Value};

/// The most that is read of a body.
const BODY_CAP: usize = 64 * 1024;

/// One request.
pub(super) struct Call {
    pub(super) ordinal: u64,
    pub(super) method: String,
    pub(super) path: String,
    query: HashMap<String, String>,
    pub(super) agent: Agent,
    pub(super) api: Api,
    /// The access token that is shown.
    pub(super) bearer: Option<String>,
    pub(super) content: Content,
}

/// Whether the client names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agent {
    Named,
    Nameless,
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
        let (head, body) = request.into_parts();
        let agent = match text(&head.headers, "user-agent") {
            Some(name) if !name.trim().is_empty() => Agent::Named,
            _ => Agent::Nameless,
        };
        let api = match text(&head.headers, "version") {
            Some(version) if version.eq_ignore_ascii_case("v3") => Api::V3,
            Some(_) => Api::V2,
            None => Api::Unnamed,
        };
        let content = Content::read(&head.headers, body).await;
        Self {
            ordinal,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: queried(&head.uri),
            agent,
            api,
            bearer: bearer(&head.headers).map(str::to_owned),
            content,
        }
    }

    /// A parameter of the query; never an empty one.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn queried(uri: &Uri) -> HashMap<String, String> {
    if uri.query().is_none() {
        return HashMap::new();
    }
    Query::try_from_uri(uri).map_or_else(|_| HashMap::new(), |Query(map)| map)
}

/// The access token in the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    text(headers, "authorization")?.strip_prefix("Bearer ")
}

impl Content {
    async fn read(headers: &HeaderMap, body: Body) -> Self {
        let kind = text(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
        let Ok(bytes) = to_bytes(body, BODY_CAP).await else { return Self::Other };
        if kind.starts_with("application/json") {
            Self::json(&bytes)
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            Self::form(bytes).await
        } else {
            Self::Other
        }
    }

    fn json(bytes: &Bytes) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Self::Json(map),
            Ok(_) => Self::Json(Map::new()),
            Err(error) => Self::BadJson(error.column().saturating_sub(1)),
        }
    }

    async fn form(bytes: Bytes) -> Self {
        let mut request = Request::post("/")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::empty())
            .unwrap_or_default();
        *request.body_mut() = Body::from(bytes);
        Form::from_request(request, &()).await.map_or(Self::Other, |Form(map)| Self::Form(map))
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

/// A header as text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
