//! Bytes of a TCP connection as frames: lines of JSON, or lengths and postcard. The first bytes decide.

use bytes::{Buf, BytesMut};
use natter_protocol::{BINARY_MAGIC, Encoding, MAX_CLIENT_FRAME};

use crate::closing::Closing;
use crate::transport::Received;

const LENGTH: usize = size_of::<u32>();
/// `\r\n`.
const LONGEST_LINE_END: usize = 2;

/// What has arrived of the frames to come. Holds no memory between frames.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    encoding: Option<Encoding>,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end, so that a line that comes byte by byte is searched once.
    searched: usize,
}

impl Framing {
    /// The encoding, once the first bytes have decided.
    pub(crate) const fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// Adds bytes that arrived.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a frame has begun and is not complete.
    pub(crate) fn is_within_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame that is complete.
    ///
    /// # Errors
    /// When the first bytes belong to no protocol, or a frame is too large: at once, not after it has arrived.
    pub(crate) fn next(&mut self) -> Result<Option<Received>, Closing> {
        if self.encoding.is_none() {
            self.detect()?;
        }
        let frame = match self.encoding {
            Some(Encoding::Json) => self.next_line()?,
            Some(Encoding::Binary) => self.next_counted()?,
            None => None,
        };
        if self.buffer.is_empty() {
            // Dropped with its last frame, so that an idle connection has no buffer.
            self.buffer = BytesMut::new();
        }
        Ok(frame)
    }

    fn detect(&mut self) -> Result<(), Closing> {
        if self.buffer.first() == Some(&b'{') {
            self.encoding = Some(Encoding::Json);
        } else if self.buffer.starts_with(&BINARY_MAGIC) {
            self.buffer.advance(BINARY_MAGIC.len());
            self.encoding = Some(Encoding::Binary);
        } else if !BINARY_MAGIC.starts_with(&self.buffer) {
            return Err(Closing::UNKNOWN_PROTOCOL);
        }
        Ok(())
    }

    fn next_line(&mut self) -> Result<Option<Received>, Closing> {
        loop {
            let Some(length) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.buffer.len();
                return if self.searched < MAX_CLIENT_FRAME + LONGEST_LINE_END {
                    Ok(None)
                } else {
                    Err(Closing::FRAME_TOO_LARGE)
                };
            };
            let mut line = self.buffer.split_to(self.searched + length + 1);
            self.searched = 0;
            line.truncate(line.len() - 1);
            if line.ends_with(b"\r") {
                line.truncate(line.len() - 1);
            }
            if line.len() > MAX_CLIENT_FRAME {
                return Err(Closing::FRAME_TOO_LARGE);
            }
            // People press return.
            if !line.trim_ascii().is_empty() {
                return Ok(Some(Received { encoding: Encoding::Json, bytes: line.freeze() }));
            }
        }
    }

    fn next_counted(&mut self) -> Result<Option<Received>, Closing> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<LENGTH>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if length > MAX_CLIENT_FRAME {
            return Err(Closing::FRAME_TOO_LARGE);
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH);
        let bytes = self.buffer.split_to(length).freeze();
        Ok(Some(Received { encoding: Encoding::Binary, bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces and returns every frame.
    fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, Closing> {
        let mut framing = Framing::default();
        let mut frames = Vec::new();
        for piece in pieces {
            framing.feed(piece);
            while let Some(frame) = framing.next()? {
                frames.push(frame.bytes.to_vec());
            }
        }
        Ok(frames)
    }

    fn counted(frame: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(frame);
        bytes
    }

    #[test]
    fn frames_are_the_same_wherever_the_bytes_are_split() {
        let binary = [&b"NTR1"[..], &counted(b"one"), &counted(b""), &counted(&[7; 300])].concat();
        let json = b"{\"id\":1}\n\n\r\n{\"id\":2}\r\n{\"id\":3}\n".to_vec();
        for (input, count) in [(binary, 3), (json, 3)] {
            let whole = frames([&input[..]]).unwrap();
            assert_eq!(whole.len(), count);
            for split in 0..=input.len() {
                let (head, tail) = input.split_at(split);
                assert_eq!(frames([head, tail]).unwrap(), whole, "split at {split}");
            }
            assert_eq!(frames(input.chunks(1)).unwrap(), whole);
        }
    }

    #[test]
    fn the_first_bytes_decide() {
        for bad in [&b"GET / HTTP/1.1"[..], b"\n{", b" {", b"NTR2", b"NX", b"\x16\x03\x01"] {
            assert_eq!(frames([bad]), Err(Closing::UNKNOWN_PROTOCOL), "{bad:?}");
            assert_eq!(frames(bad.chunks(1)), Err(Closing::UNKNOWN_PROTOCOL), "{bad:?}");
        }
        assert_eq!(frames([&b"NTR"[..]]), Ok(vec![]));
    }

    #[test]
    fn the_largest_frame_fits_and_one_byte_more_does_not() {
        let line = |size: usize, end: &str| {
            let mut line = vec![b'{'; size];
            line.extend_from_slice(end.as_bytes());
            line
        };
        for end in ["\n", "\r\n"] {
            assert_eq!(frames([&line(MAX_CLIENT_FRAME, end)[..]]).unwrap()[0].len(), MAX_CLIENT_FRAME);
            assert_eq!(frames([&line(MAX_CLIENT_FRAME + 1, end)[..]]), Err(Closing::FRAME_TOO_LARGE));
        }
        let fits = [&b"NTR1"[..], &counted(&vec![0; MAX_CLIENT_FRAME])].concat();
        assert_eq!(frames([&fits[..]]).unwrap()[0].len(), MAX_CLIENT_FRAME);
    }

    #[test]
    fn a_line_without_end_and_a_lying_length_are_refused_early() {
        let mut framing = Framing::default();
        let endless = [b'{'; 4096];
        let refused_after = (1..).find(|_| {
            framing.feed(&endless);
            framing.next().is_err()
        });
        assert_eq!(refused_after, Some(MAX_CLIENT_FRAME / endless.len() + 1));
        assert_eq!(frames([&b"NTR1\xff\xff\xff\xff"[..]]), Err(Closing::FRAME_TOO_LARGE));
        assert_eq!(frames([&b"NTR1\x00\x01\x00\x01"[..]]), Err(Closing::FRAME_TOO_LARGE));
    }

    #[test]
    fn no_memory_is_held_between_frames() {
        let mut framing = Framing::default();
        framing.feed(b"{\"id\":1}\n");
        assert!(framing.next().unwrap().is_some());
        assert_eq!(framing.buffer.capacity(), 0);
        assert!(!framing.is_within_frame());
    }
}
