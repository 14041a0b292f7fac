//! What a mock server knows of a run.

use std::collections::HashMap;

use super::Ran;

/// Who knows from the other side what a run did.
pub(crate) trait Observer {
    fn observed(&self) -> Observed;
}

/// No server at all: for runs that got no tokens.
pub(crate) struct NoServer;

impl Observer for NoServer {
    fn observed(&self) -> Observed {
        Observed::default()
    }
}

/// The run's own word on its tokens, where the sandbox was inside the program: leaks show, wrong
/// tokens do not.
pub(crate) struct OwnTokens<'a>(pub(crate) &'a Ran);

impl Observer for OwnTokens<'_> {
    fn observed(&self) -> Observed {
        let mut observed = Observed::default();
        for document in self.0.tokens() {
            let text = |field: &str| document[field].as_str().unwrap().to_owned();
            let pair = (text("access_token"), text("refresh_token"));
            observed.tokens.extend([pair.0.clone(), pair.1.clone()]);
            observed.live.insert((text("userType").to_lowercase(), text("resourceId")), pair);
        }
        observed
    }
}

/// What a mock server saw and gave.
#[derive(Default)]
pub(crate) struct Observed {
    /// Every code that was handed out.
    pub(crate) codes: Vec<String>,
    /// Every token that was handed out.
    pub(crate) tokens: Vec<String>,
    pub(crate) presented_twice: Vec<String>,
    /// The last live pair of each (scope, id).
    pub(crate) live: HashMap<(String, String), (String, String)>,
    /// Reconnects and exchanges, where they are counted.
    pub(crate) arrived: Option<[u64; 2]>,
    /// How many of them belong to earlier runs.
    pub(crate) arrived_before: [u64; 2],
}
