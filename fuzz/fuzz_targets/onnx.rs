//! An ONNX file without external data.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vision_fuzz::read("fuzzed.onnx", bytes));
