//! The lines of a section on what happened. Foreign text is in code spans.

use super::{answers, cause::TicketCause, markdown::span, samples::Sample};
use crate::{
    clock::stamp,
    failure::{Class, Stage},
    journal::state::LostGrant,
    plan::counted,
    text::{SafeText, beginning},
};

/// The most characters that are shown of an address.
const URL_CHARS: usize = 200;

/// The most answers that are told apart.
const MOST_ANSWERS: usize = 5;

/// What is known of a cause besides where the calls went; `total` installations are of its app.
pub fn of_cause(cause: &TicketCause, total: u32) -> Vec<String> {
    let text = cause.message.as_str();
    let mut facts = vec![
        format!("- Error text: {}", if text.is_empty() { "none".to_owned() } else { span(text) }),
        format!("- Read as: {}, {}", cause.class, cause.class.about().means),
        format!("- Tried: {}", tried(cause)),
        format!(
            "- Installations: {} of {total} ({}, {})",
            cause.installations(),
            counted(cause.locations, "location"),
            agencies(cause.companies)
        ),
    ];
    facts.extend(calls(cause));
    facts.extend(agencies_named(cause));
    if let Some((from, to)) = cause.times {
        facts.push(format!("- First call: {} UTC, last: {} UTC", stamp(from), stamp(to)));
        if let Some(first) = cause.first_ever.filter(|first| *first < from) {
            facts.push(format!("- First in an earlier run: {} UTC", stamp(first)));
        }
    }
    if cause.lost_grants > 0 {
        facts.push(format!(
            "- Lost grants: for {} of these an exchange had no whole answer, so that tokens may have \
             been granted that nobody holds; see the section on lost grants",
            cause.lost_grants
        ));
    }
    facts
}

/// The calls that failed, each answer with its own count.
pub fn calls(cause: &TicketCause) -> Vec<String> {
    let all = cause.answers();
    let shown = all.iter().take(MOST_ANSWERS);
    let mut words: Vec<_> =
        shown.map(|(answer, calls)| answers::in_words(*answer, *calls)).collect();
    let others: u64 = all.iter().skip(MOST_ANSWERS).map(|(_, calls)| calls).sum();
    if others > 0 {
        words.push(format!("others ({others})"));
    }
    let sum: u64 = all.iter().map(|(_, calls)| calls).sum();
    let mut lines = Vec::new();
    if sum > 0 {
        lines.push(format!("- Calls of this run that failed: {sum}: {}", words.join(", ")));
    }
    if cause.earlier_attempts > 0 {
        lines.push(format!("- Attempts in earlier runs: {}", cause.earlier_attempts));
    }
    lines
}

fn agencies_named(cause: &TicketCause) -> Option<String> {
    let (named, has_others) = cause.agencies();
    let others = if has_others { " and others" } else { "" };
    let named: Vec<_> = named.iter().map(|id| span(id.as_str())).collect();
    (!named.is_empty()).then(|| format!("- Company ids: {}{others}", named.join(", ")))
}

fn agencies(companies: u32) -> String {
    if companies == 1 { "1 company".to_owned() } else { format!("{companies} companies") }
}

fn tried(cause: &TicketCause) -> &'static str {
    match (cause.stage, cause.class) {
        (Stage::Reconnect, _) => "a new authorization code was asked for",
        (Stage::Exchange, Class::WrongTenant | Class::WrongKind) => {
            "a fresh code was presented, and tokens came that are not for the installation; they are \
             kept apart and not used"
        }
        (Stage::Exchange, _) => {
            "a fresh code was asked for and presented at once, none of them twice"
        }
        (Stage::Refresh, _) => "the refresh token of the installation was presented",
        (Stage::Agency, _) => {
            "the tokens of the sub-account were asked for with those of its agency"
        }
        (Stage::Verify, _) => {
            "an access token that had just been granted was used for one call; its pair is kept apart \
             and not used"
        }
        (Stage::Input | Stage::Store, _) => "nothing that HighLevel could see",
    }
}

/// Where calls went: method and address.
pub fn endpoint(address: &str) -> String {
    let (method, url) = address.split_once(' ').unwrap_or(("", address));
    format!("- Endpoint: {method} {}", span(&beginning(url, URL_CHARS)))
}

/// How far the server's clock is from ours.
pub fn clock(offset_ms: Option<i64>) -> String {
    let seconds = |ms: i64| ms.unsigned_abs() as f64 / 1000.0;
    let offset = match offset_ms {
        None => "not known, no answer had a Date".to_owned(),
        Some(0) => "the server's agrees with ours".to_owned(),
        Some(ms) if ms > 0 => format!("the server's is {:.1} s ahead of ours", seconds(ms)),
        Some(ms) => format!("the server's is {:.1} s behind ours", seconds(ms)),
    };
    format!("- Clock: {offset}")
}

/// One of many failures.
pub fn sample(sample: &Sample) -> String {
    let trace = trace("trace id", sample.trace_id.as_ref());
    let company = sample.company.as_ref();
    let company = company.map(|id| format!(" of company {}", span(id.as_str())));
    format!(
        "- {}, {} {}{}, {trace}",
        stamp(sample.at),
        sample.scope,
        span(sample.id.as_str()),
        company.unwrap_or_default()
    )
}

/// One of the lost grants.
pub fn lost_grant(grant: &LostGrant) -> String {
    let trace = trace("trace id of the code", grant.reconnect_trace_id.as_ref());
    format!("- {}, {}, {trace}", stamp(grant.exchanged_at), span(grant.id.as_str()))
}

fn trace(name: &str, id: Option<&SafeText>) -> String {
    id.map_or_else(|| "no trace id came".to_owned(), |id| format!("{name} {}", span(id.as_str())))
}
