//! Why no whole answer came, and whether anything was sent.

use std::error::Error;

use crate::highlevel::known_secrets::KnownSecrets;

/// Any error of the transport.
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Why no whole answer came.
#[derive(Debug)]
pub enum Unanswered {
    /// No connection was made, or it was closed before: nothing was sent.
    NeverLeft(String),
    /// It was held back when its first byte was about to leave: nothing was sent.
    HeldBack,
    /// Bytes may have gone out: what the server did is unknown.
    InDoubt(String),
    /// The answer is larger than [`MAX_ANSWER_BYTES`](crate::highlevel::reply::MAX_ANSWER_BYTES); its status is known.
    TooLarge(u16),
}

impl Unanswered {
    /// Cuts secrets out of its text.
    pub(super) fn without(self, known: &KnownSecrets) -> Self {
        let cut = |why: String| known.cut_out(&why).into_owned();
        match self {
            Self::NeverLeft(why) => Self::NeverLeft(cut(why)),
            Self::InDoubt(why) => Self::InDoubt(cut(why)),
            Self::HeldBack | Self::TooLarge(_) => self,
        }
    }
}

/// The two innermost causes: they say what happened ("connection refused"), the outer ones only
/// that something did.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    let outer = texts.len().saturating_sub(2);
    texts.split_off(outer).join(": ")
}
