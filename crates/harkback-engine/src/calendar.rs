//! What are the months and the days of the week called?

/// The months in their order.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The days of a week.
pub(crate) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The number of a month, from 1, whatever its case.
pub(crate) fn month(word: &str) -> Option<u8> {
    let at = MONTHS.iter().position(|it| it.eq_ignore_ascii_case(word))?;
    Some(at as u8 + 1)
}
