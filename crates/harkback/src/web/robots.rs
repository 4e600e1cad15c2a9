//! May a page be fetched, and how fast? As the `robots.txt` of its host says (RFC 9309).

use std::time::Duration;

use texting_robots::Robot;

/// What a `robots.txt` is read of, as the RFC has it.
pub(super) const MAX_BYTES: usize = 512 << 10;
/// The name by which sites know us.
const AGENT: &str = "harkback";
/// A host that asks for more is served this slowly.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// The rules of a host.
pub(super) enum Rules {
    /// It has none.
    None,
    /// Its `robots.txt`.
    Told(Box<Robot>),
    /// They cannot be known now, so nothing may be fetched; why.
    Unknown(String),
}

impl Rules {
    /// Reads the body of a `robots.txt`. What cannot be understood forbids nothing.
    pub(super) fn read(body: &[u8]) -> Self {
        Robot::new(AGENT, body).map_or(Self::None, |it| Self::Told(Box::new(it)))
    }

    /// Why `url` may not be fetched, if it may not.
    pub(super) fn forbid(&self, url: &str) -> Option<String> {
        match self {
            Self::Told(robot) if !robot.allowed(url) => {
                Some("the site's robots.txt forbids it".into())
            }
            Self::Unknown(why) => Some(format!("the site's robots.txt could not be read: {why}")),
            _ => None,
        }
    }

    /// The time to leave between two fetches.
    pub(super) fn delay(&self) -> Duration {
        match self {
            Self::Told(robot) => {
                let seconds = robot.delay.unwrap_or_default();
                Duration::try_from_secs_f32(seconds).unwrap_or_default().min(MAX_DELAY)
            }
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_those_for_us_or_else_for_all() {
        let body = b"User-agent: *\nDisallow: /\n\nUser-agent: Harkback\nDisallow: /private\nAllow: /private/open\n\
                     Crawl-delay: 2\n";
        let rules = Rules::read(body);
        let may = |path: &str| rules.forbid(&format!("https://e.com{path}")).is_none();
        assert!(may("/") && may("/private/open") && !may("/private/x"));
        assert_eq!(rules.delay(), Duration::from_secs(2));
        let all = Rules::read(b"User-agent: *\nDisallow: /*.pdf$\nCrawl-delay: 9999999\n");
        assert!(all.forbid("https://e.com/a.pdf").is_some());
        assert!(all.forbid("https://e.com/a.pdf?x").is_none());
        assert_eq!(all.delay(), MAX_DELAY);
        assert!(Rules::read(b"<html>\0\xff no rules").forbid("https://e.com/").is_none());
        assert!(Rules::Unknown("down".into()).forbid("https://e.com/").is_some());
    }
}
