//! The faults as data: what each is called, at which steps it makes sense, and what it does.

use std::sync::Arc;
use std::time::Duration;

use super::answers::{self, Answer, Casing, Delivery, Recorded, Reply, Values};
use super::call::Step;
use super::clock::Clock;
use super::tokens::Recipient;

/// How long ago a code of `past_expiry` says it expired.
const PAST: Duration = Duration::from_mins(10);

/// One kind of fault.
#[derive(Clone, Copy)]
pub struct FaultKind {
    /// The name in plans, shares and the audit.
    pub name: &'static str,
    /// Where it makes sense; the first one is where it strikes unless told otherwise.
    pub steps: &'static [Step],
    /// What it does, for a person.
    pub meaning: &'static str,
    pub(super) takes: Takes,
    pub(super) effect: Effect,
}

/// What may stand in parentheses after a fault's name, with its default.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    Nothing,
    /// A whole number: seconds or mebibytes.
    Number(u64),
    /// A time such as `500ms` or `2s`; in milliseconds.
    Time(u64),
    Url(&'static str),
    /// `status,text`, which must be given.
    Answer,
}

/// What a fault does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// This answer in place of the work.
    Refuse(Recorded),
    /// 429 in place of the work.
    Throttle(RetryAfter),
    /// 307 to the URL of the parameter, in place of the work.
    Redirect,
    /// The status and text of the parameter, in place of the work.
    Custom,
    /// The work, and this delivery of its answer.
    Deliver(Delivery),
    /// The work, and this status.
    Status(u16),
    /// The work, and an empty body.
    Empty,
    /// The work, and this body.
    Body(Recorded),
    /// The work, and an answer without these keys.
    Without(&'static [&'static str]),
    /// The work, and this time of expiry.
    ExpiresAt(&'static str),
    /// The work, and a time of expiry that is over.
    Expired,
    /// The work, and an answer spelled in one way.
    Spell(Casing),
    /// A code that expires after the time of the parameter.
    ShortCode,
    /// Tokens of this one.
    IssueTo(Recipient),
    /// New tokens, and the end of the installation's earlier access tokens.
    RevokeEarlier,
    /// A count of one more than there are.
    WrongCount,
    /// The first page, whichever was asked for.
    FirstPage,
}

/// What a 429 says about when to try again.
#[derive(Clone, Copy, Debug)]
pub(super) enum RetryAfter {
    Seconds,
    Date,
    Nothing,
    Absurd,
    LimitHeaders,
}

/// One fault as a plan asks for it.
#[derive(Clone)]
pub(super) struct Fault {
    pub(super) kind: &'static FaultKind,
    /// Seconds, milliseconds, mebibytes or a status, as the kind takes it.
    pub(super) number: u64,
    /// A URL or a body, as the kind takes it.
    pub(super) text: Arc<str>,
    /// As the plan wrote it: what the audit shows.
    pub(super) written: Arc<str>,
}

impl Fault {
    /// The answer that the fault gives in place of the work; none where the work is done.
    pub(super) fn refusal(&self, values: &Values<'_>, clock: &Clock) -> Option<Answer> {
        match self.kind.effect {
            Refuse(recorded) => Some(recorded.fill(values)),
            Throttle(hint) => Some(self.throttle(hint, clock)),
            Redirect => Some(Answer::custom(307, "").with("Location", &self.text)),
            Custom => Some(Answer::custom(u16::try_from(self.number).unwrap_or(500), &self.text)),
            _ => None,
        }
    }

    fn throttle(&self, hint: RetryAfter, clock: &Clock) -> Answer {
        let answer = answers::TOO_MANY.plain();
        let wait = Duration::from_secs(self.number);
        match hint {
            RetryAfter::Seconds => answer.with("Retry-After", &self.number),
            RetryAfter::Date => answer.with("Retry-After", &clock.http_date_in(wait)),
            RetryAfter::Nothing => answer,
            RetryAfter::Absurd => answer.with("Retry-After", &999_999_999),
            // Spelled as observed; the day is not used up.
            RetryAfter::LimitHeaders => answer
                .with("X-RateLimit-Limit-Daily", &200_000)
                .with("X-RateLimit-Daily-Remaining", &199_999)
                .with("X-RateLimit-Interval-Milliseconds", &wait.as_millis())
                .with("X-RateLimit-Max", &100)
                .with("X-RateLimit-Remaining", &0),
        }
    }

    /// Corrupts the answer to work that was done. An error stays an error: only its delivery
    /// suffers.
    pub(super) fn corrupt(&self, answer: Answer, clock: &Clock) -> Reply {
        let answer = if answer.status < 300 { self.corrupted(answer, clock) } else { answer };
        let delivery = match self.kind.effect {
            Deliver(delivery) => delivery,
            _ => Delivery::Whole,
        };
        Reply { answer, delivery, number: self.number }
    }

