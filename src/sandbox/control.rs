//! The control API: `/_sandbox/...`, to steer a sandbox that is a process of its own.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_sandbox/health` | `ok` |
//! | `GET /_sandbox/audit` | the audit as JSON |
//! | `GET /_sandbox/counts` | the audit in numbers |
//! | `DELETE /_sandbox/audit` | forgets requests, codes, tokens; what is stored is as at the start |
//! | `PUT` or `POST /_sandbox/faults` | puts a fault plan in force: the JSON of a fault file |
//! | `POST /_sandbox/stored` | adds tokens: JSON lines, see [`StoredPair::from_lines`] |
//! | `POST /_sandbox/installed` | adds locations: JSON lines, see [`InstalledLocation::from_lines`] |
//!
//! None of these requests is in the audit.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::options::{InstalledLocation, StoredPair};
use super::plan::FaultPlan;
use super::state::State;

/// What the paths begin with.
pub(super) const PREFIX: &str = "/_sandbox/";

/// The most that is read of a body.
const CAP: usize = 64 * 1024 * 1024;

/// The state. A handler that panicked while it held the lock has left it whole enough to audit.
pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers a request of the control API.
pub(super) async fn answer(state: &Mutex<State>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(text) = to_bytes(body, CAP).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut state = lock(state);
    match (&head.method, head.uri.path().strip_prefix(PREFIX).unwrap_or_default()) {
        (&Method::GET, "health") => "ok".into_response(),
        (&Method::GET, "audit") => Json(state.report()).into_response(),
        (&Method::GET, "counts") => Json(state.counts()).into_response(),
        (&Method::DELETE, "audit") => {
            state.reset();
            StatusCode::NO_CONTENT.into_response()
        }
        (&Method::PUT | &Method::POST, "faults") => {
            apply(FaultPlan::from_json(&text), |plan| state.plan(plan))
        }
        (&Method::POST, "stored") => {
            apply(StoredPair::from_lines(&text), |pairs| state.store(pairs))
        }
        (&Method::POST, "installed") => {
            apply(InstalledLocation::from_lines(&text), |rows| state.list(rows))
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Applies what was read, or says why it cannot be read.
fn apply<T, E: Display>(read: Result<T, E>, apply: impl FnOnce(T)) -> Response {
    match read {
        Ok(read) => {
            apply(read);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
