//! A run and its files as they stand on the disk after any end, brought into agreement.

use std::{io, thread};

use anyhow::Context;

use super::{
    folder::RunFolder,
    reconcile, spill,
    state::{Disagreement, RunState},
    token_lines::{self, OnDisk},
    writer::{StorageError, TokenFile, Writer},
};
use crate::{
    clock,
    event::{Event, HandedOn, Observer},
    exit::{Exit, Fault, OrExit},
    plan::{counted, fingerprint::Fingerprints},
    settings::Settings,
};

/// A run as it was found, with nothing changed yet.
pub struct Found {
    /// Its state by the journal.
    pub run_state: RunState,
    tokens: io::Result<OnDisk>,
}

/// Where the tokens recovered so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokensAre {
    /// In their file.
    InTheirFile,
    /// Where they belong, as somebody said: their file need not have them any more.
    HandedOn,
}

/// A run whose journal and tokens agree.
pub struct Restored {
    /// Its files.
    pub writer: Writer,
    /// Its state.
    pub run_state: RunState,
}

impl Found {
    /// Reads journal and tokens side by side: of a large run, both have hundreds of megabytes.
    pub fn read(folder: &RunFolder) -> Result<Self, Fault> {
        Self::read_with(&Fingerprints::default(), folder)
    }

    /// The same; its installations can be compared with those of other runs read with this maker.
    pub fn read_with(prints: &Fingerprints, folder: &RunFolder) -> Result<Self, Fault> {
        Self::read_observing(prints, folder, |_| {})
    }

    /// The same; `on_event` is called with every event of the journal.
    pub fn read_observing(
        prints: &Fingerprints,
        folder: &RunFolder,
        on_event: impl FnMut(&Event),
    ) -> Result<Self, Fault> {
        thread::scope(|scope| {
            let tokens = scope.spawn(|| match token_lines::on_disk(&folder.tokens(), prints) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(OnDisk::default()),
                read => read,
            });
            let run_state = RunState::read_with(prints.clone(), &folder.journal(), on_event);
            let run_state = run_state.or_exit(Exit::Local)?;
            let panicked = |_| Err(io::Error::other("reading it stopped unexpectedly: a bug"));
            Ok(Self { run_state, tokens: tokens.join().unwrap_or_else(panicked) })
        })
    }

    /// How many installations have their tokens in a file that is missing. Without it nobody could say
    /// what is recovered, unless its tokens were saved in a second place.
    pub fn tokens_missing(&self, folder: &RunFolder) -> anyhow::Result<u32> {
        let awaited = self.run_state.tokens_awaited();
        if awaited == 0 || folder.tokens().exists() {
            return Ok(0);
        }
        let spills = spill::found(folder.path(), &self.run_state.started.run_id);
        Ok(if spills.context(SPILLS_UNREADABLE)?.is_empty() { awaited } else { 0 })
    }

    /// How journal and tokens disagree.
    pub fn disagreement(&self) -> io::Result<Disagreement> {
        match &self.tokens {
            Ok(on_disk) => Ok(self.run_state.compare(&on_disk.pairs)),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    /// Whether the run ended in order and every token pair on disk is known to its journal. Nothing has
    /// to be brought into agreement for its pairs to be used: a damaged line is just not one of them.
    pub fn is_settled(&self, folder: &RunFolder) -> anyhow::Result<bool> {
        let Self { run_state, tokens } = self;
        let is_known = |on_disk: &OnDisk| run_state.compare(&on_disk.pairs).reclaimed.is_empty();
        if run_state.finished.is_none() || !tokens.as_ref().is_ok_and(is_known) {
            return Ok(false);
        }
        let spills = spill::found(folder.path(), &run_state.started.run_id);
        Ok(spills.context(SPILLS_UNREADABLE)?.is_empty())
    }

    /// Opens the files of a run that is settled, and changes nothing in them.
    pub fn open_settled(self, folder: &RunFolder) -> Result<Restored, Fault> {
        let Self { run_state, .. } = self;
        let writer = Writer::open(folder, run_state.end).or_exit(Exit::Local)?;
        Ok(Restored { writer, run_state })
    }

    /// Brings journal and tokens into agreement. What is changed is told to the observer.
    pub fn agree(
        self,
        folder: &RunFolder,
        tokens_are: TokensAre,
        observer: &dyn Observer,
    ) -> Result<Restored, Fault> {
        let Self { run_state, tokens } = self;
        let mut writer = Writer::open(folder, run_state.end).or_exit(Exit::Local)?;
        let tokens = match take_spills_in(folder, &run_state, &mut writer, observer)? {
            Spills::None => tokens,
            Spills::TakenIn => token_lines::on_disk(&folder.tokens(), run_state.prints()),
        };
        let named = || format!("cannot read {}", folder.tokens().display());
        let mut tokens = tokens.with_context(named).or_exit(Exit::Local)?;
        name_damage_in_quarantine(folder, &run_state, observer).or_exit(Exit::Local)?;
        if tokens.is_untidy(&run_state) {
            drop(writer);
            tidy_tokens(folder, &run_state, observer).or_exit(Exit::Local)?;
            tokens = token_lines::on_disk(&folder.tokens(), run_state.prints())
                .with_context(named)
                .or_exit(Exit::Local)?;
            writer = Writer::open(folder, run_state.end).or_exit(Exit::Local)?;
        }
        let mut restored = Restored { writer, run_state };
        if tokens_are == TokensAre::HandedOn {
            let installations = restored.run_state.books().recovered;
            let handed_on =
                Event::HandedOn(HandedOn { at: clock::now(), installations, row: None });
            restored.add_durably([handed_on], observer).or_exit(Exit::Local)?;
        }
        let differ = restored.run_state.compare(&tokens.pairs);
        if differ != Disagreement::default() {
            observer.note(&in_words(&differ, &restored.run_state.settings));
            let events =
                reconcile::events(folder, &restored.run_state, differ).or_exit(Exit::Local)?;
            restored.add_durably(events, observer).or_exit(Exit::Local)?;
        }
        Ok(restored)
    }
}

impl Restored {
    /// Adds events to the journal, syncs it, and takes them into account.
    pub fn add_durably(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        observer: &dyn Observer,
    ) -> Result<(), StorageError> {
        for event in events {
            let at = self.writer.journal_end();
            observer.on_event(&event);
            self.writer.append(&event)?;
            self.run_state.apply(at, event);
            self.run_state.end = self.writer.journal_end();
        }
        self.writer.sync()
    }
}

/// Leaves good token lines alone in their file, and names the others.
fn tidy_tokens(
    folder: &RunFolder,
    run_state: &RunState,
    observer: &dyn Observer,
) -> anyhow::Result<()> {
    for line in token_lines::tidy(folder, run_state)? {
        observer.note(&format!(
            "{}, line {line}: damaged, or of an installation that is not in the list; moved to {}",
            folder.tokens().display(),
            folder.quarantine().display()
        ));
    }
    Ok(())
}

/// Names lines that nothing depends on and nobody should rely on.
fn name_damage_in_quarantine(
    folder: &RunFolder,
    run_state: &RunState,
    observer: &dyn Observer,
) -> anyhow::Result<()> {
    let quarantine = folder.quarantine();
    if quarantine.exists() {
        for line in token_lines::damaged_in_quarantine(&quarantine, run_state)? {
            observer.note(&format!("{}, line {line}: not as it was written", quarantine.display()));
        }
    }
    Ok(())
}

const SPILLS_UNREADABLE: &str = "cannot read the tokens that were saved in a second place";

/// Whether an earlier execution had to save tokens in a second place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spills {
    None,
    TakenIn,
}

