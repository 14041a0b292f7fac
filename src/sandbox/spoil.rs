//! What a fault does to an answer when the work is done.

use std::time::Duration;

use serde_json::{Map, Value};

use super::answers::{self, Answer};
use super::clock::{Clock, micros};
use super::faults::{Fault, Kind};

/// How long ago a code of `past_expiry` says it died.
const PAST: Duration = Duration::from_secs(600);

/// How an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As it should.
    Whole,
    /// After a while.
    After(Duration),
    /// Not at all: the connection is reset.
    Reset,
    /// The head and half of the body.
    Cut,
    /// Not at all: the connection stays open.
    Silence,
    /// So many MiB in place of the body.
    Huge(u64),
}

/// An answer and the way that it goes out.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) delivery: Delivery,
}

impl Reply {
    pub(super) fn whole(answer: Answer) -> Self {
        Self { answer, delivery: Delivery::Whole }
    }

    /// The status that the client gets to see.
    pub(super) fn status(&self) -> Option<u16> {
        let unseen = matches!(self.delivery, Delivery::Reset | Delivery::Silence);
        (!unseen).then_some(self.answer.status)
    }
}

/// Spelling of the keys of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Casing {
    Snake,
    Camel,
}

/// Spoils an answer as the fault wants it. An error stays an error: only its delivery suffers.
pub(super) fn spoil(answer: Answer, fault: Option<&Fault>, clock: &Clock) -> Reply {
    let Some(fault) = fault else { return Reply::whole(answer) };
    let delivery = delivery(fault);
    let good = answer.status < 300;
    let answer = if good { spoiled(answer, fault.kind, clock) } else { answer };
    Reply { answer, delivery }
}

fn delivery(fault: &Fault) -> Delivery {
    match fault.kind {
        Kind::Reset => Delivery::Reset,
        Kind::Cut => Delivery::Cut,
        Kind::Silence => Delivery::Silence,
        Kind::Slow => Delivery::After(fault.wait().unwrap_or_default()),
        Kind::Huge => Delivery::Huge(fault.number()),
        _ => Delivery::Whole,
    }
}

fn spoiled(mut answer: Answer, kind: Kind, clock: &Clock) -> Answer {
    match kind {
        Kind::Empty => answer.body.clear(),
        Kind::NotJson => return answer.replaced(answers::SIGN_IN),
        Kind::Created => answer.status = 201,
        Kind::NotCreated => answer.status = 200,
        Kind::NoRefreshToken => {
            drop_keys(&mut answer, &["refresh_token", "refreshToken", "refreshTokenId"]);
        }
        Kind::MissingCode => drop_keys(&mut answer, &["authorizationCode"]),
        Kind::MissingToken => drop_keys(&mut answer, &["access_token", "accessToken"]),
        Kind::NoExpiry => drop_keys(&mut answer, &["expiresAt"]),
        Kind::NoTrace => drop_keys(&mut answer, &["traceId"]),
        Kind::BadExpiry => set_expiry(&mut answer, "in a few minutes".into()),
        Kind::PastExpiry => {
            let past = clock.told(clock.now()).checked_sub(PAST).unwrap_or_default();
            set_expiry(&mut answer, format!("{past:.3}"));
        }
        Kind::Snake => recase(&mut answer, Casing::Snake),
        Kind::Camel => recase(&mut answer, Casing::Camel),
        _ => {}
    }
    answer
}

fn edit(answer: &mut Answer, change: impl FnOnce(Map<String, Value>) -> Map<String, Value>) {
    if let Ok(map) = serde_json::from_str::<Map<String, Value>>(&answer.body) {
        answer.body = Value::Object(change(map)).to_string();
    }
}

fn drop_keys(answer: &mut Answer, keys: &[&str]) {
    edit(answer, |map| map.into_iter().filter(|(key, _)| !keys.contains(&key.as_str())).collect());
}

fn set_expiry(answer: &mut Answer, value: String) {
    edit(answer, |mut map| {
        map.insert("expiresAt".into(), value.into());
        map
    });
}

/// Spells the keys of an answer in one way.
pub(super) fn recase(answer: &mut Answer, casing: Casing) {
    let spell = match casing {
        Casing::Snake => snake,
        Casing::Camel => camel,
    };
    edit(answer, |map| map.into_iter().map(|(key, value)| (spell(&key), value)).collect());
}

pub(super) fn snake(key: &str) -> String {
    key.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
        text
    })
}

fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        text.extend(word.chars().take(1).map(|c| c.to_ascii_uppercase()));
        text.extend(word.chars().skip(1));
        text
    })
}

/// The life that a code gets: the fault's where it shortens it.
pub(super) fn code_life(fault: Option<&Fault>, usual: Duration) -> u64 {
    let short = fault.filter(|fault| fault.kind == Kind::ShortCode).and_then(Fault::wait);
    micros(short.unwrap_or(usual))
}
