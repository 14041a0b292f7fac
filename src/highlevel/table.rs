//! From (stage, status, text) to class: one table, read from the top, first match wins.
//!
//! HighLevel publishes no list of its messages, status alone never separates causes, and wording
//! varies; so texts are compared without case, punctuation and repeated blanks, and a pattern
//! matches anywhere within. Sources: the API's documentation, bodies that developers published,
//! and the stock messages of node's oauth2-server, which the API resembles.

use std::ops::RangeInclusive;

use super::{
    failure::{Class, Stage},
    wording::Wording,
};

/// The kind of body that an answer had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// A JSON object: HighLevel's own verdict.
    Json,
    /// Plain text, HTML or nothing: the gateway's, not a verdict on an installation.
    Other,
}

#[derive(Clone, Copy)]
struct Rule {
    stage: Option<Stage>,
    statuses: &'static [RangeInclusive<u16>],
    body: Option<BodyKind>,
    /// Any of these within the text; none at all matches every text.
    texts: &'static [&'static str],
    class: Class,
}

const ANY: &[RangeInclusive<u16>] = &[];

const fn text(texts: &'static [&'static str], class: Class) -> Rule {
    Rule { stage: None, statuses: ANY, body: None, texts, class }
}

const fn status(statuses: &'static [RangeInclusive<u16>], class: Class) -> Rule {
    Rule { stage: None, statuses, body: None, texts: &[], class }
}

const fn gateway(statuses: &'static [RangeInclusive<u16>], class: Class) -> Rule {
    Rule { stage: None, statuses, body: Some(BodyKind::Other), texts: &[], class }
}

const fn at(stage: Stage, rule: Rule) -> Rule {
    Rule { stage: Some(stage), ..rule }
}

const RULES: &[Rule] = &[
    status(&[429..=429], Class::RateLimited),
    text(&["endpoint has been removed", "endpoint is removed"], Class::EndpointRemoved),
    text(&["error code 1010", "error code 1020", "attention required cloudflare"], Class::Blocked),
    status(&[500..=599], Class::ServerError),
    gateway(&[401..=401, 403..=403, 406..=406, 451..=451], Class::Blocked),
    text(
        &[
            "invalid client",
            "client is invalid",
            "client not found",
            "unauthorized client",
            "client credentials",
            "has been revoked",
            "was revoked",
        ],
        Class::ClientRefused,
    ),
    at(
        Stage::Exchange,
        text(&["code has expired", "code is expired", "code expired"], Class::CodeExpired),
    ),
    at(Stage::Exchange, text(&["authorization code", "invalid grant"], Class::GrantRefused)),
    text(
        &["not active", "inactive", "is paused", "is suspended", "has been suspended"],
        Class::LocationInactive,
    ),
    text(
        &[
            "not installed",
            "no installation",
            "installation not found",
            "installation does not exist",
            "app is uninstalled",
            "has been uninstalled",
        ],
        Class::NotInstalled,
    ),
    text(
        &[
            "location not found",
            "company not found",
            "agency not found",
            "no location found",
            "no company found",
            "location does not exist",
            "company does not exist",
            "location id is invalid",
            "company id is invalid",
            "invalid location",
            "invalid company",
        ],
        Class::UnknownId,
    ),
    status(&[404..=405, 410..=410], Class::EndpointRemoved),
    status(&[422..=422], Class::InvalidRequest),
    text(&["invalid parameter", "missing parameter", "invalid request"], Class::InvalidRequest),
    status(&[408..=408, 425..=425], Class::ServerError),
    // No token is sent with either call: whoever is unauthorised is the client.
    status(&[401..=401], Class::ClientRefused),
];

/// The class of an answer that is no success and no redirect.
pub fn class_of(stage: Stage, status: u16, body: BodyKind, said: &str) -> Class {
    let said = Wording::of(said);
    RULES
        .iter()
        .find(|rule| {
            rule.stage.is_none_or(|s| s == stage)
                && (rule.statuses.is_empty()
                    || rule.statuses.iter().any(|range| range.contains(&status)))
                && rule.body.is_none_or(|b| b == body)
                && (rule.texts.is_empty() || rule.texts.iter().any(|t| said.says(&Wording::of(t))))
        })
        .map_or(Class::Unrecognised, |rule| rule.class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use BodyKind::{Json, Other};
    use Stage::{Exchange, Reconnect};

    #[test]
    fn every_published_answer_has_its_class() {
        for (stage, status, body, said, class) in [
            (
                Reconnect,
                400,
                Json,
                "API endpoint has been removed Bad Request",
                Class::EndpointRemoved,
            ),
            (Exchange, 400, Json, "API endpoint has been removed", Class::EndpointRemoved),
            (
                Reconnect,
                404,
                Json,
                "Cannot POST /oauth/reconnect Not Found",
                Class::EndpointRemoved,
            ),
            (Reconnect, 410, Other, "", Class::EndpointRemoved),
            (Reconnect, 404, Json, "Location not found", Class::UnknownId),
            (
                Exchange,
                401,
                Json,
                "UnAuthorized! Authorization code not found",
                Class::GrantRefused,
            ),
            (
                Exchange,
                401,
                Json,
                "UnAuthorized! Invalid client credentials!",
                Class::ClientRefused,
            ),
            (Reconnect, 401, Json, "Invalid client credentials!", Class::ClientRefused),
            (Exchange, 400, Json, "Invalid client: client is invalid", Class::ClientRefused),
            (
                Exchange,
                400,
                Json,
                "Invalid grant: authorization code is invalid",
                Class::GrantRefused,
            ),
            (
                Exchange,
                400,
                Json,
                "Invalid grant: authorization code has expired",
                Class::CodeExpired,
            ),
            (Exchange, 400, Json, "invalid_grant", Class::GrantRefused),
            (
                Exchange,
                400,
                Json,
                "Invalid request: `redirect_uri` is invalid",
                Class::InvalidRequest,
            ),
            (Reconnect, 400, Json, "Location is not active", Class::LocationInactive),
            (Reconnect, 400, Json, "LOCATION is\nnot active.", Class::LocationInactive),
            (Reconnect, 400, Json, "Location not found Bad Request", Class::UnknownId),
            (Reconnect, 400, Json, "App is not installed on this location", Class::NotInstalled),
            (Reconnect, 422, Json, "locationId must be a string", Class::InvalidRequest),
            (Exchange, 400, Json, "Missing parameter: clientId", Class::InvalidRequest),
            (Reconnect, 429, Json, "Too Many Requests", Class::RateLimited),
            (Exchange, 429, Other, "", Class::RateLimited),
            (Reconnect, 500, Json, "Internal Server Error", Class::ServerError),
            (Reconnect, 500, Json, "Invalid client", Class::ServerError),
            (Reconnect, 502, Other, "<html>502 Bad Gateway</html>", Class::ServerError),
            (Reconnect, 403, Other, "error code: 1010", Class::Blocked),
            (Reconnect, 403, Other, "<html>Forbidden</html>", Class::Blocked),
            (Reconnect, 403, Json, "Forbidden resource", Class::Unrecognised),
            (
                Reconnect,
                401,
                Json,
                "Authorization has been revoked for this app",
                Class::ClientRefused,
            ),
            (Reconnect, 401, Json, "Unauthorized", Class::ClientRefused),
            (Exchange, 400, Json, "Something new", Class::Unrecognised),
            (Reconnect, 418, Json, "I'm a teapot", Class::Unrecognised),
        ] {
            assert_eq!(class_of(stage, status, body, said), class, "{stage} {status} {said}");
        }
    }
}
