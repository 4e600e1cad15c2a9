//! What is the passage under a heading about?

/// A heading line of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// 1 to 6.
    pub(super) level: usize,
    /// Its text.
    pub(super) name: String,
    /// Whether it was told from its place alone. Such a one names a part of its document, never a subject of its own.
    pub(super) is_plain: bool,
}

/// Between the subject and a heading that means nothing without it. What comes before it names the subject entity.
pub(super) const SEPARATOR: &str = " – ";

/// A document's headings, and with them the titles of its passages.
///
/// The title is put before every sentence that is embedded, and the entity it names is what a passage is found by on the
/// second hop. So the nearest heading is the title where it names something ("Dr. Amara Okafor", "Riverside building",
/// "Diabetes"). Headings that only name a part ("Opening hours", "Overview", a question, one that the document uses twice)
/// would make one entity of unrelated passages; there the title is "subject – heading", the subject being the nearest
/// heading above that names something, or else the document's title. Numbering ("2.1", "Chapter 4:") is left out.
pub(super) struct Outline<'a> {
    document_title: &'a str,
    headings: Vec<Heading>,
    names_subject: Vec<bool>,
    parents: Vec<Option<usize>>,
}

impl<'a> Outline<'a> {
    pub(super) fn new(document_title: &'a str, mut headings: Vec<Heading>) -> Self {
        for heading in &mut headings {
            heading.name = without_numbering(&heading.name).to_owned();
        }
        let mut n_uses = rustc_hash::FxHashMap::<String, usize>::default();
        for heading in &headings {
            *n_uses.entry(heading.name.to_lowercase()).or_default() += 1;
        }
        let names_subject = headings
            .iter()
            .map(|it| {
                !it.is_plain && n_uses[&it.name.to_lowercase()] == 1 && names_subject(&it.name)
            })
            .collect();
        let parents = parents(&headings);
        Self { document_title, headings, names_subject, parents }
    }

    /// The title of the passages under heading `i`.
    pub(super) fn title_under(&self, i: usize) -> String {
        let name = &self.headings[i].name;
        if self.names_subject[i] || name.eq_ignore_ascii_case(self.document_title) {
            return name.clone();
        }
        let subject = self.subject_above(i);
        if subject.is_empty() { name.clone() } else { format!("{subject}{SEPARATOR}{name}") }
    }

    /// The title of a text that stands beside heading `i`, not under it.
    pub(super) fn title_above(&self, i: usize) -> String {
        self.parents[i].map_or_else(|| self.document_title.to_owned(), |it| self.title_under(it))
    }

    fn subject_above(&self, i: usize) -> &str {
        let mut above = self.parents[i];
        while let Some(parent) = above {
            if self.names_subject[parent] {
                return &self.headings[parent].name;
            }
            above = self.parents[parent];
        }
        self.document_title
    }
}

fn parents(headings: &[Heading]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let mut parents = Vec::with_capacity(headings.len());
    for (i, heading) in headings.iter().enumerate() {
        while open.last().is_some_and(|it| headings[*it].level >= heading.level) {
            open.pop();
        }
        parents.push(open.last().copied());
        open.push(i);
    }
    parents
}

/// Whether a heading means the same without what stands above it.
fn names_subject(name: &str) -> bool {
    const MAX_WORDS: usize = 8;
    if name.ends_with(['?', '!', ':']) {
        return false;
    }
    let lower = name.to_lowercase();
    let words: Vec<&str> =
        lower.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty()).collect();
    let is_part = |it: &&str| PARTS.contains(it) || it.bytes().all(|byte| byte.is_ascii_digit());
    !words.is_empty() && words.len() <= MAX_WORDS && !words.iter().all(is_part)
}

