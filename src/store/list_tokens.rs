//! The tokens that the list of a run has: where they still stand in the store, they are the dead ones.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use crate::journal::leaks::MoreTokens;

/// Tokens as keyed hashes, 8 bytes each.
#[derive(Clone, Debug, Default)]
pub struct ListTokens {
    hasher: RandomState,
    known: HashSet<u64>,
}

impl ListTokens {
    /// Reads the tokens of some lists.
    pub fn of(lists: impl IntoIterator<Item = MoreTokens>) -> Self {
        let mut tokens = Self::default();
        for list in lists {
            list(&mut |token| {
                tokens.known.insert(tokens.hasher.hash_one(token));
            });
        }
        tokens
    }

    /// Whether everything that is stored is of the list; `None` where the lists have no tokens.
    pub fn have(&self, access: Option<&str>, refresh: Option<&str>) -> Option<bool> {
        if self.known.is_empty() {
            return None;
        }
        let mut stored =
            [access, refresh].into_iter().flatten().filter(|text| !text.is_empty()).peekable();
        let is_known = |token: &str| self.known.contains(&self.hasher.hash_one(token));
        Some(stored.peek().is_some() && stored.all(is_known))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn stored_tokens_are_the_lists_when_all_of_them_are() {
        let list: MoreTokens = Arc::new(|take| ["a", "b"].into_iter().for_each(take));
        let tokens = ListTokens::of([list]);
        for (access, refresh, expected) in [
            (Some("a"), Some("b"), true),
            (Some("a"), Some(""), true),
            (Some("a"), Some("c"), false),
            (None, None, false),
        ] {
            assert_eq!(tokens.have(access, refresh), Some(expected), "{access:?} {refresh:?}");
        }
        assert_eq!(ListTokens::default().have(Some("a"), None), None);
    }
}
