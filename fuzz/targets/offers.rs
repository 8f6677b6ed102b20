#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wsd::fuzzing::offers(data));
