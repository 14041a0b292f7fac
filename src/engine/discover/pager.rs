//! Asks for the pages of one agency, with patience, and puts them into the list.

use std::{collections::HashSet, time::Duration};

use tokio::time::sleep;

use super::{
    cursor::{AgencyCursor, Progress},
    list_writer::ListWriter,
};
use crate::{
    engine::recover::retry::backoff,
    failure::{Class, Failure, Stage},
    highlevel::{
        agency::{self, Concern},
        answer,
        client::{Client, Listing, MayLeave, PageCursor, Query, Unanswered},
        locations::{self, Location, NextPage, Page},
        reply::Reply,
    },
    installation::Id,
    pace::{Answer, AnswerOutcome, Lane, Pacer, Readying},
    secret::Secret,
    settings::agency_tokens::{AgencyTokens, Held},
};

/// Locations that may come beyond twice the count: an agency grows while it is read.
const SPARE: u64 = 1000;

/// Locations of one agency where HighLevel names no count.
const MOST: u64 = 1_000_000;

/// A page without anything new is asked for so many times in a row, while more is to come.
const WITHOUT_NEWS: u32 = 3;

/// What asks.
#[derive(Debug)]
pub struct Pager {
    /// The API.
    pub client: Client,
    /// When a request may start.
    pub pacer: Pacer,
    /// With which tokens.
    pub tokens: AgencyTokens,
    /// For which app.
    pub app: String,
    /// Which locations.
    pub listing: Listing,
    /// How often one page is tried.
    pub attempts: u32,
}

/// Why an agency's list is not complete.
#[derive(Debug)]
pub enum Trouble {
    /// It concerns this agency: others may be asked.
    Agency(Failure),
    /// It would meet every agency.
    Everybody(Failure),
    /// The list cannot be written.
    Local(anyhow::Error),
}

impl Pager {
    /// Lists an agency from the place where it stands, and returns the place at its end.
    pub async fn list(&self, company: &Id, list: &mut ListWriter) -> Result<AgencyCursor, Trouble> {
        let mut place = list.place(company);
        let mut seen = list.ids(company).map_err(Trouble::Local)?;
        let mut without_news = 0;
        let mut is_restored = matches!(place.cursor, PageCursor::Token(_));
        while place.state == Progress::Open {
            let page = match self.page(company, &place.cursor).await {
                // Where a page of version 3 begins is not known for ever.
                Err(Trouble::Agency(failure)) if is_restored && is_about_the_page(&failure) => {
                    place.cursor = PageCursor::default();
                    is_restored = false;
                    continue;
                }
                page => page?,
            };
            is_restored = false;
            let fresh = fresh_ones(&page, &mut seen);
            place.given += fresh.len() as u64;
            place.odd += page.odd;
            place.count = page.count.or(place.count);
            without_news = if fresh.is_empty() { without_news + 1 } else { 0 };
            match step(&page, &place, without_news) {
                Step::Again => {}
                Step::On(cursor) => place.cursor = cursor,
                Step::SessionEnd => place.state = Progress::SessionEnd,
                Step::Stuck => {
                    // The next command begins with the first page.
                    place.cursor = PageCursor::default();
                    list.add(company, &[], &place).map_err(Trouble::Local)?;
                    return Err(Trouble::Agency(stuck()));
                }
            }
            let wanted: Vec<_> =
                fresh.into_iter().filter(|location| self.wants(location)).collect();
            list.add(company, &wanted, &place).map_err(Trouble::Local)?;
        }
        Ok(place)
    }

    fn wants(&self, location: &Location) -> bool {
        self.listing == Listing::All || location.is_installed != Some(false)
    }

    /// Asks for a page until it comes, a bounded number of times.
    async fn page(&self, company: &Id, cursor: &PageCursor) -> Result<Page, Trouble> {
        let mut attempt = 1;
        loop {
            let token = self.token(company).map_err(Trouble::Agency)?;
            let failure = match self.ask(company, &token, cursor).await {
                Ok(page) => return Ok(page),
                Err(failure) => failure,
            };
            if agency::concern(&failure) == Concern::Agency {
                self.tokens.refuse(company, &token, &failure);
            }
            if attempt >= self.attempts || !can_pass(failure.class) {
                return Err(trouble(failure));
            }
            let asked = Duration::from_millis(failure.retry_after_ms.unwrap_or(0).into());
            sleep(backoff(attempt, fastrand::u64(..)).max(asked)).await;
            attempt += 1;
        }
    }

    /// A token that may work; it can die of age meanwhile.
    fn token(&self, company: &Id) -> Result<Secret, Failure> {
        let without = |class, why: &str| Failure::without_answer(Stage::Agency, class, why);
        match self.tokens.get(company) {
            Held::Usable(token) => Ok(token),
            Held::Expired(at) => {
                let why = format!(
                    "the agency's token is past its life since {}",
                    crate::clock::stamp(at)
                );
                Err(without(Class::GrantRefused, &why))
            }
            Held::Refused(failure) => Err(failure),
            Held::Missing => {
                Err(without(Class::InvalidRequest, "there is no token of this agency"))
            }
        }
    }

