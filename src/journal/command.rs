//! What the journal's thread is asked to do.

use tokio::sync::oneshot;

use super::line_file::StorageError;
use crate::{event::TokenFile, secret::Secret};

/// A line of tokens.
#[derive(Debug)]
pub(super) struct TokenDocument {
    pub(super) file: TokenFile,
    pub(super) line: Secret,
    /// The [`crate::event::Saving`] event with the checksum of the line, as a line of the journal.
    pub(super) saving: Vec<u8>,
}

/// The documents of a group.
pub(super) fn documents(group: &[JournalCommand]) -> impl Iterator<Item = &TokenDocument> {
    group.iter().filter_map(|command| command.document.as_ref())
}

/// An event to append, with the document that it speaks of.
#[derive(Debug)]
pub(super) struct JournalCommand {
    pub(super) document: Option<TokenDocument>,
    /// A line of the journal; empty where the caller only waits.
    pub(super) event: Vec<u8>,
    pub(super) done: Option<oneshot::Sender<Result<(), StorageError>>>,
    pub(super) wait: Wait,
}

/// What the caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    No,
    UntilWritten,
    UntilDurable,
}

impl JournalCommand {
    /// Whether the caller waits for an event that a power cut must not take. The event of a line in
    /// `tokens.jsonl` is rebuilt from that line; nothing is rebuilt from `quarantine.jsonl`.
    pub(super) fn needs_synced_event(&self) -> bool {
        self.wait == Wait::UntilDurable && !self.is_for(TokenFile::Tokens)
    }

    pub(super) fn is_for(&self, file: TokenFile) -> bool {
        self.document.as_ref().is_some_and(|document| document.file == file)
    }
}