    fn corrupted(&self, answer: Answer, clock: &Clock) -> Answer {
        match self.kind.effect {
            Status(status) => Answer { status, ..answer },
            Empty => Answer { body: String::new(), ..answer },
            Body(recorded) => answer.replaced(recorded),
            Without(keys) => answer.without(keys),
            ExpiresAt(text) => answer.expiring(text.into()),
            Expired => answer.expiring(clock.rfc3339_ago(PAST)),
            Spell(casing) => answer.spelled(casing),
            _ => answer,
        }
    }
}

use Effect::{
    Body, Custom, Deliver, Empty, Expired, ExpiresAt, FirstPage, IssueTo, Redirect, Refuse,
    RevokeEarlier, ShortCode, Spell, Status, Throttle, Without, WrongCount,
};
use Step::{Agency, Discover, Exchange, Reconnect, Refresh, Verify};
use Takes::{Nothing, Number, Time, Url};

const ANYWHERE: &[Step] = &[Reconnect, Exchange, Refresh, Agency, Verify, Discover];
/// Where a code comes from.
const CODES: &[Step] = &[Reconnect];
/// Where a code goes.
const CODE: &[Step] = &[Exchange];
/// Where tokens come from.
const TOKENS: &[Step] = &[Exchange, Refresh, Agency];
/// Where tokens come from without a code.
const LATER: &[Step] = &[Agency, Refresh];
const AGENCY: &[Step] = &[Agency];
/// Where an access token is presented.
const BEARER: &[Step] = &[Verify, Agency, Discover];
const LIST: &[Step] = &[Discover];

const fn row(
    name: &'static str,
    steps: &'static [Step],
    takes: Takes,
    effect: Effect,
    meaning: &'static str,
) -> FaultKind {
    FaultKind { name, steps, meaning, takes, effect }
}

