//! halts
