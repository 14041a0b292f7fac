//! What a stand-in knows of a run.

use std::collections::HashMap;

use super::Ran;

/// Who knows from the other side what a run did.
pub(crate) trait Witness {
    fn testimony(&self) -> Testimony;
}

/// Nobody: for runs that got no tokens.
pub(crate) struct Nobody;

impl Witness for Nobody {
    fn testimony(&self) -> Testimony {
        Testimony::default()
    }
}

/// The run's own word on its tokens, where the stand-in was inside the program: leaks show, wrong
/// tokens do not.
pub(crate) struct OwnWord<'a>(pub(crate) &'a Ran);

impl Witness for OwnWord<'_> {
    fn testimony(&self) -> Testimony {
        let mut testimony = Testimony::default();
        for document in self.0.tokens() {
            let text = |field: &str| document[field].as_str().unwrap().to_owned();
            let pair = (text("access_token"), text("refresh_token"));
            testimony.tokens.extend([pair.0.clone(), pair.1.clone()]);
            testimony.live.insert((text("userType").to_lowercase(), text("resourceId")), pair);
        }
        testimony
    }
}

/// What a stand-in saw and gave.
#[derive(Default)]
pub(crate) struct Testimony {
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
