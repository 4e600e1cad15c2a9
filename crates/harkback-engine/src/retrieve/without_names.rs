//! Signal: similarity with what remains of a question when its names are taken out of its vector. "Where was the wife of Ada
//! Stone born?" is near to all that is about Ada Stone; what is asked about her wife is near to "born in".
//!
//! Each name is embedded by itself and the question's vector projected onto what is orthogonal to them all (Gram and Schmidt).
//! It keeps what embedding the question again without its names gains, at less than the half of the cost:
//! docs/decisions/0003.

use super::rank::{Gathered, spread};
use crate::index::PassageNo;

/// A question of which less than this share remains is nothing but its names.
const MIN_LENGTH: f32 = 0.1;

/// What remains of the unit vector `whole` without its parts along `names`, of unit length; `None` where there are no names, or
/// nothing else.
pub(super) fn without_names(whole: &[f32], names: &[Vec<f32>]) -> Option<Vec<f32>> {
    if names.is_empty() {
        return None;
    }
    let mut basis = Vec::<Vec<f32>>::with_capacity(names.len());
    for name in names {
        let orthogonal = orthogonal(name, &basis);
        basis.extend(unit(orthogonal));
    }
    unit(orthogonal(whole, &basis))
}

/// The signal's values: cosines with the candidates, moved to 0..=1.
pub(super) fn values(gathered: &Gathered<'_>, candidates: &[PassageNo]) -> Vec<f32> {
    match &gathered.query.vector_without_names {
        None => vec![0.0; candidates.len()],
        Some(vector) => {
            spread(candidates, |it| gathered.snapshot.vectors.cosine(vector, it as usize))
        }
    }
}

fn orthogonal(vector: &[f32], basis: &[Vec<f32>]) -> Vec<f32> {
    let mut rest = vector.to_vec();
    for axis in basis {
        let along = dot(&rest, axis);
        rest.iter_mut().zip(axis).for_each(|(it, axis)| *it -= along * axis);
    }
    rest
}

fn unit(vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = dot(&vector, &vector).sqrt();
    (length >= MIN_LENGTH).then(|| vector.iter().map(|it| it / length).collect())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_orthogonal_to_every_name() {
        let names = vec![vec![0.6, 0.8, 0.0], vec![0.8, 0.6, 0.0]];
        let rest = without_names(&[0.48, 0.64, 0.6], &names).unwrap();
        assert!((rest[2] - 1.0).abs() < 1e-5 && rest[0].abs() < 1e-5, "{rest:?}");
        let one = without_names(&[0.0, 0.6, 0.8], &[vec![0.0, 1.0, 0.0]]).unwrap();
        assert!((dot(&one, &one) - 1.0).abs() < 1e-5 && one[1].abs() < 1e-5, "{one:?}");
    }

    #[test]
    fn a_question_without_names_or_of_names_alone_has_no_rest() {
        assert_eq!(without_names(&[1.0, 0.0], &[]), None);
        let name = vec![0.6, 0.8];
        assert_eq!(without_names(&name, std::slice::from_ref(&name)), None);
        let twice = vec![name.clone(), name.clone()];
        assert!(without_names(&[1.0, 0.0], &twice).is_some(), "a name said twice is one");
    }
}
