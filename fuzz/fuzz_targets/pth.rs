//! A PyTorch file of any age: a zip archive, the older stream of pickles, or a TAR archive.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vision_fuzz::read("fuzzed.pth", bytes));