    async fn ask(
        &self,
        company: &Id,
        token: &Secret,
        cursor: &PageCursor,
    ) -> Result<Page, Failure> {
        let query = Query { company, app: &self.app, listing: self.listing, cursor };
        let readying = Readying::Ahead(self.pacer.preparation().await);
        let mut sent = std::time::Instant::now();
        let reply = match self.pacer.clear(&self.client, Lane::Other, None, readying).await {
            Err(unanswered) => Err(unanswered),
            Ok(cleared) => {
                let (departure, _) = cleared.depart(|_| MayLeave::Yes);
                sent = std::time::Instant::now();
                self.client.installed_locations(departure, token, &query).await
            }
        };
        self.pacer.observe(&fetched(reply.as_ref().ok(), sent));
        locations::page_of(&reply.map_err(no_answer)?)
    }
}

/// What follows a page.
enum Step {
    /// The same page once more.
    Again,
    /// The next one.
    On(PageCursor),
    /// All have come.
    SessionEnd,
    /// The pages do not end.
    Stuck,
}

/// Decides what follows a page. The end of version 2 is a page without a location: neither the
/// count nor the length of a page is to be relied on for it.
fn step(page: &Page, place: &AgencyCursor, without_news: u32) -> Step {
    let came = place.given + place.odd;
    let has_all = place.count.is_none_or(|count| came >= count);
    let has_far_more =
        came > place.count.map_or(MOST, |count| count.saturating_mul(2).saturating_add(SPARE));
    match &page.next {
        NextPage::End => Step::SessionEnd,
        _ if has_far_more => Step::Stuck,
        _ if without_news == 0 => on(&page.next, &place.cursor),
        NextPage::Behind(_) if has_all => Step::SessionEnd,
        _ if without_news >= WITHOUT_NEWS => Step::Stuck,
        NextPage::Behind(_) => Step::Again,
        NextPage::At(_) => on(&page.next, &place.cursor),
    }
}

fn on(next: &NextPage, cursor: &PageCursor) -> Step {
    match (next, cursor) {
        (NextPage::Behind(rows), PageCursor::Skip(skip)) => Step::On(PageCursor::Skip(skip + rows)),
        (NextPage::Behind(_), PageCursor::Token(_)) | (NextPage::End, _) => Step::SessionEnd,
        (NextPage::At(cursor), _) => Step::On(cursor.clone()),
    }
}

/// The locations that no page before had: pages shift while people install and uninstall.
fn fresh_ones<'a>(page: &'a Page, seen: &mut HashSet<Id>) -> Vec<&'a Location> {
    page.locations.iter().filter(|location| seen.insert(location.id.clone())).collect()
}

fn fetched(reply: Option<&Reply>, sent: std::time::Instant) -> Answer {
    let outcome = match reply {
        None => AnswerOutcome::Failing,
        Some(reply) => match reply.status {
            429 => AnswerOutcome::Throttled(answer::asked_wait(reply)),
            500.. => AnswerOutcome::Failing,
            _ => AnswerOutcome::Clean,
        },
    };
    let allowance = reply.map(|reply| reply.allowance).unwrap_or_default();
    Answer { who: None, lane: Lane::Other, sent, outcome, allowance }
}

fn no_answer(unanswered: Unanswered) -> Failure {
    let (class, why) = match unanswered {
        Unanswered::NeverLeft(why) | Unanswered::InDoubt(why) => (Class::Network, why),
        Unanswered::HeldBack => (Class::Network, "the request was held back".to_owned()),
        Unanswered::TooLarge(_) => (Class::BadAnswer, "the answer is too large".to_owned()),
    };
    Failure::without_answer(Stage::Agency, class, &why)
}

/// Reading is repeated as often as one likes.
fn can_pass(class: Class) -> bool {
    matches!(class, Class::RateLimited | Class::ServerError | Class::Network | Class::BadAnswer)
}

fn trouble(failure: Failure) -> Trouble {
    match failure.class {
        Class::RateLimited
        | Class::ServerError
        | Class::Network
        | Class::Blocked
        | Class::Redirected
        | Class::EndpointRemoved
        | Class::ClientRefused
        | Class::BadAnswer => Trouble::Everybody(failure),
        _ => Trouble::Agency(failure),
    }
}

fn is_about_the_page(failure: &Failure) -> bool {
    matches!(failure.http_status, Some(400 | 422))
}

fn stuck() -> Failure {
    let why =
        "the pages do not end: they repeat, or bring far more locations than HighLevel counts";
    Failure::without_answer(Stage::Agency, Class::BadAnswer, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_do_not_end_are_left() {
        for (given, count, ends) in [
            (900, Some(1000), false),
            (3000, Some(1000), false),
            (3001, Some(1000), true),
            (5000, None, false),
            (MOST + 1, None, true),
            (5000, Some(u64::MAX), false),
        ] {
            let place = AgencyCursor { given, count, ..AgencyCursor::default() };
            let page = Page { locations: Vec::new(), odd: 0, count, next: NextPage::Behind(100) };
            let stuck = matches!(step(&page, &place, 0), Step::Stuck);
            assert_eq!(stuck, ends, "{given} of {count:?}");
        }
    }
}
