//! `ghl-reconnect`: arguments in, exit code out.
fn main() {}
