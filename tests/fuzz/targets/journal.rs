#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ghl_reconnect::fuzz::journal(bytes));
