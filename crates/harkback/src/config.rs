//! What is the server told, and where? Flags come before the environment (`HARKBACK_*`), the environment before the
//! configuration file (TOML), the file before the defaults.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Data directory.
    pub data: PathBuf,
    /// Address at which callers reach the server, as upload URLs begin; taken from a request's `Host` when not set.
    pub public_url: Option<String>,
    /// Most bytes of an uploaded file.
    pub max_file_bytes: u64,
    /// Most tokens that an account's memories may hold.
    pub token_limit: i64,
    /// Shape of `payload` for a retrieval request without `top_k`.
    pub payload_without_top_k: PayloadShape,
    /// Private hosts that callers' URLs may name all the same: `host` or `host:port`.
    pub allowed_private_hosts: Vec<String>,
    /// Most pages of a sitemap or of a bulk of a website.
    pub max_site_pages: usize,
    /// Requests that a website's host is sent in a second.
    pub site_requests_per_second: NonZeroU32,
    /// Seconds until the fetch of a page is given up.
    pub page_timeout_seconds: u64,
    /// Requests a key may make in a second on average; twice as many in a burst.
    pub requests_per_second: NonZeroU32,
    /// Requests that may be under way at once; more are told to come back.
    pub max_requests: usize,
    /// Connections that may be open at once; more are told to come back.
    pub max_connections: usize,
    /// Those of them that may come from one address; half of them if this is not set.
    pub max_connections_per_address: Option<usize>,
    /// Seconds until a request is given up. Uploads may take longer.
    pub timeout_seconds: u64,
    /// Where recordings are transcribed: the base of an OpenAI-compatible API, as `http://127.0.0.1:9000/v1`.
    pub transcription_url: Option<String>,
    /// The model that is asked for there.
    pub transcription_model: String,
    /// The key for it.
    pub transcription_key: Option<Secret>,
    /// What is logged, as `tracing` filters are written.
    pub log: String,
    /// How long slow peers are waited for: no setting, but tests are less patient.
    #[serde(skip)]
    pub patience: Patience,
}

/// How long the server waits for a peer that is slow.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the head of a request, and for the next request on an open connection.
    pub head: Duration,
    /// For a whole JSON body.
    pub body: Duration,
    /// For the next bytes of an upload.
    pub upload_pause: Duration,
    /// The slowest rate at which an upload may go on; at least 1.
    pub upload_bytes_per_second: u64,
    /// For the peer to take more of its answer.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            body: Duration::from_secs(10),
            upload_pause: Duration::from_secs(30),
            upload_bytes_per_second: 4096,
            write: Duration::from_secs(30),
        }
    }
}

/// A text that is not printed with the settings.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Shape of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PayloadShape {
    /// One string, as clients up to 0.14 expect.
    String,
    /// A list of items, as with `top_k`.
    List,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            data: PathBuf::from("harkback-data"),
            public_url: None,
            max_file_bytes: 512 * 1024 * 1024,
            token_limit: 1_000_000_000,
            payload_without_top_k: PayloadShape::String,
            allowed_private_hosts: Vec::new(),
            max_site_pages: 500,
            site_requests_per_second: NonZeroU32::new(2).expect("2 is not zero"),
            page_timeout_seconds: 20,
            requests_per_second: NonZeroU32::new(5000).expect("5000 is not zero"),
            max_requests: 512,
            max_connections: 4096,
            max_connections_per_address: None,
            timeout_seconds: 60,
            transcription_url: None,
            transcription_model: "whisper-1".to_owned(),
            transcription_key: None,
            log: "info".to_owned(),
            patience: Patience::default(),
        }
    }
}