/// Drops `2.1 `, `IV. `, `Chapter 3: `; a heading that is nothing else stays.
fn without_numbering(name: &str) -> &str {
    let mut rest = name.trim();
    if let Some((word, after)) = rest.split_once(' ') {
        let is_label =
            ["chapter", "section", "part", "appendix"].contains(&word.to_lowercase().as_str());
        let after = after.trim_start();
        if is_label && after.starts_with(|it: char| it.is_ascii_digit()) {
            rest = after;
        }
    }
    let body = rest.trim_start_matches(|it: char| it.is_ascii_digit() || it == '.');
    let number = &rest[..rest.len() - body.len()];
    let is_number = number.contains('.') || body.starts_with([')', ':']);
    let body = body.trim_start_matches([')', ':', '.', ' ', '–', '-']);
    if is_number && !body.is_empty() { body } else { name.trim() }
}

/// Words of headings that name a part of a text or an aspect of its subject, and the words between them.
const PARTS: &[&str] = &[
    "a",
    "about",
    "abstract",
    "access",
    "accessibility",
    "acknowledgements",
    "additional",
    "address",
    "addresses",
    "after",
    "an",
    "and",
    "answers",
    "appendix",
    "appointments",
    "arrival",
    "at",
    "availability",
    "awards",
    "background",
    "basics",
    "before",
    "benefits",
    "biography",
    "booking",
    "bookings",
    "by",
    "cancellation",
    "cancellations",
    "career",
    "change",
    "changes",
    "charges",
    "children",
    "closed",
    "common",
    "complaints",
    "conclusion",
    "conclusions",
    "conditions",
    "contact",
    "contacts",
    "contents",
    "cost",
    "costs",
    "dates",
    "death",
    "definition",
    "definitions",
    "delivery",
    "departments",
    "description",
    "details",
    "directions",
    "discussion",
    "documents",
    "during",
    "duties",
    "early",
    "education",
    "eligibility",
    "email",
    "emergencies",
    "emergency",
    "events",
    "example",
    "examples",
    "exchanges",
    "external",
    "extras",
    "facilities",
    "family",
    "faq",
    "faqs",
    "features",
    "fees",
    "find",
    "first",
    "for",
    "frequently",
    "from",
    "further",
    "general",
    "getting",
    "glossary",
    "guidelines",
    "help",
    "here",
    "history",
    "holidays",
    "home",
    "hours",
    "how",
    "if",
    "important",
    "in",
    "information",
    "instructions",
    "insurance",
    "introduction",
    "is",
    "it",
    "key",
    "later",
    "legacy",
    "legal",
    "life",
    "links",
    "location",
    "locations",
    "map",
    "me",
    "menu",
    "methods",
    "miscellaneous",
    "more",
    "name",
    "need",
    "news",
    "next",
    "notes",
    "of",
    "on",
    "open",
    "opening",
    "options",
    "or",
    "other",
    "our",
    "out",
    "overview",
    "parking",
    "payment",
    "payments",
    "people",
    "personal",
    "phone",
    "plot",
    "policies",
    "policy",
    "preface",
    "preparation",
    "price",
    "prices",
    "pricing",
    "privacy",
    "procedure",
    "procedures",
    "processing",
    "purpose",
    "questions",
    "rates",
    "reading",
    "reception",
    "references",
    "refunds",
    "related",
    "requirements",
    "results",
    "returns",
    "reviews",
    "rules",
    "schedule",
    "scope",
    "section",
    "see",
    "services",
    "shipping",
    "sources",
    "special",
    "staff",
    "steps",
    "summary",
    "support",
    "table",
    "team",
    "telephone",
    "terms",
    "the",
    "there",
    "this",
    "time",
    "times",
    "tips",
    "to",
    "topics",
    "travel",
    "types",
    "updates",
    "us",
    "usage",
    "use",
    "used",
    "useful",
    "visit",
    "visits",
    "warranty",
    "we",
    "what",
    "when",
    "where",
    "who",
    "with",
    "work",
    "works",
    "you",
    "your",
    "asked",
];
