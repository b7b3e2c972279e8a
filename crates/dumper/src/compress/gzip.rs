//! What makes one gzip member of the blocks: RFC 1952's header and trailer.
//!
//! Absent: a file name and a time, as `gzip` writes none for what it reads from a pipe; and more than one member, of
//! which `gzip -l` would show only the last one's size.

use std::io::{self, Write};

use flate2::Crc;

/// Magic, deflate, no flags, no time, no word about the level, Unix.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
/// An empty last block of fixed codes: the blocks before it end in a flush, none in an end.
const END: [u8; 2] = [3, 0];

/// The member that is being written.
#[derive(Debug)]
pub(crate) struct Member<W> {
    file: W,
    crc: Crc,
    /// Written with the first block: a disk that is full fails then, as it would later.
    header: Option<[u8; 10]>,
}

impl<W: Write> Member<W> {
    pub(super) fn new(file: W) -> Self {
        Self {
            file,
            crc: Crc::new(),
            header: Some(HEADER),
        }
    }

    pub(super) fn get_ref(&self) -> &W {
        &self.file
    }

    /// The next block, as deflate that ends in a flush, with the checksum of what is in it.
    pub(super) fn write(&mut self, packed: &[u8], crc: &Crc) -> io::Result<()> {
        self.begin()?;
        self.file.write_all(packed)?;
        self.crc.combine(crc);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.begin()?;
        let mut end = [0; 10];
        end[..2].copy_from_slice(&END);
        end[2..6].copy_from_slice(&self.crc.sum().to_le_bytes());
        end[6..].copy_from_slice(&self.crc.amount().to_le_bytes());
        self.file.write_all(&end)?;
        Ok(self.file)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.header
            .take()
            .map_or(Ok(()), |header| self.file.write_all(&header))
    }
}
