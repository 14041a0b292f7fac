//! `GET /oauth/installedLocations` and `/oauth/installed-locations`: the locations of an agency,
//! page by page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use super::agency;
use super::answers::{self, Answer, Reply};
use super::call::{Api, Call, Step};
use super::faults::{Effect, Fault};
use super::options::{InstalledLocation, Presence};
use super::state::{State, app_of};
use super::verify::{self, Bearer};
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
        return answer.into();
    }
    let Some(company) = call.query("companyId") else { return refused(call, "companyId") };
    let Some(app) = call.query("appId") else { return refused(call, "appId") };
    let page = match read(call) {
        Ok(page) => page,
        Err(field) => return refused(call, field),
    };
    let asked = (Step::Discover, Scope::Company, company);
    verify::serve(state, call, asked, |state, bearer, fault| {
        let refusal = refusal(state, call, bearer, (company, app));
        refusal.unwrap_or_else(|| show(state, call, company, page, fault))
    })
}

/// The answer to a parameter that is missing or wrong: an object in version 3.
fn refused(call: &Call, field: &str) -> Reply {
    let recorded = match call.api {
        Api::V3 => answers::INVALID_ARGUMENT_V3,
        Api::V2 | Api::Unnamed => answers::VALIDATION,
    };
    recorded.fill(&[("field", field)]).into()
}

/// The page that is asked for, or the parameter that is wrong.
fn read(call: &Call) -> Result<Page, &'static str> {
    let number = |name: &'static str, usual| {
        call.query(name).map_or(Ok(usual), |text| text.parse::<usize>().map_err(|_| name))
    };
    if call.api == Api::V3 {
        let size = number("pageSize", USUAL)?;
        let size = Some(size).filter(|size| (1..=MOST).contains(size)).ok_or("pageSize")?;
        let skip = call.query("pageToken").map_or(Some(0), skip_of).ok_or("pageToken")?;
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
    if bearer.holder.scope() == Scope::Location {
        return Some(answers::AUTH_CLASS.plain());
    }
    if bearer.holder.company != company {
        return Some(answers::NO_ACCESS.plain());
    }
    let good = match bearer.client {
        Some(_) => state.client_id(bearer.client).map(app_of) == Some(app),
        // Whatever has the shape of one.
        None => !app.contains('-'),
    };
    let recorded = match call.api {
        Api::V3 => answers::APP_NOT_FOUND_V3,
        Api::V2 | Api::Unnamed => answers::APP_NOT_FOUND,
    };
    (!good).then(|| recorded.fill(&[("app", app)]))
}

fn show(state: &State, call: &Call, company: &str, page: Page, fault: Option<&Fault>) -> Answer {
    let effect = fault.map(|fault| fault.kind.effect);
    let skip = if matches!(effect, Some(Effect::FirstPage)) { 0 } else { page.skip };
    let listed: Vec<_> =
        state.locations_of(company).filter(|location| is_wanted(call, location)).collect();
    let shown: Vec<_> = listed.iter().skip(skip).take(page.size).map(|one| row(one)).collect();
    let count = listed.len() + usize::from(matches!(effect, Some(Effect::WrongCount)));
    let next = Some(skip + page.size).filter(|next| *next < listed.len());
    Answer::json(&match call.api {
        Api::V3 => json!({
            "items": shown,
            "pagination": {
                "totalRecords": count,
                "hasNextPage": next.is_some(),
                "hasPrevPage": skip > 0,
                "nextPageToken": next.map(page_token),
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
    let mut row = json!({
        "_id": location.id,
        "name": location.name,
        "address": "1 Example Street",
        "isInstalled": location.presence == Presence::Installed,
    });
    if location.presence == Presence::Installed {
        row["versionId"] = "66f2a1c04b7d3e5f90a1b2c3".into();
        row["installedAt"] = "2026-01-10T00:15:00.000Z".into();
    }
    row
}

/// A page token: opaque to the client.
fn page_token(skip: usize) -> String {
    BASE64.encode(json!({ "skip": skip }).to_string())
}

fn skip_of(token: &str) -> Option<usize> {
    let json = BASE64.decode(token).ok()?;
    let value: Value = serde_json::from_slice(&json).ok()?;
    usize::try_from(value.get("skip")?.as_u64()?).ok()
}
