#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| ghl_reconnect::fuzz::faults(text));
