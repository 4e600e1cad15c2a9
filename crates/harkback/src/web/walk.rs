//! Which pages does a site have? One, those that a sitemap or a list names, or those that links lead to.

use std::collections::{HashSet, VecDeque};

use harkback_engine::model::{FetchEnd, FileType, Validators};
use reqwest::Url;

use super::fetch::{Fetched, origin};
use super::page::may_be_page;
use super::site::{Miss, Stop, Visit, Visits};
use super::sitemap;

/// Links from the start to a page.
const MAX_DEPTH: usize = 10;
/// Indexes of sitemaps that name each other.
const MAX_SITEMAPS: usize = 200;

impl Visits<'_> {
    /// Visits all pages of the site.
    pub(super) async fn walk(&mut self) -> Result<FetchEnd, Stop> {
        let uploaded = match &self.site.file.blob_key {
            Some(key) if self.file_type() != FileType::Website => self.app.blobs.get(key).await?,
            _ => None,
        };
        if let Some(bytes) = uploaded {
            return match sitemap::read(&bytes) {
                Ok(named) => self.sitemap(named, Vec::new()).await,
                Err(why) => Ok(FetchEnd::Failed(format!("the file {why}"))),
            };
        }
        let Some(address) = &self.site.file.external_uri else {
            return Ok(FetchEnd::Failed(
                "the file has no address: make it with externalURI, or with the key of an uploaded list".into(),
            ));
        };
        let start = match self.app.egress.check(address) {
            Ok(mut url) => {
                url.set_fragment(None);
                url
            }
            Err(why) => return Ok(FetchEnd::Failed(format!("the address {why}"))),
        };
        match self.file_type() {
            FileType::Sitemap => self.sitemap_at(start).await,
            FileType::WebsiteBulk => self.crawl(start).await,
            _ => self.one_page(&start).await,
        }
    }

    async fn one_page(&mut self, url: &Url) -> Result<FetchEnd, Stop> {
        Ok(match self.visit(url).await? {
            Visit::Page { .. } | Visit::Double => FetchEnd::Page,
            Visit::Missed(Miss::Gone(reason)) if self.site.file.page_uri.is_some() => {
                FetchEnd::Gone(reason)
            }
            Visit::Missed(miss) => FetchEnd::Failed(miss.reason().to_owned()),
        })
    }

    async fn sitemap_at(&mut self, url: Url) -> Result<FetchEnd, Stop> {
        let named = match self.fetch_sitemap(&url).await {
            Ok(named) => named,
            Err(why) => return Ok(FetchEnd::Failed(format!("the sitemap {why}"))),
        };
        self.sitemap(named, vec![url]).await
    }

    /// Follows the sitemaps that a sitemap names, each once, and visits all pages. `read` are those that were read before.
    async fn sitemap(&mut self, first: sitemap::Sitemap, read: Vec<Url>) -> Result<FetchEnd, Stop> {
        let base = read.first().cloned();
        let mut seen: HashSet<String> = read.iter().map(Url::to_string).collect();
        let mut pages = first.pages;
        let mut queue = VecDeque::from(first.sitemaps);
        while let Some(next) = queue.pop_front() {
            if pages.len() > self.max_pages() || self.is_spent() {
                break;
            }
            let Some(url) = absolute(base.as_ref(), &next) else {
                self.leave_out(&next, "is named by the sitemap, but no URL");
                continue;
            };
            if seen.len() > MAX_SITEMAPS || !seen.insert(url.to_string()) {
                continue;
            }
            match self.fetch_sitemap(&url).await {
                Ok(named) => {
                    pages.extend(named.pages);
                    queue.extend(named.sitemaps);
                }
                Err(why) => self.leave_out(url.as_str(), &why),
            }
        }
        self.list(base.as_ref(), &pages).await
    }

    fn leave_out(&mut self, sitemap: &str, why: &str) {
        self.is_complete = false;
        self.notes.push(format!("the sitemap {sitemap} {why}"));
    }

    async fn fetch_sitemap(&mut self, url: &Url) -> Result<sitemap::Sitemap, String> {
        let fetched = self.fetcher.fetch(url, &Validators::default(), sitemap::MAX_BYTES).await;
        let content = match fetched {
            Fetched::Content(content) => content,
            Fetched::Gone(why) | Fetched::Forbidden(why) | Fetched::Failed(why) => {
                return Err(format!("could not be fetched: {why}"));
            }
            Fetched::Unchanged(_) => {
                return Err("could not be fetched: HTTP 304 to what was not asked".into());
            }
        };
        let read = tokio::task::spawn_blocking(move || sitemap::read(&content.bytes)).await;
        read.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Visits the pages that are named. One that cannot be fetched has a file all the same, which says why.
    async fn list(&mut self, base: Option<&Url>, named: &[String]) -> Result<FetchEnd, Stop> {
        let mut asked = HashSet::new();
        let named: Vec<&String> = named.iter().filter(|it| asked.insert(it.as_str())).collect();
        let max_pages = self.max_pages();
        if named.len() > max_pages {
            self.notes.push(format!(
                "of {} pages, the first {max_pages} were fetched (max_site_pages)",
                named.len()
            ));
        }
        let named = &named[..named.len().min(max_pages)];
        self.app.store.note_pages_found(&self.site.file, named.len()).await?;
        let (mut first_miss, mut n_doubles) = (None, 0);
        for page in named {
            if self.is_spent() {
                break;
            }
            let visit = match absolute(base, page) {
                Some(url) if self.urls.contains(url.as_str()) => Visit::Double,
                Some(url) => self.visit(&url).await?,
                None => Visit::Missed(Miss::NoPage("it is no http or https URL".into())),
            };
            match visit {
                Visit::Page { .. } => {}
                Visit::Double => n_doubles += 1,
                Visit::Missed(miss) => {
                    self.fail(absolute(base, page).as_ref().map_or(page, Url::as_str), &miss)
                        .await?;
                    first_miss.get_or_insert(miss);
                }
            }
        }
        self.note_doubles(n_doubles);
        self.end(first_miss).await
    }

    /// Follows the links from `start` within its host. Links to what is no page, or not to be fetched, are left.
    async fn crawl(&mut self, start: Url) -> Result<FetchEnd, Stop> {
        let mut asked = HashSet::from([start.to_string()]);
        let mut queue = VecDeque::from([(start, 0)]);
        let (mut host, mut first_miss) = (None, None);
        let (mut n_visits, mut n_doubles, mut n_forbidden) = (0, 0, 0);
        while let Some((url, depth)) = queue.pop_front() {
            if self.urls.contains(url.as_str()) {
                continue;
            }
            if n_visits == self.max_pages() {
                self.notes
                    .push(format!("the fetch was ended after {n_visits} pages (max_site_pages)"));
                break;
            }
            if self.is_spent() {
                break;
            }
            n_visits += 1;
            let links = match self.visit(&url).await? {
                Visit::Page { url, links } => {
                    host.get_or_insert_with(|| origin(&url));
                    links
                }
                Visit::Double => {
                    n_doubles += 1;
                    continue;
                }
                Visit::Missed(miss) => {
                    n_forbidden += usize::from(matches!(miss, Miss::Forbidden(_)));
                    if let Miss::Failed(_, _) = &miss {
                        self.fail(url.as_str(), &miss).await?;
                    }
                    let links =
                        if let Miss::Failed(_, links) = &miss { links.clone() } else { Vec::new() };
                    first_miss.get_or_insert(miss);
                    links
                }
            };
            let host = host.get_or_insert_with(|| origin(&url)).clone();
            let links = links.into_iter().filter(|it| origin(it) == host && may_be_page(it));
            if depth < MAX_DEPTH {
                for link in links {
                    if asked.insert(link.to_string()) {
                        queue.push_back((link, depth + 1));
                    }
                }
            }
            let n_found = (self.n_pages + queue.len()).min(self.max_pages());
            self.app.store.note_pages_found(&self.site.file, n_found).await?;
        }
        self.note_doubles(n_doubles);
        if n_forbidden > 0 {
            self.notes.push(format!("pages that robots.txt forbids: {n_forbidden}"));
        }
        self.end(first_miss).await
    }

    fn note_doubles(&mut self, n_doubles: usize) {
        if n_doubles > 0 {
            self.notes.push(format!("addresses of pages that others hold already: {n_doubles}"));
        }
    }

    async fn end(&mut self, first_miss: Option<Miss>) -> Result<FetchEnd, Stop> {
        if self.n_pages == 0 {
            let why =
                first_miss.map_or_else(|| self.notes.join("; "), |miss| miss.reason().to_owned());
            return Ok(FetchEnd::Failed(format!("no page could be fetched: {why}")));
        }
        if self.is_complete {
            self.drop_the_rest().await?;
        }
        let note = (!self.notes.is_empty()).then(|| self.notes.join("; "));
        Ok(FetchEnd::Pages { note })
    }

    fn max_pages(&self) -> usize {
        self.app.config.max_site_pages
    }
}

/// An address as a sitemap or a list names it, without its fragment.
pub(super) fn absolute(base: Option<&Url>, named: &str) -> Option<Url> {
    let mut url = base.map_or_else(|| Url::parse(named), |it| it.join(named)).ok()?;
    url.set_fragment(None);
    matches!(url.scheme(), "http" | "https").then_some(url)
}
