//! Everything the sandbox knows, in one struct behind one lock that is held for microseconds.

use std::collections::HashMap;

use super::answers::{Answer, Reply};
use super::call::{Call, Step};
use super::clock::{Clock, Micros};
use super::faults::{Effect, Fault};
use super::options::{AccessLife, InstalledLocation, Options, Presence, RefreshLife, StoredPair};
use super::plan::{FaultPlan, Progress};
use super::records::{
    Code, Owner, Pair, Presented, Refresh, RequestRow, Source, Text, Texts, Via, serial,
};
use super::tokens::{self, Claims, Holder, Purpose, Recipient, Tokens};
use crate::installation::Scope;

/// The state of a sandbox.
pub(super) struct State {
    /// As they are now: what is stored or listed later is in them, too.
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) texts: Texts,
    pub(super) requests: Vec<RequestRow>,
    pub(super) presented: Vec<Presented>,
    pub(super) codes: Vec<Code>,
    /// Stored pairs and those that were issued.
    pub(super) pairs: Vec<Pair>,
    /// Where each code and token is, by the digest of its text.
    known: HashMap<(Purpose, u64), u32>,
    clients: Vec<Client>,
    /// The place of each location in the list of the options.
    listed: HashMap<String, usize>,
    /// The companies of locations that stored tokens name.
    companies: HashMap<String, String>,
    progress: HashMap<Text, Progress>,
    pub(super) in_flight: usize,
    pub(super) max_in_flight: usize,
    /// Counts the resets, so that a request from before one is not noted after it.
    pub(super) epoch: u64,
}

/// A client that sent its credentials, or that stored tokens name.
struct Client {
    /// The client id; in stored tokens it may be only what stands before the dash.
    id: String,
    /// None where only the id is known.
    secret: Option<String>,
}

