//! `GET /oauth/installedLocations` and `/oauth/installed-locations`: the locations of an agency,
//! page by page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use super::agency;
use super::answers::{self, Answer};
use super::bearer::{self, Bearer};
use super::call::{Api, Call};
use super::faults::{Fault, Kind};
use super::spoil::Reply;
use super::state::State;
use super::step::Step;
use super::stored::{InstalledLocation, Presence};
use crate::installation::Scope;

/// The path of version 2.
pub(super) const PATH: &str = "/oauth/installedLocations";

/// The path of version 3.
pub(super) const PATH_V3: &str = "/oauth/installed-locations";

/// How many locations a page has unless told otherwise.
const USUAL: usize = 20;

/// The most that a page has. Version 2 cuts to it, version 3 refuses more.
const MOST: usize = 100;

/// One page.
#[derive(Clone, Copy)]
struct Page {
    skip: usize,
    size: usize,
}

/// Answers a request for a page.
pub(super) fn answer(state: &mut State, call: &Call) -> Reply {
    state.note_step(call, Step::Discover);
    if let Some(answer) = agency::wrong_version(call, PATH_V3) {
        return Reply::whole(answer);
    }
    let Some(company) = call.query("companyId") else { return refused(call, "companyId") };
    let Some(app) = call.query("appId") else { return refused(call, "appId") };
    let page = match read(call) {
        Ok(page) => page,
        Err(field) => return refused(call, field),
    };
    let asked = bearer::asked(call, Step::Discover, Scope::Company, company);
    state.serve_bearer(call, &asked, |state, bearer, fault| {
        let no = refusal(state, call, bearer, (company, app));
        no.unwrap_or_else(|| show(state, call, company, page, fault))
    })
}

/// A parameter that is missing or wrong: an object in version 3.
fn refused(call: &Call, field: &str) -> Reply {
    let recorded = match call.api {
        Api::V3 => answers::INVALID_ARGUMENT_V3,
        Api::V2 | Api::Unnamed => answers::VALIDATION,
    };
    Reply::whole(recorded.fill(&[("field", field)]))
}

/// The page that is asked for, or the parameter that is wrong.
fn read(call: &Call) -> Result<Page, &'static str> {
    let number = |name: &'static str, usual| {
        call.query(name).map_or(Ok(usual), |text| text.parse::<usize>().map_err(|_| name))
    };
    if call.api == Api::V3 {
        let size = number("pageSize", USUAL)?;
        let size = Some(size).filter(|size| (1..=MOST).contains(size)).ok_or("pageSize")?;
        let skip = call.query("pageToken").map_or(Some(0), opened).ok_or("pageToken")?;
        return Ok(Page { skip, size });
    }
    Ok(Page { skip: number("skip", 0)?, size: number("limit", USUAL)?.min(MOST) })
}

fn refusal(
    state: &State,
    call: &Call,
    bearer: &Bearer,
    (company, app): (&str, &str),
) -> Option<Answer> {
    if bearer.holder.scope == Scope::Location {
        return Some(answers::AUTH_CLASS.fill(&[]));
    }
    if bearer.holder.company != company {
        return Some(answers::NO_ACCESS.fill(&[]));
    }
    let recorded = match call.api {
        Api::V3 => answers::APP_NOT_FOUND_V3,
        Api::V2 | Api::Unnamed => answers::APP_NOT_FOUND,
    };
    let trace = state.mint.trace(call.ordinal);
    let known = state.clients.is_app(bearer.client, app);
    (!known).then(|| recorded.fill(&[("app", app), ("traceId", &trace)]))
}

fn show(state: &State, call: &Call, company: &str, page: Page, fault: Option<&Fault>) -> Answer {
    let kind = fault.map(|fault| fault.kind);
    let page = match kind {
        Some(Kind::FirstPage) => Page { skip: 0, ..page },
        _ => page,
    };
    let listed: Vec<_> =
        state.agencies.of(company).filter(|location| is_wanted(call, location)).collect();
    let shown: Vec<_> = listed.iter().skip(page.skip).take(page.size).map(|one| row(one)).collect();
    let count = listed.len() + usize::from(kind == Some(Kind::WrongCount));
    let next = page.skip + page.size;
    Answer::json(&match call.api {
        Api::V3 => json!({
            "items": shown,
            "pagination": {
                "totalRecords": count,
                "hasNextPage": next < listed.len(),
                "hasPrevPage": page.skip > 0,
                "nextPageToken": (next < listed.len()).then(|| sealed(next)),
                "currentPageSize": shown.len(),
            },
            "metadata": {"filterApplied": {"companyId": company}},
        }),
        Api::V2 | Api::Unnamed => json!({
            "locations": shown,
            "count": count,
            "installToFutureLocations": false,
        }),
    })
}

fn is_wanted(call: &Call, location: &InstalledLocation) -> bool {
    let wanted = match call.query("isInstalled") {
        Some("true") => location.presence == Presence::Installed,
        Some("false") => location.presence == Presence::Absent,
        _ => true,
    };
    wanted && call.query("locationId").is_none_or(|id| id == location.id)
}

fn row(location: &InstalledLocation) -> Value {
    let address = "1 Example Street";
    match location.presence {
        Presence::Installed => json!({
            "_id": location.id,
            "name": location.name,
            "address": address,
            "isInstalled": true,
            "versionId": "66f2a1c04b7d3e5f90a1b2c3",
            "installedAt": "2026-01-10T00:15:00.000Z",
        }),
        Presence::Absent => json!({
            "_id": location.id,
            "name": location.name,
            "address": address,
            "isInstalled": false,
        }),
    }
}

/// A page token: opaque to the client.
fn sealed(skip: usize) -> String {
    BASE64.encode(json!({ "skip": skip }).to_string())
}

fn opened(token: &str) -> Option<usize> {
    let json = BASE64.decode(token).ok()?;
    let value: Value = serde_json::from_slice(&json).ok()?;
    usize::try_from(value.get("skip")?.as_u64()?).ok()
}
