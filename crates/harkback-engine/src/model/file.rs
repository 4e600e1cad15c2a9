//! Files, their uploads, and their place in memories.

use super::{AccountId, FileId, MemoryId, Micros};
use uuid::Uuid;

/// What a file is, as the caller says or its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// One web page.
    Website,
    /// A sitemap.
    Sitemap,
    /// Many pages of a site.
    WebsiteBulk,
    /// A YouTube video.
    Youtube,
    /// A document: PDF, Word and so on.
    Document,
    /// Plain text in any of the text formats.
    Text,
    /// A picture.
    Image,
    /// Sound.
    Audio,
    /// A film.
    Video,
    /// Sound recorded by the caller's program.
    AudioRecording,
    /// Uploaded sound.
    AudioUpload,
    /// Uploaded film.
    VideoUpload,
    /// Anything else.
    Other,
}

impl FileType {
    /// All types, in the order of the contract.
    pub const ALL: [Self; 13] = [
        Self::Website,
        Self::Sitemap,
        Self::WebsiteBulk,
        Self::Youtube,
        Self::Document,
        Self::Text,
        Self::Image,
        Self::Audio,
        Self::Video,
        Self::AudioRecording,
        Self::AudioUpload,
        Self::VideoUpload,
        Self::Other,
    ];

    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Website => "website",
            Self::Sitemap => "sitemap",
            Self::WebsiteBulk => "website_bulk",
            Self::Youtube => "youtube",
            Self::Document => "document",
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::AudioRecording => "audio_recording",
            Self::AudioUpload => "audio_upload",
            Self::VideoUpload => "video_upload",
            Self::Other => "other",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// The type that a file name's extension (lower case, no dot) suggests.
    pub fn of_extension(extension: &str) -> Self {
        match extension {
            "txt" | "text" | "md" | "markdown" | "html" | "htm" | "xhtml" | "csv" | "tsv"
            | "json" | "jsonl" | "ndjson" => Self::Text,
            "pdf" | "docx" | "docm" | "dotx" | "doc" | "pptx" | "pptm" | "ppsx" | "ppt"
            | "xlsx" | "xlsm" | "xls" | "ods" | "odt" | "odp" | "rtf" | "epub" | "eml" => {
                Self::Document
            }
            "png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" | "bmp" | "tiff" => Self::Image,
            "mp3" | "wav" | "m4a" | "flac" | "ogg" | "opus" | "aac" => Self::Audio,
            "mp4" | "mov" | "mkv" | "webm" | "avi" => Self::Video,
            _ => Self::Other,
        }
    }

    /// The list category: `audio`, `video`, `web`, `document` or `other`.
    pub fn category(self) -> &'static str {
        match self {
            Self::Audio | Self::AudioRecording | Self::AudioUpload => "audio",
            Self::Video | Self::VideoUpload | Self::Youtube => "video",
            Self::Website | Self::Sitemap | Self::WebsiteBulk => "web",
            Self::Document | Self::Text => "document",
            Self::Image | Self::Other => "other",
        }
    }
}

/// A place for bytes that a caller may fill once, by a signed URL.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Key in the blob store: `<account id>/<generated>.<extension>`.
    pub key: String,
    /// Owner.
    pub account_id: AccountId,
    /// The name the caller gave.
    pub file_name: String,
    /// Bytes stored, once uploaded.
    pub size: Option<i64>,
    /// When the URL was made.
    pub created_at: Micros,
    /// When the bytes were stored.
    pub uploaded_at: Option<Micros>,
}

/// A file as the caller wants it made.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Inner id.
    pub file_id: FileId,
    /// The caller's id, or our UUID as text.
    pub id: String,
    /// Name, not empty.
    pub name: String,
    /// Extension in lower case without a dot, or empty.
    pub extension: String,
    /// Type.
    pub file_type: FileType,
    /// Key of a finished upload.
    pub blob_key: Option<String>,
    /// Address on the web.
    pub external_uri: Option<String>,
}

/// A file as stored.
#[derive(Clone, Debug)]
pub struct FileRecord {
    /// Owner.
    pub account_id: AccountId,
    /// Inner id.
    pub file_id: FileId,
    /// The caller's id, unique within the account.
    pub id: String,
    /// Name, not empty.
    pub name: String,
    /// Extension in lower case without a dot, or empty.
    pub extension: String,
    /// Type.
    pub file_type: FileType,
    /// Key of its bytes in the blob store.
    pub blob_key: Option<String>,
    /// Address on the web, as it is asked.
    pub external_uri: Option<String>,
    /// Where the page that was fetched from there says it is; `None` of what was not fetched.
    pub page_uri: Option<String>,
    /// The website that it is a page of: such a file is hidden, and goes with the website.
    pub parent_id: Option<FileId>,
    /// Size in bytes, if there are bytes.
    pub size: Option<i64>,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
}

/// How far a file has come in a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleState {
    /// Waits for an ingestion.
    Pending,
    /// Is being ingested.
    Processing,
    /// Can be recalled.
    Ready,
    /// Could not be ingested; the sample says why.
    Failed,
}

impl SampleState {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Ready => "ready",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Processing, Self::Ready, Self::Failed]
            .into_iter()
            .find(|it| it.as_str() == name)
    }
}

/// A file in a memory.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its id.
    pub sample_id: Uuid,
    /// The memory.
    pub memory_id: MemoryId,
    /// The file.
    pub file_id: FileId,
    /// The version that readers see, once there is one.
    pub active_version: Option<Uuid>,
    /// SHA-256 of the bytes of the active version.
    pub content_sha256: Option<Vec<u8>>,
    /// The embedding model of the active version, `None` in lexical mode.
    pub model_id: Option<String>,
    /// How far it has come.
    pub state: SampleState,
    /// Why it failed, in words fit for the caller.
    pub reason: Option<String>,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
}
