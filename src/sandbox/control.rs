//! The side door: `/_sandbox/...`, for those who steer a sandbox that is a process of its own.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_sandbox/health` | `ok` |
//! | `GET /_sandbox/audit` | the audit as JSON |
//! | `GET /_sandbox/counts` | the audit in numbers |
//! | `DELETE /_sandbox/audit` | forgets requests, codes, tokens |
//! | `PUT` or `POST /_sandbox/faults` | puts a fault plan in force: the JSON of a fault file |
//!
//! None of these is in the audit.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::plan::{FaultPlan, PlanError};
use super::server::Shared;

/// What the side door's paths begin with.
pub(super) const PREFIX: &str = "/_sandbox/";

/// The most that is read of a fault plan.
const PLAN_CAP: usize = 64 * 1024 * 1024;

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
        (&Method::PUT | &Method::POST, "faults") => match to_bytes(body, PLAN_CAP).await {
            Ok(text) => put_faults(shared, FaultPlan::from_json(&text)),
            Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        },
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn put_faults(shared: &Shared, plan: Result<FaultPlan, PlanError>) -> Response {
    match plan {
        Ok(plan) => {
            shared.state().plan(plan);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
