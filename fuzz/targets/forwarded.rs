#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wsd::fuzzing::forwarded_for(data));
