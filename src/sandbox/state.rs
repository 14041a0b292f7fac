//! Everything the sandbox knows, behind one lock that is held for microseconds.

use std::collections::HashMap;
use std::time::Duration;

use super::Options;
use super::agencies::Agencies;
use super::answers::{self, Answer};
use super::audit::Counts;
use super::call::{Agent, Call};
use super::clients::Clients;
use super::clock::Clock;
use super::faults::Fault;
use super::ledger::{Ledger, PairState};
use super::log::{Log, Presentee};
use super::mint::Mint;
use super::plan::{self, FaultPlan, Taken};
use super::quota::{Left, Quota, Window};
use super::spoil::{self, Reply};
use super::step::Step;
use super::stored::{InstalledLocation, StoredPair};
use super::symbols::Symbol;
use super::vault::Vault;
use super::{agency, discover, reconnect, token, verify};
use crate::installation::Scope;

/// What a request asks for.
pub(super) struct Asked {
    pub(super) step: Step,
    pub(super) client: String,
    pub(super) secret: String,
    pub(super) scope: Scope,
    pub(super) id: String,
}

/// How far an installation is through its faults.
#[derive(Default)]
struct Progress {
    calls: [u32; Step::COUNT],
    own: Taken,
    every: Taken,
}

/// The state of a sandbox.
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) mint: Mint,
    pub(super) code_life: Duration,
    pub(super) same_again: Duration,
    pub(super) access_life: Duration,
    pub(super) log: Log,
    pub(super) ledger: Ledger,
    pub(super) vault: Vault,
    pub(super) clients: Clients,
    pub(super) agencies: Agencies,
    pub(super) in_flight: usize,
    pub(super) max_in_flight: usize,
    /// Counts the resets, so that a request from before one is not noted after it.
    pub(super) epoch: u64,
    plan: FaultPlan,
    progress: HashMap<Symbol, Progress>,
    reconnect_path: String,
    quota: Option<(Quota, Window)>,
}

impl State {
    pub(super) fn new(options: Options) -> Self {
        let mut state = Self {
            clock: Clock::start(options.clock_offset),
            mint: Mint { seed: options.seed },
            code_life: options.code_life,
            same_again: options.same_again,
            access_life: options.access_life,
            log: Log::default(),
            ledger: Ledger::default(),
            vault: Vault::default(),
            clients: Clients::new(options.credentials),
            agencies: Agencies::new(options.company),
            in_flight: 0,
            max_in_flight: 0,
            epoch: 0,
            plan: options.faults,
            progress: HashMap::new(),
            reconnect_path: options.reconnect_path,
            quota: options.quota.map(|quota| (quota, Window::default())),
        };
        state.store(options.stored);
        state.list(options.installed);
        state
    }

    /// Learns of tokens that were granted elsewhere.
    pub(super) fn store(&mut self, pairs: Vec<StoredPair>) {
        for pair in pairs {
            let client = pair.client.as_deref().map(|client| self.clients.note(client));
            if let Some(company) = &pair.company {
                self.agencies.tell(&pair.id, company);
            }
            self.vault.keep(pair, client);
        }
    }

    /// Learns of locations of agencies.
    pub(super) fn list(&mut self, locations: Vec<InstalledLocation>) {
        self.agencies.list(locations);
    }

    /// Forgets requests, codes, tokens and how far the faults were; keeps options, faults, and what
    /// is stored as it was stored.
    pub(super) fn reset(&mut self) {
        self.log = Log::default();
        self.ledger = Ledger::default();
        self.vault.reset();
        self.progress.clear();
        self.max_in_flight = self.in_flight;
        self.epoch += 1;
    }

    /// Puts other faults in force, from their beginning.
    pub(super) fn plan(&mut self, plan: FaultPlan) {
        self.plan = plan;
        self.progress.clear();
    }

    /// Answers a request and notes what came of it.
    pub(super) fn answer(&mut self, call: &Call) -> Reply {
        let left = self.left();
        let mut reply = match left {
            Some(Left::Overdrawn) => {
                let answer = answers::TOO_MANY.fill(&[]);
                Reply::whole(answer.with("Retry-After", "1".into()))
            }
            _ => self.route(call),
        };
        if let (Some((quota, _)), Some(left)) = (&self.quota, left) {
            reply.answer = quota.tell(reply.answer, left);
        }
        let status = reply.status();
        if let Some(row) = self.log.row(call.ordinal) {
            row.status = status;
        }
        reply
    }

