//! Resources used by this process.

/// The peak resident memory of this process, in bytes; `None` where the system does not report it. Linux
/// does.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn peak_memory_is_known_on_linux_and_plausible() {
        let peak = super::peak_memory_bytes();
        assert!(peak.is_some_and(|bytes| bytes > 1 << 20), "{peak:?}");
    }
}
