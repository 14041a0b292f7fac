//! A token line as the index knows it.

use crate::checksum::Checksum;

/// A time that is not known.
const UNKNOWN: i64 = i64::MIN;

/// Where a pair stands and how old it is, in 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its line begins.
    pub(super) offset: u64,
    granted_ms: i64,
    expires_ms: i64,
    /// Length of its line, without the line end.
    pub(super) length: u32,
    /// Number of its record in the list of its run.
    pub(super) row: u32,
    /// Of its line.
    pub(super) checksum: Checksum,
    /// Its run, by place among the runs; a later one began later.
    pub(super) run: u16,
    /// Its app, by place among those of its run.
    pub(super) client: u16,
}

/// When a pair was granted and when it expires, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) granted_ms: Option<i64>,
    pub(super) expires_ms: Option<i64>,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) run: u16,
    pub(super) offset: u64,
    pub(super) length: u32,
}

impl Entry {
    pub(super) fn new(place: Place, row: u32, client: u16, line: Checksum, times: Times) -> Self {
        Self {
            offset: place.offset,
            granted_ms: times.granted_ms.unwrap_or(UNKNOWN),
            expires_ms: times.expires_ms.unwrap_or(UNKNOWN),
            length: place.length,
            row,
            checksum: line,
            run: place.run,
            client,
        }
    }

    /// Whether this pair is newer than another one of the same installation: by the time of the grant,
    /// else by the expiry, else by the run.
    pub(super) fn is_newer_than(&self, other: &Self) -> bool {
        let decides = |own: i64, others: i64| own != UNKNOWN && others != UNKNOWN && own != others;
        if decides(self.granted_ms, other.granted_ms) {
            self.granted_ms > other.granted_ms
        } else if decides(self.expires_ms, other.expires_ms) {
            self.expires_ms > other.expires_ms
        } else {
            (self.run, self.offset) > (other.run, other.offset)
        }
    }
}

/// Splits pairs into the newest of each installation and the older ones, both in the order of the files.
/// `installation_of` gives what is the same for all pairs of an installation.
pub(super) fn split<K: Ord>(
    mut pairs: Vec<Entry>,
    installation_of: impl Fn(&Entry) -> K,
) -> (Vec<Entry>, Vec<Entry>) {
    pairs.sort_unstable_by(|a, b| {
        let by_age = || (a.run, a.offset).cmp(&(b.run, b.offset));
        installation_of(a).cmp(&installation_of(b)).then_with(by_age)
    });
    let mut older = Vec::new();
    // The one that stays takes the place of the one that it supersedes.
    pairs.dedup_by(|later, kept| {
        if installation_of(later) != installation_of(kept) {
            return false;
        }
        if later.is_newer_than(kept) {
            std::mem::swap(later, kept);
        }
        older.push(*later);
        true
    });
    pairs.sort_unstable_by_key(|pair| (pair.run, pair.offset));
    older.sort_unstable_by_key(|pair| (pair.run, pair.offset));
    (pairs, older)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: u16, offset: u64, granted_ms: Option<i64>, expires_ms: Option<i64>) -> Entry {
        let place = Place { run, offset, length: 10 };
        Entry::new(place, 1, 0, Checksum::of(b""), Times { granted_ms, expires_ms })
    }

    #[test]
    fn an_entry_takes_40_bytes() {
        assert_eq!(size_of::<Entry>(), 40);
    }

    #[test]
    fn the_newest_is_told_by_the_grant_else_the_expiry_else_the_run() {
        for (what, older, newer) in [
            ("granted later", entry(1, 0, Some(1), Some(9)), entry(0, 0, Some(2), Some(5))),
            ("granted at once", entry(1, 0, Some(1), Some(2)), entry(0, 0, Some(1), Some(3))),
            ("one grant unknown", entry(1, 0, None, Some(2)), entry(0, 0, Some(1), Some(3))),
            ("expiry alone", entry(1, 0, None, Some(2)), entry(0, 0, None, Some(3))),
            ("one expiry unknown", entry(0, 0, None, Some(2)), entry(1, 0, None, None)),
            ("nothing known", entry(0, 0, None, None), entry(1, 0, None, None)),
            ("all the same", entry(0, 0, Some(1), Some(2)), entry(1, 0, Some(1), Some(2))),
            ("further down", entry(0, 5, None, None), entry(0, 9, None, None)),
        ] {
            assert!(newer.is_newer_than(&older), "{what}");
            assert!(!older.is_newer_than(&newer), "{what}");
        }
    }

    #[test]
    fn one_pair_an_installation_is_kept_in_the_order_of_the_files() {
        // The offset names the installation here.
        let all = vec![
            entry(2, 3, Some(4), None),
            entry(0, 1, Some(9), None),
            entry(0, 3, Some(5), None),
            entry(1, 3, Some(6), None),
            entry(1, 1, Some(1), None),
            entry(1, 2, None, None),
        ];
        let (newest, older) = split(all, |pair| pair.offset);
        let places = |pairs: &[Entry]| pairs.iter().map(|p| (p.run, p.offset)).collect::<Vec<_>>();
        assert_eq!(places(&newest), [(0, 1), (1, 2), (1, 3)]);
        assert_eq!(places(&older), [(0, 3), (1, 1), (2, 3)]);
    }
}
