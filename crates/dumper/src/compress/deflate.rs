//! One block as raw deflate that ends on a byte, so that blocks can be put end to end.
//!
//! Absent: the 32 kB of the block before as a dictionary. Blocks that stand alone can also be read alone, and at their
//! size the dictionary would save less than one byte in a hundred.

use std::io;

use flate2::{Compress, Crc, FlushCompress};

use crate::request::GzipLevel;

/// A compressor that is used again and again.
#[derive(Debug)]
pub(super) struct Deflater(Compress);

impl Deflater {
    pub(super) fn new(level: GzipLevel) -> Self {
        let level = flate2::Compression::new(level.get().into());
        Self(Compress::new(level, false))
    }

    /// Compresses `raw` into `packed`, and says its checksum. The same bytes make the same bytes.
    pub(super) fn pack(&mut self, raw: &[u8], packed: &mut Vec<u8>) -> io::Result<Crc> {
        let mut crc = Crc::new();
        crc.update(raw);
        packed.clear();
        packed.reserve(bound(raw.len()));
        self.0.reset();
        self.0
            .compress_vec(raw, packed, FlushCompress::Sync)
            .map_err(io::Error::other)?;
        // only with room left over is the flush known to be complete
        if self.0.total_in() != raw.len() as u64 || packed.len() == packed.capacity() {
            return Err(io::Error::other(
                "a block grew beyond what deflate can make of it",
            ));
        }
        Ok(crc)
    }
}

/// More than deflate makes of that many bytes at the worst: level 1 has only the fixed codes, of nine bits at most; the
/// others store what does not shrink.
fn bound(raw: usize) -> usize {
    raw + raw / 8 + 1024
}
