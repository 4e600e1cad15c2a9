//! The corpus that `quickstart` ingests: a clinic whose callers a voice agent serves. Part of the binary.

/// Name and content of each file.
pub(super) const FILES: [(&str, &str); 20] = [
    ("about.md", include_str!("../../sample/about.md")),
    ("appointments.md", include_str!("../../sample/appointments.md")),
    ("conditions.md", include_str!("../../sample/conditions.md")),
    ("dr-demir.md", include_str!("../../sample/dr-demir.md")),
    ("dr-lindqvist.md", include_str!("../../sample/dr-lindqvist.md")),
    ("dr-marchetti.md", include_str!("../../sample/dr-marchetti.md")),
    ("dr-okafor.md", include_str!("../../sample/dr-okafor.md")),
    ("dr-reyes.md", include_str!("../../sample/dr-reyes.md")),
    ("emergencies.txt", include_str!("../../sample/emergencies.txt")),
    ("getting-here.txt", include_str!("../../sample/getting-here.txt")),
    ("harbour-street.md", include_str!("../../sample/harbour-street.md")),
    ("insurance.csv", include_str!("../../sample/insurance.csv")),
    ("opening-hours.txt", include_str!("../../sample/opening-hours.txt")),
    ("orchard-building.md", include_str!("../../sample/orchard-building.md")),
    ("prescriptions.md", include_str!("../../sample/prescriptions.md")),
    ("questions.jsonl", include_str!("../../sample/questions.jsonl")),
    ("riverside-building.md", include_str!("../../sample/riverside-building.md")),
    ("staff.csv", include_str!("../../sample/staff.csv")),
    ("tests-and-results.md", include_str!("../../sample/tests-and-results.md")),
    ("vaccinations.md", include_str!("../../sample/vaccinations.md")),
];