/// Brings the tokens that an earlier execution had to save in a second place where they belong.
fn take_spills_in(
    folder: &RunFolder,
    run_state: &RunState,
    writer: &mut Writer,
    observer: &dyn Observer,
) -> Result<Spills, Fault> {
    let found = spill::found(folder.path(), &run_state.started.run_id)
        .context(SPILLS_UNREADABLE)
        .or_exit(Exit::Local)?;
    let spills = if found.is_empty() { Spills::None } else { Spills::TakenIn };
    for (place, content) in found {
        for line in content.split(|byte| *byte == b'\n').filter(|line| is_whole(line)) {
            writer.append_document(file_of(line), line).or_exit(Exit::Local)?;
        }
        writer.sync().or_exit(Exit::Local)?;
        observer.note(&format!("Took the tokens over that were saved in {}.", place.display()));
        // Should it stay, it is taken over once more, which changes nothing.
        let _ = std::fs::remove_file(place);
    }
    Ok(spills)
}

fn is_whole(line: &[u8]) -> bool {
    line.starts_with(b"{") && line.ends_with(b"}")
}

fn file_of(line: &[u8]) -> TokenFile {
    if line.starts_with(br#"{"quarantined_for""#) {
        TokenFile::Quarantine
    } else {
        TokenFile::Tokens
    }
}

fn in_words(differ: &Disagreement, settings: &Settings) -> String {
    let count = |rows: usize| counted(u32::try_from(rows).unwrap_or(u32::MAX), "installation");
    let mut texts = Vec::new();
    if !differ.reclaimed.is_empty() {
        let rows = count(differ.reclaimed.len());
        texts.push(format!(
            "{rows}: tokens are on disk though the journal does not say so; taken as recovered."
        ));
        if settings.verify.is_some() {
            texts.push("warning: their new access tokens are not checked by --verify.".to_owned());
        }
    }
    if !differ.missed.is_empty() {
        let rows = count(differ.missed.len());
        texts.push(format!(
            "{rows}: the journal says recovered, tokens.jsonl has no tokens; to be asked for anew."
        ));
    }
    texts.join("\n")
}
