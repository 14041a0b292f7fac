//! Texts kept once, so that a million entries that share them stay small.

use std::collections::HashMap;
use std::sync::Arc;

/// The number of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Symbol(u32);

impl Symbol {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The texts.
#[derive(Default)]
pub(super) struct Symbols {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Symbol>,
}

impl Symbols {
    pub(super) fn number(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.numbers.get(text) {
            return *symbol;
        }
        let symbol = Symbol(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, symbol);
        symbol
    }

    pub(super) fn text(&self, symbol: Symbol) -> &str {
        self.texts.get(symbol.index()).map_or("", |text| text)
    }

    pub(super) fn owned(&self, symbol: Option<Symbol>) -> Option<String> {
        symbol.map(|symbol| self.text(symbol).to_owned())
    }
}
