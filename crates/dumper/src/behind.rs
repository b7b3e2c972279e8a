//! Reading a file behind the back of who writes it: from the disk, not from memory.
//!
//! What is written is flushed and dropped from the page cache every few megabytes, so that whoever reads behind gets
//! what the disk has, when the writer ends little is left to flush or to read, and a backup does not push the database
//! out of the cache.
//!
//! Absent: what the bytes mean, and threads. Where the system cannot drop pages, the file is read all the same.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A flush costs a wait, and what is left at the end costs time: a fraction of a second's writing.
const STRIDE: u64 = 16 * 1024 * 1024;

/// The writer's side. Dropped before [`Ahead::end`], it ends the reading: nobody will want it.
#[derive(Debug)]
pub(crate) struct Ahead {
    tell: Sender<Told>,
    told: u64,
}

/// The reader's side.
#[derive(Debug)]
pub(crate) struct Behind {
    file: File,
    hear: Receiver<Told>,
    at: u64,
    /// Up to here the disk has it.
    known: u64,
    ended: bool,
}

#[derive(Debug, Clone, Copy)]
enum Told {
    /// So many bytes were written.
    Written(u64),
    /// All is written, and flushed.
    Ended,
}

/// Two sides of the file, which is there, and empty.
pub(crate) fn behind(path: &Path) -> io::Result<(Ahead, Behind)> {
    let (tell, hear) = channel();
    let ahead = Ahead { tell, told: 0 };
    let behind = Behind {
        file: File::open(path)?,
        hear,
        at: 0,
        known: 0,
        ended: false,
    };
    Ok((ahead, behind))
}

impl Ahead {
    /// The file has so many bytes now.
    pub(crate) fn written(&mut self, bytes: u64) {
        let whole = bytes - bytes % STRIDE; // also of whole pages
        if whole > self.told {
            self.told = whole;
            let _ = self.tell.send(Told::Written(whole)); // a reader who failed says so itself
        }
    }

    /// It is whole and flushed.
    pub(crate) fn end(self) {
        let _ = self.tell.send(Told::Ended);
    }
}

impl Behind {
    /// Waits for more. `TimedOut` is what readers of archives take for "stop".
    fn hear(&mut self) -> io::Result<()> {
        let mut told = self.hear.recv().map_err(|_| io::ErrorKind::TimedOut)?;
        while let Ok(later) = self.hear.try_recv() {
            told = later;
        }
        match told {
            Told::Written(bytes) => {
                flush(&self.file)?;
                self.known = bytes;
            }
            Told::Ended => self.ended = true,
        }
        forget(&self.file);
        Ok(())
    }
}

impl Read for Behind {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && self.at == self.known {
            self.hear()?;
        }
        let mut limit = buffer.len();
        if !self.ended {
            limit = limit.min(usize::try_from(self.known - self.at).unwrap_or(usize::MAX));
        }
        let length = self.file.read(&mut buffer[..limit])?;
        if length == 0 && !self.ended {
            return Err(io::ErrorKind::UnexpectedEof.into()); // somebody made it shorter
        }
        self.at += length as u64;
        Ok(length)
    }
}

/// Errors of the disk are told to each open file once, so the writer hears of them as well.
#[cfg(target_os = "linux")]
fn flush(file: &File) -> io::Result<()> {
    file.sync_data()
}

#[cfg(not(target_os = "linux"))]
fn flush(_: &File) -> io::Result<()> {
    Ok(())
}

/// What is read next comes from the disk. Only pages that the disk has are dropped, and some file systems drop none.
#[cfg(target_os = "linux")]
pub(crate) fn forget(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn forget(_: &File) {}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use super::*;

    #[test]
    fn all_is_read_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let (mut ahead, mut behind) = behind(&path).unwrap();
        let reader = thread::spawn(move || {
            let mut read = Vec::new();
            behind.read_to_end(&mut read).map(|_| read)
        });
        let mut all = Vec::new();
        for number in 0_u32..5000 {
            let piece = number.to_le_bytes().repeat(2500);
            file.write_all(&piece).unwrap();
            all.extend_from_slice(&piece);
            ahead.written(all.len() as u64);
        }
        file.sync_all().unwrap();
        ahead.end();
        assert!(reader.join().unwrap().unwrap() == all);
    }

    #[test]
    fn a_writer_who_is_gone_ends_the_reading_as_if_it_were_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let (ahead, mut behind) = behind(&path).unwrap();
        file.write_all(b"a few bytes").unwrap();
        drop(ahead);
        let error = behind.read(&mut [0; 100]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn what_is_not_yet_known_to_be_on_the_disk_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let (mut ahead, mut behind) = behind(&path).unwrap();
        let length = usize::try_from(STRIDE).unwrap() + 5;
        file.write_all(&vec![7; length]).unwrap();
        ahead.written(length as u64);
        drop(ahead);
        let mut read = Vec::new();
        let error = behind.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(read.len() as u64, STRIDE);
    }
}
