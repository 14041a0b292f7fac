//! The tails of all secrets in a table that is quick to look up.

use crate::highlevel::secret_forms::{TAIL, tail_of_lowered};

/// How many tails a token pair has, if its tokens are plain.
pub(super) const TAILS_OF_A_PAIR: usize = 2 * TAILS_OF_ONE;

/// How many tails a plain token has.
pub(super) const TAILS_OF_ONE: usize = 2;

/// Marks that share a line of the processor's cache.
type Bucket = [u32; 16];

/// Of a bucket's places, so many are meant to be taken.
const TAKEN: usize = 10;

/// The tails of all secrets as marks of 32 bits, in buckets: for a million token pairs, 26 MB.
pub(super) struct Tails {
    buckets: Vec<Bucket>,
    room: usize,
    pub(super) are_too_many: bool,
}

impl Tails {
    pub(super) fn with_room(room: usize) -> Self {
        Self { buckets: vec![[0; 16]; room / TAKEN + 1], room, are_too_many: false }
    }

    /// The bucket in which a tail is looked for first, and its mark, which is never 0.
    fn place(&self, tail: u64) -> (usize, u32) {
        let bucket = (u128::from(tail) * self.buckets.len() as u128) >> 64;
        let mark = u32::try_from(tail & u64::from(u32::MAX)).unwrap_or_default();
        (usize::try_from(bucket).unwrap_or_default(), mark.max(1))
    }

    pub(super) fn add(&mut self, tail: u64) {
        if self.room == 0 {
            self.are_too_many = true;
            return;
        }
        let (mut at, mark) = self.place(tail);
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(free) = bucket.iter_mut().find(|place| **place == 0 || **place == mark) {
                *free = mark;
                self.room -= 1;
                return;
            }
            at = (at + 1) % self.buckets.len();
        }
    }

    fn has(&self, tail: u64) -> bool {
        let (mut at, mark) = self.place(tail);
        loop {
            let bucket = &self.buckets[at];
            if bucket.contains(&mark) {
                return true;
            }
            // Buckets are filled from the front, and are never all full.
            if bucket[bucket.len() - 1] == 0 {
                return false;
            }
            at = (at + 1) % self.buckets.len();
        }
    }

    /// Calls `hit` with each tail in these bytes, all in lower case, and where it ends.
    pub(super) fn look_through(&self, bytes: &[u8], mut hit: impl FnMut(u64, u64)) {
        for (end, window) in (TAIL as u64..).zip(bytes.windows(TAIL)) {
            if let Some(tail) = tail_of_lowered(window).filter(|tail| self.has(*tail)) {
                hit(end, tail);
            }
        }
    }
}
