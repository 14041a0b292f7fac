//! The sandbox, inside the test.

use std::collections::HashMap;

use ghl_reconnect::{
    installation::Scope,
    sandbox::{AuditReport, FaultPlan, InstalledLocation, Options, Sandbox, Step},
};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{Observed, Observer};

/// The sandbox, inside the test, so that its audit is read without a detour.
pub(crate) struct MockServer {
    runtime: Runtime,
    sandbox: Option<Sandbox>,
    counted: [u64; 2],
}

impl MockServer {
    pub(crate) fn good() -> Self {
        Self::with(Options::default())
    }

    /// With a fault file's JSON.
    pub(crate) fn faulty(faults: &Value) -> Self {
        Self::with(Options { faults: plan(faults), ..Options::default() })
    }

    /// The same, with codes and tokens of its own.
    pub(crate) fn seeded(faults: &Value, seed: u64) -> Self {
        Self::with(Options { faults: plan(faults), seed, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        Self { runtime, sandbox: Some(sandbox), counted: [0; 2] }
    }

    fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.sandbox().base_url()
    }

    pub(crate) fn audit(&self) -> AuditReport {
        self.sandbox().audit()
    }

    pub(crate) fn requests(&self) -> usize {
        self.sandbox().counts().requests
    }

    /// An agency has the app in a location.
    pub(crate) fn list_location(&self, id: &str, company: &str) {
        self.sandbox().list(vec![InstalledLocation::new(id, company)]);
    }

    pub(crate) fn set_faults(&self, faults: &Value) {
        self.sandbox().set_faults(plan(faults));
    }

    /// From here on calls count for the next run.
    pub(crate) fn next_run(&mut self) {
        let counts = self.sandbox().counts();
        self.counted = [counts.reconnects as u64, counts.exchanges as u64];
    }

    /// Reconnects and exchanges of one installation.
    pub(crate) fn calls_for(&self, id: &str) -> [usize; 2] {
        let audit = self.audit();
        let seen = audit.requests_for(id);
        [Step::Reconnect, Step::Exchange]
            .map(|step| seen.iter().filter(|request| request.step == step).count())
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            self.runtime.block_on(sandbox.stop());
        }
    }
}

fn plan(faults: &Value) -> FaultPlan {
    FaultPlan::from_json(faults.to_string().as_bytes()).unwrap()
}

impl Observer for MockServer {
    fn observed(&self) -> Observed {
        let audit = self.audit();
        let mut live = HashMap::new();
        for pair in &audit.grants {
            if audit.granted(&pair.id).is_some_and(|last| last.access_token == pair.access_token) {
                let who = (scope_name(pair.scope), pair.id.clone());
                live.insert(who, (pair.access_token.clone(), pair.refresh_token.clone()));
            }
        }
        let pairs = audit.grants.iter().map(|p| [p.access_token.clone(), p.refresh_token.clone()]);
        Observed {
            codes: audit.codes.iter().map(|code| code.code.clone()).collect(),
            tokens: pairs.flatten().collect(),
            presented_twice: audit.codes_presented_twice().into_iter().map(Into::into).collect(),
            live,
            arrived: Some([Step::Reconnect, Step::Exchange].map(|step| audit.calls(step) as u64)),
            arrived_before: self.counted,
        }
    }
}

fn scope_name(scope: Scope) -> String {
    scope.to_string()
}
