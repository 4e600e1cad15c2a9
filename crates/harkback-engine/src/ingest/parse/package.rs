//! How is a ZIP package (DOCX, PPTX, OpenDocument, EPUB) opened without being flooded by what is packed in it?

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::{ParseError, shorten};

/// The members of a package, unpacked one by one and within bounds.
pub(super) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    n_bytes_left: u64,
}

/// Real packages have a few hundred members; a presentation of a thousand slides has about five thousand.
const MAX_MEMBERS: usize = 20_000;
/// Unpacked text of one file, whatever its ratio.
const MAX_UNPACKED_BYTES: u64 = 512 << 20;
/// XML packs to a tenth, repetitive sheets to a hundredth; deflate cannot do more than 1:1032.
const MAX_RATIO: u64 = 200;
/// Below this no ratio is suspect.
const SMALL_BYTES: u64 = 16 << 20;

impl<'a> Package<'a> {
    /// Opens a package that is to be of format `extension`.
    ///
    /// # Errors
    /// If it is no ZIP file, protected, cut off, or of another format.
    pub(super) fn open(bytes: &'a [u8], extension: &str) -> Result<Self, ParseError> {
        if bytes.starts_with(OLE) {
            return Err(ole(bytes, extension));
        }
        if !bytes.starts_with(b"PK") {
            return Err(ParseError(format!(
                "the file is named .{extension} but is none: give it its right name, or save it as .{extension} again"
            )));
        }
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|it| unreadable(&it))?;
        if archive.len() > MAX_MEMBERS {
            return Err(ParseError(format!(
                "the file is packed from {} parts, more than {MAX_MEMBERS}: divide the document",
                archive.len()
            )));
        }
        let allowed = (bytes.len() as u64).saturating_mul(MAX_RATIO).max(SMALL_BYTES);
        let mut package = Self { archive, n_bytes_left: allowed.min(MAX_UNPACKED_BYTES) };
        match package.extension() {
            Some(found) if !is_same_format(found, extension) => Err(ParseError(format!(
                "the file is named .{extension} but is a .{found} file: give it its right name"
            ))),
            Some(_) => {
                package.refuse_encrypted()?;
                Ok(package)
            }
            None => Err(ParseError(format!(
                "the file is named .{extension} but is another kind of ZIP archive: give it its right name, or upload the \
                 files in it one by one"
            ))),
        }
    }

    /// The bytes of a member, `None` if there is none of that name.
    ///
    /// # Errors
    /// If it is damaged or unpacks to more than the package may.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>, ParseError> {
        let member = match self.archive.by_name(name) {
            Ok(member) => member,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
        };
        let mut bytes = Vec::new();
        // The size that the package declares may lie; what comes out counts.
        let read = member.take(self.n_bytes_left + 1).read_to_end(&mut bytes);
        read.map_err(|_| damaged(&format!("{name} does not unpack")))?;
        self.n_bytes_left = self.n_bytes_left.checked_sub(bytes.len() as u64).ok_or_else(bomb)?;
        Ok(Some(bytes))
    }

    /// As [`Self::part`], but a missing member is an error.
    pub(super) fn required(&mut self, name: &str) -> Result<Vec<u8>, ParseError> {
        self.part(name)?.ok_or_else(|| damaged(&format!("{name} is missing")))
    }

    /// Unpacks everything and keeps nothing, for a library that unpacks by itself and without bounds.
    ///
    /// # Errors
    /// As [`Self::part`].
    pub(super) fn measure(&mut self) -> Result<(), ParseError> {
        let mut n_left = self.n_bytes_left;
        for i in 0..self.archive.len() {
            let member = self.archive.by_index(i).map_err(|it| unreadable(&it))?;
            let copied = std::io::copy(&mut member.take(n_left + 1), &mut std::io::sink());
            let n = copied.map_err(|_| damaged("a part does not unpack"))?;
            n_left = n_left.checked_sub(n).ok_or_else(bomb)?;
        }
        Ok(())
    }

    /// The extension that fits what is in the package.
    fn extension(&mut self) -> Option<&'static str> {
        const MEMBERS: &[(&str, &str)] = &[
            ("word/document.xml", "docx"),
            ("ppt/presentation.xml", "pptx"),
            ("xl/workbook.xml", "xlsx"),
            ("xl/workbook.bin", "xlsb"),
        ];
        const TYPES: &[(&str, &str)] = &[
            ("opendocument.text", "odt"),
            ("opendocument.presentation", "odp"),
            ("opendocument.spreadsheet", "ods"),
            ("application/epub+zip", "epub"),
        ];
        for (member, extension) in MEMBERS {
            if self.archive.index_for_name(member).is_some() {
                return Some(extension);
            }
        }
        let mut mimetype = Vec::new();
        let member = self.archive.by_name("mimetype").ok()?;
        member.take(200).read_to_end(&mut mimetype).ok()?;
        let mimetype = String::from_utf8_lossy(&mimetype);
        TYPES.iter().find(|(part, _)| mimetype.contains(part)).map(|(_, extension)| *extension)
    }

    /// OpenDocument encrypts member by member and says so in its manifest; EPUB's DRM in a file of its own, which also lists
    /// fonts that are merely obfuscated.
    fn refuse_encrypted(&mut self) -> Result<(), ParseError> {
        let manifest = self.part("META-INF/manifest.xml")?.unwrap_or_default();
        if contains(&manifest, b"encryption-data") {
            return Err(protected());
        }
        let drm = self.part("META-INF/encryption.xml")?.unwrap_or_default();
        if contains(&drm, b"xmlenc#aes") {
            return Err(ParseError::new(
                "the book is protected by digital rights management: upload an unprotected copy",
            ));
        }
        Ok(())
    }
}

fn bomb() -> ParseError {
    ParseError::new(
        "the file unpacks to far more than a document of its size holds, as a ZIP bomb does: save it again, or divide it",
    )
}

/// How old Office files and encrypted new ones begin.
pub(super) const OLE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

/// What to say of a file that is damaged. What libraries and names of parts quote of it may be as long as the file.
pub(super) fn damaged(what: &str) -> ParseError {
    const MAX_CHARS: usize = 200;
    ParseError(format!(
        "the file is damaged or cut off ({}): save it again and upload that",
        shorten(what, MAX_CHARS)
    ))
}

/// What to say of a file that needs a password.
pub(super) fn protected() -> ParseError {
    ParseError::new("the file is protected by a password: save it without one")
}

fn ole(bytes: &[u8], extension: &str) -> ParseError {
    let stream: Vec<u8> = "EncryptedPackage".bytes().flat_map(|it| [it, 0]).collect();
    if contains(bytes, &stream) {
        return protected();
    }
    ParseError(format!(
        "the file is named .{extension} but is an old Microsoft Office file: save it as .{extension}"
    ))
}

fn unreadable(error: &ZipError) -> ParseError {
    match error {
        ZipError::InvalidPassword | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            protected()
        }
        _ => damaged(&error.to_string()),
    }
}

fn is_same_format(found: &str, named: &str) -> bool {
    // With and without macros, templates: the same parts in the same places.
    let base = match named {
        "docm" | "dotx" => "docx",
        "pptm" | "ppsx" => "pptx",
        "xlsm" => "xlsx",
        other => other,
    };
    found == base
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|it| it == needle)
}