/// The settings as flags and environment variables; what is not given is left to the file and the defaults.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file (TOML; the same settings, written `like_this`)
    #[arg(long, value_name = "FILE", env = "HARKBACK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Data directory, made if it is not there [default: harkback-data]
    #[arg(long, value_name = "DIR", env = "HARKBACK_DATA")]
    pub data: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR", env = "HARKBACK_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Address at which callers reach the server [default: the Host of each request]
    #[arg(long, value_name = "URL", env = "HARKBACK_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Most bytes of an uploaded file [default: 512 MB]
    #[arg(long, value_name = "BYTES", env = "HARKBACK_MAX_FILE_BYTES")]
    pub max_file_bytes: Option<u64>,
    /// Most tokens that an account's memories may hold [default: 1000000000]
    #[arg(long, value_name = "N", env = "HARKBACK_TOKEN_LIMIT")]
    pub token_limit: Option<i64>,
    /// Shape of the payload for a retrieval request without `top_k`: `string` or `list` [default: string]
    #[arg(
        long,
        value_name = "SHAPE",
        env = "HARKBACK_PAYLOAD_WITHOUT_TOP_K",
        hide_possible_values = true
    )]
    pub payload_without_top_k: Option<PayloadShape>,
    /// Private hosts that callers' URLs may name all the same, with commas between them
    #[arg(
        long,
        value_name = "HOSTS",
        value_delimiter = ',',
        env = "HARKBACK_ALLOWED_PRIVATE_HOSTS"
    )]
    pub allowed_private_hosts: Option<Vec<String>>,
    /// Most pages of a sitemap or of a bulk of a website [default: 500]
    #[arg(long, value_name = "N", env = "HARKBACK_MAX_SITE_PAGES")]
    pub max_site_pages: Option<usize>,
    /// Requests that a website's host is sent in a second [default: 2]
    #[arg(long, value_name = "N", env = "HARKBACK_SITE_REQUESTS_PER_SECOND")]
    pub site_requests_per_second: Option<NonZeroU32>,
    /// Seconds until the fetch of a page is given up [default: 20]
    #[arg(long, value_name = "SECONDS", env = "HARKBACK_PAGE_TIMEOUT_SECONDS")]
    pub page_timeout_seconds: Option<u64>,
    /// Requests a key may make in a second on average [default: 5000]
    #[arg(long, value_name = "N", env = "HARKBACK_REQUESTS_PER_SECOND")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests that may be under way at once [default: 512]
    #[arg(long, value_name = "N", env = "HARKBACK_MAX_REQUESTS")]
    pub max_requests: Option<usize>,
    /// Connections that may be open at once [default: 4096]
    #[arg(long, value_name = "N", env = "HARKBACK_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,
    /// Connections that may be open at once from one address [default: half of all]
    #[arg(long, value_name = "N", env = "HARKBACK_MAX_CONNECTIONS_PER_ADDRESS")]
    pub max_connections_per_address: Option<usize>,
    /// Seconds until a request is given up [default: 60]
    #[arg(long, value_name = "SECONDS", env = "HARKBACK_TIMEOUT_SECONDS")]
    pub timeout_seconds: Option<u64>,
    /// OpenAI-compatible API that transcribes recordings, as http://127.0.0.1:9000/v1
    #[arg(long, value_name = "URL", env = "HARKBACK_TRANSCRIPTION_URL")]
    pub transcription_url: Option<String>,
    /// Model that is asked for there [default: whisper-1]
    #[arg(long, value_name = "NAME", env = "HARKBACK_TRANSCRIPTION_MODEL")]
    pub transcription_model: Option<String>,
    /// Key for it; better in the environment or the file than here, where others see it
    #[arg(long, value_name = "KEY", env = "HARKBACK_TRANSCRIPTION_KEY", hide_env_values = true)]
    pub transcription_key: Option<Secret>,
    /// What is logged, as `tracing` filters are written [default: info]
    #[arg(long, value_name = "FILTER", env = "HARKBACK_LOG")]
    pub log: Option<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("cannot understand the configuration file `{path}`")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: Box<toml::de::Error>,
    },
    /// A setting has an impossible value.
    #[error("`{setting}` must be {must_be}")]
    Value {
        /// The setting.
        setting: &'static str,
        /// What it may be.
        must_be: &'static str,
    },
}

