//! What are bytes that are no text, whatever their name says?

/// The kind of file that the first bytes announce, as a phrase; `None` for what may be text.
pub(super) fn of(bytes: &[u8]) -> Option<&'static str> {
    SIGNATURES.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
}

/// Only signatures that no text begins with: `MZ` or `BM` alone would refuse honest prose.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive (as .docx, .xlsx, .pptx, .odt and .epub files are)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Microsoft Office file"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG\r\n\x1A\n", "a PNG image"),
    (b"\xFF\xD8\xFF", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"RIFF", "a RIFF file (WAV, AVI or WebP)"),
    (b"OggS", "an Ogg file"),
    (b"fLaC", "a FLAC file"),
    (b"ID3\x03", "an MP3 file"),
    (b"ID3\x04", "an MP3 file"),
    (b"\0\0\0\x18ftyp", "an MP4 file"),
    (b"\0\0\0\x1Cftyp", "an MP4 file"),
    (b"\0\0\0\x20ftyp", "an MP4 file"),
    (b"\x1A\x45\xDF\xA3", "a Matroska or WebM file"),
    (b"\x1F\x8B", "a gzip archive"),
    (b"BZh91AY&SY", "a bzip2 archive"),
    (b"\xFD7zXZ\0", "an xz archive"),
    (b"\x28\xB5\x2F\xFD", "a Zstandard archive"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"Rar!\x1A\x07", "a RAR archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7FELF", "a program"),
    (b"PAR1", "a Parquet file"),
];