/// What a request asks for.
pub(super) struct Requested {
    pub(super) step: Step,
    pub(super) client: String,
    pub(super) secret: String,
    pub(super) scope: Scope,
    pub(super) id: String,
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        let clock = Clock::start(options.clock_offset);
        Self::begin(options, clock)
    }

    fn begin(mut options: Options, clock: Clock) -> Self {
        let stored = std::mem::take(&mut options.stored);
        let installed = std::mem::take(&mut options.installed);
        let mut state = Self {
            options,
            clock,
            texts: Texts::default(),
            requests: Vec::new(),
            presented: Vec::new(),
            codes: Vec::new(),
            pairs: Vec::new(),
            known: HashMap::new(),
            clients: Vec::new(),
            listed: HashMap::new(),
            companies: HashMap::new(),
            progress: HashMap::new(),
            in_flight: 0,
            max_in_flight: 0,
            epoch: 0,
        };
        state.store(stored);
        state.list(installed);
        state
    }

    /// Forgets requests, codes, tokens and how far the faults were. Options, faults and what is
    /// stored are as at the start.
    pub(super) fn reset(&mut self) {
        let fresh = Self::begin(std::mem::take(&mut self.options), self.clock);
        let (in_flight, epoch) = (self.in_flight, self.epoch + 1);
        *self = Self { in_flight, max_in_flight: in_flight, epoch, ..fresh };
    }

    /// Puts other faults in force, from their beginning.
    pub(super) fn plan(&mut self, plan: FaultPlan) {
        self.options.faults = plan;
        self.progress.clear();
    }

    /// Adds tokens that were granted elsewhere. What was known of one of them no longer holds.
    pub(super) fn store(&mut self, pairs: Vec<StoredPair>) {
        for stored in pairs {
            let pair = self.stored_pair(&stored);
            let serial = self.add(pair);
            if let Some((token, _)) = &stored.access {
                self.know(Purpose::Access, token, serial);
            }
            if let Some((token, _)) = &stored.refresh {
                self.know(Purpose::Refresh, token, serial);
            }
            self.options.stored.push(stored);
        }
    }

    fn stored_pair(&mut self, stored: &StoredPair) -> Pair {
        if let Some(company) = &stored.company {
            self.companies.insert(stored.id.clone(), company.clone());
        }
        let client = stored.client.as_deref().map(|client| self.client(client, None));
        Pair {
            owner: Owner { tenant: self.texts.add(&stored.id), scope: stored.scope, client },
            source: Source::Stored,
            recipient: Recipient::AsRequested,
            at: 0,
            expires: stored.expires,
            access: stored.access.as_ref().map_or(AccessLife::Dead, |(_, life)| *life),
            refresh: match stored.refresh {
                Some((_, RefreshLife::Good)) => Refresh::New,
                _ => Refresh::Nothing,
            },
        }
    }

    /// Lists locations behind those that are there. One that is there already is replaced.
    pub(super) fn list(&mut self, locations: Vec<InstalledLocation>) {
        let list = &mut self.options.installed;
        for location in locations {
            let position = *self.listed.entry(location.id.clone()).or_insert(list.len());
            match list.get_mut(position) {
                Some(there) => *there = location,
                None => list.push(location),
            }
        }
    }

    /// The agency of a location: as listed, as stored, or one of seven.
    pub(super) fn company_of(&self, location: &str) -> String {
        let listed = self.listed(location).map(|listed| &listed.company);
        let known = listed.or_else(|| self.companies.get(location));
        known.cloned().unwrap_or_else(|| tokens::company_of(location))
    }

    /// Whether the agency's token gives a token of this location. Where locations of the agency are
    /// listed, it has those with the app and no others.
    pub(super) fn has(&self, company: &str, location: &str) -> bool {
        match self.listed(location) {
            Some(listed) => listed.company == company && listed.presence == Presence::Installed,
            None => {
                self.locations_of(company).next().is_none() && self.company_of(location) == company
            }
        }
    }

    fn listed(&self, location: &str) -> Option<&InstalledLocation> {
        self.options.installed.get(*self.listed.get(location)?)
    }

    /// The listed locations of an agency, in their order.
    pub(super) fn locations_of(&self, company: &str) -> impl Iterator<Item = &InstalledLocation> {
        self.options.installed.iter().filter(move |listed| listed.company == company)
    }

    /// The number of a client that sent this id and secret to use what belongs to that client; none
    /// where it may not. What belongs to nobody is for everybody.
    pub(super) fn act_as(&mut self, owner: Option<u32>, id: &str, secret: &str) -> Option<u32> {
        let Some(number) = owner else { return Some(self.client(id, Some(secret))) };
        let client = &self.clients[number as usize];
        match &client.secret {
            Some(key) => (client.id == id && key == secret).then_some(number),
            None if client.id == id || client.id == app_of(id) => {
                Some(self.client(id, Some(secret)))
            }
            None => None,
        }
    }

    /// The number of a client. Every id and secret are good.
    pub(super) fn client(&mut self, id: &str, secret: Option<&str>) -> u32 {
        let same = |client: &Client| client.id == id && client.secret.as_deref() == secret;
        let position = self.clients.iter().position(same).unwrap_or_else(|| {
            self.clients.push(Client { id: id.to_owned(), secret: secret.map(str::to_owned) });
            self.clients.len() - 1
        });
        serial(position)
    }

    /// The client id that the tokens of this client name; none where it is not known.
    pub(super) fn client_id(&self, client: Option<u32>) -> Option<&str> {
        client.map(|number| &*self.clients[number as usize].id)
    }

    /// The position of a code or token with this text.
    pub(super) fn find(&self, purpose: Purpose, text: &str) -> Option<u32> {
        self.known.get(&(purpose, tokens::digest(text))).copied()
    }

    fn know(&mut self, purpose: Purpose, text: &str, position: u32) {
        self.known.insert((purpose, tokens::digest(text)), position);
    }

    /// Issues a code that expires at this time.
    pub(super) fn issue_code(&mut self, owner: Owner, issued: Micros, expires: Micros) -> String {
        let position = serial(self.codes.len());
        self.codes.push(Code { owner, issued, expires, gave: None });
        let text = tokens::code(self.options.seed, position);
        self.know(Purpose::Code, &text, position);
        text
    }

    /// Issues a pair, to the one that the fault wants; its position.
    pub(super) fn issue(
        &mut self,
        owner: Owner,
        (via, code): (Via, Option<u32>),
        fault: Option<&Fault>,
    ) -> u32 {
        let recipient = match fault.map(|fault| fault.kind.effect) {
            Some(Effect::IssueTo(recipient)) => recipient,
            Some(Effect::RevokeEarlier) => {
                let earlier = self.pairs.iter_mut();
                let earlier = earlier.filter(|pair| pair.owner.tenant == owner.tenant);
                earlier.for_each(|pair| pair.access = AccessLife::Revoked);
                Recipient::AsRequested
            }
            _ => Recipient::AsRequested,
        };
        let at = self.clock.now();
        let expires = self.clock.utc(at).checked_add(tokens::ACCESS_LIFE).ok();
        self.add(Pair {
            owner,
            source: Source::Issued(via, code),
            recipient,
            at,
            expires,
            access: AccessLife::Alive,
            refresh: Refresh::New,
        })
    }

    fn add(&mut self, pair: Pair) -> u32 {
        self.pairs.push(pair);
        serial(self.pairs.len() - 1)
    }

    /// Revokes a pair and those that its refresh tokens gave.
    pub(super) fn revoke(&mut self, first: u32) {
        let mut next = Some(first);
        while let Some(position) = next {
            let pair = &mut self.pairs[position as usize];
            next = match pair.refresh {
                Refresh::Same(after, _) => Some(after),
                Refresh::New | Refresh::Nothing => None,
            };
            (pair.access, pair.refresh) = (AccessLife::Revoked, Refresh::Nothing);
        }
    }

    /// The tokens of an issued pair, which are good from now on.
    pub(super) fn hand_out(&mut self, position: u32) -> Tokens {
        let tokens = self.tokens(position);
        self.know(Purpose::Access, &tokens.access, position);
        self.know(Purpose::Refresh, &tokens.refresh, position);
        tokens
    }

    /// The tokens of an issued pair.
    pub(super) fn tokens(&self, position: u32) -> Tokens {
        let pair = &self.pairs[position as usize];
        let claims = Claims {
            holder: self.holder(pair),
            client: self.client_id(pair.owner.client),
            issued: self.clock.utc(pair.at).as_second(),
            serial: position,
        };
        claims.tokens(self.options.seed)
    }

    /// Whom the tokens of a pair name.
    pub(super) fn holder(&self, pair: &Pair) -> Holder {
        let asked = self.texts.get(pair.owner.tenant);
        let at = |id: String| Holder { company: self.company_of(&id), location: Some(id) };
        let agency = |company| Holder { company, location: None };
        match (pair.owner.scope, pair.recipient) {
            (Scope::Location, Recipient::AsRequested) => at(asked.to_owned()),
            (Scope::Location, Recipient::OtherTenant) => at(tokens::other_id(asked)),
            (Scope::Location, Recipient::OtherKind) => agency(self.company_of(asked)),
            (Scope::Company, Recipient::AsRequested) => agency(asked.to_owned()),
            (Scope::Company, Recipient::OtherTenant) => agency(tokens::other_id(asked)),
            (Scope::Company, Recipient::OtherKind) => {
                Holder { company: asked.to_owned(), location: Some(tokens::other_id(asked)) }
            }
        }
    }

    /// The row of a request; none if a reset came in between.
    pub(super) fn row(&mut self, ordinal: u64) -> Option<&mut RequestRow> {
        self.requests.get_mut(usize::try_from(ordinal).ok()?)
    }

    pub(super) fn note_step(&mut self, call: &Call, step: Step) {
        if let Some(row) = self.row(call.ordinal) {
            row.step = step;
        }
    }

    /// Does the work of a request, unless a fault replaces it, and corrupts the answer if a fault
    /// wants that.
    pub(super) fn serve(
        &mut self,
        call: &Call,
        requested: &Requested,
        work: impl FnOnce(&mut Self, Option<&Fault>) -> Answer,
    ) -> Reply {
        let Some(fault) = self.fault(call, requested) else { return work(self, None).into() };
        match self.refusal(call, requested, &fault) {
            Some(answer) => answer.into(),
            None => fault.corrupt(work(self, Some(&fault)), &self.clock),
        }
    }

    fn refusal(&self, call: &Call, requested: &Requested, fault: &Fault) -> Option<Answer> {
        let field = match requested.scope {
            Scope::Location => "locationId",
            Scope::Company => "companyId",
        };
        let grant = match requested.step {
            Step::Refresh => "refresh token",
            _ => "authorization code",
        };
        let values = [
            ("method", &*call.method),
            ("path", &call.path),
            ("client", &requested.client),
            ("secret", &requested.secret),
            ("field", field),
            ("grant", grant),
        ];
        fault.refusal(&values, &self.clock)
    }

    fn fault(&mut self, call: &Call, requested: &Requested) -> Option<Fault> {
        let tenant = self.texts.add(&requested.id);
        let Options { faults, seed, .. } = &self.options;
        let fault = (!faults.is_empty()).then(|| {
            let progress = self.progress.entry(tenant).or_default();
            faults.next(*seed, &requested.id, requested.step, progress)
        });
        let fault = fault.flatten();
        let written = fault.as_ref().map(|fault| self.texts.add(&fault.written));
        if let Some(row) = self.row(call.ordinal) {
            (row.tenant, row.fault) = (Some(tenant), written);
        }
        fault
    }
}

/// What stands before the dash of a client id.
pub(super) fn app_of(client: &str) -> &str {
    client.split('-').next().unwrap_or_default()
}
