//! The codes and token pairs that were handed out, and what became of them.

use std::collections::HashMap;

use serde::Serialize;

use super::clock::Micros;
use super::mint::Mint;
use super::stored::AccessLife;
use super::symbols::Symbol;
use crate::installation::Scope;

/// A code that was handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    pub(super) tenant: Symbol,
    pub(super) scope: Scope,
    pub(super) client: u32,
    pub(super) issued: Micros,
    pub(super) expires: Micros,
    /// The pair that it gave: it is used up.
    pub(super) gave: Option<u32>,
}

/// For whom a pair is really made out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MadeOut {
    AsAsked,
    ToAnotherTenant,
    ToTheOtherKind,
}

/// What a token pair is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PairState {
    /// It works.
    Live,
    /// Its refresh token was used; a newer pair took its place.
    Rotated,
    /// The code that gave it was presented again (RFC 6749, section 10.5).
    Revoked,
}

/// The way by which a token pair was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A code of a reconnect.
    Reconnect,
    /// A refresh token.
    Refresh,
    /// An agency's access token.
    Agency,
}

/// What a token pair was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The code with this serial number.
    Code(u32),
    Refresh,
    Agency,
}

impl Source {
    pub(super) fn via(self) -> Via {
        match self {
            Self::Code(_) => Via::Reconnect,
            Self::Refresh => Via::Refresh,
            Self::Agency => Via::Agency,
        }
    }

    pub(super) fn code(self) -> Option<u32> {
        match self {
            Self::Code(serial) => Some(serial),
            Self::Refresh | Self::Agency => None,
        }
    }
}

/// A token pair that was handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) tenant: Symbol,
    pub(super) scope: Scope,
    /// The client to which it belongs; none where it came from tokens of which that is not known.
    pub(super) client: Option<u32>,
    pub(super) source: Source,
    pub(super) made_out: MadeOut,
    pub(super) at: Micros,
    pub(super) state: PairState,
    pub(super) access: AccessLife,
    /// The pair that took its place, and when.
    pub(super) successor: Option<(u32, Micros)>,
}

/// What a refresh token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// A new pair.
    Fresh,
    /// It gave this pair then; for a while it gives the same again.
    Gave(u32, Micros),
    /// Nothing.
    Spent,
}

/// Why a code gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    Client,
    Expired,
}

/// All codes and pairs.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) codes: Vec<Code>,
    pub(super) pairs: Vec<Pair>,
    by_code: HashMap<[u8; 20], u32>,
}

impl Ledger {
    /// Books a new code; its serial number.
    pub(super) fn issue(&mut self, mint: Mint, code: Code) -> u32 {
        let serial = serial(self.codes.len());
        self.codes.push(code);
        self.by_code.insert(mint.code(serial.into()), serial);
        serial
    }

    /// The code with this text, used or not.
    pub(super) fn find(&self, text: &str) -> Option<(u32, Code)> {
        let serial = *self.by_code.get(&unhex(text)?)?;
        Some((serial, *self.codes.get(serial as usize)?))
    }

    /// Redeems a code: looks it up first, then at the client, then at the time, as observed. A used
    /// code revokes what it gave.
    pub(super) fn redeem(
        &mut self,
        serial: u32,
        client: Option<u32>,
        made_out: MadeOut,
        now: Micros,
    ) -> Result<u32, Refused> {
        let code = *self.codes.get(serial as usize).ok_or(Refused::Unknown)?;
        if let Some(gave) = code.gave {
            self.revoke(gave);
            return Err(Refused::Unknown);
        }
        if client != Some(code.client) {
            return Err(Refused::Client);
        }
        if now > code.expires {
            return Err(Refused::Expired);
        }
        let Code { tenant, scope, client, .. } = code;
        let pair = Pair {
            tenant,
            scope,
            client: Some(client),
            source: Source::Code(serial),
            made_out,
            at: now,
            state: PairState::Live,
            access: AccessLife::Alive,
            successor: None,
        };
        let given = self.book(pair);
        if let Some(code) = self.codes.get_mut(serial as usize) {
            code.gave = Some(given);
        }
        Ok(given)
    }

    /// Books a new pair; its serial number.
    pub(super) fn book(&mut self, pair: Pair) -> u32 {
        self.pairs.push(pair);
        serial(self.pairs.len() - 1)
    }

    fn revoke(&mut self, first: u32) {
        let mut next = Some(first);
        while let Some(pair) = next.and_then(|serial| self.pairs.get_mut(serial as usize)) {
            pair.state = PairState::Revoked;
            pair.access = AccessLife::Revoked;
            next = pair.successor.map(|(serial, _)| serial);
        }
    }

    /// What the refresh token of a pair is good for.
    pub(super) fn standing(&self, serial: u32) -> Standing {
        match self.pairs.get(serial as usize).map(|pair| (pair.state, pair.successor)) {
            Some((PairState::Live, None)) => Standing::Fresh,
            Some((PairState::Rotated, Some((new, when)))) => Standing::Gave(new, when),
            _ => Standing::Spent,
        }
    }

    /// Puts a new pair in the place of an old one.
    pub(super) fn succeed(&mut self, old: u32, new: u32, now: Micros) {
        if let Some(old) = self.pairs.get_mut(old as usize) {
            old.state = PairState::Rotated;
            old.successor = Some((new, now));
        }
    }

    /// Kills the access tokens of an installation; their refresh tokens are as good as before.
    pub(super) fn kill(&mut self, tenant: Symbol) {
        for pair in self.pairs.iter_mut().filter(|pair| pair.tenant == tenant) {
            pair.access = AccessLife::Revoked;
        }
    }
}

fn serial(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn unhex(text: &str) -> Option<[u8; 20]> {
    if text.len() != 40 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 20];
    for (byte, position) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(position..position + 2)?, 16).ok()?;
    }
    Some(bytes)
}
