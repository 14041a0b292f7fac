//! Who has which row of a list that several machines share.
//!
//! The digest of an installation decides, so that nothing but its app, scope and id does: neither the
//! order of the list nor the rows around it. Rows that nobody recovers belong to the first shard.

use std::{fmt, num::NonZeroU32};

use serde_json::{Value, json};

use super::{Plan, digest::digest};
use crate::{
    highlevel::client_id::application, installation::Installation, pace::Pacing, shard::Shard,
};

/// How a list is shared, and whose rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Those of one shard.
    Own(Shard),
    /// Those of all shards of so many.
    All(NonZeroU32),
}

impl Split {
    /// How many shards there are.
    pub fn of(self) -> NonZeroU32 {
        match self {
            Self::Own(shard) => shard.of(),
            Self::All(of) => of,
        }
    }

    /// Whether the rows of a shard are read; without one, those that nobody recovers.
    pub fn reads(self, number: Option<u32>) -> bool {
        match (self, number) {
            (Self::All(_), _) => true,
            (Self::Own(own), Some(number)) => own.number() == number,
            (Self::Own(own), None) => own.is_first(),
        }
    }

    /// Whether the plan says what a shard has.
    fn shows(self, shard: Shard) -> bool {
        match self {
            Self::Own(own) => own == shard,
            Self::All(_) => true,
        }
    }

    /// The number of the shard that has an installation of a client: the first 8 bytes of its digest,
    /// the highest first, modulo the number of shards, counted from 1.
    pub fn number_of(self, client_id: &str, installation: &Installation) -> u32 {
        let Installation { scope, id, .. } = installation;
        let digest = digest(application(client_id), *scope, id.as_str());
        let key = u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
        u32::try_from(key % u64::from(self.of().get())).unwrap_or_default() + 1
    }
}

impl Plan {
    /// What each shard has: its installations, those of other runs included, and its share.
    fn shards(&self) -> impl Iterator<Item = (Shard, u32, Pacing)> {
        let of = self.split.map(Split::of);
        let shards = of.into_iter().flat_map(Shard::all).zip(&self.summary.by_shard);
        shards.map(|(shard, installations)| (shard, *installations, self.total.share(shard)))
    }

    /// The shards: one among the others, or each of them.
    pub(super) fn write_shards(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(split) = self.split else { return Ok(()) };
        let all: u64 = self.summary.by_shard.iter().map(|count| u64::from(*count)).sum();
        for (shard, installations, pacing) in
            self.shards().filter(|(shard, ..)| split.shows(*shard))
        {
            writeln!(
                f,
                "{:<14} {} of {all} installations at {pacing} of {}",
                format!("Shard {shard}"),
                installations,
                self.total,
            )?;
        }
        if self.client_id.is_none() && self.summary.apps.is_empty() {
            writeln!(
                f,
                "note: who has which row depends on the client id, and none was given: the shards of \
                 the run will have about as many rows, and others"
            )?;
        }
        Ok(())
    }

    /// The shards for a program; `null` where one machine does it all.
    pub(super) fn shards_as_json(&self) -> Value {
        let Some(split) = self.split else { return Value::Null };
        let shards = self.shards().map(|(shard, installations, pacing)| {
            json!({
                "shard": shard,
                "installations": installations,
                "rate": pacing.asked.to_string(),
                "max_rate": pacing.bound().to_string(),
                "is_this": split == Split::Own(shard),
            })
        });
        shards.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::installation::{Id, Scope};

    fn location(id: &str) -> Installation {
        Installation { scope: Scope::Location, id: Id::new(id).unwrap(), company: None }
    }

    #[test]
    fn the_shard_of_an_installation_is_the_same_for_ever() {
        let split = Split::All(NonZeroU32::new(8).unwrap());
        let numbers = ["ve9EPM428h8vShlRW1KT", "tDtDnQdgm2LXpyiqYvZ6", "KV25DIYKb6u3ujLUUUyd"]
            .map(|id| split.number_of("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", &location(id)));
        assert_eq!(numbers, [5, 8, 7]);
    }

    #[test]
    fn key_pairs_of_an_app_share_out_alike_and_agencies_apart() {
        let split = Split::All(NonZeroU32::new(1000).unwrap());
        let one = location("ve9EPM428h8vShlRW1KT");
        let agency = Installation { scope: Scope::Company, ..one.clone() };
        assert_eq!(split.number_of("app-key", &one), split.number_of("app-other", &one));
        assert_ne!(split.number_of("app-key", &one), split.number_of("other-key", &one));
        assert_ne!(split.number_of("app-key", &one), split.number_of("app-key", &agency));
    }

    #[test]
    fn rows_that_nobody_recovers_belong_to_the_first_shard() {
        let own = |number| Split::Own(Shard::new(number, 3).unwrap());
        assert!(own(1).reads(None) && own(1).reads(Some(1)) && !own(1).reads(Some(2)));
        assert!(!own(2).reads(None) && own(2).reads(Some(2)) && !own(2).reads(Some(1)));
        let all = Split::All(NonZeroU32::new(3).unwrap());
        assert!(all.reads(None) && all.reads(Some(3)));
    }
}