impl Config {
    /// Merges flags and environment over the file over the defaults.
    ///
    /// # Errors
    /// If the file cannot be read or understood, or a value is impossible.
    pub fn load(args: &ConfigArgs) -> Result<Self, ConfigError> {
        let mut config = match &args.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        let args = args.clone();
        overlay(&mut config.data, args.data);
        overlay(&mut config.listen, args.listen);
        overlay(&mut config.max_file_bytes, args.max_file_bytes);
        overlay(&mut config.token_limit, args.token_limit);
        overlay(&mut config.payload_without_top_k, args.payload_without_top_k);
        overlay(&mut config.allowed_private_hosts, args.allowed_private_hosts);
        overlay(&mut config.max_site_pages, args.max_site_pages);
        overlay(&mut config.site_requests_per_second, args.site_requests_per_second);
        overlay(&mut config.page_timeout_seconds, args.page_timeout_seconds);
        overlay(&mut config.requests_per_second, args.requests_per_second);
        overlay(&mut config.max_requests, args.max_requests);
        overlay(&mut config.max_connections, args.max_connections);
        config.max_connections_per_address =
            args.max_connections_per_address.or(config.max_connections_per_address);
        overlay(&mut config.timeout_seconds, args.timeout_seconds);
        config.transcription_url = args.transcription_url.or(config.transcription_url);
        overlay(&mut config.transcription_model, args.transcription_model);
        config.transcription_key = args.transcription_key.or(config.transcription_key);
        overlay(&mut config.log, args.log);
        config.public_url = args.public_url.or(config.public_url);
        config.checked()
    }

    /// How many connections may come from one address.
    pub fn connections_per_address(&self) -> usize {
        self.max_connections_per_address.unwrap_or_else(|| self.max_connections.div_ceil(2))
    }

    /// How long a request may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    fn checked(mut self) -> Result<Self, ConfigError> {
        let refuse = |setting, must_be| Err(ConfigError::Value { setting, must_be });
        if self.max_file_bytes == 0 {
            return refuse("max_file_bytes", "at least 1");
        }
        if self.max_site_pages == 0 {
            return refuse("max_site_pages", "at least 1");
        }
        if self.page_timeout_seconds == 0 {
            return refuse("page_timeout_seconds", "at least 1");
        }
        if self.max_requests == 0 {
            return refuse("max_requests", "at least 1");
        }
        if self.max_connections == 0 {
            return refuse("max_connections", "at least 1");
        }
        if self.max_connections_per_address == Some(0) {
            return refuse("max_connections_per_address", "at least 1");
        }
        if self.timeout_seconds == 0 {
            return refuse("timeout_seconds", "at least 1");
        }
        let urls = [
            ("public_url", &mut self.public_url),
            ("transcription_url", &mut self.transcription_url),
        ];
        for (setting, url) in urls.into_iter().filter_map(|it| Some((it.0, it.1.as_mut()?))) {
            *url = url.trim_end_matches('/').to_owned();
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return refuse(setting, "a URL that begins with http:// or https://");
            }
        }
        Ok(self)
    }
}

fn overlay<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_file_and_the_file_before_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("harkback.toml");
        fs::write(&path, "listen = \"127.0.0.1:1\"\nmax_file_bytes = 5\n").unwrap();
        let args = ConfigArgs { config: Some(path), max_file_bytes: Some(7), ..Default::default() };
        let config = Config::load(&args).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.max_file_bytes, 7);
        assert_eq!(config.max_requests, Config::default().max_requests);
    }

    #[test]
    fn unknown_settings_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("harkback.toml");
        fs::write(&path, "lissten = \"127.0.0.1:1\"\n").unwrap();
        let args = ConfigArgs { config: Some(path), ..Default::default() };
        assert!(matches!(Config::load(&args), Err(ConfigError::Parse { .. })));
    }
}
