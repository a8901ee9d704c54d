//! A safetensors file with the right header length, so that the contents of the header are fuzzed.
#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut file = bytes.to_vec();
    // After the header, 64 bytes of values; otherwise the length is part of the input.
    if bytes.first() == Some(&b'{') {
        file = (bytes.len() as u64).to_le_bytes().to_vec();
        file.extend(bytes);
        file.extend([0x3f; 64]);
    }
    vision_fuzz::read("fuzzed.safetensors", &file);
});
