//! The side door: `/_sandbox/...`, for those who steer a sandbox that is a process of its own.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_sandbox/health` | `ok` |
//! | `GET /_sandbox/audit` | the audit as JSON |
//! | `GET /_sandbox/counts` | the audit in numbers |
//! | `DELETE /_sandbox/audit` | forgets requests, codes, tokens; what is stored is as it was stored |
//! | `PUT` or `POST /_sandbox/faults` | puts a fault plan in force: the JSON of a fault file |
//! | `POST /_sandbox/stored` | learns of tokens: JSON lines, see [`StoredPair::from_lines`] |
//! | `POST /_sandbox/installed` | learns of locations: JSON lines, see [`InstalledLocation::from_lines`] |
//!
//! None of these is in the audit.

use std::fmt::Display;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::plan::FaultPlan;
use super::server::Shared;
use super::stored::{InstalledLocation, StoredPair};

/// What the side door's paths begin with.
pub(super) const PREFIX: &str = "/_sandbox/";

/// The most that is read of a body.
const CAP: usize = 64 * 1024 * 1024;

/// Answers at the side door.
pub(super) async fn answer(shared: &Shared, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&head.method, path) {
        (&Method::GET, "health") => "ok".into_response(),
        (&Method::GET, "audit") => Json(shared.state().report()).into_response(),
        (&Method::GET, "counts") => Json(shared.state().counts()).into_response(),
        (&Method::DELETE, "audit") => {
            shared.state().reset();
            StatusCode::NO_CONTENT.into_response()
        }
        (&Method::PUT | &Method::POST, "faults") => {
            told(body, FaultPlan::from_json, |plan| shared.state().plan(plan)).await
        }
        (&Method::POST, "stored") => {
            told(body, StoredPair::from_lines, |pairs| shared.state().store(pairs)).await
        }
        (&Method::POST, "installed") => {
            told(body, InstalledLocation::from_lines, |rows| shared.state().list(rows)).await
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Reads a body and lets it hold.
async fn told<T, E: Display>(
    body: Body,
    read: impl Fn(&[u8]) -> Result<T, E>,
    hold: impl FnOnce(T),
) -> Response {
    let Ok(text) = to_bytes(body, CAP).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match read(&text) {
        Ok(read) => {
            hold(read);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