    /// What the quota leaves, where there is one.
    fn left(&mut self) -> Option<Left> {
        let now = self.clock.now();
        self.quota.as_mut().map(|(quota, window)| quota.count(window, now))
    }

    fn route(&mut self, call: &Call) -> Reply {
        // Cloudflare stands in front: observed.
        if call.agent == Agent::Nameless {
            return Reply::whole(answers::BLOCKED.fill(&[]));
        }
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", path) if path == self.reconnect_path => reconnect::answer(self, call),
            ("POST", "/oauth/token") => token::answer(self, call),
            ("POST", agency::PATH | agency::PATH_V3) => agency::answer(self, call),
            ("GET", discover::PATH | discover::PATH_V3) => discover::answer(self, call),
            ("GET", _) => verify::answer(self, call).unwrap_or_else(|| not_found(call)),
            _ => not_found(call),
        }
    }

    pub(super) fn note_step(&mut self, call: &Call, step: Step) {
        if let Some(row) = self.log.row(call.ordinal) {
            row.step = step;
        }
    }

    /// Does the work of a request, unless a fault stands in the way, and spoils the answer if a
    /// fault wants that.
    pub(super) fn serve(
        &mut self,
        call: &Call,
        asked: &Asked,
        work: impl FnOnce(&mut Self, Option<&Fault>) -> Answer,
    ) -> Reply {
        let fault = self.fault(call, asked);
        let fault = fault.as_ref();
        if let Some(answer) = fault.and_then(|fault| self.refusal(call, asked, fault)) {
            return Reply::whole(answer);
        }
        let answer = work(self, fault);
        spoil::spoil(answer, fault, &self.clock)
    }

    fn refusal(&self, call: &Call, asked: &Asked, fault: &Fault) -> Option<Answer> {
        let field = match asked.scope {
            Scope::Location => "locationId",
            Scope::Company => "companyId",
        };
        let values = [
            ("traceId", &*self.mint.trace(call.ordinal)),
            ("method", &call.method),
            ("path", &call.path),
            ("client", &asked.client),
            ("secret", &asked.secret),
            ("field", field),
            ("step", &asked.step.to_string()),
        ];
        answers::refusal(fault, &values, &self.clock)
    }

    fn fault(&mut self, call: &Call, asked: &Asked) -> Option<Fault> {
        let tenant = self.log.texts.number(&asked.id);
        let fault = self.next_fault(tenant, asked);
        let text = fault.as_ref().map(|fault| self.log.texts.number(&fault.text));
        if let Some(row) = self.log.row(call.ordinal) {
            row.tenant = Some(tenant);
            row.fault = text;
        }
        fault
    }

    fn next_fault(&mut self, tenant: Symbol, asked: &Asked) -> Option<Fault> {
        if self.plan.is_empty() {
            return None;
        }
        let Progress { calls, own, every } = self.progress.entry(tenant).or_default();
        let ordinal = &mut calls[asked.step.index()];
        let (seed, id, step) = (self.mint.seed, asked.id.as_str(), asked.step);
        let call = plan::Call { seed, id, step, ordinal: u64::from(*ordinal) };
        *ordinal = ordinal.saturating_add(1);
        self.plan.next(&call, own, every)
    }

    pub(super) fn counts(&self) -> Counts {
        let calls = |step| self.log.rows.iter().filter(|row| row.step == step).count();
        let mut presented: HashMap<Presentee, usize> = HashMap::new();
        for one in &self.log.presented {
            *presented.entry(one.code).or_default() += 1;
        }
        let pairs = &self.ledger.pairs;
        Counts {
            requests: self.log.rows.len(),
            reconnects: calls(Step::Reconnect),
            exchanges: calls(Step::Exchange),
            refreshes: calls(Step::Refresh),
            agency_calls: calls(Step::Agency),
            verifications: calls(Step::Verify),
            discoveries: calls(Step::Discover),
            codes: self.ledger.codes.len(),
            pairs: pairs.len(),
            live_pairs: pairs.iter().filter(|pair| pair.state == PairState::Live).count(),
            codes_presented_twice: presented.values().filter(|times| **times > 1).count(),
            max_in_flight: self.max_in_flight,
        }
    }
}

fn not_found(call: &Call) -> Reply {
    Reply::whole(answers::NOT_FOUND.fill(&[("method", &call.method), ("path", &call.path)]))
}
