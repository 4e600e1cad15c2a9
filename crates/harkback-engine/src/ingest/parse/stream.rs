//! Can a file be read piece by piece, whatever its size? If it is UTF-8 with usual line ends, as large ones are.

use std::io::{self, BufRead, Read, Seek};

use super::signature;

/// Decoded text that is read from front to back, and where a place can be looked at again.
pub(super) trait Pieces: BufRead + Seek {}

impl<T: BufRead + Seek> Pieces for T {}

/// Where the text of a UTF-8 file begins (behind its byte order mark), if it can be read piece by piece. `None` for all
/// that [`decode`](super::encoding::decode) must see as a whole: other encodings, lone carriage returns, and what is no text.
/// Reads the file once, in little memory.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn utf8_body(file: &mut impl Read) -> io::Result<Option<u64>> {
    const BLOCK_BYTES: usize = 256 << 10;
    let mut block = vec![0; BLOCK_BYTES];
    // The beginning of a character whose end is in the next block.
    let mut n_kept = 0;
    let (mut n_bytes, mut n_stray, mut start) = (0_usize, 0_usize, 0);
    let (mut has_text, mut after_return) = (false, false);
    loop {
        let n = read_full(file, &mut block[n_kept..])?;
        let bytes = &block[..n_kept + n];
        if n_bytes == 0 {
            if signature::of(bytes).is_some() {
                return Ok(None);
            }
            start = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        }
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && n > 0 => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).expect("it is valid up to here")
            }
            Err(_) => return Ok(None),
        };
        for it in valid.bytes() {
            if it == 0 || after_return && it != b'\n' {
                return Ok(None);
            }
            after_return = it == b'\r';
            has_text |= !it.is_ascii_whitespace();
        }
        n_stray += valid.chars().filter(|it| is_stray(*it)).count();
        n_bytes += valid.len();
        if n == 0 {
            break;
        }
        let used = valid.len();
        n_kept = bytes.len() - used;
        block.copy_within(used..used + n_kept, 0);
    }
    let is_text = has_text && !after_return && n_stray * 100 <= n_bytes.max(200);
    Ok(is_text.then_some(start))
}

/// Control characters that texts do not have.
pub(super) fn is_stray(it: char) -> bool {
    it.is_control() && !matches!(it, '\t' | '\n' | '\r' | '\x0B' | '\x0C')
}

fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match file.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encoding::decode;
    use super::*;

    fn body(bytes: &[u8]) -> Option<u64> {
        utf8_body(&mut &bytes[..]).unwrap()
    }

    #[test]
    fn other_than_plain_utf8_is_read_as_a_whole() {
        assert_eq!(body("Käse\r\nBrot\n".as_bytes()), Some(0));
        assert_eq!(body(b"\xEF\xBB\xBFa"), Some(3));
        assert_eq!(body("é".repeat(1 << 20).as_bytes()), Some(0), "characters across blocks");
        for bytes in [
            &b"a\rb"[..],
            b"a\r",
            b"a\0b",
            b"\xFF\xFEa\0",
            b"K\xE4se",
            b"Kas\xC3",
            b" \n ",
            b"",
            b"%PDF-1.7",
            b"\x01\x02\x03abc",
        ] {
            assert_eq!(body(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_in_pieces_is_what_decoding_gives(
            text in "(\u{FEFF})?([a-zé日\t\r\n]|\r\n|\0|\x01){0,300}",
        ) {
            if let Some(start) = body(text.as_bytes()) {
                prop_assert_eq!(text[start as usize..].replace("\r\n", "\n"), decode(text.as_bytes(), None).unwrap());
            }
        }
    }
}
