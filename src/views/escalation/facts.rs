//! The lines of a section on what happened. Foreign text is in code spans.

use super::{cause::TicketCause, markdown::span, samples::Sample};
use crate::{
    clock::stamp,
    failure::{Class, Stage},
    journal::state::LostGrant,
    plan::counted,
    text::SafeText,
};

/// The most characters that are shown of an address.
const URL_CHARS: usize = 200;

/// What is known of a cause besides where the calls went.
pub fn of_cause(cause: &TicketCause) -> Vec<String> {
    let text = cause.message.as_str();
    let mut facts = vec![
        format!("- Error text: {}", if text.is_empty() { "none".to_owned() } else { span(text) }),
        format!("- Read as: {}, {}", cause.class, cause.class.about().means),
        format!("- Tried: {}", tried(cause)),
        format!(
            "- Installations: {} ({}, {})",
            cause.installations(),
            counted(cause.locations, "location"),
            agencies(cause.companies)
        ),
    ];
    if let Some((from, to)) = cause.times {
        facts.push(format!("- First: {} UTC, last: {} UTC", stamp(from), stamp(to)));
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

fn agencies(companies: u32) -> String {
    if companies == 1 { "1 company".to_owned() } else { format!("{companies} companies") }
}

fn tried(cause: &TicketCause) -> String {
    let attempts = cause.attempts;
    let times = if attempts == 1 { "once".to_owned() } else { format!("{attempts} times in all") };
    match (cause.stage, cause.class) {
        (Stage::Reconnect, _) => format!("a new authorization code was asked for, {times}"),
        (Stage::Exchange, Class::WrongTenant | Class::WrongKind) => format!(
            "a fresh code was presented, and tokens came that are not for the installation; they \
             are kept apart and not used ({times})"
        ),
        (Stage::Exchange, _) => {
            format!("a fresh code was asked for and presented at once, none of them twice; {times}")
        }
        (Stage::Input | Stage::Refresh | Stage::Agency | Stage::Verify, _) => times,
        (Stage::Store, _) => "nothing that HighLevel could see to: this is a fault of \
                              ghl-reconnect's, please report it there"
            .to_owned(),
    }
}

/// Where calls went.
pub fn endpoint(url: &str) -> String {
    let shown = match url.char_indices().nth(URL_CHARS) {
        Some((end, _)) => &format!("{}…", &url[..end]),
        None => url,
    };
    format!("- Endpoint: POST {}", span(shown))
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
    format!("- {}, {} {}, {trace}", stamp(sample.at), sample.scope, span(sample.id.as_str()))
}

/// One of the lost grants.
pub fn lost_grant(grant: &LostGrant) -> String {
    let trace = trace("trace id of the code", grant.reconnect_trace_id.as_ref());
    format!("- {}, {}, {trace}", stamp(grant.exchanged_at), span(grant.id.as_str()))
}

fn trace(name: &str, id: Option<&SafeText>) -> String {
    id.map_or_else(|| "no trace id came".to_owned(), |id| format!("{name} {}", span(id.as_str())))
}
