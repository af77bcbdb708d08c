//! A digest of the bytes of a file that several threads can make at once, as fast as they can read.
//!
//! It tells whether a file is one that was read before, and nothing else: what a file is known by elsewhere, to people and in
//! plans, is its SHA-256.

use std::{fs::File, io, os::unix::fs::FileExt, thread};

/// Bytes that are digested by themselves, and by one thread. Part of what the digest is.
const SEGMENT: usize = 4 << 20;

/// Bytes read at once: they are still in the processor's cache when they are digested.
const PIECE: usize = 128 << 10;

/// The digest of bytes that come one after the other.
#[derive(Debug, Default)]
pub(super) struct Segments {
    all: blake3::Hasher,
    segment: blake3::Hasher,
    filled: usize,
    size: u64,
}

impl Segments {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(SEGMENT - self.filled));
            self.segment.update(now);
            self.filled += now.len();
            self.size += now.len() as u64;
            if self.filled == SEGMENT {
                self.close();
            }
            bytes = rest;
        }
    }

    fn close(&mut self) {
        self.all.update(self.segment.finalize().as_bytes());
        self.segment.reset();
        self.filled = 0;
    }

    /// As a text: how many bytes there are, and the digest in hex.
    pub(super) fn told(mut self) -> String {
        if self.filled > 0 {
            self.close();
        }
        told(self.size, &self.all)
    }
}

fn told(size: u64, all: &blake3::Hasher) -> String {
    format!("{size}:{}", all.finalize().to_hex())
}

/// False where a file cannot be the one of this digest, told by its length alone.
///
/// # Errors
/// Where it cannot be looked at.
pub(super) fn is_as_long(file: &File, told: &str) -> io::Result<bool> {
    let size = file.metadata()?.len();
    Ok(told.split_once(':').is_some_and(|(length, _)| length.parse() == Ok(size)))
}

/// The digest of a whole file, made on so many threads.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn of_file(file: &File, threads: usize) -> io::Result<String> {
    let size = file.metadata()?.len();
    let segments = size.div_ceil(SEGMENT as u64);
    let mine = |first: usize| -> io::Result<Vec<(u64, blake3::Hash)>> {
        let mut piece = vec![0; PIECE];
        let numbers = (first as u64..segments).step_by(threads);
        numbers.map(|number| Ok((number, segment(file, number, &mut piece)?))).collect()
    };
    let mut found = thread::scope(|scope| -> io::Result<Vec<(u64, blake3::Hash)>> {
        let others: Vec<_> = (1..threads).map(|first| scope.spawn(move || mine(first))).collect();
        let mut found = mine(0)?;
        for other in others {
            found.extend(other.join().map_err(|_| io::Error::other("a thread has panicked"))??);
        }
        Ok(found)
    })?;
    found.sort_unstable_by_key(|(number, _)| *number);
    let mut all = blake3::Hasher::new();
    for (_, hash) in found {
        all.update(hash.as_bytes());
    }
    Ok(told(size, &all))
}

fn segment(file: &File, number: u64, piece: &mut [u8]) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let (mut at, mut left) = (number * SEGMENT as u64, SEGMENT);
    while left > 0 {
        let most = left.min(piece.len());
        match file.read_at(&mut piece[..most], at) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&piece[..read]);
                at += read as u64;
                left -= read;
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn bytes_have_one_digest_however_they_are_read_and_others_another() {
        let mut seen = std::collections::BTreeSet::new();
        for size in [0, 1, PIECE, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 2 * SEGMENT + 77] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let alone = of_file(&file, 1).unwrap();
            assert_eq!(of_file(&file, 2).unwrap(), alone, "{size}");
            assert_eq!(of_file(&file, 5).unwrap(), alone, "{size}");
            for length in [7_919, size.max(1)] {
                let mut segments = Segments::default();
                bytes.chunks(length).for_each(|some| segments.update(some));
                assert_eq!(segments.told(), alone, "{size} in pieces of {length}");
            }
            assert!(seen.insert(alone), "{size}");
            if size > 0 {
                file.write_at(b"!", size as u64 - 1).unwrap();
                assert!(seen.insert(of_file(&file, 2).unwrap()), "{size} with another last byte");
            }
        }
    }
}
