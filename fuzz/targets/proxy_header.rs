#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wsd::fuzzing::proxy_header(data));
