//! When to try again what failed?

use std::time::Duration;

use uuid::Uuid;

/// The wait before the next try of `id` after `attempt` tries (1 or more), spread by up to a quarter so that what failed
/// together does not come back together. `None` once `waits` is used up.
///
/// The spread is taken from the id, which is as good as random, and so needs no generator.
pub(crate) fn wait(waits: &[Duration], id: Uuid, attempt: i64) -> Option<Duration> {
    let nth = usize::try_from(attempt.max(1) - 1).ok()?;
    let wait = waits.get(nth)?;
    let byte = id.as_bytes()[nth % 6] ^ id.as_bytes()[15];
    Some(wait.mul_f64(0.75 + f64::from(byte) / 510.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_by_a_quarter_and_end() {
        let waits = [Duration::from_secs(4), Duration::from_secs(40)];
        for n in 0..1000_u128 {
            let id = Uuid::from_u128(n << 120 | n);
            assert!((3.0..=5.0).contains(&wait(&waits, id, 1).unwrap().as_secs_f64()));
            assert!((30.0..=50.0).contains(&wait(&waits, id, 2).unwrap().as_secs_f64()));
            assert_eq!(wait(&waits, id, 3), None);
        }
        let ids = [Uuid::from_u128(0), Uuid::from_u128(99)];
        assert_ne!(wait(&waits, ids[0], 1), wait(&waits, ids[1], 1));
    }
}
