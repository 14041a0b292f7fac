//! The codes and token pairs that were handed out, and what became of them.

use std::collections::HashMap;

use serde::Serialize;

use super::clock::Micros;
use super::mint::{self, Mint};
use super::symbols::Symbol;
use crate::installation::Scope;

/// How long the same refresh token gives the same new pair again, as documented.
const SAME_AGAIN: Micros = 30_000_000;

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

/// A token pair that was handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) tenant: Symbol,
    pub(super) scope: Scope,
    pub(super) client: u32,
    pub(super) code: Option<u32>,
    pub(super) made_out: MadeOut,
    pub(super) at: Micros,
    pub(super) state: PairState,
    /// The pair that took its place, and when.
    pub(super) successor: Option<(u32, Micros)>,
}

/// Why a code or refresh token gives nothing.
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
    by_refresh: HashMap<u64, u32>,
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
            client,
            code: Some(serial),
            made_out,
            at: now,
            state: PairState::Live,
            successor: None,
        };
        let given = self.book(pair);
        if let Some(code) = self.codes.get_mut(serial as usize) {
            code.gave = Some(given);
        }
        Ok(given)
    }

    fn book(&mut self, pair: Pair) -> u32 {
        self.pairs.push(pair);
        serial(self.pairs.len() - 1)
    }

    fn revoke(&mut self, first: u32) {
        let mut next = Some(first);
        while let Some(pair) = next.and_then(|serial| self.pairs.get_mut(serial as usize)) {
            pair.state = PairState::Revoked;
            next = pair.successor.map(|(serial, _)| serial);
        }
    }

    /// Notes the refresh token of a pair, by which it can be found.
    pub(super) fn note_refresh(&mut self, refresh: &str, pair: u32) {
        self.by_refresh.insert(mint::digest(refresh), pair);
    }

    /// The pair with this refresh token.
    pub(super) fn find_refresh(&self, refresh: &str) -> Option<(u32, Pair)> {
        let serial = *self.by_refresh.get(&mint::digest(refresh))?;
        Some((serial, *self.pairs.get(serial as usize)?))
    }

    /// Rotates a pair. For 30 seconds the same refresh token gives the same new pair again.
    pub(super) fn rotate(
        &mut self,
        old: u32,
        client: Option<u32>,
        made_out: MadeOut,
        now: Micros,
    ) -> Result<u32, Refused> {
        let pair = *self.pairs.get(old as usize).ok_or(Refused::Unknown)?;
        if client != Some(pair.client) {
            return Err(Refused::Client);
        }
        match (pair.state, pair.successor) {
            (PairState::Live, None) => Ok(self.succeed(old, Pair { made_out, ..pair }, now)),
            (PairState::Rotated, Some((new, when))) if now - when <= SAME_AGAIN => Ok(new),
            _ => Err(Refused::Unknown),
        }
    }

    fn succeed(&mut self, old: u32, pair: Pair, now: Micros) -> u32 {
        let new = self.book(Pair { at: now, ..pair });
        if let Some(old) = self.pairs.get_mut(old as usize) {
            old.state = PairState::Rotated;
            old.successor = Some((new, now));
        }
        new
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
