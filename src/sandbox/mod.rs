//! The sandbox: a mock of HighLevel's API on loopback, inside the program, with faults on demand.
//!
//! It answers as the API is documented and as it was observed, from recorded bodies. It shares no
//! wire type with the client, so that it cannot share the client's mistakes. It proves nothing
//! about the live API: nobody has a recording of a success of `/oauth/reconnect`, only its
//! documentation. Nothing it hands out opens anything.
//!
//! The caller owns the listener; the sandbox ends when its handle is stopped or dropped.

mod agency;
mod answers;
mod audit;
mod call;
mod clock;
mod connection;
mod control;
mod discover;
mod faults;
mod options;
mod plan;
mod reconnect;
mod records;
mod server;
mod state;
mod token;
mod tokens;
mod verify;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use audit::{
    AuditReport, CodeIssued, CodePresented, Counts, PairGranted, PairState, RefreshPresented,
    RequestSeen,
};
pub use call::Step;
pub use faults::{CATALOGUE, FaultKind};
pub use options::{
    AccessLife, CLIENT_ID, CLIENT_SECRET, InstalledLocation, Options, Presence, RefreshLife,
    SeedError, StoredPair,
};
pub use plan::{FaultPlan, PlanError};
pub use records::{Outcome, Via};

use connection::Listener;
use server::Shared;
use state::State;

/// How long [`Sandbox::stop`] waits for answers that are being sent.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

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
        let shared = Arc::new(Shared { state: Mutex::new(State::new(options)), stopping });
        let served = tokio::spawn(server::serve(Listener(listener), Arc::clone(&shared)));
        Ok(Self { address, shared, stop, served })
    }

    /// The base URL to give a client: `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was seen and given so far. It writes every token out: a gigabyte for a million
    /// installations, where [`Sandbox::counts`] may do.
    pub fn audit(&self) -> AuditReport {
        self.state().report()
    }

    /// The audit in numbers.
    pub fn counts(&self) -> Counts {
        self.state().counts()
    }

    /// Puts other faults in force.
    pub fn set_faults(&self, faults: FaultPlan) {
        self.state().plan(faults);
    }

    /// Adds tokens that were granted elsewhere. What was known of one of them no longer holds, so
    /// that a test can let a token die.
    pub fn store(&self, pairs: Vec<StoredPair>) {
        self.state().store(pairs);
    }

    /// Adds locations of agencies. One that is listed already is replaced.
    pub fn list(&self, locations: Vec<InstalledLocation>) {
        self.state().list(locations);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        control::lock(&self.shared.state)
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
