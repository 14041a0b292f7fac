//! Webhook logs: for each installation the last event decides.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;

use super::cells::Cells;
use super::layout::Layout;
use super::names::{Role, normalise, role_of_path};
use super::nested;
use crate::installation::Installation;

/// What a record of a webhook log tells of the app in an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It was installed.
    Install,
    /// It was removed.
    Uninstall,
}

impl Event {
    fn of(cell: &str) -> Option<Self> {
        match normalise(cell).as_str() {
            "install" | "installed" | "appinstall" | "appinstalled" => Some(Self::Install),
            "uninstall" | "uninstalled" | "appuninstall" | "appuninstalled" => {
                Some(Self::Uninstall)
            }
            _ => None,
        }
    }
}

/// An event, and when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) event: Event,
    /// Milliseconds since 1970, where the record has a time that can be read.
    at: Option<i64>,
    row: u32,
}

impl Moment {
    pub(super) fn of(layout: &Layout, row: &Cells<'_>) -> Option<Self> {
        let mut columns = layout.with(Role::Event);
        let event = columns.find_map(|column| Event::of(row.cell(column)));
        let at = || layout.with(Role::Time).find_map(|column| milliseconds(row.cell(column)));
        match event {
            Some(event) => Some(Self { event, at: at(), row: row.row }),
            None => Self::inside(row),
        }
    }

    /// Of an event that is wrapped with its facts: `{"payload":{"type":"INSTALL",…}}`.
    fn inside(row: &Cells<'_>) -> Option<Self> {
        let may_be_event =
            |cell: &&str| nested::is_like_json(cell) && normalise(cell).contains("install");
        let cells = row.cells.iter().map(AsRef::as_ref).filter(may_be_event);
        let leaves: Vec<_> = cells.flat_map(nested::leaves).collect();
        let of = |role: Role| {
            let path = move |leaf: &&nested::Leaf| {
                role_of_path(leaf.path.iter().map(String::as_str)).0 == role
            };
            leaves.iter().filter(path)
        };
        let event = of(Role::Event).find_map(|leaf| Event::of(&leaf.text))?;
        let at = of(Role::Time).find_map(|leaf| milliseconds(&leaf.text));
        Some(Self { event, at, row: row.row })
    }

    /// By their times, where both have one; else the later record is the later event.
    fn is_after(&self, other: &Self) -> bool {
        match (self.at, other.at) {
            (Some(one), Some(two)) if one != two => one > two,
            _ => self.row > other.row,
        }
    }
}

/// A time as APIs write it, or as seconds or milliseconds since 1970.
fn milliseconds(cell: &str) -> Option<i64> {
    const FROM_MILLISECONDS: i64 = 100_000_000_000;
    let text = cell.trim();
    if let Ok(number) = text.parse::<i64>() {
        return Some(if number < FROM_MILLISECONDS { number * 1000 } else { number });
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The last event of each installation of a list.
#[derive(Default)]
pub(super) struct LastEvents {
    hasher: RandomState,
    last: HashMap<u64, (Moment, WasRemoved)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WasRemoved {
    Once,
    Never,
}

/// How the events of a webhook log stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Installations whose last event is that the app was removed.
    pub uninstalled: u32,
    /// Installations where it was removed and is installed again.
    pub reinstalled: u32,
}

impl LastEvents {
    fn key(&self, Installation { scope, id, .. }: &Installation) -> u64 {
        self.hasher.hash_one((scope, id))
    }

    pub(super) fn note(&mut self, installation: &Installation, moment: Moment) {
        let key = self.key(installation);
        let (last, removed) = self.last.entry(key).or_insert((moment, WasRemoved::Never));
        if moment.is_after(last) {
            *last = moment;
        }
        if moment.event == Event::Uninstall {
            *removed = WasRemoved::Once;
        }
    }

    /// Whether the app was removed from an installation, and not installed again.
    pub(super) fn is_removed(&self, installation: &Installation) -> bool {
        let last = self.last.get(&self.key(installation));
        last.is_some_and(|(moment, _)| moment.event == Event::Uninstall)
    }

    pub(super) fn counts(&self) -> EventCounts {
        let count = |is: fn(&(Moment, WasRemoved)) -> bool| {
            u32::try_from(self.last.values().filter(|last| is(last)).count()).unwrap_or(u32::MAX)
        };
        EventCounts {
            uninstalled: count(|(last, _)| last.event == Event::Uninstall),
            reinstalled: count(|(last, was)| {
                last.event == Event::Install && *was == WasRemoved::Once
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::{Id, Scope};

    #[test]
    fn the_last_event_decides_by_its_time_or_else_by_its_place() {
        use Event::{Install, Uninstall};
        for (events, is_removed, counts) in [
            (&[(Install, None)][..], false, (0, 0)),
            (&[(Install, None), (Uninstall, None)], true, (1, 0)),
            (&[(Uninstall, None), (Install, None)], false, (0, 1)),
            (&[(Uninstall, None)], true, (1, 0)),
            // The newest first.
            (&[(Install, Some(9)), (Uninstall, Some(5))], false, (0, 1)),
            (&[(Uninstall, Some(9)), (Install, Some(5))], true, (1, 0)),
            (&[(Uninstall, Some(9)), (Install, None)], false, (0, 1)),
        ] {
            let mut last = LastEvents::default();
            let id = Id::new("ve9EPM428h8vShlRW1KT").unwrap();
            let it = Installation { scope: Scope::Location, id, company: None };
            for (row, (event, at)) in (1..).zip(events) {
                last.note(&it, Moment { event: *event, at: *at, row });
            }
            let EventCounts { uninstalled, reinstalled } = last.counts();
            assert_eq!(last.is_removed(&it), is_removed, "{events:?}");
            assert_eq!((uninstalled, reinstalled), counts, "{events:?}");
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, at) in [
            ("1970-01-01T00:00:01.5Z", Some(1500)),
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000123", Some(1_700_000_000_123)),
            ("yesterday", None),
        ] {
            assert_eq!(milliseconds(text), at, "{text}");
        }
    }
}
