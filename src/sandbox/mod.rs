//! The stand-in for HighLevel's API: on loopback, inside the program, with faults on demand.
//!
//! It answers as the API is documented and as it was observed, from recorded bodies; it shares no
//! wire type with the client, so that it cannot share the client's mistakes. It proves nothing
//! about the live API: nobody has a recording of a success of `/oauth/reconnect` but its
//! documentation. Nothing it hands out opens anything.
//!
//! The caller owns the listener; the sandbox ends when its handle is stopped or dropped.

mod agencies;
mod agency;
mod answers;
mod audit;
mod bearer;
mod call;
mod clients;
mod clock;
mod connection;
mod control;
mod discover;
mod faults;
mod ledger;
mod log;
mod mint;
mod plan;
mod quota;
mod reconnect;
mod refresh;
mod seed;
mod server;
mod snapshot;
mod spoil;
mod state;
mod step;
mod stored;
mod symbols;
mod token;
mod tokens;
mod vault;
mod verify;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use audit::{
    AuditReport, CodeIssued, CodePresented, Counts, PairGranted, RefreshPresented, RequestSeen,
};
pub use faults::{CATALOGUE, Fault, Kind, Known, Parameter, Takes};
pub use ledger::{PairState, Via};
pub use log::Outcome;
pub use mint::company_of;
pub use plan::{FaultPlan, PlanError};
pub use quota::Quota;
pub use seed::SeedError;
pub use step::{Place, Step};
pub use stored::{AccessLife, InstalledLocation, Presence, RefreshLife, StoredPair};

use connection::Wires;
use server::Shared;
use state::State;

/// A client id of the right shape, for runs against the sandbox, where none is needed.
pub const CLIENT_ID: &str = "5a0dbc0de5a0dbc0de5a0dbc-m1sandbx";

/// A client secret of the right shape, for runs against the sandbox, where none is needed.
pub const CLIENT_SECRET: &str = "5a0dbc0d-e000-4000-8000-5a0dbc0de000";

/// How long [`Sandbox::stop`] waits for answers that are being sent.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How a sandbox behaves.
#[derive(Clone)]
pub struct Options {
    /// How long a code works. 60 seconds by default; the API's own is "minutes", as observed.
    pub code_life: Duration,
    /// How long each answer is held back. Nothing by default.
    pub latency: Duration,
    /// What goes wrong. Nothing by default.
    pub faults: FaultPlan,
    /// What codes, tokens, trace ids and shares of faults are drawn from. 0 by default.
    pub seed: u64,
    /// The client id and secret that are good; without them every pair is that is not empty.
    pub credentials: Option<(String, String)>,
    /// How far the server's clock is ahead, as its `Date` header and its times tell. 0 by default.
    pub clock_offset: SignedDuration,
    /// The agency of every sub-account of which `stored` and `installed` do not say it; without it
    /// [`company_of`] settles it.
    pub company: Option<String>,
    /// The path of the reconnect endpoint, `/oauth/reconnect` by default.
    pub reconnect_path: String,
    /// A rate limit, told in headers and enforced. None by default.
    pub quota: Option<Quota>,
    /// How long a refresh token that was used gives the same pair again: 30 seconds by default, as
    /// documented.
    pub same_again: Duration,
    /// How long an access token works, told in whole seconds: 86,399 seconds by default.
    pub access_life: Duration,
    /// Tokens that are known from the start. None by default.
    pub stored: Vec<StoredPair>,
    /// The locations of agencies, in the order in which they are listed. None by default: then an
    /// agency's token acts for every location of the agency, and a discovery finds none.
    pub installed: Vec<InstalledLocation>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            code_life: Duration::from_secs(60),
            latency: Duration::ZERO,
            faults: FaultPlan::default(),
            seed: 0,
            credentials: None,
            clock_offset: SignedDuration::ZERO,
            company: None,
            reconnect_path: "/oauth/reconnect".into(),
            quota: None,
            same_again: Duration::from_secs(30),
            access_life: Duration::from_secs(86_399),
            stored: Vec::new(),
            installed: Vec::new(),
        }
    }
}

/// A running sandbox. Dropping it ends it, too.
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<()>,
    served: JoinHandle<()>,
}

impl Sandbox {
    /// Starts a sandbox on a free port of 127.0.0.1.
    pub async fn start(options: Options) -> io::Result<Self> {
        Self::serve_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, options)
    }

    /// Starts a sandbox on the caller's listener, which should be on loopback. Needs a Tokio
    /// runtime; fails when the listener has no address.
    pub fn serve_on(listener: TcpListener, options: Options) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(());
        let latency = options.latency;
        let shared = Arc::new(Shared::new(State::new(options), latency, stopping));
        let served = tokio::spawn(server::serve(Wires(listener), Arc::clone(&shared)));
        Ok(Self { address, shared, stop, served })
    }

    /// The base URL to give a client: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was seen and given so far. It writes every token out: a gigabyte for a million
    /// installations, where [`Sandbox::counts`] may do.
    pub fn audit(&self) -> AuditReport {
        self.shared.state().report()
    }

    /// The audit in numbers.
    pub fn counts(&self) -> Counts {
        self.shared.state().counts()
    }

    /// Puts other faults in force.
    pub fn set_faults(&self, faults: FaultPlan) {
        self.shared.state().plan(faults);
    }

    /// Learns of tokens that were granted elsewhere. What was said before of one of them no longer
    /// holds, so that a test can let a token die.
    pub fn store(&self, pairs: Vec<StoredPair>) {
        self.shared.state().store(pairs);
    }

    /// Learns of locations of agencies. One that is listed already is replaced.
    pub fn list(&self, locations: Vec<InstalledLocation>) {
        self.shared.state().list(locations);
    }

    /// Stops listening, lets answers that are being sent end (a second at most), cuts silences.
    pub async fn stop(self) {
        // It cannot fail: the handlers hold a receiver.
        let _ = self.stop.send(());
        let aborter = self.served.abort_handle();
        if tokio::time::timeout(LAST_ANSWERS, self.served).await.is_err() {
            aborter.abort();
        }
    }
}
