//! The books and halts of a run by app, where its list has rows of several.

use serde::Serialize;

use super::{Row, RowState, RunState, Take};
use crate::{
    app::AppName,
    event::{HaltRule, Halted, Listed},
    highlevel::client_id::application,
};

/// An app of the run by its place in the list of them; the first where there is one only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AppIndex(u16);

/// The installations of an app, each in one state. Rows that repeat others or cannot be read are no
/// app's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppBooks {
    /// Token pair on disk.
    pub recovered: u32,
    /// Left alone, since its old token is good.
    pub skipped: u32,
    /// Given up.
    pub failed: u32,
    /// No outcome, or none when the run ended.
    pub not_attempted: u32,
}

impl AppBooks {
    /// All of them.
    pub fn installations(self) -> u32 {
        self.recovered + self.skipped + self.failed + self.not_attempted
    }

    fn count(&mut self, state: RowState) {
        match state {
            RowState::NotListed => {}
            RowState::Pending | RowState::LeftOff => self.not_attempted += 1,
            RowState::Recovered | RowState::HandedOn => self.recovered += 1,
            RowState::Skipped => self.skipped += 1,
            RowState::Failed | RowState::Refused => self.failed += 1,
        }
    }
}

impl RunState {
    /// The client id of an app of the run; without a name, of the run itself.
    pub fn client_id_of(&self, app: Option<&AppName>) -> &str {
        let own = app.and_then(|name| self.started.apps.iter().find(|app| app.name == *name));
        own.map_or(&self.started.client_id, |app| &app.client_id)
    }

    /// What halted the installations of an app in the last leg.
    pub fn halt_of(&self, app: Option<&AppName>) -> Option<&Halted> {
        self.halts.iter().find(|halted| halted.app.as_ref() == app)
    }

    /// The books of an app; without a name, of the whole run.
    pub fn books_of(&self, app: Option<&AppName>) -> AppBooks {
        let mut books = AppBooks::default();
        self.rows_of(app).for_each(|row| books.count(row.state));
        books
    }

    /// How many installations of an app a leg has to take; without a name, of the whole run.
    pub fn to_take_of(&self, app: Option<&AppName>, take: Take) -> u32 {
        let rows = self.rows_of(app).filter(|row| row.state.is_taken(take)).count();
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    pub(super) fn rows_of(&self, app: Option<&AppName>) -> impl Iterator<Item = &Row> {
        let index = app.map(|name| self.index_of(Some(name)));
        self.rows.iter().filter(move |row| index.is_none_or(|index| row.app == index))
    }

    pub(super) fn index_of(&self, app: Option<&AppName>) -> AppIndex {
        let mut apps = self.started.apps.iter();
        let index = apps.position(|known| Some(&known.name) == app).unwrap_or_default();
        AppIndex(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// What stands before the dash of the client id of a row.
    pub(super) fn application_of(&self, listed: &Listed) -> &str {
        application(self.client_id_of(listed.app.as_ref()))
    }

    /// The run is halted when everybody in it is.
    pub(super) fn halt(&mut self, halted: Halted) {
        self.paused = None;
        self.was_given_up |= halted.rule == Some(HaltRule::GiveUpAfter);
        self.halts.push(halted);
        let is_halted = |app| self.halts.iter().any(|halted| halted.app.as_ref() == app);
        let apps = &self.started.apps;
        if is_halted(None) || apps.iter().all(|app| is_halted(Some(&app.name))) {
            self.halted = self.halts.first().cloned();
        }
    }
}