/// Every fault that the sandbox knows.
#[rustfmt::skip]
pub static CATALOGUE: &[FaultKind] = &[
    row("rate_limited", ANYWHERE, Number(1), Throttle(RetryAfter::Seconds), "429 with Retry-After in seconds"),
    row("rate_limited_date", ANYWHERE, Number(1), Throttle(RetryAfter::Date), "429 with Retry-After as an HTTP date that many seconds away"),
    row("rate_limited_bare", ANYWHERE, Nothing, Throttle(RetryAfter::Nothing), "429 that does not say until when"),
    row("rate_limited_absurd", ANYWHERE, Nothing, Throttle(RetryAfter::Absurd), "429 with Retry-After: 999999999"),
    row("rate_limited_headers", ANYWHERE, Number(1), Throttle(RetryAfter::LimitHeaders), "429 with X-RateLimit-* headers alone, an interval of that many seconds"),
    row("server_error", ANYWHERE, Nothing, Refuse(answers::SERVER_ERROR), "500 as Nest sends it"),
    row("bad_gateway", ANYWHERE, Nothing, Refuse(answers::BAD_GATEWAY), "502, a page of the gateway"),
    row("unavailable", ANYWHERE, Nothing, Refuse(answers::UNAVAILABLE), "503, a line of text of a proxy"),
    row("blocked", ANYWHERE, Nothing, Refuse(answers::BLOCKED), "403, text: error code: 1010"),
    row("reset", ANYWHERE, Nothing, Deliver(Delivery::Reset), "processed, then reset before any byte of the answer"),
    row("cut", ANYWHERE, Nothing, Deliver(Delivery::Cut), "processed, then closed in the middle of the body"),
    row("silence", ANYWHERE, Nothing, Deliver(Delivery::Silence), "processed, never answered"),
    row("slow", ANYWHERE, Time(1000), Deliver(Delivery::Slow), "processed, answered after a while"),
    row("empty", ANYWHERE, Nothing, Empty, "processed, 200 with an empty body"),
    row("not_json", ANYWHERE, Nothing, Body(answers::SIGN_IN), "processed, 200 with a page"),
    row("huge", ANYWHERE, Number(64), Deliver(Delivery::Huge), "processed, 200 with that many MiB"),
    row("missing_code", CODES, Nothing, Without(&["authorizationCode"]), "200 without authorizationCode"),
    row("missing_token", TOKENS, Nothing, Without(&["access_token", "accessToken"]), "200 without access_token"),
    row("bad_expiry", CODES, Nothing, ExpiresAt("in a few minutes"), "expiresAt that is no time"),
    row("past_expiry", CODES, Nothing, Expired, "expiresAt ten minutes ago; the code works all the same"),
    row("no_expiry", CODES, Nothing, Without(&["expiresAt"]), "no expiresAt"),
    row("short_code", CODES, Time(200), ShortCode, "a code that expires soon, and says so"),
    row("code_not_found", CODE, Nothing, Refuse(answers::CODE_NOT_FOUND), "401 Authorization code not found"),
    row("code_expired", CODE, Nothing, Refuse(answers::CODE_EXPIRED), "400 Invalid grant: authorization code has expired"),
    row("grant_refused", TOKENS, Nothing, Refuse(answers::GRANT_REFUSED), "400 Invalid grant: ... is invalid"),
    row("client_refused", ANYWHERE, Nothing, Refuse(answers::CLIENT_REFUSED), "401 Invalid client credentials!"),
    row("endpoint_removed", ANYWHERE, Nothing, Refuse(answers::ENDPOINT_REMOVED), "400 API endpoint has been removed"),
    row("path_gone", ANYWHERE, Nothing, Refuse(answers::NOT_FOUND), "404 Cannot POST ..."),
    row("location_inactive", ANYWHERE, Nothing, Refuse(answers::LOCATION_INACTIVE), "400 Location is not active"),
    row("not_installed", ANYWHERE, Nothing, Refuse(answers::NOT_INSTALLED), "400 App is not installed ... (made up: no such body is published)"),
    row("unknown_id", ANYWHERE, Nothing, Refuse(answers::UNKNOWN_ID), "400 Location not found, with a traceId"),
    row("validation", ANYWHERE, Nothing, Refuse(answers::VALIDATION), "422 whose message is an array"),
    row("wrong_tenant", TOKENS, Nothing, IssueTo(Recipient::OtherTenant), "200 with the tokens of another id"),
    row("wrong_kind", TOKENS, Nothing, IssueTo(Recipient::OtherKind), "200 with a Company token for a location, and the other way round"),
    row("redirect", ANYWHERE, Url("https://elsewhere.invalid/oauth"), Redirect, "307 to another host"),
    row("snake", ANYWHERE, Nothing, Spell(Casing::Snake), "the answer in snake_case"),
    row("camel", ANYWHERE, Nothing, Spell(Casing::Camel), "the answer in camelCase"),
    row("created", ANYWHERE, Nothing, Status(201), "201 instead of 200"),
    row("no_trace", ANYWHERE, Nothing, Without(&["traceId"]), "the answer without traceId"),
    row("message_array", ANYWHERE, Nothing, Refuse(answers::MESSAGE_ARRAY), "400 whose message is an array"),
    row("error_object", ANYWHERE, Nothing, Refuse(answers::ERROR_OBJECT), "400 whose error is an object, as in v3"),
    row("unauthorised_html", ANYWHERE, Nothing, Refuse(answers::UNAUTHORISED), "401 with a page of a proxy"),
    row("garbage_message", ANYWHERE, Nothing, Refuse(answers::GARBAGE_MESSAGE), "400 whose message has terminal escapes, bidi marks, markup and a formula"),
    row("echo_secret", ANYWHERE, Nothing, Refuse(answers::ECHO_SECRET), "400 that repeats the client secret"),
    row("not_created", AGENCY, Nothing, Status(200), "200 instead of 201, as the specification has it"),
    row("no_refresh_token", LATER, Nothing, Without(&["refresh_token", "refreshToken", "refreshTokenId"]), "tokens without a refresh token"),
    row("kills_earlier", LATER, Nothing, RevokeEarlier, "a grant that revokes the earlier access tokens of the installation"),
    row("token_dead", BEARER, Nothing, Refuse(answers::TOKEN_DEAD), "401 Invalid JWT"),
    row("token_invalid", BEARER, Nothing, Refuse(answers::TOKEN_INVALID), "401 Invalid token: access token is invalid"),
    row("scope_missing", BEARER, Nothing, Refuse(answers::SCOPE_MISSING), "401 The token is not authorized for this scope."),
    row("user_type", BEARER, Nothing, Refuse(answers::USER_TYPE), "401 This token's user type is not yet supported!"),
    row("auth_class", BEARER, Nothing, Refuse(answers::AUTH_CLASS), "401 This authClass type is not allowed to access this scope. ..."),
    row("no_access", BEARER, Nothing, Refuse(answers::NO_ACCESS), "403 The token does not have access to this location."),
    row("no_feature", BEARER, Nothing, Refuse(answers::NO_FEATURE), "401 You do not have access to this feature! ..., with a traceId"),
    row("version_missing", BEARER, Nothing, Refuse(answers::VERSION_MISSING), "401 version header was not found."),
    row("wrong_count", LIST, Nothing, WrongCount, "a count of one more than there are"),
    row("first_page", LIST, Nothing, FirstPage, "the first page, whichever was asked for"),
    row("http", ANYWHERE, Takes::Answer, Custom, "http(status,text): any answer at all"),
];
