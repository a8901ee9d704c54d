//! An ONNX file, with nothing beside it.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vision_fuzz::read("fuzzed.onnx", bytes));
