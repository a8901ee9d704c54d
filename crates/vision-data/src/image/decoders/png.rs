//! PNG: files that are read although they break a rule that does not matter to their pixels.

use flate2::read::ZlibDecoder;
use image::metadata::Orientation;

/// The file without what its decoder stumbles over: without its end, unknown chunks and a second header, and
/// with right checksums of its pixels. `None` if the compressed pixels are incomplete or fail their own
/// checksum.
pub(crate) fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut header, mut before, mut pixels) = (None, Vec::new(), Vec::new());
    for chunk in chunks(bytes) {
        match chunk.kind {
            b"IHDR" => header = Some(chunk.whole),
            b"PLTE" | b"tRNS" | b"eXIf" => before.extend_from_slice(chunk.whole),
            b"IDAT" => pixels.extend_from_slice(chunk.data),
            b"IEND" => break,
            // Pixels are in one row of chunks.
            _ if !pixels.is_empty() => break,
            _ => {}
        }
    }
    std::io::copy(&mut ZlibDecoder::new(&*pixels), &mut std::io::sink()).ok()?;
    let mut out = bytes.get(..8)?.to_vec();
    out.extend_from_slice(header?);
    out.extend_from_slice(&before);
    for (kind, data) in [(b"IDAT", &*pixels), (b"IEND", &[])] {
        out.extend_from_slice(&u32::try_from(data.len()).ok()?.to_be_bytes());
        let start = out.len();
        out.extend_from_slice(kind);
        out.extend_from_slice(data);
        out.extend_from_slice(&crc32fast::hash(&out[start..]).to_be_bytes());
    }
    Some(out)
}

/// The orientation of EXIF data that comes after the pixels, which the decoder does not look for.
pub(crate) fn late_orientation(bytes: &[u8]) -> Option<Orientation> {
    let mut after = chunks(bytes).skip_while(|chunk| chunk.kind != b"IDAT");
    let exif = after.find(|chunk| chunk.kind == b"eXIf")?;
    Orientation::from_exif_chunk(exif.data)
}

struct Chunk<'a> {
    kind: &'a [u8; 4],
    data: &'a [u8],
    /// Length, name, data and checksum.
    whole: &'a [u8],
}

/// The chunks after the signature. The last one may be cut off.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (kind, after) = after.split_first_chunk::<4>()?;
        let length = (u32::from_be_bytes(*length) as usize).min(after.len());
        let end = (12 + length).min(rest.len());
        let chunk = Chunk {
            kind,
            data: &after[..length],
            whole: &rest[..end],
        };
        rest = &rest[end..];
        Some(chunk)
    })
}
